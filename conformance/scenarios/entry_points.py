"""Options of entry points: sizes, timeouts, middlewares, trust."""

from harness.scenario import Ask, Raw, Scenario

from .shape import http, on

PLAIN = http({"a": on("PathPrefix(`/`)")})


def head_of(size: int) -> bytes:
    """A request whose head has about `size` bytes."""
    return b"GET /a HTTP/1.1\r\nHost: a.test\r\nX-Long: " + b"y" * size + b"\r\n\r\n"


def site(name: str, options: dict, steps: list, dynamic: str = PLAIN) -> Scenario:
    return Scenario(f"entry-points/{name}", dynamic, steps, static={"entryPoints": {"web": options}})


SCENARIOS = [
    site("header-bytes", {"http": {"maxHeaderBytes": 20000}}, [
        Raw("small", head_of(10000)),
        Raw("large", head_of(40000)),
        Raw("very large", head_of(200000)),
    ]),
    Scenario("entry-points/header-bytes-default", PLAIN, [Raw("60 KiB", head_of(60000)), Raw("1.2 MiB", head_of(1_200_000), idle=1.0)]),
    site("read-timeout", {"transport": {"respondingTimeouts": {"readTimeout": "600ms"}}}, [
        Raw("unfinished head", b"GET /a HTTP/1.1\r\nHost: a.test\r\n", idle=2, first=2.5),
        Raw("unfinished body", b"POST /a HTTP/1.1\r\nHost: a.test\r\nContent-Length: 10\r\n\r\nabc", idle=2, first=2.5, watch=("closed",)),
        Raw("finished", b"GET /finished HTTP/1.1\r\nHost: a.test\r\n\r\n", "/finished"),
    ]),
    site("idle-timeout", {"transport": {"respondingTimeouts": {"idleTimeout": "400ms"}}}, [
        Raw("kept", b"GET /a HTTP/1.1\r\nHost: a.test\r\n\r\n", idle=1.5),
    ]),
    site("keep-alive-requests", {"transport": {"keepAliveMaxRequests": 2}}, [
        Raw("three", b"GET /a HTTP/1.1\r\nHost: a.test\r\n\r\n" * 3, watch=("statuses", "closed")),
    ]),
    site("middlewares", {"http": {"middlewares": ["mark@file"]}}, [
        Ask("matched", watch=("status", "seen.header.X-Mark", "header.X-Said")),
    ], http({"a": on("PathPrefix(`/`)")}, {"mark": {"headers": {
        "customRequestHeaders": {"X-Mark": "1"}, "customResponseHeaders": {"X-Said": "so"}}}})),
    site("unknown-middleware", {"http": {"middlewares": ["ghost@file"]}}, [Ask("matched")]),
    site("encoded-characters", {"http": {"encodedCharacters": {
        "allowEncodedSlash": False, "allowEncodedBackSlash": False, "allowEncodedNullCharacter": False,
        "allowEncodedSemicolon": False, "allowEncodedPercent": False, "allowEncodedQuestionMark": False, "allowEncodedHash": False}}},
        [Ask(path, path) for path in ("/%2F", "/%5c", "/%00", "/%3B", "/%25", "/%3f", "/%23", "/%20", "/?x=%2F")]),
    site("query-semicolons", {"http": {"encodeQuerySemicolons": True}}, [
        Ask("semicolon", "/?a=1;b=2", watch=("status", "seen.target")),
    ]),
    site("trusted-net", {"forwardedHeaders": {"trustedIPs": ["127.0.0.8/30"]}}, [
        Ask("inside", headers=("X-Forwarded-For: 1.1.1.1",), source="127.0.0.9", watch=("seen.header.X-Forwarded-For",)),
        Ask("outside", headers=("X-Forwarded-For: 1.1.1.1",), source="127.0.0.1", watch=("seen.header.X-Forwarded-For",)),
    ]),
]
