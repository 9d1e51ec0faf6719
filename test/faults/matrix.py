"""The matrix of faults: what is done to the suite, what has to be seen then, and what was seen.

A row is a test that uses the fixture `fault`. It says what it does, observes one figure, and then shows once that its
check can fail: the same figure with a planted weakness, which must not hold. ``make faults`` runs all rows and writes
``faults.json`` and ``faults.md``; ``make test`` runs those that are not marked ``long``.
"""

from __future__ import annotations

import json
import platform
from collections.abc import Callable, Collection, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from perception_common import __version__, durable

Figure = float | int | str


@dataclass
class Row:
    """A row of the table; figures are what the test told, ``passed`` that it ended without an error."""

    group: str
    fault: str
    injected: str
    expected: str
    figure: str = ""
    observed: Figure | None = None
    weakness: str = ""
    planted: Figure | None = None
    seconds: float = 0.0
    passed: bool = False


class Fault:
    """One row while its test runs."""

    def __init__(self, row: Row) -> None:
        self.row = row
        self._holds: Callable[[Any], bool] | None = None

    def observe(self, figure: str, value: Figure, holds: Callable[[Any], bool]) -> None:
        """What was seen: its name, its value, and whether a value is as it should be.

        Raises:
            AssertionError: this one is not.
        """
        assert self._holds is None, "one figure a row"
        self._holds = holds
        self.row.figure, self.row.observed = figure, value
        assert holds(value), f"{self.row.fault}: {figure} {value}; expected: {self.row.expected}"

    def plant(self, weakness: str, value: Figure) -> None:
        """The same figure with a weakness that was put in by hand; the check has to see it.

        Raises:
            AssertionError: it does not.
        """
        assert self._holds is not None, "observe first"
        self.row.weakness, self.row.planted = weakness, value
        assert not self._holds(value), f"{self.row.fault}: the check holds although {weakness}: {value}"

    @property
    def complete(self) -> bool:
        """Whether something was observed, and was shown to be able to fail."""
        return self.row.observed is not None and self.row.planted is not None


def zero(count: float) -> bool:
    """What most rows want to see."""
    return count == 0


def write(folder: Path, seen: Sequence[Row], machine: str) -> None:
    """``faults.json`` and ``faults.md``, in which rows that ran again replace what was seen of them before."""
    rows = {(row.group, row.fault): row for row in [*_before(folder / "faults.json"), *seen]}.values()
    told = {
        "version": __version__,
        "machine": machine,
        "python": platform.python_version(),
        "rows": [asdict(row) for row in rows],
        "passed": sum(row.passed for row in rows),
    }
    durable.write_text(folder / "faults.json", json.dumps(told, indent=1) + "\n")
    durable.write_text(folder / "faults.md", _page(rows, machine))


def _before(path: Path) -> list[Row]:
    return [Row(**row) for row in json.loads(path.read_text())["rows"]] if path.exists() else []


def _page(rows: Collection[Row], machine: str) -> str:
    passed = sum(row.passed for row in rows)
    lines = [
        "# What was done to it, and what happened",
        "",
        "```bash",
        "# needs: about half an hour on 2 cores",
        "make faults",
        "```",
        "",
        "writes this page and faults.json beside it: real processes over real DDS on one machine. Every row observes a",
        "figure, and shows once that its check can fail: the same figure with a weakness planted by hand.",
        "",
        f"{passed} of {len(rows)} rows pass; {machine}.",
    ]
    for group in dict.fromkeys(row.group for row in rows):
        lines += ["", f"## {group}", ""]
        lines += ["| fault | how | expected | observed | with a planted weakness | |", "| --- " * 6 + "|"]
        for row in (row for row in rows if row.group == group):
            observed = f"{row.figure}: {_text(row.observed)}" if row.figure else "-"
            planted = f"{row.weakness}: {_text(row.planted)}" if row.weakness else "-"
            cells = (row.fault, row.injected, row.expected, observed, planted, "pass" if row.passed else "**fails**")
            lines.append("| " + " | ".join(map(_cell, cells)) + " |")
    return "\n".join(lines) + "\n"


def _cell(text: str) -> str:
    # What is injected may be markup.
    return text.replace("&", "&amp;").replace("<", "&lt;").replace("|", "\\|")


def _text(value: Figure | None) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
