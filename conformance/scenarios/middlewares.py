"""ipAllowList, headers, stripPrefix, addPrefix, chain, and those that are not here yet."""

from harness.scenario import Api, Ask, Scenario

from .shape import http, on

TARGET = ("status", "seen.target", "seen.header.X-Forwarded-Prefix")


def routes(middlewares: dict, extra: dict | None = None) -> str:
    """A router for each middleware, at the path of its name and below."""
    return http({name: on(f"PathPrefix(`/{name}`)", name) for name in middlewares}, middlewares | (extra or {}))


ALLOW = {
    "loopback": {"ipAllowList": {"sourceRange": ["127.0.0.1/32"]}},
    "other": {"ipAllowList": {"sourceRange": ["10.0.0.0/8"]}},
    "text": {"ipAllowList": {"sourceRange": "10.0.0.0/8, 127.0.0.9"}},
    "code": {"ipAllowList": {"sourceRange": ["10.0.0.1"], "rejectStatusCode": 418}},
    "depth": {"ipAllowList": {"sourceRange": ["1.2.3.4/24", "fe80::/16"], "ipStrategy": {"depth": 1}}},
    "excluded": {"ipAllowList": {"sourceRange": ["8.8.8.8"], "ipStrategy": {"excludedIPs": ["10.0.0.0/8"]}}},
    "none": {"ipAllowList": {"sourceRange": []}},
    "bad": {"ipAllowList": {"sourceRange": ["foo"]}},
    "old": {"ipWhiteList": {"sourceRange": ["127.0.0.1"]}},
    "teapot": {"ipAllowList": {"sourceRange": ["10.0.0.1"], "rejectStatusCode": 99}},
}


def via(name: str, address: str) -> Ask:
    headers = (f"X-Forwarded-For: {address}",) if address else ()
    return Ask(f"{name} {address or 'none'}", f"/{name}", headers=headers, watch=("status", "body"))


HEADERS = {
    "set": {"headers": {"customRequestHeaders": {"X-Set": "a", "X-Gone": ""},
                        "customResponseHeaders": {"X-Said": "b", "X-Origin": "", "Server": "mine"}}},
    "host": {"headers": {"customRequestHeaders": {"Host": "rewritten.test"}}},
    "secure": {"headers": {
        "frameDeny": True, "contentTypeNosniff": True, "browserXssFilter": True, "referrerPolicy": "no-referrer",
        "contentSecurityPolicy": "default-src 'self'", "permissionsPolicy": "camera=()", "stsSeconds": 300,
        "stsIncludeSubdomains": True, "stsPreload": True, "forceSTSHeader": True}},
    "hosts": {"headers": {"allowedHosts": ["allowed.test"]}},
    "proxies": {"headers": {"hostsProxyHeaders": ["X-Forwarded-Host"], "allowedHosts": ["allowed.test"]}},
    "cors": {"headers": {
        "accessControlAllowMethods": ["GET", "PUT"], "accessControlAllowHeaders": ["X-A"],
        "accessControlAllowOriginList": ["https://good.test"], "accessControlMaxAge": 100, "addVaryHeader": True,
        "accessControlAllowCredentials": True, "accessControlExposeHeaders": ["X-B"]}},
    "corsany": {"headers": {"accessControlAllowOriginList": ["*"], "accessControlAllowMethods": ["GET"]}},
    "corsregex": {"headers": {"accessControlAllowOriginListRegex": ["^https://.*\\.good\\.test$"],
                              "accessControlAllowMethods": ["GET"]}},
    "dev": {"headers": {"isDevelopment": True, "frameDeny": True, "allowedHosts": ["allowed.test"]}},
    "same": {"headers": {"customFrameOptionsValue": "SAMEORIGIN", "customBrowserXSSValue": "0"}},
}

PREFLIGHT = ("Access-Control-Request-Method: PUT",)

