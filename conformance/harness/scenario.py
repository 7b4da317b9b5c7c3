"""The words scenarios are written in. Each step adds what it saw to the notes, under its label."""

import json
import re
import subprocess
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from .client import Reply, ask, ask_in_turn, converse
from .message import Message
from .notes import Near
from .scene import Scene

# What machine noise may move an instant by, in milliseconds.
NOISE = 45.0

UNITS = {"h": 3_600_000.0, "m": 60_000.0, "s": 1000.0, "ms": 1.0, "µs": 0.001, "us": 0.001, "ns": 1e-6}
DURATION = re.compile(r"(\d+(?:\.\d+)?)(h|ms|m|s|µs|us|ns)")

# Said anew in every answer.
VOLATILE = {"date"}


def go_duration(text: str) -> float | None:
    """Milliseconds of a Go duration such as `1m3.5s`; None for anything else."""
    parts = DURATION.findall(text)
    if "".join(number + unit for number, unit in parts) != text or not parts:
        return None
    return sum(float(number) * UNITS[unit] for number, unit in parts)


@dataclass
class Scenario:
    """Played on a fresh gateway of each kind, in a folder of its own.

    `dynamic` is the file of the file provider and `static` is laid over the common static
    configuration; in both `@url:NAME@`, `@listen:NAME@`, `@port:NAME@` stand for addresses.
    `redis`: options of a redis-server of its own, None for none. `files`: more files, by name.
    `timed`: instants matter; played alone, and again if it differs.
    `claims`: what must hold of Tollgate's notes, whatever Traefik does; returns broken promises.
    """

    id: str
    dynamic: str
    steps: list
    static: dict = field(default_factory=dict)
    origins: tuple[str, ...] = ("one",)
    redis: tuple[str, ...] | None = None
    files: dict[str, str] = field(default_factory=dict)
    timed: bool = False
    waits_for_routers: bool = True
    claims: Callable[[dict], list[str]] | None = None

    def play(self, scene: Scene) -> dict:
        notes: dict = {}
        for step in self.steps:
            if not scene.gateway.alive:
                raise RuntimeError(f"{scene.program.name} ended by itself:\n{scene.gateway.log()[-2000:]}")
            notes[step.label] = step.play(scene)
        return scene.plain(notes)


def request(target: str, method: str, host: str | None, headers, body: bytes, version: str) -> bytes:
    lines = [f"{method} {target} HTTP/{version}"]
    if host is not None:
        lines.append(f"Host: {host}")
    lines += headers
    if body:
        lines.append(f"Content-Length: {len(body)}")
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1") + body


