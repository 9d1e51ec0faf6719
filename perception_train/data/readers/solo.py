"""Unity Perception's SOLO (sequence.N/stepM.frame_data.json).

Annotations are told apart by ``@type``. A box is origin + dimension in pixels: origin is its first pixel and dimension
counts pixels, so that both sums are pixel edges. Format: Unity Perception 0.10 to 1.0, "SOLO" schema.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

from .checks import Damaged, file_name, label, mapping, numbers, read_json, sequence, share
from .files import split_of, walk
from .keyed import KeyPicture, PictureMask, colour_key
from .objects import from_picture
from .sample import KeyedPixels, Object, Options, Sample
from .tally import Tally

LOOKED_FOR = "sequence.<n>/step<m>.frame_data.json"
_FRAME = re.compile(r"step[0-9]+\.frame_data\.json")
_BOXES, _INSTANCES, _SEMANTIC = (
    "BoundingBox2DAnnotation",
    "InstanceSegmentationAnnotation",
    "SemanticSegmentationAnnotation",
)
_OCCLUSION = "OcclusionMetric"


def recognise(files: list[Path]) -> bool:
    """Whether these files look like SOLO's."""
    return any(_FRAME.fullmatch(path.name) for path in files)


def read(root: Path, options: Options, tally: Tally) -> Iterator[Sample]:
    """Samples of every capture of every frame below ``root``."""
    for path in walk(root):
        if not _FRAME.fullmatch(path.name):
            continue
        try:
            frame = mapping(read_json(path))
            captures = sequence(frame.get("captures"))
        except Damaged as error:
            tally.skip(error.reason, path)
            continue
        metrics = frame.get("metrics")
        hidden = _hidden(metrics if isinstance(metrics, list) else [])
        for capture in captures:
            try:
                if (
                    sample := _sample(path, mapping(capture), hidden, split_of(path.relative_to(root)), tally)
                ) is not None:
                    yield sample
            except Damaged as error:
                tally.skip(error.reason, path)


def _sample(path: Path, capture: dict[str, Any], hidden: dict[Any, Any], split: str, tally: Tally) -> Sample | None:
    if not _is(capture, "RGBCamera"):
        return None
    image = path.parent / file_name(capture.get("filename"))
    annotations = [found for found in sequence(capture.get("annotations")) if isinstance(found, dict)]
    boxes, instances, semantic = (
        next((found for found in annotations if _is(found, kind)), None) for kind in (_BOXES, _INSTANCES, _SEMANTIC)
    )
    picture, keys, names = _instances(path, instances)
    if boxes is not None:
        camera = capture.get("id")
        objects = _objects(path, boxes, hidden.get(camera if isinstance(camera, str) else "", {}), picture, keys, tally)
    elif picture is not None:
        objects = from_picture(picture, names, path, tally)
    elif semantic is not None:
        objects = ()
        tally.note("semantic mask without boxes: fit for segmentation only", path)
    else:
        raise Damaged("frame without boxes and instances")
    reader = partial(_semantic, path, semantic) if semantic is not None else None
    size = _size(capture)
    # A sequence is one scene that develops.
    return Sample(image, objects, size, split, str(path.parent), reader, _intrinsics(capture, size))


def _is(entry: dict[str, Any], kind: str) -> bool:
    found = entry.get("@type")
    return isinstance(found, str) and found.rpartition(".")[2] == kind


def _objects(
    path: Path,
    boxes: dict[str, Any],
    hidden: dict[Any, tuple[float | None, float | None]],
    picture: KeyPicture | None,
    keys: dict[Any, int],
    tally: Tally,
) -> tuple[Object, ...]:
    objects = []
    for entry in sequence(boxes.get("values")):
        try:
            value = mapping(entry)
            x, y = numbers(value.get("origin"), 2)
            width, height = numbers(value.get("dimension"), 2)
            name = label(value.get("labelName"))
        except Damaged as error:
            tally.drop(f"entry that is no box ({error.reason})", path)
            continue
        instance = value.get("instanceId")
        instance = instance if isinstance(instance, int) else None
        occlusion, truncation = hidden.get(instance, (None, None))
        mask = PictureMask(picture, [keys[instance]]) if picture is not None and instance in keys else None
        objects.append(Object((name,), (x, y, x + width, y + height), None, occlusion, truncation, "", mask))
    return tuple(objects)


def _instances(
    path: Path, entry: dict[str, Any] | None
) -> tuple[KeyPicture | None, dict[Any, int], dict[int, tuple[str, ...]]]:
    """The picture of instances, the key of each instance in it, and the name of each key."""
    keys: dict[Any, int] = {}
    names: dict[int, tuple[str, ...]] = {}
    if entry is None:
        return None, keys, names
    try:
        picture = KeyPicture(path.parent / file_name(entry.get("filename")))
        for instance in sequence(entry.get("instances")):
            key = colour_key(sequence(mapping(instance).get("color")))
            names[key] = (label(instance.get("labelName")),)
            if isinstance(instance.get("instanceId"), int):
                keys[instance["instanceId"]] = key
    except Damaged:
        return None, {}, {}
    return picture, keys, names


def _semantic(path: Path, entry: dict[str, Any]) -> KeyedPixels:
    picture = KeyPicture(path.parent / file_name(entry.get("filename")))
    instances = [mapping(value) for value in sequence(entry.get("instances"))]
    return picture.keys, {
        colour_key(sequence(value.get("pixelValue"))): (label(value.get("labelName")),) for value in instances
    }


def _hidden(metrics: list[Any]) -> dict[Any, dict[Any, tuple[float | None, float | None]]]:
    """Occlusion and truncation by camera and instance, from Perception's occlusion labeler where it was on."""
    found: dict[Any, dict[Any, tuple[float | None, float | None]]] = {}
    for metric in metrics:
        if not isinstance(metric, dict) or not _is(metric, _OCCLUSION) or not isinstance(metric.get("values"), list):
            continue
        sensor = metric.get("sensorId")
        entries = found.setdefault(sensor if isinstance(sensor, str) else "", {})
        for value in metric["values"]:
            if isinstance(value, dict) and isinstance(value.get("instanceId"), int):
                inside, visible = share(value.get("percentInFrame")), share(value.get("visibilityInFrame"))
                entries[value["instanceId"]] = (
                    None if visible is None else 1 - visible,
                    None if inside is None else 1 - inside,
                )
    return found


def _size(capture: dict[str, Any]) -> tuple[int, int] | None:
    width, height = numbers(capture.get("dimension"), 2)
    if not (math.isfinite(width) and math.isfinite(height)):
        raise Damaged("size of the image is no size")
    return int(width), int(height)


def _intrinsics(capture: dict[str, Any], size: tuple[int, int] | None) -> tuple[tuple[float, float, float], ...] | None:
    """The camera matrix from the upper left 3x3 of Unity's projection matrix."""
    if capture.get("projection") != "Perspective" or size is None:
        return None
    try:
        matrix = numbers(capture.get("matrix"), 9)
    except Damaged:
        return None
    if not all(map(math.isfinite, matrix)):
        return None
    width, height = size
    fx, fy = matrix[0] * width / 2, matrix[4] * height / 2
    return (fx, 0.0, (1 - matrix[2]) * width / 2), (0.0, fy, (1 + matrix[5]) * height / 2), (0.0, 0.0, 1.0)
