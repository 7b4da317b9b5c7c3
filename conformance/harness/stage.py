"""Plays scenarios on both gateways at once and compares the accounts."""

import traceback
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from .gateway import Program
from .notes import Difference, count, differences
from .scenario import Scenario
from .scene import Scene

# A scenario in which instants matter is played again when it differs: two cores, much noise.
ENCORES = 2


@dataclass
class Outcome:
    scenario: Scenario
    observations: int = 0
    differences: list[Difference] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)
    failure: str | None = None


class Stage:
    """`programs` are Traefik and, unless only Traefik is looked at, Tollgate."""

    def __init__(self, programs: list[Program], folder: Path, workers: int):
        self._programs = programs
        self._folder = folder
        self._workers = workers
        self.notes: dict[str, dict[str, dict]] = {}

    def play(self, scenarios: list[Scenario], done) -> list[Outcome]:
        """Those without timing first, `workers` at a time; then the timed ones, each alone."""
        untimed = [scenario for scenario in scenarios if not scenario.timed]
        timed = [scenario for scenario in scenarios if scenario.timed]
        outcomes = []
        with ThreadPoolExecutor(self._workers) as pool:
            for outcome in pool.map(self._judge, untimed):
                done(outcome)
                outcomes.append(outcome)
        for scenario in timed:
            outcome = self._judge(scenario)
            for _ in range(ENCORES):
                if not outcome.differences and not outcome.broken:
                    break
                again = self._judge(scenario)
                if len(again.differences) + len(again.broken) < len(outcome.differences) + len(outcome.broken):
                    outcome = again
            done(outcome)
            outcomes.append(outcome)
        return outcomes

    def _judge(self, scenario: Scenario) -> Outcome:
        try:
            accounts = self._accounts(scenario)
        except Exception:
            return Outcome(scenario, failure=traceback.format_exc(limit=4))
        self.notes[scenario.id] = accounts
        outcome = Outcome(scenario, count(accounts["traefik"]))
        if "tollgate" in accounts:
            outcome.differences = differences(scenario.id, accounts["traefik"], accounts["tollgate"])
            if scenario.claims:
                outcome.broken = scenario.claims(accounts["tollgate"])
        return outcome

    def _accounts(self, scenario: Scenario) -> dict[str, dict]:
        with ThreadPoolExecutor(len(self._programs)) as pool:
            accounts = pool.map(lambda program: self._account(program, scenario), self._programs)
            return {program.name: notes for program, notes in zip(self._programs, accounts)}

    def _account(self, program: Program, scenario: Scenario) -> dict:
        scene = Scene(program, scenario, self._folder / program.name / scenario.id.replace("/", "-"))
        try:
            return scenario.play(scene)
        finally:
            scene.close()
