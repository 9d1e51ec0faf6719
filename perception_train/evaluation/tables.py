"""The tables of a report: texts, ready to be shown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from .figures import DetectionFigures, Figures, Stratum


@dataclass(frozen=True)
class Table:
    """Rows of texts below names of columns; the first column says what a row is of."""

    title: str
    columns: tuple[str, ...]
    rows: list[tuple[str, ...]]
    note: str


def figure_tables(figures: Figures) -> list[Table]:
    """By class and, for detectors, by size and by occlusion where it is known."""
    if not isinstance(figures, DetectionFigures):
        rows = [(c.name, f"{c.pixels:,}", *map(number, (c.iou, c.precision, c.recall))) for c in figures.classes]
        note = "Of all pictures together. Precision is of the pixels found, recall of the true ones."
        return [Table("Classes", ("class", "true pixels", "IoU", "precision", "recall"), rows, note)]
    classes = [
        (c.name, f"{c.objects:,}", *map(number, (c.ap50, c.ap, c.threshold, c.precision, c.recall)))
        for c in figures.classes
    ]
    columns = ("class", "objects", "AP50", "AP", "threshold", "precision", "recall")
    tables = [
        Table("Classes", columns, classes, "Precision and recall at the threshold (that of the best F1), IoU 0.50."),
        _strata(
            "By size",
            figures.by_size,
            "Areas of boxes in pixels of the original pictures, in COCO's bands; recall at the thresholds, IoU 0.50.",
        ),
    ]
    if figures.by_occlusion:
        note = (
            "Shares of objects hidden behind others. False alarms count in every row: what recall says is of the row "
            "alone, what AP says is not."
        )
        tables.append(_strata("By occlusion", figures.by_occlusion, note))
    return tables


def to_text(figures: Figures) -> str:
    """The tables and the calibration error for a terminal."""
    lines = []
    for table in figure_tables(figures):
        every = [table.columns, *table.rows]
        widths = [max(len(row[column]) for row in every) for column in range(len(table.columns))]
        for first, *rest in every:
            cells = [f"{cell:>{width}}" for cell, width in zip(rest, widths[1:], strict=True)]
            lines.append("  ".join(["", f"{first:{widths[0]}}", *cells]))
    calibration = figures.calibration
    counted = f"({sum(calibration.count):,} counted)"
    return "\n".join([*lines, f"  expected calibration error {calibration.error:.3f} {counted}"])


def validation_rows(rows: Sequence[dict[str, Any]]) -> list[tuple[str, ...]]:
    """Names of columns, then a row for each validation."""
    if not rows:
        return []
    names = {"pixel_accuracy": "pixels right", "map": "mAP", "map50": "mAP50", "map75": "mAP75", "miou": "mIoU"}
    header = tuple(names.get(name, name) for name in rows[0])
    shown = [row | {"seconds": f"{row['seconds']:.0f}"} if "seconds" in row else row for row in rows]
    return [header, *(tuple(number(row.get(name)) for name in rows[0]) for row in shown)]


def number(value: Any) -> str:
    """A figure as text; a dash where there is none."""
    if value is None or value == "":
        return "–"
    return f"{value:.3f}" if isinstance(value, float) else str(value)


def _strata(title: str, strata: Sequence[Stratum], note: str) -> Table:
    rows = [(s.name, f"{s.objects:,}", *map(number, (s.ap50, s.ap, s.recall))) for s in strata]
    return Table(title, ("objects that are", "objects", "AP50", "AP", "recall"), rows, note)
