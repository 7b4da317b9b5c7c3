"""The fields an origin sees, from trusted and untrusted peers: traefik-cases.md §2.6."""

from harness.scenario import Ask, Scenario

from .shape import http, on

EVERYTHING = (
    "X-Forwarded-For: 10.0.1.0, 10.0.1.12",
    "X-Forwarded-Proto: https",
    "X-Forwarded-Host: forwarded.test",
    "X-Forwarded-Port: 4443",
    "X-Forwarded-Server: elsewhere",
    "X-Forwarded-Uri: /uri",
    "X-Forwarded-Method: PATCH",
    "X-Forwarded-Prefix: /prefix",
    "X-Forwarded-Tls-Client-Cert: cert",
    "X-Forwarded-Tls-Client-Cert-Info: info",
    "X-Real-Ip: 10.0.1.12",
)
SPELLINGS = ("X_Forwarded_For: 6.6.6.6", "X-Forwarded_For: 6.6.6.7", "X_Real_Ip: 6.6.6.8", "X.Forwarded.For: 6.6.6.9",
             "X_Other: kept")
UPGRADE = ("Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13",
           "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==")

ROWS = [
    Ask("nothing", "/"),
    Ask("everything", "/", headers=EVERYTHING),
    Ask("three lines", "/", headers=tuple(f"X-Forwarded-For: 10.0.0.{n}" for n in (1, 2, 3))),
    Ask("spellings", "/", headers=SPELLINGS),
    Ask("host with port", "/", host="foo.com:8080"),
    Ask("proto https", "/", headers=("X-Forwarded-Proto: https",)),
    Ask("proto wss", "/", headers=("X-Forwarded-Proto: wss",)),
    Ask("real ip", "/", headers=("X-Real-Ip: 10.0.1.12",)),
    Ask("connection names them", "/", headers=(
        "X-Forwarded-For: 1.1.1.1", "Connection: X-Forwarded-For, X-Forwarded-Proto, X-Real-Ip, X-Api-Key", "X-Api-Key: k")),
    Ask("hop by hop", "/", headers=(
        "Connection: keep-alive, X-Drop", "Keep-Alive: timeout=5", "X-Drop: 1", "TE: trailers, gzip",
        "Proxy-Connection: keep-alive", "Proxy-Authorization: Basic eDp5", "Trailer: X-Sum")),
    Ask("te trailers", "/", headers=("TE: trailers", "Connection: TE")),
    Ask("upgrade of another kind", "/", headers=("Connection: Upgrade", "Upgrade: foo")),
    Ask("websocket", "/", headers=UPGRADE, watch=("status", "headers", "seen.headers")),
    Ask("accept-encoding absent", "/"),
    Ask("user agent empty", "/", headers=("User-Agent:",)),
    Ask("empty value", "/", headers=("X-Empty:", "X-Two: a", "X-Two: b")),
    Ask("post", "/", method="POST", body=b"hello"),
    Ask("from another address", "/", source="127.0.0.9"),
]


def seen_through(entry: str) -> list[Ask]:
    watch = ("status", "seen.method", "seen.target", "seen.headers", "seen.body")
    return [
        Ask(row.label, row.target, row.method, row.host, row.headers, row.body, entry=entry, source=row.source,
            watch=row.watch if row.label == "websocket" else watch)
        for row in ROWS
    ]


ENTRY_POINTS = {
    "bare": {"address": "@listen:bare@"},
    "open": {"address": "@listen:open@", "forwardedHeaders": {"insecure": True}},
    "quiet": {"address": "@listen:quiet@", "forwardedHeaders": {"insecure": True, "notAppendXForwardedFor": True}},
    "keeps": {"address": "@listen:keeps@", "forwardedHeaders": {"connection": ["X-Api-Key"]}},
}

SCENARIOS = [
    Scenario(
        f"forwarded/{name}", http({"a": on("PathPrefix(`/`)")}), seen_through(entry),
        static={"entryPoints": ENTRY_POINTS},
    )
    for name, entry in (("trusted", "web"), ("untrusted", "bare"), ("insecure", "open"))
] + [
    Scenario(
        "forwarded/options",
        http({"a": on("PathPrefix(`/`)")}),
        [
            Ask("not appended", headers=("X-Forwarded-For: 1.1.1.1",), entry="quiet", watch=("seen.headers",)),
            Ask("not appended, none given", entry="quiet", watch=("seen.headers",)),
            Ask("connection keeps", headers=("Connection: X-Api-Key, X-Drop", "X-Api-Key: k", "X-Drop: 1"), entry="keeps",
                watch=("seen.headers",)),
        ],
        static={"entryPoints": ENTRY_POINTS},
    ),
    Scenario(
        "forwarded/answers",
        http({"a": on("PathPrefix(`/`)")}),
        [
            Ask("hop by hop", headers=("X-Do: field=Connection: X-Drop",), watch=("status", "headers")),
            Ask("keep-alive", headers=("X-Do: field=Keep-Alive: timeout=5",), watch=("status", "headers")),
            Ask("server", headers=("X-Do: field=Server: origin/1",), watch=("headers",)),
            Ask("date", headers=("X-Do: field=Date: Mon, 23 Nov 2026 00:00:00 GMT",), watch=("header.Date",)),
            Ask("chunked", headers=("X-Do: chunked",), watch=("status", "headers", "body")),
            Ask("trailer", headers=("X-Do: trailer", "TE: trailers"), watch=("status", "headers", "body", "trailers")),
            Ask("no content", headers=("X-Do: status=204",), watch=("status", "headers", "body")),
            Ask("not modified", headers=("X-Do: status=304",), watch=("status", "headers", "body")),
            Ask("odd status", headers=("X-Do: status=599",), watch=("status", "headers", "body")),
            Ask("head", method="HEAD", watch=("status", "headers")),
            Ask("to 1.0 chunked", version="1.0", headers=("X-Do: chunked",), watch=("status", "body", "header.Transfer-Encoding")),
            Ask("two cookies", headers=("X-Do: field=Set-Cookie: a=1",), watch=("headers",)),
        ],
    ),
]
