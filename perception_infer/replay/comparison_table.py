"""A comparison as a table for a terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from .comparison import interval_of, shown_in

# How the table for a terminal is laid out.
_WIDTH, _NAME_WIDTH, _VALUES, _CLASSES = 120, 30, 7, 20
_SHOWN_OF_CLASS = ("ap50", "iou")


def table(comparison: Mapping[str, Any]) -> str:
    """The comparison for a terminal, in at most 120 columns; models have letters, explained at the top."""
    letters = [chr(ord("A") + index) for index in range(len(comparison["models"]))]
    lines = [
        _shortened(f"{letter}  {model['title']} ({model['backend']}, {model['precision']})", _WIDTH)
        for letter, model in zip(letters, comparison["models"], strict=True)
    ]
    drawn = comparison["resampling"]
    level = f"{drawn['level']:.0%}"
    lines.append(
        f"{comparison['frames']} frames with truth; {level} intervals of {drawn['resamples']} resamples, "
        f"blocks of {drawn['block']} frames"
    )
    lines += [_shortened(note, _WIDTH) for note in comparison["notes"]]
    names, left_out = _shown(comparison)
    values = [(row["name"], *(shown_in(row, value) for value in row["values"])) for row in comparison["table"]]
    values = [("", *letters), *(row for row in values if row[0] in names)]
    pairs = [_pair_cells(pair, letters, names, level) for pair in comparison["pairs"]]
    if len(pairs) == 1:
        blocks = [[(*row, *pairs[0].get(row[0], ())) for row in values]]
    else:
        chunks = range(1, len(letters) + 1, _VALUES)
        blocks = [[(row[0], *row[start : start + _VALUES]) for row in values] for start in chunks]
        blocks += [[(name, *cells) for name, cells in pair.items()] for pair in pairs]
    for rows in blocks:
        lines += ["", *_aligned(rows)]
    if left_out:
        lines += ["", f"{left_out} more classes, which differ less, are not shown"]
    return "\n".join(lines)


def _shown(comparison: Mapping[str, Any]) -> tuple[set[str], int]:
    """Names of the figures for the terminal, and how many classes are left out: of many, those that differ least."""
    spread: dict[str, float] = {}
    for row in (row for pair in comparison["pairs"] for row in pair["figures"] if row["figure"] in _SHOWN_OF_CLASS):
        spread[row["name"]] = max(spread.get(row["name"], 0.0), abs(row["difference"] or 0.0))
    chosen = sorted(spread, key=lambda name: -spread[name])[:_CLASSES]
    overall = (row["name"] for row in comparison["table"] if row["of"] is None)
    return {*overall, *chosen}, len(spread) - len(chosen)


def _pair_cells(
    pair: Mapping[str, Any], letters: Sequence[str], names: set[str], level: str
) -> dict[str, tuple[str, ...]]:
    """Cells behind each name: the difference, its interval, the chance that it is worse, and what that means."""
    cells: dict[str, tuple[str, ...]] = {
        "": (f"{letters[pair['other']]} − {letters[pair['first']]}", f"{level} interval", "P(worse)", "")
    }
    for row in (row for row in pair["figures"] if row["name"] in names):
        told = interval_of(row)
        if told.low is None or told.high is None or told.worse is None:
            cells[row["name"]] = (shown_in(row, told.difference, "+"), "", "", "")
        else:
            between = f"{shown_in(row, told.low, '+')} … {shown_in(row, told.high, '+')}"
            cells[row["name"]] = (shown_in(row, told.difference, "+"), between, f"{told.worse:.1%}", told.verdict)
    return cells


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """Rows of cells in columns, names to the left and numbers to the right."""
    count = max(len(row) for row in rows)
    table = [[_shortened(row[0], _NAME_WIDTH), *row[1:], *[""] * (count - len(row))] for row in rows]
    widths = [max(len(row[column]) for row in table) for column in range(count)]
    return [
        "  ".join([row[0].ljust(widths[0]), *(c.rjust(w) for c, w in zip(row[1:], widths[1:], strict=True))]).rstrip()
        for row in table
    ]


def _shortened(text: str, width: int) -> str:
    return text if len(text) <= width else text[: width - 1] + "…"
