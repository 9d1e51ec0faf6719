"""Sample frames for the report: the camera's picture with truth and detections drawn over it as SVG."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

#: Detections below this are not drawn.
MIN_SCORE = 0.3
_PALETTE = (
    "#4cc9f0",
    "#ffd166",
    "#ef476f",
    "#80ed99",
    "#c77dff",
    "#ff9f1c",
    "#f15bb5",
    "#9bf6ff",
    "#bde0fe",
    "#e5e059",
)


def sample_rows(live: Mapping[str, Any], classes: Sequence[str], per_version: int = 4) -> str:
    """A heading and a row of pictures for every version, the first served first."""
    directory = Path(live.get("samples_directory") or ".")
    by_version: dict[Any, list[Mapping[str, Any]]] = {}
    for sample in live.get("samples", []):
        by_version.setdefault(sample["version"], []).append(sample)
    quality = {entry["version"]: entry.get("map50") for entry in live.get("versions", [])}
    parts = []
    for version, samples in by_version.items():
        pictures = [_picture(directory / s["file"], s, classes) for s in _spread(samples, per_version)]
        pictures = [picture for picture in pictures if picture]
        if pictures:
            score = quality.get(version)
            told = "" if score is None else f" · live mAP50 {score:.2f}"
            parts.append(f'<h3>Version {escape(str(version))}{told}</h3><div class="samples">{"".join(pictures)}</div>')
    return "".join(parts) or '<p class="none">no pictures were kept</p>'


def _spread(samples: Sequence[Mapping[str, Any]], count: int) -> list[Mapping[str, Any]]:
    if len(samples) <= count:
        return list(samples)
    return [samples[round(index * (len(samples) - 1) / (count - 1))] for index in range(count)]


def _picture(path: Path, sample: Mapping[str, Any], classes: Sequence[str]) -> str:
    if not path.is_file():  # renewed between two writes of the evaluator, and the run ended by force
        return ""
    data = base64.b64encode(path.read_bytes()).decode()
    drawn = [_box(row, "truth", None, "", 0) for row in sample["truth"]]
    found = [row for row in sample["found"] if row["score"] >= MIN_SCORE]
    drawn += [
        _box(row, "found", _colour(row["name"], classes), f"{row['name']} {row['score']:.2f}", sample["width"])
        for row in found
    ]
    width, height = int(sample["width"]), int(sample["height"])
    names = ", ".join(row["name"] for row in sample["truth"])
    return (
        f'<div class="sample"><img alt="{escape("camera picture with " + names)}" '
        f'src="data:image/jpeg;base64,{data}" width="{width}" height="{height}">'
        f'<svg viewBox="0 0 {width} {height}" aria-hidden="true">{"".join(drawn)}</svg></div>'
    )


def _box(row: Mapping[str, Any], kind: str, colour: str | None, text: str, width: int) -> str:
    left, top, right, bottom = row["box"]
    stroke = f' stroke="{colour}"' if colour else ""
    rect = f'<rect class="{kind}" x="{left}" y="{top}" width="{right - left:.1f}" height="{bottom - top:.1f}"{stroke}/>'
    # Above the box where there is room, else inside.
    y = top - 4 if top > 16 else top + 12
    # Towards the middle, so that it is not cut off at the right edge.
    place = f'x="{right - 1:.1f}" text-anchor="end"' if left > 0.7 * width else f'x="{left + 1:.1f}"'
    return rect + (f'<text {place} y="{y:.1f}">{escape(text)}</text>' if text else "")


def _colour(name: str, classes: Sequence[str]) -> str:
    index = list(classes).index(name) if name in classes else len(classes)
    return _PALETTE[index % len(_PALETTE)]
