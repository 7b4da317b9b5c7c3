"""One gateway with all it needs for one scenario: ports, origins, Redis, files."""

import json
import re
import shutil
import time
from pathlib import Path

from .gateway import Gateway, Program
from .origin import Origin
from .ports import free_port
from .redis import Redis

TOKEN = re.compile(r"@([a-z]+)(?::([a-z0-9]+))?@")


def merged(base: dict, extra: dict) -> dict:
    """`extra` over `base`, block by block; None takes a key away."""
    result = dict(base)
    for key, value in extra.items():
        if value is None:
            result.pop(key, None)
        elif isinstance(value, dict) and isinstance(result.get(key), dict):
            result[key] = merged(result[key], value)
        else:
            result[key] = value
    return result


class Scene:
    """Opened for one scenario and one gateway; `close` leaves nothing behind but the files."""

    def __init__(self, program: Program, scenario, folder: Path):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        self.program = program
        self.folder = folder
        self.dynamic = folder / "dynamic.yml"
        self.access_log = folder / "access.log"
        self.origins = {name: Origin(name) for name in scenario.origins}
        self.redis = Redis(folder, *scenario.redis) if scenario.redis is not None else None
        self._ports: dict[str, int] = {}
        self.epoch: float | None = None
        self.dynamic.write_text(self.fill(scenario.dynamic))
        for name, text in scenario.files.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(self.fill(text))
        static = merged(self._base(), scenario.static)
        path = folder / "static.yml"
        # Every JSON document is YAML.
        path.write_text(self.fill(json.dumps(static, indent=1)))
        self.gateway = Gateway(program, path, folder / "gateway.log", self.port("api"))
        self.gateway.wait_ready(routers=scenario.waits_for_routers)

    def _base(self) -> dict:
        return {
            "global": {"checkNewVersion": False, "sendAnonymousUsage": False},
            "entryPoints": {
                "web": {
                    "address": "@listen:web@",
                    "forwardedHeaders": {"trustedIPs": ["127.0.0.1/32"]},
                },
                "traefik": {"address": "@listen:api@"},
            },
            "api": {"insecure": True},
            "ping": {},
            "log": {"level": "ERROR"},
            "providers": {
                "providersThrottleDuration": "20ms",
                "file": {"filename": str(self.dynamic), "watch": True},
            },
        }

    def port(self, name: str) -> int:
        """The port called `name`, chosen at first use."""
        if name in self.origins:
            return self.origins[name].port
        if name == "redis" and self.redis:
            return self.redis.port
        return self._ports.setdefault(name, free_port())

    def fill(self, text: str) -> str:
        """Puts this scene's addresses in the place of `@url:NAME@`, `@listen:NAME@`,
        `@port:NAME@` and `@folder@`."""

        def value(match: re.Match) -> str:
            kind, name = match.groups()
            if kind == "folder":
                return str(self.folder)
            port = self.port(name)
            return {
                "url": f"http://127.0.0.1:{port}",
                "listen": f"127.0.0.1:{port}",
                "port": str(port),
            }[kind]

        return TOKEN.sub(value, text)

    def plain(self, value):
        """The same value with this scene's ports and folder by name, so that two scenes compare."""
        if isinstance(value, str):
            names = {str(port): name for name, port in self._ports.items()}
            names |= {str(origin.port): name for name, origin in self.origins.items()}
            if self.redis:
                names[str(self.redis.port)] = "redis"
            text = value.replace(str(self.folder), "@folder@")
            return re.sub(r"\b\d{4,5}\b", lambda m: f"@{names[m[0]]}@" if m[0] in names else m[0], text)
        if isinstance(value, list):
            return [self.plain(item) for item in value]
        if isinstance(value, tuple):
            return [self.plain(item) for item in value]
        if isinstance(value, dict):
            return {self.plain(key): self.plain(item) for key, item in value.items()}
        return value

    def since_epoch(self, instant: float) -> float:
        """Milliseconds since the first request of the scenario."""
        if self.epoch is None:
            self.epoch = instant
        return (instant - self.epoch) * 1000

    def sleep_until(self, at: float | None) -> None:
        """Sleeps until `at` seconds after the first request; no-op before there was one."""
        if at is not None and self.epoch is not None:
            time.sleep(max(0.0, self.epoch + at - time.monotonic()))

    def close(self) -> None:
        self.gateway.stop()
        for origin in self.origins.values():
            origin.close()
        if self.redis:
            self.redis.stop()