STRIP = {
    "strip": {"stripPrefix": {"prefixes": ["/strip/a", "/strip"]}},
    "slash": {"stripPrefix": {"prefixes": ["/slash/"]}},
    "strip-text": {"stripPrefix": {"prefixes": "/strip-text/x, /strip-text/y"}},
    "force": {"stripPrefix": {"prefixes": ["/force"], "forceSlash": False}},
    "add": {"addPrefix": {"prefix": "/more"}},
    "add-bare": {"addPrefix": {"prefix": "more"}},
    "add-slash": {"addPrefix": {"prefix": "/more/"}},
    "add-empty": {"addPrefix": {"prefix": ""}},
    "both": {"chain": {"middlewares": ["strip-both", "add-both"]}},
    "turned": {"chain": {"middlewares": ["add-both", "strip-turned"]}},
}

CHAINS = {
    "deny": {"ipAllowList": {"sourceRange": ["10.0.0.1"]}},
    "limit": {"rateLimit": {"average": 1, "period": "1h", "burst": 1}},
    "outer": {"chain": {"middlewares": ["inner"]}},
    "inner": {"chain": {"middlewares": ["mark"]}},
    "mark": {"headers": {"customRequestHeaders": {"X-Mark": "1"}}},
    "loop": {"chain": {"middlewares": ["loop"]}},
    "empty": {"chain": {"middlewares": []}},
    "lost": {"chain": {"middlewares": ["ghost"]}},
}

NOT_HERE_YET = {
    "stripPrefixRegex": {"regex": ["/x"]},
    "replacePath": {"path": "/y"},
    "replacePathRegex": {"regex": "^/a", "replacement": "/b"},
    "redirectScheme": {"scheme": "https"},
    "redirectRegex": {"regex": "^http", "replacement": "https"},
    "basicAuth": {"users": ["a:$apr1$x$y"]},
    "digestAuth": {"users": ["a:r:5ccc069c403ebaf9f0171e9517f40e41"]},
    "forwardAuth": {"address": "http://127.0.0.1:1"},
    "inFlightReq": {"amount": 3},
    "buffering": {"maxRequestBodyBytes": 1000},
    "circuitBreaker": {"expression": "NetworkErrorRatio() > 0.5"},
    "compress": {"minResponseBodyBytes": 100},
    "retry": {"attempts": 2},
    "errors": {"status": ["500"], "service": "one", "query": "/x"},
    "contentType": {"autoDetect": True},
    "grpcWeb": {"allowOrigins": ["*"]},
    "passTLSClientCert": {"pem": True},
    "encodedCharacters": {"allowEncodedSlash": True},
}

