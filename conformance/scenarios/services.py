"""Load balancing and what an origin in trouble looks like to the client."""

from dataclasses import dataclass

from harness.client import connect
from harness.scenario import Api, Ask, Burst, InTurn, Scenario

from .shape import http, on, to

WHOLE = ("status", "headers", "body")


@dataclass
class WebSocket:
    """Upgrades and sends a few bytes through, which the origin sends back."""

    label: str

    def play(self, scene) -> dict:
        with connect(scene.port("web")) as stream:
            stream.sendall(
                b"GET /a HTTP/1.1\r\nHost: a.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
                b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
            )
            head = b""
            while b"\r\n\r\n" not in head and (piece := stream.recv(4096)):
                head += piece
            stream.sendall(b"through and back")
            echo = b""
            while len(echo) < 16 and (piece := stream.recv(4096)):
                echo += piece
        return {"status": head[:12].decode("latin-1"), "echo": echo.decode("latin-1")}


def weighted(*servers: tuple[str, int | None]) -> dict:
    return {"loadBalancer": {"servers": [
        {"url": f"@url:{name}@"} | ({} if weight is None else {"weight": weight}) for name, weight in servers
    ]}}


TROUBLE = {
    "closed": {"loadBalancer": {"servers": [{"url": "http://@listen:closed@"}]}},
    "none": {"loadBalancer": {"servers": []}},
    "nowhere": {"loadBalancer": {"servers": [{"url": "http://does-not-exist.invalid:80"}]}},
    "late": to("one") | {"loadBalancer": {"servers": [{"url": "@url:one@"}], "serversTransport": "hasty"}},
}

SCENARIOS = [
    Scenario(
        "services/weights",
        http(
            {"even": on("/even", service="even"), "uneven": on("/uneven", service="uneven"),
             "zero": on("/zero", service="zero"), "one": on("/one", service="unset")},
            None,
            {"even": weighted(("one", None), ("two", None)), "uneven": weighted(("one", 3), ("two", 1)),
             "zero": weighted(("one", 1), ("two", 0)), "unset": weighted(("one", None), ("two", 3))},
        ),
        [Burst(name, 100, f"/{name}", by="X-Origin", tolerance=2) for name in ("even", "uneven", "zero", "one")],
        origins=("one", "two"),
    ),
    Scenario(
        "services/weighted-service",
        http(
            {"a": on("/a", service="both")}, None,
            {"two": to("two"), "both": {"weighted": {"services": [{"name": "one", "weight": 3}, {"name": "two", "weight": 1}]}}},
        ),
        [Burst("three to one", 100, "/a", by="X-Origin", tolerance=2)],
        origins=("one", "two"),
    ),
    Scenario(
        "services/host",
        http(
            {"kept": on("/kept"), "own": on("/own", service="own"), "path": on("/path", service="path")},
            None,
            {"own": {"loadBalancer": {"servers": [{"url": "@url:one@"}], "passHostHeader": False}},
             "path": {"loadBalancer": {"servers": [{"url": "@url:one@/base/"}]}}},
        ),
        [
            Ask("kept", "/kept", host="a.test:81", watch=("status", "seen.header.Host", "seen.header.X-Forwarded-Host")),
            Ask("own", "/own", host="a.test:81", watch=("status", "seen.header.Host", "seen.header.X-Forwarded-Host")),
            Ask("url with a path", "/path", watch=("status", "seen.target")),
        ],
    ),
    Scenario(
        "services/trouble",
        http(
            {name: on(f"/{name}", service=name) for name in TROUBLE} | {"one": on("/one")},
            None,
            TROUBLE,
            serversTransports={"hasty": {"forwardingTimeouts": {"responseHeaderTimeout": "200ms"}}},
        ),
        [
            Ask("closed", "/closed", watch=WHOLE),
            Ask("no server", "/none", watch=WHOLE),
            Ask("no such name", "/nowhere", watch=("status", "body")),
            Ask("late", "/late", headers=("X-Do: delay=900",), watch=WHOLE),
            Ask("dies", "/one", headers=("X-Do: die",), watch=WHOLE),
            Ask("dies after a body", "/one", method="POST", body=b"x" * 20, headers=("X-Do: die",), watch=("status", "body")),
            Ask("cut", "/one", headers=("X-Do: body=100000,cut",), watch=("status",)),
            Ask("cut in chunks", "/one", headers=("X-Do: body=100000,chunked,cut",), watch=("status",)),
            Api("closed said", "/api/http/services/closed@file", pick=("status", "serverStatus")),
        ],
    ),
    Scenario(
        "services/bodies",
        http({"a": on("/a")}),
        [
            Ask("large answer", "/a", headers=("X-Do: body=300000",), watch=("status", "header.Content-Length")),
            Ask("large request", "/a", method="POST", body=b"y" * 300_000, watch=("status", "seen.header.Content-Length")),
            Ask("empty post", "/a", method="POST", watch=("status", "seen.headers")),
            Ask("empty post with length", "/a", method="POST", headers=("Content-Length: 0",), watch=("status", "seen.headers")),
            Ask("delete with a body", "/a", method="DELETE", body=b"z", watch=("status", "seen.headers", "seen.body")),
            Ask("unusual method", "/a", method="PURGE", watch=("status", "seen.method")),
            Ask("lower-case method", "/a", method="get", watch=("status", "seen.method")),
            InTurn("after each other", (("/a", ("X-Do: body=70000",)), ("/a", ("X-Do: status=500",)), ("/a", ()), ("/a", ("X-Do: status=204",)), ("/a", ()))),
            WebSocket("websocket"),
        ],
    ),
    Scenario(
        "services/other-kinds",
        http(
            {"mirror": on("/mirror", service="mirror"), "failover": on("/failover", service="failover"), "sticky": on("/sticky", service="sticky"),
             "plain": on("/plain")},
            None,
            {"mirror": {"mirroring": {"service": "one", "mirrors": [{"name": "one", "percent": 10}]}},
             "failover": {"failover": {"service": "one", "fallback": "one"}},
             "sticky": {"loadBalancer": {"servers": [{"url": "@url:one@"}], "sticky": {"cookie": {"name": "c"}}}}},
        ),
        [
            Ask("mirroring", "/mirror"), Ask("failover", "/failover"), Ask("sticky", "/sticky", watch=("status",)), Ask("plain", "/plain"),
        ],
    ),
]
