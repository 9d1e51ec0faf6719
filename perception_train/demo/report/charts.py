"""Charts as inline SVG. Colours come from the page's style sheet, so that light and dark both fit."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

import numpy as np

Point = tuple[float, float]
_LEFT, _RIGHT, _TOP, _BOTTOM = 48, 14, 12, 40


@dataclass(frozen=True)
class Series:
    """A line: its name, its points (x ascending), the class of its colour (``a``, ``b`` or ``c``)."""

    name: str
    points: Sequence[Point]
    colour: str = "a"
    dots: bool = False
    faint: bool = False


@dataclass(frozen=True)
class Mark:
    """A vertical line with a short text at its top."""

    at: float
    text: str


class _Frame:
    """A plotting area with axes: data coordinates to SVG coordinates."""

    def __init__(self, x: tuple[float, float], y: tuple[float, float], width: int, height: int) -> None:
        self.x, self.y, self.width, self.height = x, y, width, height

    def at(self, x: float, y: float) -> tuple[float, float]:
        inner_w, inner_h = self.width - _LEFT - _RIGHT, self.height - _TOP - _BOTTOM
        across = (x - self.x[0]) / ((self.x[1] - self.x[0]) or 1)
        up = (y - self.y[0]) / ((self.y[1] - self.y[0]) or 1)
        return round(_LEFT + across * inner_w, 1), round(_TOP + (1 - up) * inner_h, 1)

    def axes(self, x_label: str, y_label: str) -> list[str]:
        parts = []
        for value in ticks(*self.y, 5):
            _, py = self.at(self.x[0], value)
            parts.append(f'<line class="grid" x1="{_LEFT}" x2="{self.width - _RIGHT}" y1="{py}" y2="{py}"/>')
            parts.append(f'<text x="{_LEFT - 7}" y="{py + 4}" text-anchor="end">{_number(value)}</text>')
        for value in ticks(*self.x, 7):
            px, _ = self.at(value, self.y[0])
            parts.append(
                f'<text x="{px}" y="{self.height - _BOTTOM + 17}" text-anchor="middle">{_number(value)}</text>'
            )
        middle = (_LEFT + self.width - _RIGHT) / 2
        parts.append(
            f'<text class="label" x="{middle}" y="{self.height - 5}" text-anchor="middle">{escape(x_label)}</text>'
        )
        if y_label:
            centre = (_TOP + self.height - _BOTTOM) / 2
            parts.append(
                f'<text class="label" transform="translate(12 {centre}) rotate(-90)" text-anchor="middle">'
                f"{escape(y_label)}</text>"
            )
        return parts


def line_chart(
    title: str,
    series: Sequence[Series],
    x_label: str,
    y_label: str,
    y_range: tuple[float, float] | None = None,
    marks: Sequence[Mark] = (),
    limit: float | None = None,
    width: int = 460,
    height: int = 250,
) -> str:
    """Lines over a common axis, with vertical marks and a dashed horizontal limit."""
    points = [point for line in series for point in line.points]
    if not points:
        return '<p class="none">nothing was recorded</p>'
    xs = [x for x, _ in points] + [mark.at for mark in marks]
    ys = [y for _, y in points]
    frame = _Frame((min(xs), max(xs)), y_range or (0.0, max(ys) * 1.05 or 1.0), width, height)
    parts = frame.axes(x_label, y_label)
    for index, mark in enumerate(marks):
        px, _ = frame.at(mark.at, 0)
        parts.append(f'<line class="mark" x1="{px}" x2="{px}" y1="{_TOP}" y2="{height - _BOTTOM}"/>')
        # Neighbours at two heights and, near the right edge, to the left, so that texts stay apart and inside.
        last = px > width - _RIGHT - 30
        place = f'x="{px - 4}" text-anchor="end"' if last else f'x="{px + 4}"'
        parts.append(f'<text class="mark-text" {place} y="{_TOP + 10 + 14 * (index % 2)}">{escape(mark.text)}</text>')
    if limit is not None:
        _, py = frame.at(0, limit)
        parts.append(f'<line class="limit" x1="{_LEFT}" x2="{width - _RIGHT}" y1="{py}" y2="{py}"/>')
    for line in series:
        path = " ".join(f"{px},{py}" for px, py in (frame.at(x, _clamp(y, frame.y)) for x, y in line.points))
        parts.append(f'<polyline class="line {line.colour}{" faint" if line.faint else ""}" points="{path}"/>')
        if line.dots:
            for x, y in line.points:
                px, py = frame.at(x, _clamp(y, frame.y))
                parts.append(
                    f'<circle class="dot {line.colour}" cx="{px}" cy="{py}" r="3.5"><title>{y:.3f}</title></circle>'
                )
    return _svg(title, width, height, parts)


def histogram(
    title: str, groups: Sequence[tuple[str, Sequence[float], str]], x_label: str, width: int = 460, height: int = 250
) -> str:
    """Shares of values per bin, one outline per group (name, values, colour); the last bin holds the far tail."""
    filled = [(name, np.asarray(values, float), colour) for name, values, colour in groups if len(values)]
    if not filled:
        return '<p class="none">nothing was recorded</p>'
    everything = np.concatenate([values for _, values, _ in filled])
    top = max(float(np.percentile(everything, 99.5)), 1.0)
    edges = np.linspace(0, top, 41)
    shares = [np.histogram(np.minimum(values, top), edges)[0] / len(values) * 100 for _, values, _ in filled]
    frame = _Frame((0.0, top), (0.0, max(float(share.max()) for share in shares) * 1.08), width, height)
    parts = frame.axes(x_label, "% of frames")
    for (name, _, colour), share in zip(filled, shares, strict=True):
        corners = [frame.at(0, 0)]
        for low, high, value in zip(edges, edges[1:], share, strict=False):
            corners += [frame.at(float(low), float(value)), frame.at(float(high), float(value))]
        corners.append(frame.at(top, 0))
        path = " ".join(f"{px},{py}" for px, py in corners)
        parts.append(f'<polygon class="area {colour}" points="{path}"><title>{escape(name)}</title></polygon>')
    return _svg(title, width, height, parts)


def bars(
    title: str, rows: Sequence[tuple[str, Sequence[float | None]]], colours: Sequence[str], width: int = 460
) -> str:
    """Horizontal bars from 0 to 1: per row a name and one value per colour."""
    if not rows:
        return '<p class="none">nothing was recorded</p>'
    thick, gap, left = 13, 14, 96
    block = thick * len(colours) + gap
    height = block * len(rows) + 6
    parts = []
    for index, (name, values) in enumerate(rows):
        y = index * block + gap / 2
        parts.append(
            f'<text x="{left - 8}" y="{y + thick * len(colours) / 2 + 4}" text-anchor="end">{escape(name)}</text>'
        )
        for row, (value, colour) in enumerate(zip(values, colours, strict=True)):
            top = y + row * thick
            if value is None:
                parts.append(f'<text class="label" x="{left + 4}" y="{top + 10}">–</text>')
                continue
            long = round(_clamp(value, (0, 1)) * (width - left - 52), 1)
            parts.append(
                f'<rect class="bar {colour}" x="{left}" y="{top}" width="{long}" height="{thick - 2}" rx="2"/>'
            )
            parts.append(f'<text class="label" x="{left + long + 5}" y="{top + 10}">{value:.2f}</text>')
    return _svg(title, width, height, parts)


def timeline(title: str, stages: Sequence[tuple[str, float, float]], width: int = 460) -> str:
    """Stages (name, start, seconds) as bars on one time axis in minutes."""
    if not stages:
        return '<p class="none">nothing was recorded</p>'
    end = max(start + seconds for _, start, seconds in stages)
    row, left, right = 27, 132, 44
    height = row * len(stages) + 30
    parts = []
    inner = width - left - right
    for value in ticks(0, end / 60, 6):
        x = round(left + value * 60 / end * inner, 1)
        parts.append(f'<line class="grid" x1="{x}" x2="{x}" y1="0" y2="{height - 26}"/>')
        parts.append(f'<text x="{x}" y="{height - 8}" text-anchor="middle">{_number(value)} min</text>')
    for index, (name, start, seconds) in enumerate(stages):
        x, long = left + start / end * inner, max(seconds / end * inner, 2)
        y = index * row + 4
        parts.append(f'<text x="{left - 8}" y="{y + 13}" text-anchor="end">{escape(name)}</text>')
        parts.append(f'<rect class="bar a" x="{x:.1f}" y="{y}" width="{long:.1f}" height="17" rx="3"/>')
        parts.append(f'<text class="label" x="{x + long + 5:.1f}" y="{y + 13}">{seconds:.0f} s</text>')
    return _svg(title, width, height, parts)


def ticks(low: float, high: float, count: int) -> list[float]:
    """Round values within [low, high], about ``count`` of them."""
    if high <= low:
        return [low]
    raw = (high - low) / max(count - 1, 1)
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(factor * power for factor in (1, 2, 2.5, 5, 10) if factor * power >= raw * 0.999)
    first = math.ceil(low / step - 1e-9)
    last = math.floor(high / step + 1e-9)
    return [round(index * step, 10) for index in range(first, last + 1)]


def smooth(points: Sequence[Point], weight: float = 0.9) -> list[Point]:
    """Exponentially smoothed points, without the pull of the first value (bias corrected)."""
    total, scale, result = 0.0, 0.0, []
    for x, y in points:
        total, scale = weight * total + (1 - weight) * y, weight * scale + (1 - weight)
        result.append((x, total / scale))
    return result


def thin(points: Sequence[Point], most: int = 400) -> list[Point]:
    """Every n-th point, so that at most ``most`` remain, the last one always."""
    step = max(1, math.ceil(len(points) / most))
    kept = list(points[::step])
    return kept if not points or kept[-1] == points[-1] else [*kept, points[-1]]


def _svg(title: str, width: int, height: int, parts: Sequence[str]) -> str:
    return f'<svg viewBox="0 0 {width} {height}" role="img" aria-label="{escape(title)}">{"".join(parts)}</svg>'


def _clamp(value: float, limits: tuple[float, float]) -> float:
    return min(max(value, limits[0]), limits[1])


def _number(value: float) -> str:
    return f"{value:g}"
