"""Plots of one validation: precision over recall, classes, who is taken for whom, and what confidence is worth."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure

from perception_infer.evaluation.metrics import RECALL_POINTS

from .figures import Calibration, ClassFigures, Confusion, DetectionFigures, Figures
from .style import EDGE, INK, PALE, PALETTE, SOFT, shortened, to_png, unit_axes

_MOST_LINES, _MOST_NUMBERS, _MOST_BARS = 8, 14, 40
_SHADES = LinearSegmentedColormap.from_list("shares", ("#ffffff", "#bcd0f2", PALETTE[0], "#12336d"))


def figure_plots(figures: Figures) -> dict[str, bytes]:
    """PNGs by name, of what is known."""
    plots = {}
    if isinstance(figures, DetectionFigures):
        if any(row.curve for row in figures.classes):
            plots["precision_recall"] = _precision_recall([row for row in figures.classes if row.curve])
        bars = {"AP50": [row.ap50 for row in figures.classes], "AP": [row.ap for row in figures.classes]}
        right = "precision at IoU 0.50"
    else:
        bars, right = {"IoU": [row.iou for row in figures.classes]}, "share of pixels right"
    plots["classes"] = _class_bars([row.name for row in figures.classes], bars)
    plots["confusion"] = _confusion(figures.confusion, "objects" if right.startswith("precision") else "pixels")
    plots["calibration"] = _calibration(figures.calibration, right)
    return plots


def _precision_recall(classes: Sequence[ClassFigures]) -> bytes:
    few = len(classes) <= _MOST_LINES
    lowest = sorted(classes, key=lambda row: row.ap50 or 0.0)[: _MOST_LINES // 2]
    named = {row.name: PALETTE[i % len(PALETTE)] for i, row in enumerate(classes if few else lowest)}

    def draw(figure: Figure) -> None:
        axes = figure.add_subplot()
        for row in classes:
            color = named.get(row.name)
            label = f"{shortened(row.name)} {row.ap50 or 0.0:.2f}" if color else None
            axes.plot(RECALL_POINTS, row.curve, color=color or EDGE, linewidth=1.6 if color else 1.0, label=label)
            if color and row.precision is not None and row.recall is not None:
                axes.plot(row.recall, row.precision, "o", color=color, markersize=5, markeredgecolor="white")
        if len(classes) > 1:
            mean = np.mean([row.curve for row in classes], axis=0)
            axes.plot(RECALL_POINTS, mean, color=INK, linewidth=2.4, label=f"mean {mean.mean():.2f}")
        unit_axes(axes, "recall", "precision")
        axes.set_title("Precision over recall at IoU 0.50; dots: at the thresholds")
        title = None if few else f"the {len(lowest)} lowest of {len(classes)}"
        axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), title=title, title_fontsize=9)

    return to_png(draw, (6.2, 3.8))


def _class_bars(names: Sequence[str], bars: dict[str, list[float | None]]) -> bytes:
    first = next(iter(bars.values()))
    known = [index for index, value in enumerate(first) if value is not None]
    order = sorted(known, key=lambda index: first[index] or 0.0)[:_MOST_BARS]
    places = np.arange(len(order))

    def draw(figure: Figure) -> None:
        axes = figure.add_subplot()
        height = 0.76 / len(bars)
        for number, (label, values) in enumerate(bars.items()):
            shown = [values[index] or 0.0 for index in order]
            at = places + (len(bars) - 1 - 2 * number) * height / 2
            axes.barh(at, shown, height * 0.92, color=(PALETTE[0], PALE)[number], label=label)
            for place, value in zip(at, shown, strict=True):
                axes.annotate(
                    f"{value:.2f}",
                    (value, place),
                    (4, 0),
                    textcoords="offset points",
                    va="center",
                    fontsize=8,
                    color=SOFT,
                )
        axes.set_yticks(places, [shortened(names[index]) for index in order], color=INK)
        axes.set(xlim=(0, 1.08), ylim=(-0.6, max(len(order), 1) - 0.4))
        left = f", the {len(order)} lowest of {len(known)}" if len(order) < len(known) else ""
        axes.set_title(f"{' and '.join(bars)} of every class{left}")
        axes.tick_params(axis="y", length=0)
        axes.grid(visible=False, axis="y")
        if len(bars) > 1:
            figure.legend(loc="outside lower center", ncols=len(bars))

    return to_png(draw, (5.6, 1.4 + (0.42 if len(order) <= 12 else 0.3) * max(len(order), 2)))


def _confusion(confusion: Confusion, what: str) -> bytes:
    counts = np.array(confusion.counts, np.float64)
    total = counts.sum(axis=1, keepdims=True)
    shares = np.divide(counts, total, out=np.zeros_like(counts), where=total > 0)
    count = len(confusion.names)
    side = float(np.clip(1.7 + 0.46 * count, 3.4, 9.0))

    def draw(figure: Figure) -> None:
        axes = figure.add_subplot()
        image = axes.imshow(shares, cmap=_SHADES, vmin=0, vmax=1)
        if count <= _MOST_NUMBERS:
            for (row, column), number in np.ndenumerate(counts):
                if number:
                    color = "white" if shares[row, column] > 0.55 else INK
                    # Nobody reads millions of pixels.
                    text = f"{number:.0f}" if what == "objects" else f"{shares[row, column]:.0%}"
                    axes.text(column, row, text, ha="center", va="center", fontsize=9, color=color)
        # All names where they can be read, else some.
        shown = range(0, count, -(-count // 40))
        labels = [shortened(confusion.names[index], 14) for index in shown]
        axes.set_xticks(shown, labels, rotation=40, ha="right", rotation_mode="anchor")
        axes.set_yticks(shown, labels)
        axes.set(xlabel="found", ylabel="truth")
        axes.set_title(f"Confusion of {what}")
        axes.grid(visible=False)
        axes.tick_params(length=0)
        scale = figure.colorbar(image, ax=axes, shrink=0.7, format=lambda value, _: f"{value:.0%}")
        scale.set_label("share of the row")
        scale.outline.set_visible(False)

    return to_png(draw, (side + 1.2, side))


def _calibration(calibration: Calibration, right: str) -> bytes:
    bins = len(calibration.count)
    edges = np.linspace(0, 1, bins + 1)

    def draw(figure: Figure) -> None:
        axes, below = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
        for index, (sure, share) in enumerate(zip(calibration.confidence, calibration.right, strict=True)):
            if sure is None or share is None:
                continue
            axes.bar(edges[index] + 0.5 / bins, share, 0.92 / bins, color=PALETTE[0], alpha=0.85)
            axes.plot((sure, sure), (share, sure), color=PALETTE[1], linewidth=2.2)
        axes.plot((0, 1), (0, 1), color=SOFT, linewidth=1, linestyle=(0, (4, 3)))
        unit_axes(axes, "", right)
        axes.set_title(f"Calibration: expected error {calibration.error:.3f}")
        axes.plot([], [], color=PALETTE[1], linewidth=2.2, label="gap to the confidence")
        axes.legend(loc="upper left")
        below.bar(edges[:-1] + 0.5 / bins, calibration.count, 0.92 / bins, color=PALETTE[7])
        below.set(xlabel="confidence", ylabel="count", ylim=(0, None))
        below.ticklabel_format(axis="y", style="sci", scilimits=(-3, 4))

    return to_png(draw, (5.6, 4.2))
