"""The second pass: pictures of the picked frames, with what the model finds in them, as a dataset of the suite."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np

from perception_common import __version__, durable
from perception_common.errors import UserError
from perception_infer.contract.detections import Detections, Result, Segmentation
from perception_infer.contract.geometry import Pixels
from perception_infer.draw import draw_detections, draw_mask
from perception_infer.recordings.bag import Recording
from perception_infer.recordings.frames import pixels_of

from ..data.coco import ANNOTATIONS, PROVENANCE
from ..data.importing.pictures import write_png
from ..evaluation.pictures import jpeg
from ..progress import Meter
from .looking import Model, Read

_MAGIC = {b"\xff\xd8\xff": ".jpg", b"\x89PNG\r\n\x1a\n": ".png"}
_DRAWN_PX = 520
_DIGITS = 2
# Regions of fewer pixels are noise to whoever has to correct them; a corner cut by a pixel is none.
_LEAST_PIXELS, _CORNER_PX = 16, 1.0


class Wanted(NamedTuple):
    """A frame to write: its bag and number there, the stamp in its name, and what is told of it."""

    bag: int
    frame: int
    stamp: int
    facts: Mapping[str, Any]


@dataclass(frozen=True)
class Shape:
    """A pre-label: class, score, box xywh and area in pixels, and its outline x, y, … where it is a region."""

    label: int
    score: float
    box: tuple[float, float, float, float]
    area: float
    outline: tuple[float, ...] = ()


@dataclass(frozen=True)
class Written:
    """A frame that was written: its file, size, pre-labels, and a JPEG with these drawn."""

    name: str
    width: int
    height: int
    shapes: tuple[Shape, ...]
    drawn: bytes
    facts: Mapping[str, Any]


def write_pictures(folder: Path, bags: Sequence[Read], wanted: Sequence[Wanted], model: Model) -> list[Written]:
    """Write ``images/``, for segmenters also ``masks/``, into a folder; frames in the order in which they are wanted.

    JPEG and PNG of compressed topics are kept byte for byte, everything else becomes PNG.

    Raises:
        UserError: a recording has changed since it was looked at, or something cannot be written.
    """
    segments = model.predictor.task == "segmentation"
    for name in ("images", *(("masks",) if segments else ())):
        (folder / name).mkdir()
    digits = max(4, len(str(len(wanted))))
    places = {(entry.bag, entry.frame): place for place, entry in enumerate(wanted)}
    written: dict[int, Written] = {}
    with Meter("writing", len(wanted)) as meter:
        for bag, read in enumerate(bags):
            chosen = {index: place for (of, index), place in places.items() if of == bag}
            for index, rgb, data in _pictures(read, frozenset(chosen)):
                place = chosen[index]
                entry = wanted[place]
                suffix = next((kind for magic, kind in _MAGIC.items() if data.startswith(magic)), "")
                stem = f"{place + 1:0{digits}}_{_safe(read.path)}_{entry.stamp:019}"
                path = folder / "images" / f"{stem}{suffix or '.png'}"
                if suffix:
                    durable.write_bytes(path, data)
                else:
                    write_png(cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR), path)
                found = model.labelling.ask(model.predictor, rgb)
                if isinstance(found, Segmentation):
                    write_png(found.mask, folder / "masks" / f"{stem}.png")
                shapes = tuple(_shapes(found, rgb.shape[1], rgb.shape[0]))
                drawn = _draw(rgb, found, model.predictor.classes)
                written[place] = Written(path.name, rgb.shape[1], rgb.shape[0], shapes, drawn, entry.facts)
                meter.advance()
    if len(written) < len(wanted):
        missing = bags[next(entry.bag for place, entry in enumerate(wanted) if place not in written)].path
        raise UserError("the recording has changed while it was read", where=missing, fix="try again")
    return [written[place] for place in range(len(wanted))]


def write_annotations(folder: Path, written: Sequence[Written], classes: Sequence[str]) -> dict[str, Any]:
    """Write annotations.json and dataset.json; the counts that dataset.json holds."""
    annotations: list[dict[str, Any]] = []
    for number, picture in enumerate(written, 1):
        for shape in picture.shapes:
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": number,
                    "category_id": shape.label + 1,
                    "bbox": list(shape.box),
                    "area": shape.area,
                    "iscrowd": 0,
                    "segmentation": [list(shape.outline)] if shape.outline else [],
                    "score": shape.score,
                }
            )
    images = [
        {"id": number, "file_name": picture.name, "width": picture.width, "height": picture.height, **picture.facts}
        for number, picture in enumerate(written, 1)
    ]
    content = {
        "info": {"description": "harvested by perception_train, to be corrected", "version": __version__},
        "licenses": [],
        "categories": [
            {"id": number, "name": name, "supercategory": "object"} for number, name in enumerate(classes, 1)
        ],
        "images": images,
        "annotations": annotations,
    }
    write_json(folder / ANNOTATIONS, content)
    counts = {
        "images": len(images),
        "negative_images": sum(not picture.shapes for picture in written),
        "annotations": len(annotations),
        "per_class": {
            name: sum(entry["category_id"] == number for entry in annotations) for number, name in enumerate(classes, 1)
        },
    }
    provenance = {
        "generator": "perception_train harvest",
        "version": __version__,
        "labels": "what a model found: correct them",
        "counts": counts,
    }
    write_json(folder / PROVENANCE, provenance)
    return counts


def write_json(path: Path, content: Any) -> None:
    """Write indented JSON.

    Raises:
        UserError: the file cannot be written.
    """
    durable.write_text(path, json.dumps(content, indent=1, ensure_ascii=False) + "\n")


def _pictures(read: Read, chosen: frozenset[int]) -> Iterator[tuple[int, Pixels, bytes]]:
    """Number, RGB and, of compressed images, the file's bytes of the chosen messages."""
    if not chosen:
        return
    last = max(chosen)
    with Recording(Path(read.path).expanduser()) as recording:
        for index, message in enumerate(recording.messages((read.topic,))):
            if index in chosen:
                decoded = message.decode()
                packed = hasattr(decoded, "format")
                yield index, pixels_of(decoded), np.asarray(decoded.data, np.uint8).tobytes() if packed else b""
            if index == last:
                return


