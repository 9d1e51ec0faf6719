"""Reports of a fine-tuning: tables as Markdown and JSON, and pictures."""

from __future__ import annotations

import json
import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from perception_common import durable

from ..evaluation.style import PALETTE, SOFT, shortened, to_png

_NAMES = {"map50": "mAP50", "map": "mAP50-95", "miou": "mIoU"}
_COLOURS = {"before": SOFT, "after": PALETTE[0], "real only": PALETTE[1], "synthetic + real": PALETTE[0]}
_INCHES = (7.0, 3.6)


def figures(rows: Sequence[dict[str, Any]]) -> list[str]:
    """The figures that all scores hold, the most telling first."""
    there = [row["scores"] for row in rows if row["scores"] is not None]
    return [name for name in _NAMES if there and all(name in scores for scores in there)]


def write_comparison(folder: Path, told: dict[str, Any]) -> Path:
    """Write report.json, report.md and report.png; the Markdown file."""
    rows, kinds = told["rows"], figures(told["rows"])
    classes = list(rows[1]["scores"]["per_class"])
    shown = f"{told['real_images']} real images, synthetic share {told['replay']:g}, {told['steps']} steps"
    lines = [
        f"# Fine-tuning of {told['initial']['bundle']}",
        "",
        f"{shown}; scored on {told['validation_images']} images of {Path(told['validation']).name}.",
        "",
        _row(["model", *(_NAMES[kind] for kind in kinds), *classes]),
        _row(["---"] * (1 + len(kinds) + len(classes))),
    ]
    for row in rows:
        scores = row["scores"]
        if scores is None:
            lines.append(_row([f"{row['name']} (other classes)", *["–"] * (len(kinds) + len(classes))]))
            continue
        values = [*(scores[kind] for kind in kinds), *(scores["per_class"].get(name) for name in classes)]
        lines.append(_row([row["name"], *("–" if value is None else f"{value:.3f}" for value in values)]))
    durable.write_text(folder / "report.json", json.dumps(told, indent=2) + "\n")
    durable.write_text(folder / "report.md", "\n".join(lines) + "\n")
    _bars(folder / "report.png", rows, kinds, classes)
    return folder / "report.md"


def write_curve(folder: Path, told: dict[str, Any]) -> None:
    """Write curve.md and curve.png of the rows that are there."""
    rows, kinds = told["rows"], figures(told["rows"])
    lines = [
        f"# Real images and what {told['bundle']} makes of them",
        "",
        f"Scored on {told['validation_images']} images; mean (least to greatest) over the seeds.",
        "",
        _row(["real images", "how", "runs", *(_NAMES[kind] for kind in kinds)]),
        _row(["---"] * (3 + len(kinds))),
    ]
    for count, how in sorted({(row["images"], row["how"]) for row in rows}):
        found = [row["scores"] for row in rows if (row["images"], row["how"]) == (count, how)]
        cells = [spread([scores[kind] for scores in found]) for kind in kinds]
        lines.append(_row([str(count), how, str(len(found)), *cells]))
    durable.write_text(folder / "curve.md", "\n".join(lines) + "\n")
    plot_curve(folder / "curve.png", rows)


def plot_curve(path: Path, rows: Sequence[dict[str, Any]]) -> None:
    """Draw the first figure over the number of real images: means as lines, least to greatest as bands."""
    kinds = figures(rows)
    if not kinds:
        return

    def draw(figure: Figure) -> None:
        axes = figure.subplots()
        for how in dict.fromkeys(row["how"] for row in rows):
            counts = sorted({row["images"] for row in rows if row["how"] == how})
            found = [
                [row["scores"][kinds[0]] for row in rows if row["how"] == how and row["images"] == count]
                for count in counts
            ]
            means, least, most = ([of(values) for values in found] for of in (statistics.mean, min, max))
            axes.plot(counts, means, marker="o", color=_COLOURS[how], label=how)
            axes.fill_between(counts, least, most, color=_COLOURS[how], alpha=0.15, linewidth=0)
        axes.set(xlabel="real images with labels", ylabel=_NAMES[kinds[0]], ylim=(0.0, 1.02))
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.legend(loc="lower right")

    durable.write_bytes(path, to_png(draw, _INCHES))


def spread(values: Sequence[float]) -> str:
    """The mean, with the least and the greatest of several values."""
    mean = f"{statistics.mean(values):.3f}"
    return mean if len(values) == 1 else f"{mean} ({min(values):.3f} to {max(values):.3f})"


def _bars(path: Path, rows: Sequence[dict[str, Any]], kinds: Sequence[str], classes: Sequence[str]) -> None:
    shown = [row for row in rows if row["scores"] is not None]
    labels = [*(_NAMES[kind] for kind in kinds), *map(shortened, classes)]
    width = 0.8 / len(shown)

    def draw(figure: Figure) -> None:
        axes = figure.subplots()
        for number, row in enumerate(shown):
            scores = row["scores"]
            values = [*(scores[kind] for kind in kinds), *(scores["per_class"].get(name) or 0.0 for name in classes)]
            places = [place + (number - (len(shown) - 1) / 2) * width for place in range(len(labels))]
            axes.bar(places, values, width * 0.92, color=_COLOURS[row["name"]], label=row["name"])
        axes.set_xticks(range(len(labels)), labels)
        axes.set_ylim(0.0, 1.02)
        axes.grid(visible=False, axis="x")
        axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.1), ncols=len(shown))

    durable.write_bytes(path, to_png(draw, _INCHES))


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"
