"""The figures of a replay: what they are called, where they stand in replay.json, and which way is worse."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

Summary = Mapping[str, Any]
"""What replay.json holds."""

#: Figures with an interval, beside those of each class; of all, more is better.
DETECTION_FIGURES = ("map", "map50", "map75", "precision", "recall", "f1")
DETECTION_CLASS_FIGURES = ("ap", "ap50", "precision", "recall")
SEGMENTATION_FIGURES = ("miou", "pixel_accuracy")
SEGMENTATION_CLASS_FIGURES = ("iou", "precision", "recall")
WITH_INTERVAL = (*DETECTION_FIGURES, *SEGMENTATION_FIGURES)
_PER_MINUTE = ("false_alarms_per_minute", "missed_per_minute")
_LATENCY = ("timing", "latency_ms", "total")


class Figure(NamedTuple):
    """A headline figure.

    Attributes:
        path: where it stands in replay.json; of a list, the sum of its counts.
        more_is_better: which way is worse.
        digits: behind the point, when it is shown.
        share: whether it lies between 0 and 1.
        task: which models have it; None: all.
    """

    path: tuple[str, ...]
    more_is_better: bool = True
    digits: int = 4
    share: bool = False
    task: str | None = None


FIGURES: Mapping[str, Figure] = {
    **{name: Figure(("figures", name), share=True, task="detection") for name in DETECTION_FIGURES},
    **{name: Figure(("figures", name), False, 2, task="detection") for name in _PER_MINUTE},
    **{name: Figure(("figures", name), share=True, task="segmentation") for name in SEGMENTATION_FIGURES},
    "flicker": Figure(("stability", "flicker"), False, task="detection"),
    "track_breaks_per_minute": Figure(("stability", "track_breaks_per_minute"), False, 2, task="detection"),
    "jitter_px": Figure(("stability", "jitter_px"), False, 2, task="detection"),
    "p50_ms": Figure((*_LATENCY, "p50"), False, 2),
    "p99_ms": Figure((*_LATENCY, "p99"), False, 2),
    "max_ms": Figure((*_LATENCY, "max"), False, 2),
    "fps": Figure(("timing", "frames_per_second"), True, 2),
    "realtime_factor": Figure(("timing", "realtime_factor"), True, 2),
    "frames": Figure(("bag", "frames"), True, 0),
    "skipped": Figure(("bag", "skipped"), False, 0),
    "objects": Figure(("truth", "objects"), True, 0),
}
"""By name. Latencies are of the whole way of a frame."""

CLASS_FIGURES: Mapping[str, frozenset[str]] = {
    name: frozenset(
        task
        for task, known in (("detection", DETECTION_CLASS_FIGURES), ("segmentation", SEGMENTATION_CLASS_FIGURES))
        if name in known
    )
    for name in dict.fromkeys((*DETECTION_CLASS_FIGURES, *SEGMENTATION_CLASS_FIGURES))
}
"""Figures of one class, and the tasks whose models have them; of all, more is better and they are shares."""

_OF_CLASS = Figure(("figures", "classes"), share=True)


@dataclass(frozen=True)
class Name:
    """A figure, of one class or of all together."""

    figure: str
    of: str | None = None

    def __str__(self) -> str:
        return self.figure if self.of is None else f"{self.figure}[{self.of}]"

    @property
    def kind(self) -> Figure:
        """What is known of the figure."""
        return FIGURES[self.figure] if self.of is None else _OF_CLASS

    def value(self, summary: Summary) -> float | None:
        """The figure of a replay; None is unknown."""
        found: Any = summary
        for key in self.kind.path:
            found = None if found is None else found.get(key)
        if self.of is not None:
            found = next((row.get(self.figure) for row in found or () if row["name"] == self.of), None)
        if isinstance(found, list):
            found = sum(entry["count"] for entry in found)
        return None if found is None or not math.isfinite(found) else float(found)

    def shown(self, value: float, sign: str = "") -> str:
        """A value of the figure for people; with the ``sign`` "+" also where it is positive."""
        return f"{value:{sign}.{self.kind.digits}f}"
