"""One self-contained HTML page: its pictures, plots and style are in it, and it needs nothing else."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

import perception_common
from perception_common import __version__

from .figures import Figures
from .pictures import Pair
from .tables import figure_tables, validation_rows

_TEXTS = {
    "losses": "losses over the steps",
    "learning_rate": "learning rate and images per second over the steps",
    "validations": "validation figures over the steps",
    "precision_recall": "precision over recall of every class",
    "classes": "figures of every class",
    "confusion": "confusion matrix",
    "calibration": "calibration of the confidences",
}


@dataclass(frozen=True)
class Content:
    """What a page shows; ``cards`` are names, values and small print, ``source`` is where the figures are as data."""

    title: str
    lead: str
    cards: Sequence[tuple[str, str, str]]
    source: str
    figures: Figures | None
    validated: str
    plots: Mapping[str, bytes]
    pairs: Sequence[Pair]
    curves: Mapping[str, bytes] = field(default_factory=dict)
    validations: Sequence[dict[str, Any]] = ()
    best_step: int | None = None
    metric: str = ""
    samples: bytes | None = None
    facts: Sequence[tuple[str, str]] = ()


def build_page(content: Content) -> str:
    """The HTML document."""
    folder = Path(__file__).parent
    # The look that all pages of the project share.
    shared = Path(perception_common.__file__).with_name("page.css")
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(folder), autoescape=True, trim_blocks=True, lstrip_blocks=True
    )
    style = shared.read_text(encoding="utf-8") + (folder / "report.css").read_text(encoding="utf-8")
    return environment.get_template("report.html").render(
        title=content.title,
        lead=content.lead,
        cards=content.cards,
        style=Markup(style),  # noqa: S704  # our own files
        curves=_images(content.curves),
        plots=_images(content.plots),
        validated=content.validated,
        tables=figure_tables(content.figures) if content.figures is not None else [],
        validations=validation_rows(content.validations),
        best_step=None if content.best_step is None else str(content.best_step),
        metric=content.metric,
        pairs=[(_uri(p.truth, "jpeg"), _uri(p.found, "jpeg"), p.image, p.note) for p in content.pairs],
        samples=None if content.samples is None else _uri(content.samples, "jpeg"),
        facts=content.facts,
        version=__version__,
        written=datetime.now(timezone.utc).strftime("%Y-%m-%d %H:%M UTC"),
        source=content.source,
    )


def _images(plots: Mapping[str, bytes]) -> list[tuple[str, str, str]]:
    return [(name, _TEXTS[name], _uri(data, "png")) for name, data in plots.items()]


def _uri(data: bytes, kind: str) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(data).decode()}"
