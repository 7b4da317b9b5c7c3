"""The proxies that are compared, the upstream and the Redis behind them: configuration, processes, cost.

Fair means: two workers or threads each, connections to the upstream kept, no access log, the usual
X-Forwarded fields set, the same paths. What stands for a path is told in `ROUTES`.
"""

import json
import os
import random
import shutil
import socket
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

SMALL = b"x" * 70 + b"\n"
LARGE = b"y" * 65536
TICKS = os.sysconf("SC_CLK_TCK")
PAGE = os.sysconf("SC_PAGE_SIZE")

# Never reached by any proxy on any machine this runs on.
WIDE = 1_000_000
# One hot client is refused nearly always.
NARROW = 100

# Path prefix → what limits it.
ROUTES = {
    "plain": None,
    "memory": ("memory", WIDE),
    "memory-hot": ("memory", NARROW),
    "redis": ("redis", WIDE),
    "redis-hot": ("redis", NARROW),
}


def free_port() -> int:
    """A port nobody listens on, below those that Linux gives to outgoing connections."""
    while True:
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port := random.randint(20_000, 32_000)))
            except OSError:
                continue
            return port


def wait_for(port: int, name: str) -> None:
    deadline = time.monotonic() + 15
    while time.monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            time.sleep(0.05)
    raise RuntimeError(f"{name} does not listen on port {port}")


def tree(pid: int) -> list[int]:
    """The process and all that descend from it."""
    found = [pid]
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return found
    for child in children:
        found += tree(int(child))
    return found


@dataclass
class Process:
    """A running program and its children."""

    name: str
    popen: subprocess.Popen

    def cpu_seconds(self) -> float:
        """User and system time spent so far by the whole tree."""
        ticks = 0
        for pid in tree(self.popen.pid):
            try:
                fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
            except OSError:
                continue
            ticks += int(fields[11]) + int(fields[12])
        return ticks / TICKS

    def resident_mib(self) -> float:
        """Resident memory, summed over the tree: pages that two processes share count twice."""
        pages = 0
        for pid in tree(self.popen.pid):
            try:
                pages += int(Path(f"/proc/{pid}/statm").read_text().split()[1])
            except OSError:
                continue
        return pages * PAGE / 2**20

    def stop(self) -> None:
        self.popen.terminate()
        try:
            self.popen.wait(10)
        except subprocess.TimeoutExpired:
            self.popen.kill()
            self.popen.wait()


def spawn(name: str, words: list, folder: Path, port: int, **environment: str) -> Process:
    with open(folder / f"{name}.log", "wb") as log:
        popen = subprocess.Popen([str(w) for w in words], stdout=log, stderr=log, cwd=folder, env=os.environ | environment)
    wait_for(port, name)
    return Process(name, popen)


class Proxy:
    """One competitor: `routes` are the paths it can serve, `port` where it listens."""

    routes = ("plain", "memory", "memory-hot")

    def __init__(self, name: str, binary: Path):
        self.name = name
        self.binary = binary
        self.port = free_port()
        self.process: Process | None = None

    def start(self, folder: Path, upstream: int, redis: int) -> None:
        raise NotImplementedError

    def version(self) -> str:
        raise NotImplementedError


def first_line(*words) -> str:
    done = subprocess.run([str(w) for w in words], capture_output=True, text=True)
    return (done.stdout + done.stderr).strip().splitlines()[0].strip()


class Traefik(Proxy):
    routes = tuple(ROUTES)
    words: tuple[str, ...] = ()

    def start(self, folder: Path, upstream: int, redis: int) -> None:
        (folder / f"{self.name}-dynamic.yml").write_text(json.dumps(self._dynamic(upstream, redis)))
        static = folder / f"{self.name}.yml"
        static.write_text(json.dumps({
            "global": {"checkNewVersion": False, "sendAnonymousUsage": False},
            "entryPoints": {"web": {"address": f"127.0.0.1:{self.port}"}},
            "providers": {"file": {"filename": str(folder / f"{self.name}-dynamic.yml")}},
            "log": {"level": "ERROR"},
        }))
        self.process = spawn(
            self.name, [self.binary, *self.words, f"--configFile={static}"], folder, self.port, GOMAXPROCS="2")

    @staticmethod
    def _dynamic(upstream: int, redis: int) -> dict:
        routers, middlewares = {}, {}
        for name, limit in ROUTES.items():
            routers[name] = {"rule": f"PathPrefix(`/{name}/`)", "service": "upstream"}
            if limit:
                store, average = limit
                block: dict = {"average": average, "burst": average}
                if store == "redis":
                    block["redis"] = {"endpoints": [f"127.0.0.1:{redis}"]}
                middlewares[name] = {"rateLimit": block}
                routers[name]["middlewares"] = [name]
        services = {"upstream": {"loadBalancer": {"servers": [{"url": f"http://127.0.0.1:{upstream}"}]}}}
        return {"http": {"routers": routers, "middlewares": middlewares, "services": services}}

    def version(self) -> str:
        return first_line(self.binary, "version").removeprefix("Version:").strip()


