"""Charts as SVG that follows the page's colours, and tables that are charts."""

from __future__ import annotations

import colorsys
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from perception_infer.draw import class_colour

from .frames import Boxes
from .markup import Html, joined, number, share, tag

# After Okabe and Ito (2008), of a lightness that is legible on white and on near-black.
_PALETTE = ("#3f7fe0", "#dd7a1e", "#14a07c", "#c45fae", "#a88b12", "#2ea3d6", "#dc4a41", "#7f90a5")
_GOLDEN = 0.618033988749895
# PR chart: size, and where its axes cross.
_WIDTH, _HEIGHT, _LEFT, _TOP, _RIGHT, _BOTTOM = 620, 400, 44, 10, 10, 40
# Classes with a histogram, and in the confusion matrix: more than these nobody reads.
MOST_HISTOGRAMS = 24
MOST_CONFUSED = 30
# More than these are written small.
_MOST_LARGE = 14


def class_colours(count: int, *, drawn: bool = False) -> list[str]:
    """A colour for each class in all parts of the page; ``drawn``: those of masks that are drawn over pictures."""
    if drawn:
        return [_hex(*class_colour(i)) for i in range(count)]
    return [_PALETTE[i] if i < len(_PALETTE) else _hue(i) for i in range(count)]


def precision_recall(classes: Sequence[Mapping[str, Any]], colours: Sequence[str]) -> Html | None:
    """Curves of all classes with a legend; a point where the model's threshold puts each class."""
    drawn = [(row, colour, i) for i, (row, colour) in enumerate(zip(classes, colours, strict=False)) if row["curve"]]
    if not drawn:
        return None
    lines = []
    legend = []
    for row, colour, i in drawn:
        # Beyond the greatest recall that was reached the precision is 0 by definition, and no curve.
        curve = np.trim_zeros(np.asarray(row["curve"]), "b")
        points = " ".join(f"{_x(at / 100):.1f},{_y(value):.1f}" for at, value in enumerate(curve.tolist()))
        parts = [tag("polyline", points=points)]
        if row["precision"] is not None and row["recall"] is not None:
            parts.append(tag("circle", cx=f"{_x(row['recall']):.1f}", cy=f"{_y(row['precision']):.1f}", r="4.5"))
        lines.append(tag("g", tag("title", row["name"]), *parts, data_series=i, style=f"--c: {colour}"))
        dot = tag("span", class_="dot", style=f"background: {colour}")
        legend.append(tag("li", dot, row["name"], tag("b", share(row["ap50"])), data_series=i, tabindex=0))
    grid = [_grid(value / 5) for value in range(6)]
    middle_x, middle_y = (_LEFT + _WIDTH - _RIGHT) / 2, (_TOP + _HEIGHT - _BOTTOM) / 2
    titles = (
        tag("text", "recall", x=middle_x, y=_HEIGHT - 6, text_anchor="middle"),
        tag("text", "precision", x=12, y=middle_y, text_anchor="middle", transform=f"rotate(-90 12 {middle_y})"),
    )
    told = "Precision over recall of every class; the figures are in the table of classes"
    chart = tag("svg", *grid, *titles, *lines, viewBox=f"0 0 {_WIDTH} {_HEIGHT}", role="img", aria_label=told)
    return tag("div", chart, tag("ul", *legend, aria_label="Classes, with their AP at IoU 0.5"), class_="curves")


def histograms(
    counts: Mapping[str, Sequence[int]], names: Sequence[str], boxes: Boxes, thresholds: Sequence[float], judged: bool
) -> Html | None:
    """Scores of the detections of each class, from the second of twenty bins on; ``judged``: which of them are right.

    Classes with most detections come first, and those without any are left out.
    """
    bins = np.clip((boxes.scores * 20).astype(np.intp), 0, 19)
    shown = []
    scored = [name for name in names if sum(counts.get(name, ())[1:])]
    for name in sorted(scored, key=lambda name: -sum(counts[name][1:]))[:MOST_HISTOGRAMS]:
        label = names.index(name)
        total = np.asarray(counts[name])[1:]
        chosen = boxes.labels == label
        right, wrong = (
            np.bincount(bins[chosen & of], minlength=20)[1:] for of in (boxes.right, ~boxes.right & ~boxes.neutral)
        )
        layers = (("right", right), ("wrong", wrong)) if judged else (("all", total),)
        chart = _bars(name, layers, thresholds[label] if label < len(thresholds) else None)
        small = f"{number(int(total.sum()))} from 0.05 on"
        shown.append(tag("div", tag("h3", name, " ", tag("small", small)), chart, class_="panel"))
    return tag("div", *shown, class_="grid small") if shown else None


