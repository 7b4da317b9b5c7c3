"""An origin that writes down every request as it arrived."""

import hashlib
import base64
import socket
import threading
import time

from .message import Malformed, Message, Reader
from .ports import free_port

WEBSOCKET = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


class Origin:
    """Answers 200 with its name, unless the field `X-Do` asks for something else:

    `status=N`, `body=N` (bytes), `delay=MS`, `chunked`, `trailer`, `die` (close without an
    answer), `cut` (close inside the body), `field=NAME:VALUE` (an answer field).
    """

    def __init__(self, name: str):
        self.name = name
        self.port = free_port()
        self.seen: list[Message] = []
        self.broken: list[str] = []
        self._lock = threading.Lock()
        self._listener = socket.create_server(("127.0.0.1", self.port), backlog=256)
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def close(self) -> None:
        # shutdown wakes the thread that waits in accept; close alone would not.
        try:
            self._listener.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self._listener.close()

    def since(self, mark: int) -> list[Message]:
        with self._lock:
            return self.seen[mark:]

    def mark(self) -> int:
        with self._lock:
            return len(self.seen)

    def _accept(self) -> None:
        while True:
            try:
                stream, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(stream,), daemon=True).start()

    def _serve(self, stream: socket.socket) -> None:
        with stream:
            stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            reader = Reader(lambda: stream.recv(65536))
            try:
                while message := reader.request():
                    with self._lock:
                        self.seen.append(message)
                    if not self._reply(stream, message):
                        return
            except Malformed as error:
                with self._lock:
                    self.broken.append(str(error))
            except OSError:
                return

    def _reply(self, stream: socket.socket, message: Message) -> bool:
        wishes = dict(
            wish.partition("=")[::2] for wish in (message.head.value("x-do") or "").split(",")
        )
        if "delay" in wishes:
            time.sleep(int(wishes["delay"]) / 1000)
        if "die" in wishes:
            return False
        if (message.head.value("upgrade") or "").lower() == "websocket":
            return self._upgrade(stream, message)
        method = message.head.start.split(" ")[0]
        body = b"x" * int(wishes["body"]) if "body" in wishes else f"origin {self.name}\n".encode()
        status = int(wishes.get("status", 200))
        fields = [f"HTTP/1.1 {status} Told", "Content-Type: text/plain", f"X-Origin: {self.name}"]
        if "field" in wishes:
            fields.append(wishes["field"])
        if "chunked" in wishes or "trailer" in wishes:
            if "trailer" in wishes:
                fields.append("Trailer: X-Sum")
            fields.append("Transfer-Encoding: chunked")
            tail = b"0\r\nX-Sum: 7\r\n\r\n" if "trailer" in wishes else b"0\r\n\r\n"
            payload = b"%x\r\n%s\r\n%s" % (len(body), body, tail)
        elif status in (204, 304):
            payload = b""
        else:
            fields.append(f"Content-Length: {len(body)}")
            payload = body
        if "cut" in wishes:
            payload = payload[: len(payload) // 2]
        head = ("\r\n".join(fields) + "\r\n\r\n").encode("latin-1")
        stream.sendall(head + (b"" if method == "HEAD" else payload))
        return "cut" not in wishes

    def _upgrade(self, stream: socket.socket, message: Message) -> bool:
        key = (message.head.value("sec-websocket-key") or "").encode()
        accept = base64.b64encode(hashlib.sha1(key + WEBSOCKET.encode()).digest()).decode()
        stream.sendall(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Accept: " + accept.encode() + b"\r\n\r\n"
        )
        while piece := stream.recv(65536):
            stream.sendall(piece)
        return False
