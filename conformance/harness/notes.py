"""What was seen, by name, and how two accounts of the same scenario differ."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Near:
    """A number that is the same within a tolerance."""

    value: float
    tolerance: float

    def __str__(self) -> str:
        return f"≈{self.value:.0f}"


@dataclass(frozen=True)
class Difference:
    scenario: str
    what: str
    traefik: str
    tollgate: str


ABSENT = object()


def same(a, b) -> bool:
    if isinstance(a, Near) and isinstance(b, Near):
        return abs(a.value - b.value) <= max(a.tolerance, b.tolerance)
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(map(same, a, b))
    return a == b


def told(value, limit: int = 160) -> str:
    if value is ABSENT:
        return "(absent)"
    text = str(value) if isinstance(value, (Near, str, int)) else _list(value)
    text = text.replace("\n", "⏎").replace("\r", "␍")
    return text if len(text) <= limit else text[: limit - 1] + "…"


def _list(value) -> str:
    if isinstance(value, list):
        return "[" + ", ".join(told(item) for item in value) + "]"
    return repr(value)


def differences(scenario: str, traefik: dict, tollgate: dict) -> list[Difference]:
    """Every name under which the two accounts say something else."""
    found: list[Difference] = []
    _walk(scenario, "", traefik, tollgate, found)
    return found


def _walk(scenario: str, path: str, a, b, found: list[Difference]) -> None:
    if isinstance(a, dict) and isinstance(b, dict):
        for key in list(a) + [key for key in b if key not in a]:
            name = f"{path}.{key}" if path else str(key)
            _walk(scenario, name, a.get(key, ABSENT), b.get(key, ABSENT), found)
    elif not same(a, b):
        found.append(Difference(scenario, path, told(a), told(b)))


def count(notes) -> int:
    """How many single observations there are."""
    if isinstance(notes, dict):
        return sum(map(count, notes.values()))
    return 1
