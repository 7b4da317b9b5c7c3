"""A client that sends exactly the bytes it is given."""

import socket
import time
from dataclasses import dataclass

from .message import Malformed, Message, Reader

PATIENCE = 15.0


@dataclass
class Reply:
    """One answer and when it came, in seconds of the monotonic clock."""

    message: Message | None
    sent: float
    done: float

    @property
    def status(self) -> int:
        return self.message.status if self.message else 0


@dataclass
class Conversation:
    """All that came back for bytes sent in one go."""

    statuses: list[int]
    closed: bool
    tail: bytes


def connect(port: int, source: str = "127.0.0.1") -> socket.socket:
    stream = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE, source_address=(source, 0))
    stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return stream


def _more(stream: socket.socket):
    def read() -> bytes:
        try:
            return stream.recv(65536)
        except (ConnectionError, TimeoutError):
            return b""

    return read


def ask(port: int, raw: bytes, method: str = "GET", source: str = "127.0.0.1") -> Reply:
    """Sends one request on a connection of its own and waits for its answer."""
    with connect(port, source) as stream:
        sent = time.monotonic()
        stream.sendall(raw)
        try:
            message = Reader(_more(stream)).answer(method)
        except Malformed:
            message = None
        return Reply(message, sent, time.monotonic())


def ask_in_turn(port: int, raws: list[tuple[str, bytes]]) -> list[Reply]:
    """Sends requests one after the other on one connection."""
    replies = []
    with connect(port) as stream:
        reader = Reader(_more(stream))
        for method, raw in raws:
            sent = time.monotonic()
            try:
                stream.sendall(raw)
                message = reader.answer(method)
            except (ConnectionError, Malformed):
                message = None
            replies.append(Reply(message, sent, time.monotonic()))
    return replies


def converse(port: int, raw: bytes, idle: float, first: float) -> Conversation:
    """Sends bytes and listens until the gateway closes, or has said nothing for `idle` seconds
    (`first` seconds before it has said anything)."""
    with connect(port) as stream:
        try:
            stream.sendall(raw)
        except ConnectionError:
            pass
        received, closed = b"", False
        while True:
            stream.settimeout(idle if received else first)
            try:
                piece = stream.recv(65536)
            except TimeoutError:
                break
            except ConnectionError:
                piece = b""
            if not piece:
                closed = True
                break
            received += piece
    statuses, tail = _statuses(received)
    return Conversation(statuses, closed, tail)


def _statuses(received: bytes) -> tuple[list[int], bytes]:
    pieces = [received]
    reader = Reader(lambda: pieces.pop() if pieces else b"")
    statuses = []
    while True:
        try:
            message = reader.answer("GET")
        except (Malformed, ValueError, IndexError):
            return statuses, reader.buffer
        if message is None:
            return statuses, reader.buffer
        statuses.append(message.status)
