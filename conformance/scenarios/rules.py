"""The rule grammar and the matchers: every row of facts/rules.txt."""

from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from harness.client import ask
from harness.scenario import Ask, Scenario, request
from harness.scene import Scene

from .shape import http, on

FACTS = Path(__file__).resolve().parent.parent / "facts" / "rules.txt"


@dataclass
class Rule:
    name: str
    text: str
    valid: bool = True
    rows: list[tuple[str, str]] = field(default_factory=list)


def read() -> list[Rule]:
    rules: list[Rule] = []
    for line in FACTS.read_text("utf-8").splitlines():
        if line.startswith("rule"):
            rules.append(Rule(f"r{len(rules) + 1:03}", line.removeprefix("rule").strip()))
        elif line.strip() == "INVALID":
            rules[-1].valid = False
        elif line.startswith("  "):
            verdict, _, sent = line.strip().partition(" ")
            rules[-1].rows.append((sent, verdict))
    return rules


RULES = read()


def wire(sent: str, marker: str) -> tuple[bytes, str, str]:
    """A request of the facts as bytes, its method, and the address it comes from."""
    target, host, method, source, lines = "/", "a.test", "GET", "127.0.0.1", []
    if "://" in sent:
        url = urlsplit(sent)
        host = url.netloc
        target = (url.path or "/") + (f"?{url.query}" if url.query else "")
    elif sent.startswith("from "):
        source = sent.removeprefix("from ")
    elif ": " in sent:
        name, values = sent.split(": ", 1)
        lines = [f"{name}: {value}" for value in values.split(" ⏎ ")]
    else:
        method = sent
    return request(target, method, host, [f"X-Rule: {marker}", *lines], b"", "1.1"), method, source


@dataclass
class Match:
    """Whether each request of a rule reaches the router of that rule."""

    rule: Rule

    @property
    def label(self) -> str:
        return f"{self.rule.name} {self.rule.text}"

    def play(self, scene: Scene) -> dict:
        answers = {}
        for sent, _ in self.rule.rows:
            raw, method, source = wire(sent, self.rule.name)
            status = ask(scene.port("web"), raw, method, source).status
            answers[sent] = {200: "yes", 404: "no"}.get(status, f"status {status}")
        return answers


def as_the_facts_say(notes: dict) -> list[str]:
    broken = []
    for rule in RULES:
        seen = notes.get(Match(rule).label, {})
        broken += [
            f"{rule.text} on {sent}: {seen.get(sent)}, the facts say {verdict}"
            for sent, verdict in rule.rows if seen.get(sent) != verdict
        ]
    return broken


@dataclass
class Mounted:
    """What the API says of the router of each rule: status, priority, whether it gives a reason."""

    label: str = "router"

    def play(self, scene: Scene) -> dict:
        notes = {}
        for rule in RULES:
            router = scene.gateway.api(f"/api/http/routers/{rule.name}@file") or {}
            notes[f"{rule.name} {rule.text}"] = {
                "status": router.get("status"),
                "priority": router.get("priority"),
                "says why": bool(router.get("error")),
            }
        return notes


def only_valid_ones(notes: dict) -> list[str]:
    return [
        f"{rule.text}: {status}"
        for rule in RULES
        if ((status := notes["router"][f"{rule.name} {rule.text}"]["status"]) == "enabled") != rule.valid
    ]


VALID = [rule for rule in RULES if rule.valid]

SCENARIOS = [
    Scenario(
        "rules/match",
        http({rule.name: on(f"({rule.text}) && Header(`X-Rule`, `{rule.name}`)", ruleSyntax="v3") for rule in VALID}),
        [Match(rule) for rule in VALID],
        claims=as_the_facts_say,
    ),
    Scenario(
        "rules/mounted",
        http({rule.name: on(rule.text) for rule in RULES} | {"last": on("/last")}),
        [Mounted(), Ask("the others work", "/last")],
        claims=only_valid_ones,
    ),
]
