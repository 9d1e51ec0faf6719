"""The page: one HTML file that holds its pictures, charts and style, and needs nothing else."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jinja2
import numpy as np
from markupsafe import Markup

import perception_common
from perception_common import __version__

from . import charts
from .annotations import Dataset
from .features import FEATURES, Values
from .findings import Finding
from .pictures import FEW_PICTURES, Picture, to_uris
from .pixels import Pixels
from .provenance import headline, rows
from .sheet import hex_color
from .statistics import heat_map

# Together with charts and outlines this keeps the file below 3 MB.
_PICTURE_BYTES = 1_600_000
_MOST_SHAPES = 1200
_MOST_POINTS = 40_000
# More names in one picture hide it.
_MOST_NAMES = 30
_MOST_HEAT_MAPS = 60
_MOST_TABLE_ROWS = 300
# The look that all pages of the project share.
_STYLE = Path(perception_common.__file__).with_name("page.css")


@dataclasses.dataclass(frozen=True, eq=False)
class Part:
    """All that the page shows of one dataset; ``crops`` has a list per class of the page, in its order."""

    label: str
    dataset: Dataset
    numbers: Mapping[str, Any]
    values: Values
    pixels: Pixels
    findings: Sequence[Finding]
    pictures: Sequence[Picture]
    crops: Sequence[Sequence[Picture]]


def class_order(parts: Sequence[Mapping[str, Any]]) -> list[str]:
    """The class names of all datasets (of their `describe`), the one with the most labelled objects first."""
    totals: dict[str, int] = {}
    for numbers in parts:
        for row in numbers["classes"]:
            totals[row["name"]] = totals.get(row["name"], 0) + row["labelled"]
    return sorted(totals, key=lambda name: -totals[name])


def build_page(parts: Sequence[Part], comparison: Mapping[str, Any] | None, notes: Mapping[str, Any]) -> str:
    """The HTML document of one dataset, or of two and their comparison.

    Args:
        parts: one or two datasets.
        comparison: ``features`` (`compare_features`) and ``classes`` (`compare_classes`), or None.
        notes: what the page says about how it was made: ``sample``, ``seed``, ``min_per_class``.

    """
    names = class_order([part.numbers for part in parts])
    colors = {name: hex_color(index + 1) for index, name in enumerate(names)}
    every = [picture for part in parts for picture in (*part.pictures, *(p for row in part.crops for p in row))]
    uris = to_uris(every, _PICTURE_BYTES)
    drawn = max(sum(len(part.pictures) for part in parts), 1)
    folder = Path(__file__).parent
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(folder), autoescape=True, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {"number": _number, "share": _share, "bands": _bands, "cell": _cell}
    return environment.get_template(
        "page.html"
    ).render(
        parts=parts,
        two=len(parts) > 1,
        comparison=comparison,
        notes=notes,
        version=__version__,
        style=Markup(_STYLE.read_text(encoding="utf-8")),  # noqa: S704  # our own file
        script=Markup((folder / "page.js").read_text()),  # noqa: S704
        headlines=[headline(part.dataset.provenance) for part in parts],
        provenance=[rows(part.dataset.provenance) for part in parts],
        uri=lambda picture: uris[id(picture)],
        colors=colors,
        class_names=names,
        columns=_columns(parts),
        class_rows=_class_rows(parts, names[:_MOST_TABLE_ROWS]),
        few_pictures=FEW_PICTURES,
        most_names=_MOST_NAMES,
        most_shapes=max(_MOST_SHAPES // drawn, 10),
        outlined=lambda picture: _outlined(picture, _MOST_POINTS // drawn),
        charts=_charts(parts, names),
        heat=_heat_maps(parts, names),
        points=_points,
    )


def _charts(parts: Sequence[Part], names: Sequence[str]) -> dict[str, Any]:
    labels = [part.label for part in parts]
    counts = np.zeros((2, len(parts), len(names)), int)
    for number, part in enumerate(parts):
        for row in part.numbers["classes"]:
            index = names.index(row["name"])
            counts[:, number, index] += row["labelled"], row["unlabelled"]
    found: dict[str, Any] = {
        feature.key: charts.histogram(feature, [part.values[feature.key] for part in parts], labels)
        for feature in FEATURES
    }
    found["classes"] = charts.class_bars(names, *counts, labels) if names else ""
    found["colors"] = [charts.mean_colors(part.pixels.color, f"Mean colour in {part.label}") for part in parts]
    found["sizes"] = _size_charts(parts)
    found["positions"] = [
        charts.positions(heat_map(part.dataset, None), number, _aspect(part.numbers), f"Positions in {part.label}")
        if part.numbers["objects"]
        else ""
        for number, part in enumerate(parts)
    ]
    return found


def _size_charts(parts: Sequence[Part]) -> list[list[Markup]]:
    """Per dataset the sizes in pixels and relative to the image, on axes that all datasets share."""
    found = []
    extents = []
    for part in parts:
        labelled = ~part.dataset.crowd
        boxes = part.dataset.boxes[labelled]
        pixels = boxes[:, 2:] - boxes[:, :2]
        extents.append((pixels, pixels / part.dataset.sizes[part.dataset.image[labelled]] * 100))
    for relative in (False, True):
        every = np.concatenate([extent[relative] for extent in extents])
        if not len(every):
            continue
        low, high = np.percentile(every, (0.1, 99.9))
        limits = (float(low) / 1.15, min(float(high) * 1.15, 110.0) if relative else float(high) * 1.15)
        limits = (min(limits[0], limits[1] / 3), limits[1])
        unit = "% of the image" if relative else "pixels"
        found.append(
            [
                charts.box_sizes(
                    extent[relative], limits, number, relative, f"Box width and height in {unit}, {part.label}"
                )
                for number, (extent, part) in enumerate(zip(extents, parts, strict=True))
                if len(extent[relative])
            ]
        )
    return found


def _heat_maps(parts: Sequence[Part], names: Sequence[str]) -> Markup:
    """Per dataset and class the map's picture, how many boxes it is of, and the share at its darkest, as JSON."""
    maps: list[dict[str, Any]] = []
    for number, part in enumerate(parts):
        classes = part.dataset.classes
        chosen: dict[str, Any] = {"": None}
        chosen |= {name: classes.index(name) for name in names[:_MOST_HEAT_MAPS] if name in classes}
        maps.append({})
        for name, category in chosen.items():
            share = heat_map(part.dataset, category)
            count = part.numbers["objects"] if category is None else part.numbers["classes"][category]["labelled"]
            maps[-1][name] = {
                "uri": charts.heat_uri(share, number),
                "count": count,
                "most": round(float(share.max()) * 100, 1),
            }
    # In a script element only "<" could end it early.
    return Markup(json.dumps(maps).replace("<", "\\u003c"))  # noqa: S704


