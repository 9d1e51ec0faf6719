"""harvest.html: every pick, with what the model found in it and why it was picked. One file that needs no other."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jinja2
import numpy as np
from markupsafe import Markup

import perception_common
from perception_common import __version__

from .choice import Floats
from .scores import REASONS
from .writing import Written

_WIDTH, _HEIGHT = 1000, 70
_MOST_POINTS = 500


class Film(NamedTuple):
    """A recording in a strip: its name, small print, the worth of its frames as an area, and the picks in it."""

    name: str
    note: str
    area: str
    marks: Sequence[tuple[str, str, bool, int]]


def build_page(document: dict[str, Any], written: Sequence[Written], films: Sequence[Film]) -> str:
    """The HTML document, of harvest.json's content and the pictures in the order of its picks."""
    folder = Path(__file__).parent
    # The look of the project's other pages.
    shared = Path(perception_common.__file__).parent / "page.css"
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(folder), autoescape=True, trim_blocks=True, lstrip_blocks=True
    )
    style = shared.read_text(encoding="utf-8") + (folder / "harvest.css").read_text(encoding="utf-8")
    return environment.get_template("harvest.html").render(
        style=Markup(style),  # noqa: S704  # our own files
        told=document,
        films=films,
        size=(_WIDTH, _HEIGHT),
        picks=[_shown(pick, picture) for pick, picture in zip(document["picks"], written, strict=True)],
        version=__version__,
    )


def film(name: str, note: str, values: Floats, picks: Sequence[tuple[int, bool, int]]) -> Film:
    """A recording's strip.

    Args:
        name: of the recording.
        note: small print.
        values: the worth of its frames, in order.
        picks: of each pick in it the row in ``values``, whether it was drawn at random, and its place among all picks.
    """
    count = len(values)
    parts = np.array_split(values, min(count, _MOST_POINTS)) if count else []
    heights = [_HEIGHT - 8 - float(part.max()) * (_HEIGHT - 14) for part in parts]
    across = np.linspace(0, _WIDTH, len(heights) + 1)
    steps = [f"{x:.1f},{y:.1f}" for i, y in enumerate(heights) for x in (across[i], across[i + 1])]
    area = " ".join([f"0,{_HEIGHT - 8}", *steps, f"{_WIDTH},{_HEIGHT - 8}"])
    marks = [
        (f"{(row + 0.5) / count * _WIDTH:.1f}", f"{_HEIGHT - 8 - values[row] * (_HEIGHT - 14):.1f}", by_lot, place)
        for row, by_lot, place in picks
    ]
    return Film(name, note, area, marks)


def _shown(pick: dict[str, Any], picture: Written) -> dict[str, Any]:
    scores = pick["scores"]
    bars = [(name, scores[name], name == "quality") for name in (*REASONS, "quality") if scores[name] is not None]
    return {
        **pick,
        "bars": bars,
        "uri": f"data:image/jpeg;base64,{base64.b64encode(picture.drawn).decode()}",
        "shape": f"{picture.width} / {picture.height}",
        "labels": len(picture.shapes),
    }
