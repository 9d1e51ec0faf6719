"""The page: one HTML file that holds its boxes, pictures, script and style, and needs nothing else."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from string import Template
from typing import Any

import perception_common
from perception_common import __version__

from . import charts, tables
from .frames import Boxes, FrameLine, read_areas, read_boxes, read_frames
from .markup import Html, joined, tag
from .payload import Picture, payload

# One program; later ones use what earlier ones define.
_SCRIPTS = ("data.js", "timeline.js", "viewer.js", "report.js")
_SIZES = "Area of the true object in the frame: small is below 32², large from 96² pixels on."
_DISTANCES = "Distance of the true object."


def build_report(
    summary: Mapping[str, Any],
    frames: Sequence[FrameLine],
    pictures: Mapping[int, Picture],
    linked: Mapping[int, str] | None = None,
) -> str:
    """The HTML document.

    Args:
        summary: what replay.json says.
        frames: the lines of frames.jsonl.
        pictures: by the frame's index; those that the page holds (`choose_pictures`).
        linked: by the frame's index; paths of pictures beside the page, relative to it.
    """
    segmentation = summary["model"]["task"] == "segmentation"
    # Masks have no classes but the model's.
    names = summary["model"]["classes"] if segmentation else summary["classes"]
    common = read_frames(frames)
    content = read_areas(frames, len(names)) if segmentation else read_boxes(frames, summary["model"]["thresholds"])
    colours = charts.class_colours(len(names), drawn=segmentation)
    folder = Path(__file__).parent
    script = "".join(_read(folder / name) for name in _SCRIPTS)
    # The look of the project's other pages.
    style = _read(Path(perception_common.__file__).parent / "page.css") + _read(folder / "report.css")
    title = f"{tables.named(summary['model'])} on {Path(summary['bag']['path']).name}"
    return Template(_read(folder / "report.html")).substitute(
        title=joined((title,)),
        policy=_policy(script),
        style=style,
        lead=tables.lead(summary),
        cards=tables.cards(summary),
        warnings=tables.warnings(summary),
        figures=_figures(summary, content if isinstance(content, Boxes) else None, bool(common.known.any()), colours),
        latency=tables.latency(summary),
        provenance=joined(tables.provenance(summary)),
        version=__version__,
        data=payload(frames, common, content, (names, colours), pictures, linked),
        script=script,
    )


def _figures(summary: Mapping[str, Any], boxes: Boxes | None, judged: bool, colours: Sequence[str]) -> Html:
    """What is known of all frames together."""
    figures = summary["figures"]
    parts: list[Html | None] = [
        tag("h2", "Classes"),
        tag("div", tables.classes(summary, colours), class_="panel scroll"),
    ]
    if figures is not None and boxes is not None:
        curves = charts.precision_recall(figures["classes"], colours)
        if curves:
            note = "Points: the model's thresholds. Beside the names: AP50. Point at a name to see its curve alone."
            parts += [
                tag("h2", "Precision and recall"),
                tag("div", curves, tag("p", note, class_="note"), class_="panel"),
            ]
    if figures is not None:
        confusion = figures["confusion"]
        note = "Each row: what became of the true things of a class. Stronger colours: larger shares of the row."
        if len(confusion["names"]) > charts.MOST_CONFUSED:
            note += f" The {charts.MOST_CONFUSED} classes with most errors; replay.json has all."
        heat = tag("div", charts.confusion_table(confusion["names"], confusion["counts"]), class_="scroll")
        parts += [tag("h2", "Confusions"), tag("div", heat, tag("p", note, class_="note"), class_="panel")]
    if boxes is not None:
        histograms = charts.histograms(
            summary["counts"]["score_histogram"], summary["classes"], boxes, summary["model"]["thresholds"], judged
        )
        if histograms:
            parts += [tag("h2", "Scores"), _score_note(judged, len(summary["classes"])), histograms]
        bands = [tables.stability(summary)]
        if figures is not None:
            bands = [
                tables.bands("size", _SIZES, figures["by_size"]),
                tables.bands("distance", _DISTANCES, figures["by_distance"]),
                *bands,
            ]
        if any(bands):
            parts += [tag("h2", "By size, distance and over time"), tag("div", *bands, class_="grid wide")]
    return joined(parts)


def _score_note(judged: bool, classes: int) -> Html:
    text = "Dashed: the threshold."
    if classes > charts.MOST_HISTOGRAMS:
        text += f" The {charts.MOST_HISTOGRAMS} classes with most detections."
    if not judged:
        return tag("p", tag("i", class_="all"), "detections. ", text, class_="note")
    kinds = (tag("i", class_="right"), "right (IoU 0.5) ", tag("i", class_="wrong"), "wrong. ")
    return tag("p", *kinds, text, " What lies in frames without truth is left out.", class_="note")


def _policy(script: str) -> str:
    """Nothing but our own script runs, and nothing but pictures is loaded: even if an escape were forgotten."""
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return f"default-src 'none'; img-src data: 'self' file:; style-src 'unsafe-inline'; script-src 'sha256-{digest}'"


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8")
