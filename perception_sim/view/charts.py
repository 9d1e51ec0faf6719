"""The charts of the page: one dataset, or two of them over or beside each other."""

from __future__ import annotations

import base64
from collections.abc import Sequence

import cv2
import numpy as np
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullLocator

from .features import COCO_BANDS_PX, Feature
from .figures import COLORS, INK, SOFT, to_svg

_BINS = 36
# More classes than this make no legible chart; the table has them all.
MOST_BARS = 40
# Colours of heat maps (they are pictures and cannot follow the page's style): legible on light and dark.
_HEAT_RGB = ((58, 123, 235), (226, 116, 24))


def histogram(feature: Feature, groups: Sequence[np.ndarray], names: Sequence[str]) -> Markup:
    """A feature's histogram; of two datasets in per cent of their ``of``, one over the other."""
    shown = [values[values > 0] for values in groups] if feature.mostly_zero else list(groups)
    everything = np.concatenate(shown)
    if not sum(map(len, groups)):
        return Markup("")
    edges = _edges(feature, everything, min((len(values) for values in shown if len(values)), default=0))
    relative = len(groups) > 1

    def draw(axes: Axes) -> None:
        for values, group, color, name in zip(shown, groups, COLORS, names, strict=False):
            counts = np.histogram(np.clip(values, edges[0], edges[-1]), edges)[0].astype(float)
            if relative:
                counts *= 100 / max(len(group), 1)
            axes.stairs(counts, edges, color=color, fill=True, alpha=0.28)
            axes.stairs(counts, edges, color=color, linewidth=1.4, label=name)
            if len(group) and not feature.mostly_zero:
                axes.axvline(float(np.median(values)), color=color, linewidth=1, linestyle=(0, (4, 3)))
        axes.set(xlabel=feature.unit, ylabel=f"% of {feature.of}" if relative else feature.of, ylim=(0, None))
        axes.set_xlim(edges[0], edges[-1])
        axes.yaxis.set_major_locator(MaxNLocator(5, integer=not relative))
        axes.grid(visible=False, axis="x")
        if feature.mostly_zero:
            _tell_zeros(axes, groups)
        if not len(everything):
            axes.set_yticks([])
        if feature.log:
            axes.set_xscale("log")
            ticks = _round_ticks(edges[0], edges[-1])
            axes.xaxis.set_major_locator(FixedLocator(ticks))
            axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
            axes.xaxis.set_minor_locator(NullLocator())

    return to_svg(feature.title, draw)


def class_bars(names: Sequence[str], labelled: np.ndarray, unlabelled: np.ndarray, datasets: Sequence[str]) -> Markup:
    """Objects per class: counts of labelled and unlabelled ones, or the shares of two datasets.

    ``labelled`` and ``unlabelled`` are int [number of datasets, number of classes].
    """
    order = np.argsort(-labelled.sum(0), kind="stable")[:MOST_BARS]
    two = len(labelled) > 1
    places = np.arange(len(order))[::-1]
    shown = labelled[:, order] * (100 / np.maximum(labelled.sum(1, keepdims=True), 1) if two else 1)

    def draw(axes: Axes) -> None:
        height = 0.36 if two else 0.62
        for number, values in enumerate(shown):
            at = places + (0.19 - 0.38 * number if two else 0)
            axes.barh(at, values, height, color=COLORS[number], label=datasets[number])
            ends = values if two else values + unlabelled[0, order]
            if not two:
                axes.barh(at, unlabelled[0, order], height, left=values, color=COLORS[0], alpha=0.3)
            for place, end, count, more in zip(
                at, ends, labelled[number, order], unlabelled[number, order], strict=True
            ):
                text = f"{count:,}" + (f" + {more:,}" if more else "")
                axes.annotate(
                    text, (end, place), (4, 0), textcoords="offset points", va="center", fontsize=8, color=SOFT
                )
        axes.set_yticks(places, [_shortened(names[index]) for index in order], color=INK)
        axes.set_xlabel("% of the dataset's labelled objects" if two else "objects")
        axes.set_xlim(
            0, max(float(shown.max(initial=0)), float((labelled + unlabelled).max(initial=0)) * (not two), 1) * 1.22
        )
        axes.set_ylim(-0.7, len(order) - 0.3)
        axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))
        axes.tick_params(axis="y", length=0)
        axes.grid(visible=False, axis="y")

    return to_svg("Objects per class", draw, (4.9, 0.75 + len(order) * (0.42 if two else 0.28)))


def box_sizes(extent: np.ndarray, limits: tuple[float, float], number: int, relative: bool, title: str) -> Markup:
    """Width against height of boxes [M, 2], logarithmic, with COCO's bands if in pixels (not ``relative``)."""
    low, high = np.log10(limits[0]), np.log10(limits[1])
    counts, _, _ = np.histogram2d(*np.log10(np.clip(extent, *limits)).T, bins=44, range=((low, high), (low, high)))

    def draw(axes: Axes) -> None:
        # In logarithms, because a picture cannot be stretched along logarithmic axes.
        axes.imshow(
            _heat(counts.T, number),
            origin="lower",
            extent=(low, high, low, high),
            interpolation="none",
            aspect="equal",
            zorder=1,
        )
        for band in () if relative else COCO_BANDS_PX:
            total = 2 * np.log10(band)
            axes.plot((low, high), (total - low, total - high), color=SOFT, linewidth=0.8, linestyle=(0, (4, 3)))
            place = np.clip(total / 2, low, high)
            if low < total / 2 < high:
                axes.annotate(f"{band:g}²", (place, place), (2, 2), textcoords="offset points", fontsize=8, color=SOFT)
        ticks = _round_ticks(*limits)
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_ticks(np.log10(ticks), [f"{tick:g}" for tick in ticks])
        axes.set(xlim=(low, high), ylim=(low, high))
        axes.set_xlabel("width, % of the image" if relative else "width, px")
        axes.set_ylabel("height, % of the image" if relative else "height, px")

    return to_svg(title, draw, (3.4, 3.2))