def _shapes(found: Result, width: int, height: int) -> Iterator[Shape]:
    if isinstance(found, Detections):
        for box, score, label in zip(found.boxes.tolist(), found.scores.tolist(), found.labels.tolist(), strict=True):
            left, top = (round(max(0.0, value), _DIGITS) for value in box[:2])
            right, bottom = round(min(box[2], width), _DIGITS), round(min(box[3], height), _DIGITS)
            wide, high = round(right - left, _DIGITS), round(bottom - top, _DIGITS)
            if wide > 0 and high > 0:
                yield Shape(label, round(score, 4), (left, top, wide, high), round(wide * high, _DIGITS))
        return
    for label in (np.unique(found.mask[found.mask > 0]).astype(int) - 1).tolist():
        count, regions, facts, _ = cv2.connectedComponentsWithStats((found.mask == label + 1).astype(np.uint8))
        for number in range(1, count):
            left, top, wide, high, area = (int(value) for value in facts[number])
            if area < _LEAST_PIXELS:
                continue
            inside = regions[top : top + high, left : left + wide] == number
            sure = found.confidence[top : top + high, left : left + wide][inside]
            outline = _outline(inside, left, top)
            if len(outline) >= 6:
                box = (float(left), float(top), float(wide), float(high))
                yield Shape(label, round(float(sure.mean()) / 255, 4), box, float(area), outline)


def _outline(inside: np.ndarray, left: int, top: int) -> tuple[float, ...]:
    """Around the pixels, in pixel-edge coordinates, to a quarter of a pixel; holes are not told."""
    # OpenCV's outlines run through the centres of pixels; those of a picture twice as large lie nearer to its edges.
    doubled = np.kron(np.pad(inside, 1), np.ones((2, 2), bool)).astype(np.uint8)
    rings, _ = cv2.findContours(doubled, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    ring = max(rings, key=cv2.contourArea)
    corners = cv2.approxPolyDP(ring, 2 * _CORNER_PX, True)[:, 0].astype(np.float64)
    # The centre of pixel n there, less the border.
    edges = (corners + 0.5) / 2 - 1 + (left, top)
    return tuple(round(value, _DIGITS) for value in edges.ravel().tolist())


def _draw(rgb: Pixels, found: Result, classes: Sequence[str]) -> bytes:
    scale = min(1.0, _DRAWN_PX / max(rgb.shape[:2]))
    small = np.asarray(cv2.resize(rgb, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), np.uint8)
    if isinstance(found, Detections):
        return jpeg(draw_detections(small, found.boxes * scale, found.labels, classes, found.scores))
    mask = cv2.resize(found.mask, small.shape[1::-1], interpolation=cv2.INTER_NEAREST)
    return jpeg(draw_mask(small, np.asarray(mask, np.uint8)))


def _safe(bag: str) -> str:
    """The name of a recording as a part of a file's name."""
    return re.sub(r"[^A-Za-z0-9.-]+", "-", Path(bag).expanduser().absolute().stem).strip("-.")[:40] or "bag"
