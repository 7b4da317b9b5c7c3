"""The deliberate differences: rows of the tables in differences.md."""

import re
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from .notes import Difference

# A pattern that holds a backquote stands in two of them, as Markdown wants it.
ROW = re.compile(r"^\| `(.+?)` \| (?:`([^`]+)`|``(.+?)``) \| (.+) \| (.+) \| (.+) \|$")


@dataclass(frozen=True)
class Listed:
    """Scenario and observation are shell patterns (`*`, `?`)."""

    scenario: str
    what: str
    why: str

    def covers(self, difference: Difference) -> bool:
        return fnmatchcase(difference.scenario, self.scenario) and fnmatchcase(difference.what, self.what)


def read(path: Path) -> list[Listed]:
    rows = (ROW.match(line) for line in path.read_text("utf-8").splitlines())
    return [Listed(row[1], row[2] or row[3], row[6]) for row in rows if row]
