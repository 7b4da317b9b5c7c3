"""HTTP/1 messages as far as a client and an origin that watch a gateway need them."""

from dataclasses import dataclass, field

BODILESS = {204, 304}


class Malformed(ValueError):
    """The bytes are no HTTP/1 message."""


@dataclass
class Head:
    """Start line and fields, names as they were spelled."""

    start: str
    fields: list[tuple[str, str]]

    def values(self, name: str) -> list[str]:
        return [value for key, value in self.fields if key.lower() == name.lower()]

    def value(self, name: str) -> str | None:
        return next(iter(self.values(name)), None)

    def by_name(self) -> dict[str, list[str]]:
        """Values by lower-case name: spelling and order of names mean nothing in HTTP."""
        found: dict[str, list[str]] = {}
        for name, value in self.fields:
            found.setdefault(name.lower(), []).append(value)
        return dict(sorted(found.items()))


@dataclass
class Message:
    """A whole message, chunked coding taken off."""

    head: Head
    body: bytes = b""
    trailers: list[tuple[str, str]] = field(default_factory=list)

    @property
    def status(self) -> int:
        return int(self.head.start.split(" ", 2)[1])


def parse_head(raw: bytes) -> Head:
    lines = raw.decode("latin-1").split("\r\n")
    fields = []
    for line in lines[1:]:
        name, colon, value = line.partition(":")
        if not colon:
            raise Malformed(f"no colon in {line!r}")
        fields.append((name, value.strip(" \t")))
    return Head(lines[0], fields)


class Reader:
    """Cuts messages from a stream; `more` returns b"" at its end."""

    def __init__(self, more):
        self._more = more
        self.buffer = b""
        self.ended = False

    def fill(self) -> bool:
        piece = self._more()
        self.ended = not piece
        self.buffer += piece
        return bool(piece)

    def until(self, mark: bytes) -> bytes | None:
        """What stands before `mark`, or None if the stream ends first."""
        while mark not in self.buffer:
            if not self.fill():
                return None
        found, self.buffer = self.buffer.split(mark, 1)
        return found

    def exactly(self, count: int) -> bytes:
        while len(self.buffer) < count and self.fill():
            pass
        found, self.buffer = self.buffer[:count], self.buffer[count:]
        return found

    def rest(self) -> bytes:
        while self.fill():
            pass
        found, self.buffer = self.buffer, b""
        return found

    def chunked(self) -> tuple[bytes, list[tuple[str, str]]]:
        body = b""
        while True:
            line = self.until(b"\r\n")
            if line is None:
                raise Malformed("the stream ends inside a chunked body")
            try:
                size = int(line.split(b";")[0], 16)
            except ValueError as error:
                raise Malformed(f"chunk size {line[:40]!r}") from error
            if size == 0:
                return body, self._trailers()
            data = self.exactly(size + 2)
            if len(data) < size + 2:
                raise Malformed("the stream ends inside a chunk")
            body += data[:size]

    def _trailers(self) -> list[tuple[str, str]]:
        fields = []
        while line := self.until(b"\r\n"):
            name, _, value = line.decode("latin-1").partition(":")
            fields.append((name, value.strip()))
        return fields

    def request(self) -> Message | None:
        """The next request, or None when the stream ends before one begins."""
        raw = self.until(b"\r\n\r\n")
        if raw is None:
            if self.buffer:
                raise Malformed(f"unfinished head {self.buffer[:80]!r}")
            return None
        head = parse_head(raw)
        if head.values("transfer-encoding"):
            body, trailers = self.chunked()
            return Message(head, body, trailers)
        length = int(head.value("content-length") or 0)
        body = self.exactly(length)
        if len(body) < length:
            raise Malformed(f"a body of {length} bytes ends after {len(body)}")
        return Message(head, body)

    def answer(self, method: str) -> Message | None:
        """The next final answer to a request of `method`; interim answers are skipped."""
        while True:
            raw = self.until(b"\r\n\r\n")
            if raw is None:
                return None
            message = Message(parse_head(raw))
            if message.status >= 200 or message.status == 101:
                break
        if method == "HEAD" or message.status in BODILESS or message.status == 101:
            return message
        if "chunked" in (message.head.value("transfer-encoding") or "").lower():
            message.body, message.trailers = self.chunked()
        elif (length := message.head.value("content-length")) is not None:
            message.body = self.exactly(int(length))
        else:
            message.body = self.rest()
        return message
