"""The two gateways: how each is started, found ready and stopped."""

import json
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from .client import ask

READY_WITHIN = 15.0


@dataclass(frozen=True)
class Program:
    """A gateway that reads Traefik's static configuration file."""

    name: str
    path: Path
    words: tuple[str, ...]

    def version(self) -> str:
        flag = "version" if self.name == "traefik" else "--version"
        out = subprocess.run([self.path, flag], capture_output=True, text=True, timeout=20)
        lines = (out.stdout or out.stderr).strip().splitlines()
        for line in lines:
            if line.startswith("Version:"):
                return line.split(":", 1)[1].strip()
        return lines[0] if lines else "unknown"


def traefik(path: Path) -> Program:
    return Program("traefik", path, ())


def tollgate(path: Path) -> Program:
    return Program("tollgate", path, ("run",))


class Gateway:
    """One running process."""

    def __init__(self, program: Program, static: Path, log: Path, api: int):
        self._log = log
        self._api = api
        self._out = open(log, "wb")
        self._process = subprocess.Popen(
            [program.path, *program.words, f"--configFile={static}"],
            stdout=self._out, stderr=subprocess.STDOUT,
        )

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    def wait_ready(self, routers: bool) -> None:
        """Waits for /ping and, if asked, for the first router of the file."""
        deadline = time.monotonic() + READY_WITHIN
        while time.monotonic() < deadline:
            if not self.alive:
                return
            try:
                if not routers:
                    if self.api("/ping", raw=True) == "OK":
                        return
                elif any(r["provider"] == "file" for r in self.api("/api/http/routers") or []):
                    return
            except OSError:
                pass
            time.sleep(0.02)

    def api(self, path: str, raw: bool = False):
        """A document of the API: parsed JSON, the text if `raw`, None unless 200."""
        request = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode()
        reply = ask(self._api, request)
        if reply.message is None or (reply.status != 200 and not raw):
            return None
        text = reply.message.body.decode("utf-8", "replace")
        if raw:
            return text
        try:
            return json.loads(text)
        except json.JSONDecodeError:
            return None

    def log(self) -> str:
        return self._log.read_text("utf-8", "replace")

    def stop(self) -> int | None:
        """Ends the process and returns its exit code."""
        self._process.terminate()
        try:
            self._process.wait(15)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._out.close()
        return self._process.returncode
