"""The rate limiter: single decisions, replies, scope, what survives what."""

import time
from dataclasses import dataclass

from harness.client import connect
from harness.message import Reader
from harness.notes import Near
from harness.scenario import Ask, Burst, Http2, InTurn, RedisPauses, RedisStops, Scenario, Write
from harness.scene import Scene

from .shape import http, on, rate

DECISION = ("status", "retry", "slot")
PER_KEY = {"sourceCriterion": {"requestHeaderName": "X-Key"}}


def both_stores(name: str, block, steps, **more) -> list[Scenario]:
    """The same scenario with the limit in memory and in Redis."""
    return [
        Scenario(
            f"limiter/{name}-{store}",
            http({"a": on("PathPrefix(`/`)", "mw")}, {"mw": block(store == "redis")}),
            steps,
            redis=() if store == "redis" else None,
            **more,
        )
        for store in ("memory", "redis")
    ]


def at_most(bound: float, *labels: str):
    """Promises that no more than `bound` requests of the bursts named so got through."""

    def claim(notes: dict) -> list[str]:
        passed = sum(notes[label]["200"].value for label in labels if "200" in notes[label])
        return [] if passed <= bound else [f"{passed:.0f} requests went through, {bound:.0f} may"]

    return claim


@dataclass
class Flood:
    """Requests with a source each, pipelined: how many were not refused."""

    label: str
    count: int
    batch: int = 64

    def play(self, scene: Scene) -> dict:
        passed = 0
        with connect(scene.port("web")) as stream:
            reader = Reader(lambda: stream.recv(262144))
            for start in range(0, self.count, self.batch):
                last = min(start + self.batch, self.count)
                stream.sendall(b"".join(
                    b"GET /flood HTTP/1.1\r\nHost: a.test\r\nX-Key: flood-%d\r\n\r\n" % n for n in range(start, last)
                ))
                for _ in range(start, last):
                    message = reader.answer("GET")
                    passed += message is not None and message.status != 429
        return {"passed": Near(passed, self.count * 0.001)}


@dataclass
class Pressed:
    """Requests one after the other as fast as they are answered, for some seconds: how many more
    went through than `burst` and `rate` allow for the time it took."""

    label: str
    seconds: float
    rate: float
    burst: int

    def play(self, scene: Scene) -> dict:
        passed, started = 0, time.monotonic()
        last = started
        with connect(scene.port("web")) as stream:
            reader = Reader(lambda: stream.recv(65536))
            while time.monotonic() - started < self.seconds:
                stream.sendall(b"GET / HTTP/1.1\r\nHost: a.test\r\n\r\n")
                message = reader.answer("GET")
                if message is not None and message.status == 200:
                    passed, last = passed + 1, time.monotonic()
        allowed = self.burst + int(self.rate * (last - started))
        return {"beyond": Near(passed - allowed, 6)}


def keyed(key: str) -> tuple[str, ...]:
    return (f"X-Key: {key}",)


SINGLE = [
    *both_stores(
        "burst-of-three",
        lambda redis: rate(1, 3, redis=redis),
        [Ask(f"request {n}", watch=("status", "headers", "body")) for n in (1, 2, 3)]
        + [Ask("request 4", watch=("status", "headers", "body", "slot", "retry", "origin"))],
        timed=True,
    ),
    *both_stores(
        "hold-10-per-second",
        lambda redis: rate(10, 1, redis=redis),
        [
            Ask("first", watch=("status",)),
            Ask("at 5 ms", at=0.005, watch=DECISION),
            Ask("at 65 ms", at=0.065, watch=DECISION),
            Ask("at 125 ms", at=0.125, watch=DECISION),
            Ask("at 170 ms", at=0.170, watch=DECISION),
        ],
        timed=True,
    ),
    *both_stores(
        "hold-1-per-2-seconds",
        lambda redis: rate(1, 1, "2s", redis=redis),
        [
            Ask("first", watch=("status",)),
            Ask("at 3 ms", at=0.003, watch=DECISION),
            Ask("at 1604 ms", at=1.604, watch=DECISION),
            Ask("at 2050 ms", at=2.050, watch=DECISION),
            Ask("at 2503 ms", at=2.503, watch=DECISION),
        ],
        timed=True,
    ),
    *both_stores(
        "fractional-rate",
        lambda redis: rate(100, 1, "1m", redis=redis),
        [
            Ask("first", watch=("status",)),
            Ask("at 20 ms", at=0.020, watch=DECISION),
            Ask("at 300 ms", at=0.300, watch=DECISION),
            Ask("at 650 ms", at=0.650, watch=DECISION),
        ],
        timed=True,
    ),
    *both_stores(
        "throughput",
        lambda redis: rate(100, 100, redis=redis),
        [Pressed("two seconds", 2.0, rate=100, burst=100)],
        timed=True,
        claims=lambda notes: [] if notes["two seconds"]["beyond"].value <= 1 else [f"admitted too many: {notes}"],
    ),
    Scenario(
        "limiter/methods-and-versions",
        http({"a": on("PathPrefix(`/`)", "mw")}, {"mw": rate(1, 4, "1h")}),
        [
            Ask("HEAD", method="HEAD"),
            Ask("OPTIONS", method="OPTIONS"),
            Ask("HTTP 1.0", version="1.0"),
            Http2("HTTP 2", "/", 2),
            Ask("HEAD refused", method="HEAD", watch=("status", "header.Content-Length", "header.Retry-After")),
        ],
    ),
]

