"""Who shares a bucket: requests in turn against a limit of one per hour. 200 opens a bucket, 429 shares one."""

from dataclasses import dataclass

from harness.scenario import InTurn, Scenario

from .shape import http, on, rate


@dataclass(frozen=True)
class Row:
    """`requests`: the field lines of each request. `host`: per request, where it matters."""

    id: str
    criterion: dict
    requests: tuple[tuple[str, ...], ...]


def xff(*values: str) -> tuple[tuple[str, ...], ...]:
    """One request for each value of X-Forwarded-For; an empty one has none."""
    return tuple((f"X-Forwarded-For: {value}",) if value else () for value in values)


def depth(count: int, subnet: int | None = None) -> dict:
    strategy: dict = {"depth": count}
    if subnet is not None:
        strategy["ipv6Subnet"] = subnet
    return {"ipStrategy": strategy}


def excluding(*entries: str) -> dict:
    return {"ipStrategy": {"excludedIPs": list(entries)}}


NETS = ("10.0.0.0/8", "192.168.1.1")
TENS = ("10.0.0.4", "10.0.0.3", "10.0.0.2", "10.0.0.1")

# The last value of a row is a plain way to name the source the others are expected to have.
DEPTH = [
    Row("third-from-right", depth(3), xff("10.0.0.4,10.0.0.3,10.0.0.2,10.0.0.1", "10.0.0.3,1.1.1.1,1.1.1.1")),
    Row("exactly-as-many", depth(2), xff("10.0.0.2,10.0.0.1", "9.9.9.9,10.0.0.2,1.1.1.1")),
    Row("spaces", depth(2), xff("1.1.1.1,   3.3.3.3  , 2.2.2.2", "3.3.3.3,1.1.1.1")),
    Row("two-lines", depth(2), (
        ("X-Forwarded-For: 4.4.4.4", "X-Forwarded-For: 5.5.5.5"), ("X-Forwarded-For: 4.4.4.4, 1.1.1.1",))),
    Row("negative", depth(-3), xff("1.1.1.1, 2.2.2.2", "3.3.3.3", "")),
    Row("subnet-80-of-four", depth(2, 80), xff("10.0.0.3,10.0.0.2,10.0.0.1", "10.0.0.2,1.1.1.1")),
    Row("subnet-80-of-six", depth(2, 80), xff("10.0.0.3,::abcd:ffff:c0a8:1,10.0.0.1", "::abcd:1:2:3,1.1.1.1")),
    Row("subnet-64", depth(1, 64), xff("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::", "2001:db8:1:3::")),
    Row("subnet-64-of-four", depth(1, 64), xff("1.2.3.4", "1.2.3.4", "1.2.3.5")),
    Row("subnet-64-of-zone", depth(1, 64), xff("fe80::1%eth0", "fe80::2", "fe80::")),
    Row("subnet-128", depth(1, 128), xff("2001:db8::1", "2001:db8::1", "2001:db8::2")),
]

# Values that do not name an address: the bucket of the world in Traefik, the peer's in Tollgate.
KEYLESS = [
    Row("absent", depth(2), xff("", "")),
    Row("too-few-hops", depth(2), xff("1.1.1.1", "2.2.2.2", "")),
    Row("empty-part", depth(2), xff("a, ,b", "")),
    Row("garbage", depth(2), xff("garbage,x", "rubbish,x", "")),
    Row("depth-five-of-four", depth(5), xff("10.0.0.1,11.0.0.1,12.0.0.1,13.0.0.1", "")),
]

EXCLUDED = [
    Row("all-excluded", excluding(*TENS), xff(",".join(TENS), "")),
    Row("two-excluded", excluding("10.0.0.2", "10.0.0.1"), xff(",".join(TENS), "10.0.0.3")),
    Row("net-with-host-bits", excluding("10.0.0.1/24"), xff("127.0.0.1," + ",".join(TENS), "127.0.0.1,10.0.0.9")),
    Row("all-in-net", excluding("10.0.0.1/24"), xff(",".join(TENS), "")),
    Row("documented-1", excluding("11.0.0.1", "12.0.0.1"), xff("10.0.0.1,11.0.0.1,12.0.0.1", "10.0.0.1", "10.0.0.2,11.0.0.1")),
    Row("documented-2", excluding("12.0.0.1"), xff(
        "10.0.0.1,11.0.0.1,12.0.0.1", "10.0.0.2,11.0.0.1,12.0.0.1", "10.0.0.3,11.0.0.1,12.0.0.1")),
    Row("first-outside", excluding(*NETS), xff("8.8.8.8, 10.1.1.1, 192.168.1.1", "8.8.8.8")),
    Row("excluded-alone", excluding(*NETS), xff("10.1.1.1", "")),
    Row("junk-in-the-middle", excluding(*NETS), xff("7.7.7.7, bad, 10.0.0.2", "6.6.6.6, bad")),
    Row("ports", excluding(*NETS), xff("7.7.7.8:99, 10.0.0.2:80", "10.0.0.2:80")),
    Row("mapped-is-excluded", excluding(*NETS), xff("8.8.4.4, ::ffff:10.0.0.1", "8.8.4.4")),
    Row("subnet-is-ignored", {"ipStrategy": {"excludedIPs": list(NETS), "ipv6Subnet": 64}}, xff(
        "2001:db8::1", "2001:db8::2", "2001:db8::1")),
]