SCENARIOS = [
    Scenario(
        "middlewares/ipAllowList",
        routes(ALLOW),
        [
            via("loopback", ""), via("loopback", "9.9.9.9"), via("other", ""), via("other", "10.1.1.1"), via("text", ""),
            Ask("text from .9", "/text", source="127.0.0.9"), via("code", ""),
            *[via("depth", address) for address in (
                "1.2.3.1", "1.2.16.1", "fe80::1", "fe80::1%eth0", "::ffff:1.2.3.9", "foo", "", "1.2.3.1:80", "01.2.3.1",
                "9.9.9.9, 1.2.3.1", "1.2.3.1, 9.9.9.9")],
            *[via("excluded", address) for address in ("8.8.8.8", "8.8.8.8, 10.1.1.1", "9.9.9.9, 10.1.1.1", "10.1.1.1")],
            via("none", ""), via("bad", ""), via("old", ""), via("teapot", ""),
            Ask("reply", "/other", watch=("status", "headers", "body", "origin")),
        ],
    ),
    Scenario(
        "middlewares/headers",
        routes(HEADERS),
        [
            Ask("set", "/set", headers=("X-Gone: 1", "X-Set: client"), watch=("status", "headers", "seen.header.X-Set", "seen.header.X-Gone")),
            Ask("host", "/host", watch=("status", "seen.header.Host", "seen.header.X-Forwarded-Host")),
            Ask("secure", "/secure", watch=("status", "headers")),
            Ask("allowed host", "/hosts", host="allowed.test", watch=("status",)),
            Ask("host not allowed", "/hosts", watch=("status", "headers", "body")),
            Ask("host of a proxy", "/proxies", headers=("X-Forwarded-Host: allowed.test",)),
            Ask("cors simple", "/cors", headers=("Origin: https://good.test",), watch=("status", "headers")),
            Ask("cors other origin", "/cors", headers=("Origin: https://bad.test",), watch=("status", "headers")),
            Ask("cors no origin", "/cors", watch=("status", "headers")),
            Ask("cors preflight", "/cors", method="OPTIONS", headers=("Origin: https://good.test", *PREFLIGHT), watch=("status", "headers", "body", "origin")),
            Ask("cors preflight, other origin", "/cors", method="OPTIONS", headers=("Origin: https://bad.test", *PREFLIGHT), watch=("status", "headers", "origin")),
            Ask("cors options without ask", "/cors", method="OPTIONS", headers=("Origin: https://good.test",), watch=("status", "headers", "origin")),
            Ask("cors any", "/corsany", headers=("Origin: https://x.test",), watch=("status", "headers")),
            Ask("cors regex", "/corsregex", headers=("Origin: https://a.good.test",), watch=("status", "headers")),
            Ask("cors regex no", "/corsregex", headers=("Origin: https://a.bad.test",), watch=("status", "headers")),
            Ask("development", "/dev", watch=("status", "headers")),
            Ask("own values", "/same", watch=("headers",)),
            Ask("secure on 404", "/secure", headers=("X-Do: status=404",), watch=("status", "headers")),
        ],
    ),
    Scenario(
        "middlewares/prefixes",
        routes(STRIP, {
            "strip-both": {"stripPrefix": {"prefixes": ["/both"]}}, "add-both": {"addPrefix": {"prefix": "/pre"}},
            "strip-turned": {"stripPrefix": {"prefixes": ["/pre/turned"]}},
        }),
        [
            Ask(path, path, watch=TARGET)
            for path in (
                "/strip", "/strip/", "/strip/x", "/strip/a", "/strip/ab", "/strip/a/b", "/strip/a%2Fb", "/strip//x",
                "/strip/x?y=/strip", "/strip%2Fx", "/strip/a/../x", "/slash/", "/slash", "/slash/x", "/strip-text/x/1", "/strip-text/y",
                "/strip-text/z", "/force", "/force/", "/force/x", "/add", "/add/x?y", "/add/%20%2F", "/add-bare/x",
                "/add-slash/x", "/add-empty/x", "/both/x", "/both", "/turned/x",
            )
        ] + [Ask("prefix given", "/strip/x", headers=("X-Forwarded-Prefix: /outer",), watch=TARGET)],
    ),
    Scenario(
        "middlewares/chains",
        http(
            {
                "first": on("/first", "deny", "limit"), "second": on("/second", "limit", "deny"), "nested": on("/nested", "outer"),
                "loop": on("/loop", "loop"), "empty": on("/empty", "empty"), "lost": on("/lost", "lost"),
                "twice": on("/twice", "limit", "limit"), "qualified": on("/qualified", "mark@file"),
            },
            CHAINS,
        ),
        [
            Ask("denied before", "/first"), Ask("denied again", "/first"),
            Ask("limited before", "/second"), Ask("limited then", "/second"),
            Ask("nested", "/nested", watch=("status", "seen.header.X-Mark")),
            Ask("loop", "/loop"), Ask("empty", "/empty"), Ask("lost", "/lost"), Ask("twice", "/twice"),
            Ask("qualified", "/qualified", watch=("status", "seen.header.X-Mark")),
            Api("loop said", "/api/http/routers/loop@file", pick=("status",)),
            Api("empty said", "/api/http/routers/empty@file", pick=("status",)),
            Api("lost said", "/api/http/routers/lost@file", pick=("status", "error")),
        ],
    ),
    Scenario(
        "middlewares/others",
        http(
            {name.lower(): on(f"/{name}", name) for name in NOT_HERE_YET} | {"plain": on("/plain")},
            {name: {name: block} for name, block in NOT_HERE_YET.items()},
        ),
        [
            Api(name, f"/api/http/routers/{name.lower()}@file", pick=("status",)) for name in NOT_HERE_YET
        ] + [Ask("the others work", "/plain")],
    ),
]