def _class_rows(parts: Sequence[Part], names: Sequence[str]) -> list[tuple[str, list[Mapping[str, Any] | None]]]:
    tables = [{row["name"]: row for row in part.numbers["classes"]} for part in parts]
    return [(name, [table.get(name) for table in tables]) for name in names]


def _columns(parts: Sequence[Part]) -> list[tuple[str, str]]:
    """Titles and keys of the table of classes: what is there, and fewer where two datasets share its width."""
    rows = [row for part in parts for row in part.numbers["classes"]]
    return [
        ("objects", "labelled"),
        *([("unlabelled", "unlabelled")] if any(row["unlabelled"] for row in rows) else []),
        ("images", "images"),
        ("median size, px", "median_size_px"),
        *([("small / medium / large, %", "coco_bands")] if len(parts) == 1 else []),
        *([("mean occlusion", "mean_occlusion")] if any(row["mean_occlusion"] is not None for row in rows) else []),
    ]


def _cell(row: Mapping[str, Any] | None, key: str) -> str:
    """A cell of the table of classes; a dash where a dataset lacks the class or the number."""
    if row is None or row[key] is None:
        return "–"
    if key == "coco_bands":
        return _bands({"coco_bands": row[key], "objects": row["labelled"]})
    return f"{row[key]:.0%}" if key == "mean_occlusion" else _number(row[key])


def _bands(numbers: Mapping[str, Any]) -> str:
    bands, objects = numbers["coco_bands"], numbers["objects"]
    return " / ".join(f"{100 * bands[key] / max(objects, 1):.0f}" for key in ("small", "medium", "large"))


def _aspect(numbers: Mapping[str, Any]) -> float:
    """Width by height of the most frequent image size."""
    size = numbers["image_sizes"][0]
    return float(size["width"]) / float(size["height"])


def _outlined(picture: Picture, points: int) -> int:
    """How many shapes of a picture, the largest first, have outlines of no more than ``points`` together."""
    lengths = [sum(map(len, shape.rings)) for shape in picture.shapes]
    return int(np.searchsorted(np.cumsum(lengths), points, side="right"))


def _points(ring: np.ndarray) -> str:
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in ring.tolist())


def _number(value: float | None) -> str:
    if value is None:
        return "–"
    if isinstance(value, int) or abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def _share(part: float, whole: float) -> str:
    return f"{part / whole:.0%}" if whole else "–"