class Tollgate(Traefik):
    """Reads the very files Traefik reads."""

    words = ("run",)

    def version(self) -> str:
        return first_line(self.binary, "--version").removeprefix("tollgate ")


class Nginx(Proxy):
    def start(self, folder: Path, upstream: int, redis: int) -> None:
        zones, locations = "", ""
        for name in self.routes:
            limit = ROUTES[name]
            applied = ""
            if limit:
                zone = name.replace("-", "_")
                zones += f"limit_req_zone $binary_remote_addr zone={zone}:10m rate={limit[1]}r/s;\n"
                applied = f"limit_req zone={zone} burst={limit[1]} nodelay;"
            locations += f"location /{name}/ {{ {applied} proxy_pass http://upstream; }}\n"
        config = folder / "nginx-proxy.conf"
        config.write_text(f"""
daemon off; worker_processes 2; pid {folder}/nginx-proxy.pid; error_log {folder}/nginx-proxy.err crit;
events {{ worker_connections 4096; }}
http {{
  access_log off; limit_req_status 429; limit_req_log_level info; keepalive_requests 1000000000; {temporary(folder, "proxy")}
  {zones}
  upstream upstream {{ server 127.0.0.1:{upstream}; keepalive 128; keepalive_requests 1000000000; }}
  server {{
    listen 127.0.0.1:{self.port} backlog=4096;
    proxy_http_version 1.1;
    proxy_set_header Connection ""; proxy_set_header Host $host;
    proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
    proxy_set_header X-Forwarded-Proto $scheme; proxy_set_header X-Forwarded-Host $http_host;
    proxy_set_header X-Real-Ip $remote_addr;
    {locations}
  }}
}}
""")
        self.process = spawn(self.name, [self.binary, "-c", config, "-p", folder, "-e", folder / "nginx-proxy.err"], folder, self.port)

    def version(self) -> str:
        return first_line(self.binary, "-v").rsplit("/", 1)[-1]


class Haproxy(Proxy):
    def start(self, folder: Path, upstream: int, redis: int) -> None:
        frontends, tables = "", ""
        for name in self.routes:
            limit = ROUTES[name]
            if limit:
                tables += f"backend {name}\n  stick-table type ip size 100k expire 10s store http_req_rate(1s)\n"
                frontends += (
                    f"  http-request track-sc0 src table {name} if {{ path_beg /{name}/ }}\n"
                    f"  http-request deny deny_status 429 if {{ path_beg /{name}/ }} {{ sc0_http_req_rate({name}) gt {limit[1]} }}\n"
                )
        config = folder / "haproxy.cfg"
        config.write_text(f"""
global
  nbthread 2
  maxconn 8192
defaults
  mode http
  timeout connect 5s
  timeout client 60s
  timeout server 60s
  option forwardfor
  option http-keep-alive
  http-reuse always
frontend web
  bind 127.0.0.1:{self.port}
  http-request set-header X-Forwarded-Proto http
  http-request set-header X-Forwarded-Host %[req.hdr(Host)]
{frontends}  default_backend upstream
{tables}backend upstream
  server one 127.0.0.1:{upstream} pool-max-conn 128
""")
        self.process = spawn(self.name, [self.binary, "-db", "-q", "-f", config], folder, self.port)

    def version(self) -> str:
        return first_line(self.binary, "-v").split()[2]


def temporary(folder: Path, name: str) -> str:
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    return " ".join(f"{kind}_temp_path {folder}/{name}-{kind};" for kind in kinds)


def start_upstream(folder: Path) -> tuple[Process, int]:
    """nginx with two workers; any path that ends in /small has 71 bytes, in /64k 64 KiB."""
    port = free_port()
    (folder / "files").mkdir(exist_ok=True)
    (folder / "files" / "64k").write_bytes(LARGE)
    (folder / "files" / "small").write_bytes(SMALL)
    config = folder / "upstream.conf"
    config.write_text(f"""
daemon off; worker_processes 2; pid {folder}/upstream.pid; error_log {folder}/upstream.err crit;
events {{ worker_connections 4096; }}
http {{
  access_log off; sendfile on; tcp_nopush on; open_file_cache max=16; keepalive_requests 1000000000; {temporary(folder, "upstream")}
  server {{
    listen 127.0.0.1:{port} backlog=4096;
    location ~ /small$ {{ default_type text/plain; return 200 "{SMALL.decode().strip()}\\n"; }}
    location ~ /64k$ {{ root {folder}/files; try_files /64k =404; }}
  }}
}}
""")
    # Its workers drop privileges and must be able to walk to the files.
    for part in (folder, folder / "files"):
        part.chmod(0o755)
    nginx = shutil.which("nginx")
    return spawn("upstream", [nginx, "-c", config, "-p", folder, "-e", folder / "upstream.err"], folder, port), port


def start_redis(folder: Path) -> tuple[Process, int]:
    port = free_port()
    words = ["redis-server", "--port", port, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", folder]
    return spawn("redis", words, folder, port), port