def confusion_table(names: Sequence[str], counts: Sequence[Sequence[int]]) -> Html:
    """A heat map of counts: a row for each true class, a column for what it was taken for."""
    table = np.asarray(counts)
    rows = table.sum(1)
    wrong = rows + table.sum(0) - 2 * np.diag(table)
    chosen = sorted(np.argsort(-wrong, kind="stable")[:MOST_CONFUSED].tolist())
    head = tag(
        "tr",
        tag("th", "true ↓ · found →", scope="col"),
        *(tag("th", tag("span", names[i]), scope="col") for i in chosen),
    )
    body = []
    for i in chosen:
        cells = []
        for j in chosen:
            part = table[i, j] / max(rows[i], 1)
            told = f"{names[i]} found as {names[j]}: {number(int(table[i, j]))} ({part:.0%})"
            # Even the rarest confusion is to be seen.
            strength = f"--v: {0.08 + 0.92 * part:.3f}" if table[i, j] else None
            kind = ("same" if i == j else "other") if table[i, j] else None
            cells.append(tag("td", _short(int(table[i, j])), class_=kind, style=strength, title=told))
        body.append(tag("tr", tag("th", names[i], scope="row"), *cells))
    return tag("table", tag("thead", head), tag("tbody", *body), class_=f"heat{' dense' * (len(chosen) > _MOST_LARGE)}")


def _grid(value: float) -> Html:
    x, y = _x(value), _y(value)
    return joined(
        (
            tag("line", x1=_LEFT, y1=y, x2=_WIDTH - _RIGHT, y2=y),
            tag("line", x1=x, y1=_TOP, x2=x, y2=_HEIGHT - _BOTTOM),
            tag("text", f"{value:g}", x=_LEFT - 6, y=y + 4, text_anchor="end"),
            tag("text", f"{value:g}", x=x, y=_HEIGHT - _BOTTOM + 16, text_anchor="middle"),
        )
    )


def _bars(name: str, layers: Sequence[tuple[str, np.ndarray[Any, Any]]], threshold: float | None) -> Html:
    """Stacked bars over scores from 0.05 to 1, and a line at the threshold."""
    width, height = 285, 70
    most = max(int(np.sum([values for _, values in layers], axis=0).max()), 1)
    marks = []
    base = np.zeros(19)
    for kind, values in layers:
        for i in np.flatnonzero(values).tolist():
            tall = values[i] / most * height
            low = base[i] / most * height
            marks.append(tag("rect", class_=kind, x=15 * i + 1, y=f"{height - low - tall:.1f}", width=13, height=tall))
        base += values
    marks.append(tag("line", class_="axis", x1=0, y1=height, x2=width, y2=height))
    if threshold is not None:
        x = f"{(threshold - 0.05) * 300:.1f}"
        marks.append(tag("line", class_="threshold", x1=x, y1=0, x2=x, y2=height))
    for value in (0.25, 0.5, 0.75, 1.0):
        anchor = "end" if value == 1 else "middle"
        marks.append(tag("text", f"{value:g}", x=(value - 0.05) * 300, y=height + 15, text_anchor=anchor))
    told = f"Scores of {name}, at most {most} in a bin"
    return tag("svg", *marks, viewBox=f"0 0 {width} {height + 20}", role="img", aria_label=told, class_="bars20")


def _short(value: int) -> str:
    """A count that fits in a cell."""
    for size, unit in ((10**9, "G"), (10**6, "M"), (10**3, "k")):
        if value >= 10 * size:
            return f"{value / size:,.0f}{unit}"
    return str(value) if value else "·"


def _hue(index: int) -> str:
    return _hex(*(round(255 * part) for part in colorsys.hls_to_rgb(index * _GOLDEN % 1.0, 0.5, 0.6)))


def _hex(red: int, green: int, blue: int) -> str:
    return f"#{red:02x}{green:02x}{blue:02x}"


def _x(recall: float) -> float:
    return _LEFT + recall * (_WIDTH - _LEFT - _RIGHT)


def _y(precision: float) -> float:
    return _HEIGHT - _BOTTOM - precision * (_HEIGHT - _TOP - _BOTTOM)
