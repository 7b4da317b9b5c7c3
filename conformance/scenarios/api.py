"""The API, ping: documents, keys and values."""

from harness.scenario import Api, Ask, Scenario

from .shape import http, on, rate, to

SITE = http(
    {
        "a": on("Host(`a.test`) && Path(`/a`)", "mw", "ch"),
        "broken": on("/broken", "ghost"),
        "twice": on("/twice", "negative", priority=7, entryPoints=["web", "nowhere"]),
        "bad-rule": on("Pathh(`/x`)"),
        "no-service": on("/no-service", service="ghost"),
    },
    {
        "mw": rate(5, 9, "1m", sourceCriterion={"ipStrategy": {"depth": 1, "ipv6Subnet": 64}}),
        "secret": {"rateLimit": {"average": 1, "redis": {
            "endpoints": ["@listen:nobody@"], "username": "u", "password": "hunter2"}}},
        "ch": {"chain": {"middlewares": ["add"]}},
        "add": {"addPrefix": {"prefix": "/p"}},
        "strip": {"stripPrefix": {"prefixes": ["/a", "/b"]}},
        "allow": {"ipAllowList": {"sourceRange": ["127.0.0.1/8"]}},
        "said": {"headers": {"customResponseHeaders": {"X-A": "b"}}},
        "negative": rate(1, 2, "-1s"),
    },
    {"two": {"loadBalancer": {"servers": [{"url": "@url:one@"}, {"url": "@url:two@", "weight": 3}], "passHostHeader": False}},
     "unused": to("one")},
)


def no_secret(notes: dict) -> list[str]:
    return ["the password of Redis is shown"] if "hunter2" in str(notes) else []


SCENARIOS = [
    Scenario(
        "api/items",
        SITE,
        [Api(f"router {name}", f"/api/http/routers/{name}@file") for name in ("a", "broken", "twice", "bad-rule", "no-service")]
        + [
            Api(f"middleware {name}", f"/api/http/middlewares/{name}@file")
            for name in ("mw", "secret", "ch", "add", "strip", "allow", "said", "negative")
        ]
        + [Api(f"service {name}", f"/api/http/services/{name}@file") for name in ("one", "two", "unused")],
        origins=("one", "two"),
        claims=no_secret,
    ),
    Scenario(
        "api/lists",
        SITE,
        [
            Api("routers", "/api/http/routers", keys_only=True),
            Api("middlewares", "/api/http/middlewares", keys_only=True),
            Api("services", "/api/http/services", keys_only=True),
            Api("entry points", "/api/entrypoints", keys_only=True),
            Api("routers searched", "/api/http/routers?search=broken", keys_only=True),
            Api("routers with errors", "/api/http/routers?status=disabled", keys_only=True),
            Api("page", "/api/http/middlewares?page=2&per_page=3", keys_only=True),
            Api("raw data", "/api/rawdata", keys_only=True),
            Api("overview", "/api/overview", pick=("http", "tcp", "udp", "features", "providers")),
            Api("version", "/api/version", keys_only=True),
            Api("unknown router", "/api/http/routers/zz@file"),
            Api("unknown middleware", "/api/http/middlewares/zz@file"),
            Api("unknown service", "/api/http/services/zz@file"),
            Api("tcp routers", "/api/tcp/routers", keys_only=True),
            Api("udp services", "/api/udp/services", keys_only=True),
        ],
        origins=("one", "two"),
    ),
    Scenario(
        "api/rawdata",
        SITE,
        [Api("routers", "/api/rawdata", pick=(
            "routers/a@file", "routers/broken@file", "services/two@file", "middlewares/mw@file", "middlewares/secret@file"))],
        origins=("one", "two"),
        claims=no_secret,
    ),
    Scenario(
        "api/pages",
        SITE,
        [
            Ask("ping", "/ping", entry="api", watch=("status", "body", "header.Content-Type")),
            Ask("ping HEAD", "/ping", entry="api", method="HEAD"),
            Ask("ping POST", "/ping", entry="api", method="POST"),
            Ask("item", "/api/http/routers/a@file", entry="api", watch=("status", "header.Content-Type")),
            Ask("not found", "/api/http/routers/zz@file", entry="api", watch=("status", "header.Content-Type", "body")),
            Ask("no such page", "/api/nothing", entry="api"),
            Ask("POST", "/api/http/routers", entry="api", method="POST"),
            Ask("not on web", "/api/http/routers", watch=("status",)),
            Ask("ping not on web", "/ping", watch=("status",)),
            Ask("bad page", "/api/http/routers?page=0", entry="api", watch=("status", "body")),
            Ask("next page", "/api/http/routers?page=1&per_page=2", entry="api", watch=("status", "header.X-Next-Page")),
        ],
        origins=("one", "two"),
    ),
]