HEADERS = [
    Row("header-case", {"requestHeaderName": "x-api-key"}, (("X-Api-Key: A",), ("X-API-KEY: a",), ("x-api-key: A",))),
    Row("header-absent", {"requestHeaderName": "x-api-key"}, ((), ("X-Api-Key:",), ())),
    Row("header-spaces", {"requestHeaderName": "x-api-key"}, (
        ("X-Api-Key:   spaced value  ",), ("X-Api-Key: spaced value",), ("X-Api-Key: spacedvalue",))),
    Row("header-two-lines", {"requestHeaderName": "x-api-key"}, (
        ("X-Api-Key: two", "X-Api-Key: three"), ("X-Api-Key: two",), ("X-Api-Key: three",))),
    Row("header-named-in-connection", {"requestHeaderName": "x-api-key"}, (
        ("X-Api-Key: k", "Connection: X-Api-Key"), ("X-Api-Key: other", "Connection: X-Api-Key"), ("X-Api-Key: k",), ())),
    Row("host", {"requestHost": True}, ()),
    Row("host-false", {"requestHost": False}, xff("1.1.1.1", "2.2.2.2")),
    Row("none", {"requestHost": False}, ((), ())),
]

# The ways round a limit of reliability.md, table B.
BYPASSES = [
    Row("R62-ports", depth(1), xff(*(f"203.0.113.7:{port}" for port in range(1001, 1005)))),
    Row("R63-junk", depth(1), xff("junk1", "junk2", "junk3", "junk4")),
    Row("R64-mapped", depth(1), xff("198.51.100.9", "::ffff:198.51.100.9", "::ffff:c633:6409")),
    Row("R64-leading-zero", depth(1), xff("198.51.100.9", "198.51.100.09", "198.51.100.009")),
    Row("R65-spellings", depth(1), xff(
        "2001:db8::1", "2001:DB8::1", "2001:0db8:0:0:0:0:0:1", "[2001:db8::1]", "2001:db8::1%eth0")),
    Row("R65-bracket-and-port", depth(1, 64), xff("[2001:db8::1]:443", "2001:db8::2")),
    Row("R66-one-subnet", depth(1), xff("2001:db8::1", "2001:db8::2", "2001:db8::3", "2001:db8::4")),
    Row("R67-mapped-strangers", depth(1, 64), xff("::ffff:1.2.3.4", "::ffff:5.6.7.8", "::ffff:9.9.9.9", "1.2.3.4")),
    Row("R70-second-line", {"requestHeaderName": "x-api-key"}, tuple(
        (f"X-Api-Key: junk{n}", "X-Api-Key: mine") for n in range(3))),
    Row("R72-other-names", {"requestHost": False}, tuple(
        (f"{name}: 1.1.1.{n}",) for n, name in enumerate(
            ("X-Real-IP", "Forwarded", "True-Client-IP", "CF-Connecting-IP", "X-Client-IP")))),
    Row("R75-hostile-bytes", {"requestHeaderName": "x-api-key"}, (
        ("X-Api-Key: {a}",), ("X-Api-Key: {b}",), ("X-Api-Key: {a}",), ("X-Api-Key: a b",), ("X-Api-Key: a  b",))),
]

UNTRUSTED = [
    Row("untrusted-depth", depth(2), xff("1.1.1.1, 2.2.2.2", "3.3.3.3, 4.4.4.4", "")),
    Row("untrusted-excluded", excluding(*NETS), xff("8.8.8.8", "9.9.9.9", "")),
]

HOSTS = ("a.test", "A.TEST", "a.test.", "a.test:80", "a.test:81", "b.test")


def configuration(rows: list[Row], **router) -> str:
    return http(
        {row.id: on(f"/{row.id}", row.id, **router) for row in rows},
        {row.id: rate(1, 1, "1h", sourceCriterion=row.criterion) for row in rows},
    )


def turns(rows: list[Row], entry: str = "web") -> list[InTurn]:
    return [
        InTurn(row.id, tuple((f"/{row.id}", lines) for lines in row.requests), entry=entry)
        for row in rows if row.requests
    ]


def table(name: str, rows: list[Row], claims=None) -> Scenario:
    return Scenario(f"sources/{name}", configuration(rows), turns(rows), claims=claims)


def one_bucket(*rows: str):
    """Promises that in each of these rows only the first request goes through."""

    def claim(notes: dict) -> list[str]:
        return [f"{row}: {notes[row]}" for row in rows if 200 in notes[row][1:]]

    return claim


@dataclass
class ByHost:
    """One request for each spelling of the host."""

    label: str

    def play(self, scene):
        statuses = []
        for host in HOSTS:
            statuses += InTurn("", (("/host", ()),), host=host).play(scene)
        return dict(zip(HOSTS, statuses))


SCENARIOS = [
    table("depth", DEPTH),
    table("keyless", KEYLESS),
    table("excluded", EXCLUDED),
    table("headers", HEADERS),
    table("bypasses", BYPASSES, one_bucket(
        "R62-ports", "R63-junk", "R64-mapped", "R65-spellings", "R72-other-names")),
    Scenario(
        "sources/hosts",
        configuration([row for row in HEADERS if row.id == "host"]),
        [ByHost("host")],
        claims=lambda notes: [] if list(notes["host"].values()).count(200) <= 3 else ["spellings of a host get round"],
    ),
    Scenario(
        "sources/untrusted",
        configuration(UNTRUSTED, entryPoints=["bare"]),
        turns(UNTRUSTED, "bare"),
        static={"entryPoints": {"bare": {"address": "@listen:bare@"}}},
    ),
]