def positions(share: np.ndarray, number: int, aspect: float, title: str) -> Markup:
    """The heat map of `statistics.heat_map` as the image lies; the page swaps its picture by class."""

    def draw(axes: Axes) -> None:
        axes.imshow(_heat(share, number), extent=(0, 100, 100, 0), interpolation="none", aspect=1 / aspect, zorder=1)
        axes.set(xlabel="% of the image's width", ylabel="% of the image's height")
        axes.xaxis.set_major_locator(MaxNLocator(5))
        axes.yaxis.set_major_locator(MaxNLocator(5))
        for side in ("top", "right"):
            axes.spines[side].set_visible(True)

    svg = to_svg(title, draw, (3.9, 0.55 + 3.3 / np.clip(aspect, 0.7, 3.0)))
    return Markup(str(svg).replace("image-rendering:crisp-edges;image-rendering:pixelated", ""))  # noqa: S704


def heat_uri(share: np.ndarray, number: int) -> str:
    """The picture in `positions` for another class, as a PNG data URI."""
    rgba = (_heat(share, number) * 255).round().astype(np.uint8)
    done, data = cv2.imencode(".png", cv2.cvtColor(rgba, cv2.COLOR_RGBA2BGRA), [cv2.IMWRITE_PNG_COMPRESSION, 9])
    if not done:
        raise RuntimeError("OpenCV could not encode a heat map")
    return "data:image/png;base64," + base64.b64encode(data.tobytes()).decode()


def mean_colors(colors: np.ndarray, title: str) -> Markup:
    """Histograms of the pictures' mean red, green and blue, float [K, 3]."""
    if not len(colors):
        return Markup("")
    edges = np.linspace(0, 255, _bins(len(colors)) + 1)

    def draw(axes: Axes) -> None:
        for channel, color in enumerate(("#d9483b", "#3a9d4f", "#3d78d8")):
            axes.stairs(np.histogram(colors[:, channel], edges)[0], edges, color=color, linewidth=1.5)
        axes.set(xlabel="mean of the channel, 0 to 255", ylabel="images", xlim=(0, 255), ylim=(0, None))
        axes.yaxis.set_major_locator(MaxNLocator(5, integer=True))
        axes.grid(visible=False, axis="x")

    return to_svg(title, draw)


def _heat(values: np.ndarray, number: int) -> np.ndarray:
    """Values as one colour whose opacity grows with them, float [rows, columns, 4]; the square root shows rare ones."""
    picture = np.empty((*values.shape, 4))
    picture[..., :3] = np.array(_HEAT_RGB[number]) / 255
    picture[..., 3] = np.sqrt(values / max(float(values.max(initial=0)), 1e-12))
    return picture


def _edges(feature: Feature, values: np.ndarray, fewest: int) -> np.ndarray:
    """Bins over what the feature allows and, where it sets no limit, over all but the farthest values.

    The smallest group (``fewest`` values) says how fine they are, that they show the distribution and not chance.
    """
    bins = _bins(fewest)
    if feature.log:
        low, high = np.percentile(values, (0.2, 99.8))
        low, high = low / 1.05, high * 1.05
        return np.geomspace(low, max(high, low * 1.5), bins + 1)
    if feature.key == "objects_per_image":
        most = np.percentile(values, 99.8)
        step = max(1, int(np.ceil((most + 1) / _BINS)))
        return np.arange(0, most + 1 + step, step) - 0.5
    low = float(values.min()) if feature.low is None else feature.low
    high = float(np.percentile(values, 99.8)) if feature.high is None else feature.high
    return np.linspace(low, max(high, low + 1), bins + 1)


def _bins(count: int) -> int:
    return int(np.clip(1.6 * np.sqrt(count), 10, _BINS))


def _tell_zeros(axes: Axes, groups: Sequence[np.ndarray]) -> None:
    """Write into a chart how many values are zero, and therefore not in it."""
    for line, (values, color) in enumerate(zip(groups, COLORS, strict=False)):
        text = f"{np.mean(values <= 0):.0%} at 0, not shown" if len(values) else "not recorded"
        place = (0.98, 0.9 - 0.12 * line)
        axes.text(*place, text, transform=axes.transAxes, ha="right", color=color if len(groups) > 1 else SOFT)


def _round_ticks(low: float, high: float) -> np.ndarray:
    """Round numbers within [low, high] for a logarithmic axis, the more the shorter it is."""
    factors: tuple[float, ...] = (1,) if high / low > 1e3 else (1, 2, 5) if high / low > 12 else (1, 1.5, 2, 3, 5, 7)
    powers = range(int(np.floor(np.log10(low))), int(np.ceil(np.log10(high))) + 1)
    ticks = np.array([factor * 10.0**power for power in powers for factor in factors])
    return ticks[(ticks >= low * 0.999) & (ticks <= high * 1.001)]


def _shortened(name: str, most: int = 22) -> str:
    name = "".join(letter if letter.isprintable() else "?" for letter in name)
    return name if len(name) <= most else name[: most - 1] + "…"