@dataclass
class Ask:
    """One request on a connection of its own. `watch` names what to note:

    `status`, `body`, `headers` (all), `trailers`, `header.NAME`; `slot`: when, after the first
    request, it went through or may be tried again; `retry`: Retry-After and the unit of
    X-Retry-In; `origin`: who got it; `seen.target|method|headers|body|trailers|header.NAME`:
    what the origin got.
    """

    label: str
    target: str = "/"
    method: str = "GET"
    host: str | None = "a.test"
    headers: tuple[str, ...] = ()
    body: bytes = b""
    version: str = "1.1"
    at: float | None = None
    entry: str = "web"
    source: str = "127.0.0.1"
    watch: tuple[str, ...] = ("status",)

    def play(self, scene: Scene) -> dict:
        headers = [scene.fill(header) for header in self.headers]
        host = scene.fill(self.host) if self.host is not None else None
        raw = request(self.target, self.method, host, headers, self.body, self.version)
        marks = {name: origin.mark() for name, origin in scene.origins.items()}
        scene.sleep_until(self.at)
        reply = ask(scene.port(self.entry), raw, self.method, self.source)
        sent, done = scene.since_epoch(reply.sent), scene.since_epoch(reply.done)
        seen = [
            (name, message)
            for name, origin in scene.origins.items()
            for message in origin.since(marks[name])
        ]
        return {what: self._note(what, reply, sent, done, seen) for what in self.watch}

    def _note(self, what: str, reply: Reply, sent: float, done: float, seen: list):
        message = reply.message
        if what == "status":
            return reply.status
        if what == "origin":
            return [name for name, _ in seen]
        if what.startswith("seen."):
            return _seen(what.removeprefix("seen."), seen[0][1] if seen else None)
        if message is None:
            return None
        if what == "body":
            return message.body.decode("utf-8", "replace")
        if what == "trailers":
            return [f"{name.lower()}: {value}" for name, value in message.trailers]
        if what == "headers":
            fields = {k: v for k, v in message.head.by_name().items() if k not in VOLATILE}
            if "x-retry-in" in fields:
                fields["x-retry-in"] = [re.sub(r"[\d.]+", "N", value) for value in fields["x-retry-in"]]
            return fields
        if what.startswith("header."):
            return message.head.value(what.removeprefix("header."))
        if what == "slot":
            wait = message.head.value("x-retry-in")
            instant = done if wait is None else sent + (go_duration(wait) or 0.0)
            return Near(instant, NOISE)
        if what == "retry":
            unit = re.sub(r"[\d.]+", "N", message.head.value("x-retry-in") or "")
            return [message.head.value("retry-after"), unit]
        raise ValueError(f"nothing known to watch as {what}")


def _seen(what: str, message: Message | None):
    if message is None:
        return "never got there"
    method, target, *_ = message.head.start.split(" ")
    if what == "target":
        return target
    if what == "method":
        return method
    if what == "headers":
        return {k: v for k, v in message.head.by_name().items() if k != "x-do"}
    if what == "body":
        return message.body.decode("latin-1")
    if what == "trailers":
        return sorted(f"{name.lower()}: {value}" for name, value in message.trailers)
    if what.startswith("header."):
        return message.head.values(what.removeprefix("header."))
    raise ValueError(f"nothing known to watch as seen.{what}")


@dataclass
class Burst:
    """Many equal requests, one after the other on one connection: how many got which status."""

    label: str
    count: int
    target: str = "/"
    host: str = "a.test"
    headers: tuple[str, ...] = ()
    at: float | None = None
    tolerance: float = 0.0
    by: str = "status"

    def play(self, scene: Scene) -> dict:
        raw = request(self.target, "GET", self.host, self.headers, b"", "1.1")
        scene.sleep_until(self.at)
        replies = ask_in_turn(scene.port("web"), [("GET", raw)] * self.count)
        scene.since_epoch(replies[0].sent)
        counts = Counter(self._class(reply) for reply in replies)
        return {key: Near(counts[key], self.tolerance) for key in sorted(counts)}

    def _class(self, reply: Reply) -> str:
        if self.by == "status":
            return str(reply.status)
        return (reply.message and reply.message.head.value(self.by)) or "none"


@dataclass
class InTurn:
    """Different requests, one after the other on one connection: their statuses in order."""

    label: str
    requests: tuple[tuple[str, tuple[str, ...]], ...]
    host: str = "a.test"
    entry: str = "web"

    def play(self, scene: Scene):
        raws = [
            ("GET", request(target, "GET", self.host, headers, b"", "1.1"))
            for target, headers in self.requests
        ]
        return [reply.status for reply in ask_in_turn(scene.port(self.entry), raws)]


