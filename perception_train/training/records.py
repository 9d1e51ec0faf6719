"""What a run leaves to read: curves as CSV, and a summary as JSON."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

from perception_common import durable

METRICS = ("map", "map50", "map75", "miou", "pixel_accuracy")
"""Figures of a validation, those of detectors and those of segmenters."""
STEPS, VALIDATIONS, SUMMARY = "train.csv", "validation.csv", "summary.json"


class Records:
    """Rows are appended as they come; a run that is resumed keeps those up to its checkpoint."""

    def __init__(self, run_directory: Path) -> None:
        self._run = run_directory
        self._validations: list[dict[str, Any]] = []

    def clear(self) -> None:
        """Forget an earlier run in this directory."""
        for name in (STEPS, VALIDATIONS, SUMMARY):
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

    def step(self, row: dict[str, Any]) -> None:
        """Append a row of losses."""
        self._append(STEPS, row)

    def validation(self, row: dict[str, Any]) -> None:
        """Append a row of validation metrics."""
        self._validations.append(row)
        self._append(VALIDATIONS, row)

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
        }

    def write_summary(self, summary: dict[str, Any]) -> None:
        """Write ``summary.json``."""
        durable.write_text(self._run / SUMMARY, json.dumps(summary, indent=2, sort_keys=True) + "\n")

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
    writer = csv.DictWriter(buffer, list(rows[0]), lineterminator="\n")
    if header:
        writer.writeheader()
    writer.writerows(rows)
    return buffer.getvalue()


def _number(text: str | None) -> Any:
    if not text:
        return None
    return int(text) if text.isdigit() else float(text)
