"""Requests that can be read in two ways: the 75 cases of reliability.md §2.1.1."""

from dataclasses import dataclass

from harness.scenario import Raw, Scenario

from .shape import http, on

HIDDEN = b"GET /SMUGGLED HTTP/1.1\r\nHost: a.test\r\n\r\n"


@dataclass(frozen=True)
class Case:
    """`accepted`: the first statuses Tollgate may answer with (0: it closes without an answer).
    `second`: a second request may be answered too, because it is openly pipelined."""

    id: str
    title: str
    data: bytes
    accepted: tuple[int, ...] = (400,)
    second: bool = False

    @property
    def label(self) -> str:
        return f"{self.id} {self.title}"


def message(id: str, title: str, head: bytes, body: bytes = b"", accepted=(400,), method: bytes = b"POST",
            version: bytes = b"1.1", second: bool = False, host: bytes = b"Host: a.test\r\n") -> Case:
    """A case that is a request line, Host, these head lines (each with its line end) and a body."""
    line = b"%s /%s HTTP/%s\r\n" % (method, id.encode(), version)
    return Case(id, title, line + host + head + b"\r\n" + body, accepted, second)


def get(id: str, title: str, head: bytes = b"", **more) -> Case:
    return message(id, title, head, method=b"GET", **more)


def chunked(id: str, title: str, body: bytes, accepted=(400,), **more) -> Case:
    return message(id, title, b"Transfer-Encoding: chunked\r\n", body, accepted, **more)


CHUNK = b"5\r\nhello\r\n0\r\n\r\n"
TE = b"Transfer-Encoding: chunked\r\n"

LENGTHS = [
    message("S01", "length then chunked", b"Content-Length: 6\r\n" + TE, b"0\r\n\r\nX"),
    message("S02", "chunked then length", TE + b"Content-Length: 3\r\n", CHUNK),
    message("S03", "two lengths, different", b"Content-Length: 0\r\nContent-Length: 5\r\n", b"hello"),
    message("S04", "two lengths, same", b"Content-Length: 5\r\nContent-Length: 5\r\n", b"hello", (400, 200)),
    message("S05", "list of lengths", b"Content-Length: 5, 5\r\n", b"hello", (400, 200)),
    message("S06", "length +5", b"Content-Length: +5\r\n", b"hello"),
    message("S07", "length 0x5", b"Content-Length: 0x5\r\n", b"hello"),
    message("S08", "length empty", b"Content-Length:\r\n", b""),
    message("S09", "length empty, then 5", b"Content-Length:\r\nContent-Length: 5\r\n", b"hello"),
    message("S10", "length 5 5", b"Content-Length: 5 5\r\n", b"hello"),
    message("S11", "length -1", b"Content-Length: -1\r\n", b""),
    message("S12", "length beyond 64 bits", b"Content-Length: 18446744073709551621\r\n", b"hello"),
]

CODINGS = [
    message("S13", "coding xchunked", b"Transfer-Encoding: xchunked\r\nContent-Length: 5\r\n", b"hello", (400, 501)),
    message("S14", "coding ,chunked", b"Transfer-Encoding: ,chunked\r\nContent-Length: 5\r\n", CHUNK),
    message("S15", "coding twice", TE + TE, CHUNK),
    message("S16", "coding chunked, identity", b"Transfer-Encoding: chunked, identity\r\n", CHUNK),
    message("S17", "coding identity", b"Transfer-Encoding: identity\r\nContent-Length: 5\r\n", b"hello", (400, 501)),
    message("S18", "space before the colon", b"Transfer-Encoding : chunked\r\nContent-Length: 5\r\n", b"hello"),
    message("S19", "vertical tab before chunked", b"Transfer-Encoding: \x0bchunked\r\nContent-Length: 5\r\n", b"hello"),
    message("S20", "NUL inside chunked", b"Transfer-Encoding: chun\x00ked\r\nContent-Length: 5\r\n", b"hello"),
    message("S21", "folded coding", b"Transfer-Encoding:\r\n chunked\r\nContent-Length: 15\r\n", CHUNK),
    message("S22", "chunked on 1.0", TE + b"Connection: keep-alive\r\n", CHUNK, version=b"1.0"),
]