@dataclass
class Raw:
    """Bytes as they are. Notes the statuses that came back, whether the gateway closed, and what
    the origins saw whose target begins with `path` (all of it, if None)."""

    label: str
    data: bytes
    path: str | None = None
    idle: float = 0.35
    first: float = 1.5
    watch: tuple[str, ...] = ("statuses", "closed", "origin")

    def play(self, scene: Scene) -> dict:
        marks = {name: origin.mark() for name, origin in scene.origins.items()}
        data = scene.fill(self.data.decode("latin-1")).encode("latin-1")
        talk = converse(scene.port("web"), data, self.idle, self.first)
        reached = []
        for name, origin in scene.origins.items():
            for message in origin.since(marks[name]):
                method, target, *_ = message.head.start.split(" ")
                if self.path is None or target.startswith(self.path) or "SMUGGLED" in target:
                    reached.append(f"{method} {target[:80]} {len(message.body)}B")
        notes = {"statuses": talk.statuses, "closed": talk.closed, "origin": sorted(reached)}
        return {what: notes[what] for what in self.watch}


@dataclass
class Write:
    """Puts another text in the place of the dynamic file (atomically unless `in_place`), and waits
    until a request to `until` is answered with `status`, `within` seconds at most."""

    label: str
    text: str | None
    until: str | None = None
    status: int = 200
    within: float = 4.0
    in_place: bool = False

    def play(self, scene: Scene) -> dict:
        if self.text is None:
            scene.dynamic.unlink()
        elif self.in_place:
            scene.dynamic.write_text(scene.fill(self.text))
        else:
            fresh = scene.folder / "dynamic.next"
            fresh.write_text(scene.fill(self.text))
            fresh.replace(scene.dynamic)
        if self.until is None:
            time.sleep(1.0)
            return {}
        return {"in effect": _becomes(scene, self.until, self.status, self.within)}


def _becomes(scene: Scene, target: str, status: int, within: float) -> bool:
    deadline = time.monotonic() + within
    raw = request(target, "GET", "a.test", (), b"", "1.1")
    while time.monotonic() < deadline:
        if ask(scene.port("web"), raw).status == status:
            return True
        time.sleep(0.03)
    return False


@dataclass
class Load:
    """Offers a configuration with one middleware in question, and notes what became of it.

    `file refused`: the routes stay what they were. `router disabled`: the file is in force but
    the router that uses the middleware is not. Otherwise `accepted`, with the block as the API
    shows it.
    """

    label: str
    middlewares: str
    uses: str = "mw"
    more: str = ""
    probe: str = ""
    effect: str | None = "rateLimit"

    def text(self) -> str:
        extra = f", {self.probe}" if self.probe else ""
        return (
            "http:\n  routers:\n"
            f'    alive: {{rule: "Path(`/alive/{self.label_path}`)", service: s}}\n'
            f'    probe: {{rule: "Path(`/probe/{self.label_path}`)", service: s, middlewares: [{self.uses}]{extra}}}\n'
            '  services: {s: {loadBalancer: {servers: [{url: "@url:one@"}]}}}\n'
            f"  middlewares:\n{self.middlewares}\n{self.more}"
        )

    @property
    def label_path(self) -> str:
        return re.sub(r"[^a-zA-Z0-9]+", "-", self.label)

    def play(self, scene: Scene) -> dict:
        before = len(_errors(scene))
        fresh = scene.folder / "dynamic.next"
        fresh.write_text(scene.fill(self.text()))
        fresh.replace(scene.dynamic)
        if not self._in_force(scene, before):
            return {"outcome": "file refused"}
        router = scene.gateway.api("/api/http/routers/probe@file") or {}
        probe = ask(scene.port("web"), request(f"/probe/{self.label_path}", "GET", "a.test", (), b"", "1.1"))
        if probe.status == 404:
            return {"outcome": "router disabled", "api": router.get("status"), "says why": bool(router.get("error"))}
        notes = {"outcome": "accepted", "api": router.get("status")}
        if self.effect is not None:
            shown = scene.gateway.api(f"/api/http/middlewares/{self.uses}@file") or {}
            notes["effect"] = shown.get(self.effect)
        return notes

    def _in_force(self, scene: Scene, errors_before: int) -> bool:
        deadline = time.monotonic() + 4.0
        while time.monotonic() < deadline:
            if _becomes(scene, f"/alive/{self.label_path}", 200, 0.1):
                return True
            if len(_errors(scene)) > errors_before:
                return _becomes(scene, f"/alive/{self.label_path}", 200, 0.5)
        return False


