"""gap.html: where real and synthetic sources differ. One file that needs no other."""

from __future__ import annotations

import base64
import dataclasses
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jinja2
import numpy as np
from markupsafe import Markup

import perception_common
from perception_infer.draw import class_colour
from perception_sim.view import charts

from .comparing import CLASSES, Compared
from .looking import Looked
from .measures import BY_KEY, CONTENT, LOOK, MODEL
from .panel import far, typical, worst
from .regions import Regions

_GROUPS = {
    LOOK: ("How the pictures look", "Measured on what the network is fed, blocks of JPEG on the picture itself."),
    CONTENT: ("What is in them", ""),
    MODEL: ("What the model makes of them", ""),
}
_FULL = 2.0
_MOST_ADVICE = 8
_MOST_CLASSES = 60


def build_page(
    document: Mapping[str, Any], synthetic: Looked, compared: Sequence[Compared], names: Sequence[str], pictures: int
) -> str:
    """The HTML document.

    Args:
        document: gap.json's content.
        synthetic: the synthetic source.
        compared: the others.
        names: class names by label.
        pictures: in each row.
    """
    folder = Path(__file__).parent
    # The look of the project's other pages.
    shared = Path(perception_common.__file__).with_name("page.css")
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(folder), autoescape=True, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {"figure": _figure, "signed": _signed, "share": _share, "compact": _compact}
    style = shared.read_text(encoding="utf-8") + (folder / "gap.css").read_text(encoding="utf-8")
    return environment.get_template("gap.html").render(
        style=Markup(style),  # noqa: S704  # our own files
        told=document,
        groups=_GROUPS,
        most_advice=_MOST_ADVICE,
        most_classes=_MOST_CLASSES,
        full=_FULL,
        shown=[_shown(synthetic, one, pictures) for one in compared],
        synthetic_shown=[
            ("With the most errors", worst(synthetic, pictures)),
            ("Typical", typical(synthetic, pictures)),
        ],
        metric={"map50": "mAP50", "miou": "mIoU"}[document["synthetic"]["accuracy"]["metric"]],
        per_class={"map50": "AP50", "miou": "IoU"}[document["synthetic"]["accuracy"]["metric"]],
        segments=document["model"]["task"] == "segmentation",
        names=names,
        colour=lambda label: "#{:02x}{:02x}{:02x}".format(*class_colour(label)),
        uri=lambda data: f"data:image/jpeg;base64,{base64.b64encode(data).decode()}",
        shapes=_shapes,
    )


def _shown(synthetic: Looked, compared: Compared, pictures: int) -> dict[str, Any]:
    """Charts and pictures of a source."""
    label = compared.source.label
    both = (synthetic.label, label)
    histograms: dict[str, list[tuple[str, str, Markup]]] = {group: [] for group in _GROUPS}
    for row in compared.differences:
        if row.key == CLASSES or row.distance is None:
            continue
        feature = BY_KEY[row.key].feature
        # The title is the salt of the chart's ids: those of other sources must differ.
        named = dataclasses.replace(feature, title=f"{feature.title}, {label}")
        drawn = charts.histogram(named, [values[row.key] for values in compared.values], both)
        histograms[row.group].append((feature.title, row.verdict, drawn))
    counts = np.array(compared.mix.counts)
    bars = charts.class_bars(compared.mix.names, counts, np.zeros_like(counts), both) if counts.any() else None
    unsure = compared.source.labelled == 0
    return {
        "histograms": histograms,
        "bars": bars,
        "rows": [
            ("The model is least sure" if unsure else "With the most errors", worst(compared.source, pictures)),
            ("Typical", typical(compared.source, pictures)),
        ],
        "pairs": far(synthetic, compared.source, pictures),
    }


def _shapes(regions: Regions | None, width: int, height: int) -> list[tuple[int, float, float, float, float, float]]:
    """Label, x, y, width, height in pixels and score of every box."""
    if regions is None:
        return []
    scaled = regions.boxes * np.array([width, height, width, height])
    return [
        (label, left, top, right - left, bottom - top, score)
        for label, (left, top, right, bottom), score in zip(
            regions.labels.tolist(), scaled.round(1).tolist(), regions.scores.tolist(), strict=True
        )
    ]


def _figure(value: float | None, digits: int = 3) -> str:
    return "–" if value is None else f"{value:.{digits}f}"


def _signed(value: float | None, digits: int = 3) -> str:
    if value is None:
        return "–"
    # Minus as long as plus, and no sign before what is rounded to nothing.
    text = f"{value:+.{digits}f}".replace("-", "−")
    return text[1:] if not float(f"{value:.{digits}f}") else text


def _share(value: float | None) -> str:
    return "–" if value is None else f"{value:.0%}"


def _compact(value: Any) -> str:
    """A number in three digits; of an axis, its distribution as YAML writes it."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False).replace('"', "")