CHUNKS = [
    chunked("S23", "chunk size 0x5", b"0x5\r\nhello\r\n0\r\n\r\n"),
    chunked("S24", "chunk size +5", b"+5\r\nhello\r\n0\r\n\r\n"),
    chunked("S25", "chunk size with a space", b"5 \r\nhello\r\n0\r\n\r\n", (400, 200)),
    chunked("S26", "chunk size 5_0", b"5_0\r\nhello\r\n0\r\n\r\n"),
    chunked("S27", "chunk line ends in LF", b"5\nhello\r\n0\r\n\r\n"),
    chunked("S28", "chunk extension ends in LF", b"5;\nhello\r\n0\r\n\r\n"),
    chunked("S29", "CR in a chunk extension", b"5\r;x=1\r\nhello\r\n0\r\n\r\n"),
    chunked("S30", "chunk longer than its size", b"5\r\nhelloX0\r\n\r\n", (400, 0)),
    chunked("S31", "request in an unfinished trailer", b"0\r\nX: " + HIDDEN[:-2], (400, 0, 200, 408)),
    chunked("S32", "chunk size of 17 digits", b"10000000000000005\r\nhello\r\n0\r\n\r\n"),
    chunked("S33", "chunk size empty", b"\r\nhello\r\n0\r\n\r\n"),
    chunked("S34", "chunk extension of 70,000 bytes", b"5;" + b"x" * 70_000 + b"\r\nhello\r\n0\r\n\r\n", (400, 413, 431)),
    chunked("S35", "trailer Content-Length", b"5\r\nhello\r\n0\r\nContent-Length: 50\r\n\r\n", (200, 400)),
    chunked("S36", "trailers Host and Authorization", b"5\r\nhello\r\n0\r\nHost: evil\r\nAuthorization: x\r\n\r\n", (200, 400)),
]

FIELDS = [
    message("S37", "bare CR in a value", b"X-A: b\rTransfer-Encoding: chunked\r\nContent-Length: 5\r\n", b"hello"),
    Case("S38", "lines end in LF", b"POST /S38 HTTP/1.1\nHost: a.test\nContent-Length: 5\n\nhello"),
    message("S39", "NUL in a value", b"X-A: b\x00c\r\nContent-Length: 5\r\n", b"hello"),
    message("S40", "empty name", b": b\r\nContent-Length: 5\r\n", b"hello"),
    message("S41", "no colon", b"X-A\r\nContent-Length: 5\r\n", b"hello"),
    Case("S42", "space before the first field", b"POST /S42 HTTP/1.1\r\n Host: a.test\r\nContent-Length: 5\r\n\r\nhello"),
    message("S43", "folded field", b"X-A: b\r\n c\r\nContent-Length: 5\r\n", b"hello"),
    message("S44", "0x85 in a name", b"Content-Length\x85: 5\r\n", b"hello"),
]

TARGETS = [
    get("S45", "two hosts", b"Host: b.test\r\n"),
    get("S46", "no host", host=b""),
    get("S47", "host with a path", host=b"Host: a.test/evil@b\r\n"),
    get("S48", "list of hosts", host=b"Host: a.test, b.test\r\n"),
    Case("S49", "absolute target, other host", b"GET http://a.test/S49 HTTP/1.1\r\nHost: b.test\r\n\r\n", (200, 400)),
    Case("S50", "control byte in the method", b"G\x01T /S50 HTTP/1.1\r\nHost: a.test\r\n\r\n"),
    get("S51", "version 1.9", version=b"1.9", accepted=(505, 400, 200)),
    get("S52", "version 2.0", version=b"2.0", accepted=(505, 400)),
    Case("S53", "two spaces", b"GET  /S53  HTTP/1.1\r\nHost: a.test\r\n\r\n"),
    Case("S54", "HTTP 0.9", b"GET /S54\r\n\r\n", (400, 0, 505)),
    Case("S55", "fragment", b"GET /S55#/../admin HTTP/1.1\r\nHost: a.test\r\n\r\n"),
    Case("S56", "0xff in the target", b"GET /S56/\xff HTTP/1.1\r\nHost: a.test\r\n\r\n", (400, 200)),
]

