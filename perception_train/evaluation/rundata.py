"""What a run directory says so far, read from the files that the run keeps."""

from __future__ import annotations

import csv
import json
import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from ..training.records import FIGURES, STEPS
from .figures import DetectionFigures, Figures, SegmentationFigures


def figures_of(values: dict[str, Any]) -> Figures:
    """What ``dataclasses.asdict`` made of figures."""
    kind: type[Figures] = DetectionFigures if "by_size" in values else SegmentationFigures
    return msgspec.convert(values, kind)


@dataclass(frozen=True)
class RunData:
    """Rows of ``train.csv`` (numbers by column) and what ``validation.json`` holds."""

    steps: list[dict[str, float]] = field(default_factory=list)
    validations: list[dict[str, Any]] = field(default_factory=list)
    metric: str = ""
    best: dict[str, Any] | None = None
    figures: Figures | None = None
    figures_step: int | None = None

    @classmethod
    def read(cls, run_directory: Path) -> RunData:
        """Whatever is there; missing files are as empty ones.

        Raises:
            OSError, ValueError: a file cannot be read, or is not what a run writes.
        """
        steps: list[dict[str, float]] = []
        if (run_directory / STEPS).exists():
            with (run_directory / STEPS).open(newline="") as file:
                steps = [{k: float(v) for k, v in row.items() if v not in (None, "")} for row in csv.DictReader(file)]
        if not (run_directory / FIGURES).exists():
            return cls(steps)
        told = json.loads((run_directory / FIGURES).read_text(encoding="utf-8"))
        last = told["last"] or {}
        return cls(
            steps=steps,
            validations=told["validations"],
            metric=told["metric"],
            best=told["best"],
            figures=figures_of(last["figures"]) if last.get("figures") else None,
            figures_step=last.get("step"),
        )

    def column(self, name: str) -> list[float]:
        """A column of the steps; NaN where a row has none."""
        return [row.get(name, math.nan) for row in self.steps]