ODD = [
    Scenario(
        "limiter/odd-values-memory",
        http(
            {name: on(f"/{name}", name) for name in (
                "burst-0", "burst-minus", "burst-absent", "period-0", "period-10", "period-text", "average-0",
                "average-minus", "average-huge",
            )},
            {
                "burst-0": rate(1, 0, "10s"),
                "burst-minus": rate(1, -7, "10s"),
                "burst-absent": rate(1, None, "10s"),
                "period-0": rate(1, 1, 0),
                "period-10": rate(1, 1, 10),
                "period-text": rate(1, 1, "10"),
                "average-0": rate(0, 1),
                "average-minus": rate(-5, 1),
                "average-huge": rate(10_000_000_000, 1),
            },
        ),
        [
            InTurn(name, ((f"/{name}", ()),) * 4)
            for name in ("burst-0", "burst-minus", "burst-absent", "period-0", "period-10", "period-text",
                         "average-0", "average-minus", "average-huge")
        ]
        + [Ask(f"{name} says", f"/{name}", watch=("retry",)) for name in ("burst-0", "period-0", "period-10", "period-text")],
    ),
    Scenario(
        "limiter/odd-values-redis",
        http(
            {name: on(f"/{name}", name) for name in ("average-0", "average-minus", "average-huge")},
            {
                "average-0": rate(0, 1, redis=True),
                "average-minus": rate(-5, 1, redis=True),
                "average-huge": rate(10_000_000_000, 1, redis=True),
            },
        ),
        [InTurn(name, ((f"/{name}", ()),) * 4) for name in ("average-0", "average-minus", "average-huge")],
        redis=(),
        claims=lambda notes: [
            f"{name} refuses" for name in ("average-0", "average-minus") if notes[name] != [200] * 4
        ],
    ),
]

OVER_TIME = [
    *both_stores(
        "100-per-minute-burst-20",
        lambda redis: rate(100, 20, "1m", redis=redis),
        [Burst(f"round {n}", 25, at=3.1 * n, tolerance=1.5) for n in range(4)],
        timed=True,
        claims=at_most(20 + 100 / 60 * 10 + 1, *(f"round {n}" for n in range(4))),
    ),
    *both_stores(
        "10-per-minute-burst-10",
        lambda redis: rate(10, 10, "1m", redis=redis),
        [Burst(f"round {n}", 15, at=7.2 * n, tolerance=0.5) for n in range(3)],
        timed=True,
        claims=at_most(10 + 10 / 60 * 15 + 1, *(f"round {n}" for n in range(3))),
    ),
    Scenario(
        "limiter/many-sources",
        http(
            {"victim": on("/victim", "mw"), "flood": on("/flood", "mw", service="nobody")},
            {"mw": rate(1, 1, "1h", **PER_KEY)},
            {"nobody": {"loadBalancer": {"servers": []}}},
        ),
        [
            InTurn("before", (("/victim", keyed("v")),) * 3),
            Flood("flood", 70_000),
            InTurn("after", (("/victim", keyed("v")),) * 2),
        ],
        claims=lambda notes: [] if notes["after"] == [429, 429] else ["a flood of sources sets the victim free"],
    ),
    Scenario(
        "limiter/many-sources-one-router",
        http({"any": on("PathPrefix(`/`)", "mw", service="nobody")}, {"mw": rate(1, 1, "1h", **PER_KEY)},
             {"nobody": {"loadBalancer": {"servers": []}}}),
        [
            InTurn("before", (("/victim", keyed("v")),) * 3),
            Flood("flood", 70_000),
            InTurn("after", (("/victim", keyed("v")),) * 2),
        ],
        claims=lambda notes: [] if notes["after"] == [429, 429] else ["a flood of sources sets the victim free"],
    ),
]


def two_routers(redis: bool) -> str:
    return http(
        {"a": on("/a", "mw"), "b": on("/b", "mw"), "c": on("/c", "ch")},
        {"mw": rate(1, 2, "10s", redis=redis), "ch": {"chain": {"middlewares": ["mw"]}}},
    )