UPGRADES = [
    get("S57", "upgrade foo, second request", b"Connection: Upgrade\r\nUpgrade: foo\r\n", body=HIDDEN, accepted=(200, 400, 403), second=True),
    get("S58", "upgrade h2c", b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n", accepted=(200, 400)),
    message("S59", "websocket with a body",
            b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
            b"Content-Length: %d\r\n" % len(HIDDEN), HIDDEN, (400, 200, 101, 403)),
    Case("S60", "CONNECT, second request", b"CONNECT a.test:80 HTTP/1.1\r\nHost: a.test:80\r\n\r\n" + HIDDEN, (501, 405, 400)),
    message("S61", "expect 100-continue", b"Expect: 100-continue\r\nContent-Length: 5\r\n", b"hello", (200, 417)),
    message("S62", "expect y 100-continue", b"Expect: y 100-continue\r\nContent-Length: 5\r\n", b"hello", (200, 400, 417)),
    message("S63", "connection names framing", b"Connection: close, X-Forwarded-For, Content-Length, Host\r\nX-Forwarded-For: 1.1.1.1\r\nContent-Length: 5\r\n", b"hello", (200, 400)),
    get("S64", "connection in lower case", b"Connection: x-real-ip, x-forwarded-host\r\n", accepted=(200, 400)),
    get("S65", "spellings of X-Forwarded-For", b"X_Forwarded_For: 1.1.1.1\r\nX.Forwarded.For: 2.2.2.2\r\nX-Forwarded-For: 3.3.3.3\r\n", accepted=(200, 400)),
]

PATHS = [
    Case("S66", "path parameter", b"GET /S66/a/..;/admin HTTP/1.1\r\nHost: a.test\r\n\r\n", (200, 400)),
    Case("S67", "encoded dots", b"GET /S67/a/%2e%2e/admin HTTP/1.1\r\nHost: a.test\r\n\r\n", (200, 400)),
    Case("S68", "encoded slash", b"GET /S68/a/%2f../admin HTTP/1.1\r\nHost: a.test\r\n\r\n", (200, 400)),
    Case("S69", "backslashes", b"GET /S69\\..\\admin HTTP/1.1\r\nHost: a.test\r\n\r\n", (400, 200)),
    Case("S70", "encoded NUL", b"GET /S70/%00 HTTP/1.1\r\nHost: a.test\r\n\r\n"),
]

BODIES = [
    message("S71", "GET with a body", b"Content-Length: %d\r\n" % len(HIDDEN), HIDDEN, (200,), method=b"GET"),
    message("S72", "no length, second request", b"", b"GET /S72/second HTTP/1.1\r\nHost: a.test\r\n\r\n", (200, 411), second=True),
]

SIZES = [
    get("S73", "a field of 100,000 bytes", b"X-A: " + b"b" * 100_000 + b"\r\n", accepted=(200, 431)),  # maxHeaderBytes is 1 MiB in both
    get("S74", "2,000 fields", b"".join(b"X-%d: b\r\n" % n for n in range(2000)), accepted=(431,)),
    Case("S75", "a target of 100,000 bytes", b"GET /S75/" + b"a" * 100_000 + b" HTTP/1.1\r\nHost: a.test\r\n\r\n", (414, 431)),
]

CASES = LENGTHS + CODINGS + CHUNKS + FIELDS + TARGETS + UPGRADES + PATHS + BODIES + SIZES


def within_reason(cases: list[Case]):
    """Promises the outcomes that the specification accepts, and that nothing hidden is ever served."""

    def claim(notes: dict) -> list[str]:
        broken = []
        for case in cases:
            seen = notes[case.label]
            first = seen["statuses"][0] if seen["statuses"] else 0
            if first not in case.accepted:
                broken.append(f"{case.label}: {first}, to be one of {case.accepted}")
            if any("SMUGGLED" in reached for reached in seen["origin"]) and not case.second:
                broken.append(f"{case.label}: the hidden request reached the origin")
        return broken

    return claim


def corpus(name: str, cases: list[Case]) -> Scenario:
    return Scenario(
        f"http1/{name}", http({"a": on("PathPrefix(`/`)")}),
        [Raw(case.label, case.data, f"/{case.id}") for case in cases],
        claims=within_reason(cases),
    )


SCENARIOS = [
    corpus("lengths", LENGTHS),
    corpus("codings", CODINGS),
    corpus("chunks", CHUNKS),
    corpus("fields", FIELDS),
    corpus("targets", TARGETS),
    corpus("upgrades", UPGRADES),
    corpus("paths", PATHS),
    corpus("bodies", BODIES),
    corpus("sizes", SIZES),
]