def _errors(scene: Scene) -> list[str]:
    return [line for line in scene.gateway.log().splitlines() if re.search(r"\b(ERR|ERROR|error)\b", line)]


@dataclass
class Api:
    """A document of the API: all of it, its keys, or the value at each of `pick` (keys joined by slashes)."""

    label: str
    path: str
    pick: tuple[str, ...] = ()
    keys_only: bool = False

    def play(self, scene: Scene):
        document = scene.gateway.api(self.path)
        if document is None:
            return {"document": scene.gateway.api(self.path, raw=True)}
        if isinstance(document, list):
            document = {item.get("name", str(index)): item for index, item in enumerate(document)}
        if self.keys_only:
            return {"keys": sorted(document)}
        if self.pick:
            return {path: _at(document, path) for path in self.pick}
        return document


def _at(document, path: str):
    for key in path.split("/"):
        document = document.get(key) if isinstance(document, dict) else None
    return document


@dataclass
class AccessLog:
    """The last line of the access log. `json`: keys, and the values of `watch`. `common`: the
    parts of the line, instants and durations taken out."""

    label: str
    format: str
    watch: tuple[str, ...] = ()

    def play(self, scene: Scene) -> dict:
        line = self._last(scene)
        if self.format == "json":
            try:
                entry = json.loads(line)
            except json.JSONDecodeError:
                return {"line": line}
            return {
                "keys": {key: "present" for key in sorted(entry)},
                "values": {key: entry.get(key) for key in self.watch},
            }
        line = re.sub(r"\[[^\]]+\]", "[INSTANT]", line)
        return {"line": re.sub(r" \d+ms$", " Nms", line)}

    @staticmethod
    def _last(scene: Scene) -> str:
        deadline = time.monotonic() + 3
        text = ""
        while time.monotonic() < deadline and not text.strip():
            time.sleep(0.15)
            text = scene.access_log.read_text("utf-8", "replace") if scene.access_log.exists() else ""
        return text.strip().rsplit("\n", 1)[-1]


@dataclass
class Series:
    """The Prometheus series whose names begin with `traefik_`: name and label names."""

    label: str
    path: str = "/metrics"

    def play(self, scene: Scene) -> dict:
        found: dict[str, str] = {}
        for line in (scene.gateway.api(self.path, raw=True) or "").splitlines():
            match = re.match(r"(traefik_\w+?)(?:_bucket|_sum|_count)?(?:\{(.*)\})? ", line)
            if match:
                labels = sorted(re.findall(r"(\w+)=", match[2] or ""))
                found[match[1]] = ",".join(label for label in labels if label != "le")
        return found


@dataclass
class RedisStops:
    """Kills the scenario's Redis."""

    label: str

    def play(self, scene: Scene) -> dict:
        scene.redis.stop()
        return {}


@dataclass
class RedisPauses:
    """The scenario's Redis does not answer for some seconds from now."""

    label: str
    seconds: float

    def play(self, scene: Scene) -> dict:
        scene.redis.pause(self.seconds)
        return {}


@dataclass
class Http2:
    """Requests over clear-text HTTP/2 by prior knowledge (with curl), a connection each."""

    label: str
    target: str
    count: int
    host: str = "a.test"

    def play(self, scene: Scene) -> dict:
        url = f"http://127.0.0.1:{scene.port('web')}{self.target}"
        words = ["curl", "-s", "--max-time", "10", "--http2-prior-knowledge", "-H", f"Host: {self.host}"]
        words += ["-o", "/dev/null", "-w", "%{http_version} %{http_code}\n", url]
        runs = (subprocess.run(words, capture_output=True, text=True) for _ in range(self.count))
        return {"answers": [run.stdout.strip() for run in runs]}
