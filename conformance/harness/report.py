"""RESULT.md and what the terminal is told."""

import datetime
from collections import defaultdict
from pathlib import Path

from .gateway import Program
from .listed import Listed
from .stage import Outcome


class Verdict:
    """Sorts what differs into deliberate and not."""

    def __init__(self, outcomes: list[Outcome], listed: list[Listed]):
        self.outcomes = outcomes
        self.deliberate: dict[Listed, list] = defaultdict(list)
        self.unlisted = []
        for outcome in outcomes:
            for difference in outcome.differences:
                entry = next((entry for entry in listed if entry.covers(difference)), None)
                if entry:
                    self.deliberate[entry].append(difference)
                else:
                    self.unlisted.append(difference)
        self.broken = [(o.scenario.id, promise) for o in outcomes for promise in o.broken]
        self.failures = [(o.scenario.id, o.failure) for o in outcomes if o.failure]
        self.unseen = [entry for entry in listed if entry not in self.deliberate]

    @property
    def good(self) -> bool:
        return not (self.unlisted or self.broken or self.failures)

    @property
    def observations(self) -> int:
        return sum(outcome.observations for outcome in self.outcomes)

    def summary(self) -> str:
        deliberate = sum(map(len, self.deliberate.values()))
        return (
            f"{len(self.outcomes)} scenarios, {self.observations} observations: {deliberate} differ on purpose, "
            f"{len(self.unlisted)} differ unlisted, {len(self.broken)} promises broken, {len(self.failures)} not played"
        )


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;")


def write(path: Path, verdict: Verdict, programs: list[Program], seconds: float) -> None:
    today = datetime.date.today().isoformat()
    lines = [
        "# Traefik and Tollgate side by side",
        "",
        "Written by `conformance/run.py`; not to be edited.",
        "",
        "| | |",
        "|---|---|",
        f"| date | {today} |",
        *[f"| {program.name} | {program.version()} |" for program in programs],
        f"| scenarios | {len(verdict.outcomes)} |",
        f"| observations | {verdict.observations} |",
        f"| the same | {verdict.observations - sum(map(len, verdict.deliberate.values())) - len(verdict.unlisted)} |",
        f"| different on purpose | {sum(map(len, verdict.deliberate.values()))} |",
        f"| different, unlisted | {len(verdict.unlisted)} |",
        f"| promises broken | {len(verdict.broken)} |",
        f"| not played | {len(verdict.failures)} |",
        f"| took | {seconds:.0f} s |",
        "",
    ]
    lines += _unlisted(verdict) + _deliberate(verdict) + _scenarios(verdict)
    path.write_text("\n".join(lines).rstrip() + "\n", "utf-8")


def _unlisted(verdict: Verdict) -> list[str]:
    lines = []
    if verdict.unlisted:
        lines += ["## Unlisted differences", "", "| scenario | what | Traefik | Tollgate |", "|---|---|---|---|"]
        lines += [
            f"| {d.scenario} | {_cell(d.what)} | {_cell(d.traefik)} | {_cell(d.tollgate)} |" for d in verdict.unlisted
        ]
        lines.append("")
    if verdict.broken:
        lines += ["## Broken promises", "", *[f"- {scenario}: {promise}" for scenario, promise in verdict.broken], ""]
    if verdict.failures:
        lines += ["## Not played", "", *[f"- {scenario}" for scenario, _ in verdict.failures], ""]
    return lines


def _deliberate(verdict: Verdict) -> list[str]:
    lines = ["## Differences on purpose", "", "The reasons are kept in [differences.md](differences.md).", ""]
    for entry, found in verdict.deliberate.items():
        lines += [f"**{entry.scenario}**: {entry.why}", "", "| what | Traefik | Tollgate |", "|---|---|---|"]
        lines += [f"| {_cell(d.what)} | {_cell(d.traefik)} | {_cell(d.tollgate)} |" for d in found]
        lines.append("")
    return lines


def _scenarios(verdict: Verdict) -> list[str]:
    lines = ["## Scenarios", "", "| scenario | observations | different |", "|---|--:|--:|"]
    for outcome in sorted(verdict.outcomes, key=lambda outcome: outcome.scenario.id):
        lines.append(f"| {outcome.scenario.id} | {outcome.observations} | {len(outcome.differences)} |")
    return lines
