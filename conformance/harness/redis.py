"""A redis-server of one's own."""

import signal
import socket
import subprocess
import threading
import time
from pathlib import Path

from .ports import free_port


class Redis:
    """Runs redis-server on a free port, nothing kept on disk."""

    def __init__(self, folder: Path, *options: str):
        self.port = free_port()
        self._folder = folder
        self._options = options
        self.start()

    def start(self) -> None:
        with open(self._folder / "redis.log", "ab") as log:
            self._process = subprocess.Popen(
                ["redis-server", "--port", str(self.port), "--bind", "127.0.0.1", "--save", "",
                 "--appendonly", "no", "--dir", str(self._folder), *self._options],
                stdout=log, stderr=log,
            )
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            try:
                if self.command("PING"):
                    return
            except OSError:
                time.sleep(0.02)
        raise RuntimeError("redis-server does not answer")

    def command(self, *words: str) -> bytes:
        """Sends one command and returns the first piece of its reply as it stands."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=5) as stream:
            raw = b"*%d\r\n" % len(words)
            for word in words:
                raw += b"$%d\r\n%s\r\n" % (len(word.encode()), word.encode())
            stream.sendall(raw)
            return stream.recv(65536)

    def pause(self, seconds: float) -> None:
        """Keeps the server from answering for a while; connections wait."""
        self._process.send_signal(signal.SIGSTOP)
        threading.Timer(seconds, self._process.send_signal, [signal.SIGCONT]).start()

    def stop(self) -> None:
        self._process.kill()
        self._process.wait()