SCOPE = [
    Scenario(
        f"limiter/two-routers-{store}",
        two_routers(store == "redis"),
        [InTurn(path, ((f"/{path}", ()),) * 3) for path in ("a", "b", "c")],
        redis=() if store == "redis" else None,
    )
    for store in ("memory", "redis")
] + [
    Scenario(
        f"limiter/reload-{store}",
        http({"a": on("/a", "mw")}, {"mw": rate(1, 2, "1h", redis=store == "redis")}),
        [
            InTurn("before", (("/a", ()),) * 3),
            Write(
                "unrelated change",
                http({"a": on("/a", "mw"), "new": on("/new")}, {"mw": rate(1, 2, "1h", redis=store == "redis")}),
                until="/new",
            ),
            InTurn("after", (("/a", ()),) * 3),
        ],
        redis=() if store == "redis" else None,
        claims=lambda notes: [] if notes["after"] == [429] * 3 else ["a reload fills the buckets"],
    )
    for store in ("memory", "redis")
] + [
    Scenario(
        "limiter/entry-point",
        http({"a": on("/a"), "b": on("/b")}, {"mw": rate(1, 2, "10s")}),
        [InTurn(path, ((f"/{path}", ()),) * 4) for path in ("a", "b", "unmatched")],
        static={"entryPoints": {"web": {"http": {"middlewares": ["mw@file"]}}}},
    ),
    Scenario(
        "limiter/two-entry-points",
        http({"a": on("/a", "mw", entryPoints=["web", "bare"])}, {"mw": rate(1, 2, "1h")}),
        [
            InTurn("web", (("/a", ()),) * 2),
            InTurn("bare", (("/a", ()),) * 2, entry="bare"),
        ],
        static={"entryPoints": {"bare": {"address": "@listen:bare@"}}},
    ),
    Scenario(
        "limiter/refused-by-the-second",
        http(
            {"a": on("/a", "everybody", "each")},
            {"everybody": rate(1, 3, "1h"), "each": rate(1, 1, "1h", **PER_KEY)},
        ),
        [InTurn("one client three times, then another", (
            ("/a", keyed("a")), ("/a", keyed("a")), ("/a", keyed("a")), ("/a", keyed("b"))))],
    ),
    Scenario(
        "limiter/two-in-a-chain",
        http(
            {"a": on("/a", "wide", "narrow"), "b": on("/b", "narrow-b", "wide-b")},
            {"wide": rate(1, 5, "1h"), "narrow": rate(1, 2, "1h"), "wide-b": rate(1, 5, "1h"), "narrow-b": rate(1, 2, "1h")},
        ),
        [InTurn("wide first", (("/a", ()),) * 7), InTurn("narrow first", (("/b", ()),) * 7)],
    ),
    Scenario(
        "limiter/distributed",
        http(
            {"a": on("/a", "mw")},
            {"mw": {"plugin": {"distributedRateLimit": {
                "limit": 1, "period": "1h", "burst": 2, "responseHeaders": True,
                "store": {"redis": {"endpoints": ["@listen:redis@"]}},
            }}}},
        ),
        [Ask(f"request {n}", "/a", watch=("status", "headers")) for n in (1, 2, 3)],
        redis=(),
        claims=lambda notes: [] if [notes[f"request {n}"]["status"] for n in (1, 2, 3)] == [200, 200, 429] else
        ["distributedRateLimit does not limit"],
    ),
]

FAILING = [
    Scenario(
        "limiter/redis-connects-slowly",
        http({"plain": on("/plain")}),
        [
            RedisPauses("paused", 0.4),
            Write("limit appears", http({"a": on("/a", "mw"), "alive": on("/alive")}, {"mw": rate(1, 3, redis=True)}), until="/alive"),
            InTurn("before and after the first connection", (("/a", ()),) * 2),
        ],
        redis=(),
        timed=True,
    ),
    Scenario(
        "limiter/redis-not-there",
        http({"a": on("/a", "mw")}, {"mw": {"rateLimit": {"average": 1, "redis": {"endpoints": ["@listen:nobody@"]}}}}),
        [Ask("request", "/a", watch=("status", "headers", "body", "origin"))],
        claims=lambda notes: [] if notes["request"]["status"] < 500 else ["a dead Redis gives a 5xx"],
    ),
    Scenario(
        "limiter/redis-dies",
        http({"a": on("/a", "mw")}, {"mw": rate(1000, 1000, redis=True)}),
        [
            Ask("before", "/a"),
            RedisStops("stop"),
            Ask("after", "/a", watch=("status", "body")),
        ],
        redis=(),
        claims=lambda notes: [] if notes["after"]["status"] < 500 else ["a dead Redis gives a 5xx"],
    ),
    Scenario(
        "limiter/redis-wants-a-password",
        http(
            {"none": on("/none", "none"), "wrong": on("/wrong", "wrong"), "right": on("/right", "right")},
            {
                "none": rate(1, redis=True),
                "wrong": {"rateLimit": {"average": 1, "redis": {"endpoints": ["@listen:redis@"], "password": "nope"}}},
                "right": {"rateLimit": {"average": 1, "redis": {"endpoints": ["@listen:redis@"], "password": "open"}}},
            },
        ),
        [Ask(name, f"/{name}", watch=("status", "body")) for name in ("none", "wrong", "right")],
        redis=("--requirepass", "open"),
    ),
    Scenario(
        "limiter/redis-has-no-such-database",
        http({"a": on("/a", "mw")}, {"mw": {"rateLimit": {
            "average": 1, "redis": {"endpoints": ["@listen:redis@"], "db": 99}}}}),
        [Ask("request", "/a", watch=("status", "body"))],
        redis=(),
    ),
]

SCENARIOS = SINGLE + ODD + OVER_TIME + SCOPE + FAILING
