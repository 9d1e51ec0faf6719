"""Counts of what could not be used, by reason, with examples."""

from __future__ import annotations

from collections import Counter
from typing import Any

_EXAMPLES = 3

#: What a reason can befall, in the order of a report.
SKIPPED = "image skipped"
DROPPED = "object dropped"
IGNORED = "object ignored"
NOTE = "note"
_KINDS = (SKIPPED, DROPPED, IGNORED, NOTE)


class Tally:
    """Counts reasons while datasets are read."""

    def __init__(self) -> None:
        self._counts: Counter[tuple[str, str]] = Counter()
        self._examples: dict[tuple[str, str], list[str]] = {}

    def skip(self, reason: str, where: object) -> None:
        """An image is left out."""
        self._count(SKIPPED, reason, where)

    def drop(self, reason: str, where: object) -> None:
        """An object is left out."""
        self._count(DROPPED, reason, where)

    def ignore(self, reason: str, where: object) -> None:
        """An object is kept as a region that is neither trained on nor scored."""
        self._count(IGNORED, reason, where)

    def note(self, reason: str, where: object) -> None:
        """Something worth knowing that costs no image and no object."""
        self._count(NOTE, reason, where)

    def total(self, kind: str) -> int:
        """How often anything of this kind happened."""
        return sum(count for (known, _), count in self._counts.items() if known == kind)

    def rows(self) -> list[tuple[str, str, int, str]]:
        """(kind, reason, count, first example), by kind and then by falling count."""
        ordered = sorted(self._counts.items(), key=lambda item: (_KINDS.index(item[0][0]), -item[1], item[0][1]))
        return [(kind, reason, count, self._examples[kind, reason][0]) for (kind, reason), count in ordered]

    def as_dict(self) -> dict[str, Any]:
        """``{kind: {reason: {"count": n, "examples": [...]}}}``."""
        report: dict[str, Any] = {}
        for kind, reason, count, _ in self.rows():
            entry = {"count": count, "examples": self._examples[kind, reason]}
            report.setdefault(kind.replace(" ", "_"), {})[reason] = entry
        return report

    def _count(self, kind: str, reason: str, where: object) -> None:
        self._counts[kind, reason] += 1
        examples = self._examples.setdefault((kind, reason), [])
        if len(examples) < _EXAMPLES:
            # File names may hold bytes that are no text.
            examples.append(str(where).encode("utf-8", "backslashreplace").decode())
