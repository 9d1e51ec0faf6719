"""What a run leaves to read: curves as CSV, the figures of the last validation and a summary as JSON."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from perception_common import durable

if TYPE_CHECKING:
    # Nodes import this module, and need no COCO metrics.
    from .validation import Outcome

METRICS = ("map", "map50", "map75", "miou", "pixel_accuracy")
"""Figures of a validation, those of detectors and those of segmenters."""
STEPS, VALIDATIONS, SUMMARY, FIGURES = "train.csv", "validation.csv", "summary.json", "validation.json"
BEST_WEIGHTS = "best.safetensors"
"""The weights of the best validation so far, as a bundle would hold them."""


class Records:
    """Rows are appended as they come; a run that is resumed keeps those up to its checkpoint."""

    def __init__(self, run_directory: Path) -> None:
        self._run = run_directory
        self._validations: list[dict[str, Any]] = []
        self._metric, self._last = "", dict[str, Any]()

    def clear(self) -> None:
        """Forget an earlier run in this directory."""
        for name in (STEPS, VALIDATIONS, SUMMARY, FIGURES, BEST_WEIGHTS):
            (self._run / name).unlink(missing_ok=True)

    def keep_until(self, step: int) -> None:
        """Drop rows of steps after the checkpoint: they will be made again."""
        (self._run / SUMMARY).unlink(missing_ok=True)
        for name in (STEPS, VALIDATIONS):
            path = self._run / name
            if not path.exists():
                continue
            with path.open(newline="") as file:
                rows = [
                    row
                    for row in csv.DictReader(file)
                    if (row.get("step") or "").isdigit() and int(row["step"]) <= step
                ]
            durable.write_text(path, _csv(rows, header=True) if rows else "")
            if name == VALIDATIONS:
                self._validations = [{key: _number(value) for key, value in row.items()} for row in rows]
        if (self._run / FIGURES).exists():
            self._keep_figures_until(step)

    def step(self, row: dict[str, Any]) -> None:
        """Append a row of losses."""
        self._append(STEPS, row)

    def validation(self, row: dict[str, Any], result: Outcome, metric: str) -> bool:
        """Append a row of metrics and keep all figures of it; whether it is the best by ``metric`` so far."""
        self._validations.append(row)
        self._append(VALIDATIONS, row)
        kind, per_class = result.per_class
        self._metric = metric
        self._last = {
            "step": row["step"],
            "images": result.images,
            f"per_class_{kind}": per_class,
            "thresholds": list(result.thresholds),
            "figures": None if result.figures is None else dataclasses.asdict(result.figures),
        }
        self._write_figures()
        return self.best() is row

    def best(self) -> dict[str, Any] | None:
        """The row of the best validation, the first of equals; None before there is one."""
        if not self._validations or not self._metric:
            return None
        return max(self._validations, key=lambda row: float(row[self._metric]))

    def stale(self, metric: str, patience: int, *latest: float) -> bool:
        """Whether the best of all validations, the latest figures included, is ``patience`` (not 0) of them ago."""
        every = [*self.figures(metric), *latest]
        return bool(patience and every and len(every) - 1 - every.index(max(every)) >= patience)

    def figures(self, metric: str) -> list[float]:
        """A metric of every validation so far."""
        return [float(row[metric]) for row in self._validations]

    def summarise(self, state: str, step: int, seconds: float, versions: list[int]) -> dict[str, Any]:
        """The last validation, the speed (median over the run) and what was exported."""
        last = self._validations[-1] if self._validations else {}
        return {
            "state": state,
            "steps": step,
            "seconds": round(seconds, 2),
            "versions": versions,
            "train_images_per_second": self._median_speed(),
            **{f"val_{name}": last[name] for name in METRICS if name in last},
            "metric": self._metric or None,
            "best": self.best(),
        }

    def write_summary(self, summary: dict[str, Any]) -> None:
        """Write ``summary.json``."""
        durable.write_text(self._run / SUMMARY, json.dumps(summary, indent=2, sort_keys=True) + "\n")

    def _write_figures(self) -> None:
        told = {
            "metric": self._metric,
            "best": self.best(),
            "validations": self._validations,
            "last": self._last or None,
        }
        durable.write_text(self._run / FIGURES, json.dumps(told, indent=1) + "\n")

    def _keep_figures_until(self, step: int) -> None:
        """Drop what was said of later validations, and weights that no kept one had."""
        told = json.loads((self._run / FIGURES).read_text(encoding="utf-8"))
        self._metric, last, best = told["metric"], told["last"], told["best"]
        self._last = last if last and last["step"] <= step else {}
        if best and best["step"] > step:
            (self._run / BEST_WEIGHTS).unlink(missing_ok=True)
        self._write_figures()

    def _append(self, name: str, row: dict[str, Any]) -> None:
        path = self._run / name
        header = not path.exists() or path.stat().st_size == 0
        with path.open("a", newline="") as file:
            file.write(_csv([row], header))

    def _median_speed(self) -> float | None:
        path = self._run / STEPS
        if not path.exists():
            return None
        with path.open(newline="") as file:
            speeds = sorted(float(row["images_per_second"]) for row in csv.DictReader(file))
        return round(speeds[len(speeds) // 2], 2) if speeds else None


def _csv(rows: list[dict[str, Any]], header: bool) -> str:
    buffer = io.StringIO()
    # A run that an older version began may lack columns.
    writer = csv.DictWriter(buffer, list(rows[0]), lineterminator="\n", extrasaction="ignore")
    if header:
        writer.writeheader()
    writer.writerows(rows)
    return buffer.getvalue()


def _number(text: str | None) -> Any:
    if not text:
        return None
    return int(text) if text.isdigit() else float(text)
