"""Isaac Sim Replicator's BasicWriter.

Maxima are inclusive. Ids of boxes, ids of segmentations and both from frame to frame are different, so that everything
goes by name. A labelled prim and its labelled children all have rows: the importer drops the children of a prim of the
same class, once it knows which class each row is of.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path

from .checks import Damaged, mapping, numbers, read_json
from .files import split_of, walk
from .keyed import KeyPicture, PictureMask, written_key
from .objects import from_picture
from .replicator_files import LOOSE, TIGHT, Boxes, Frame, names_of, parse
from .sample import Box, KeyedPixels, Object, Options, Sample
from .tally import Tally

LOOKED_FOR = "rgb_<frame>.png with bounding_box_2d_tight_<frame>.npy or …_segmentation_<frame>.png"
_INSTANCES, _SEMANTIC = "instance_segmentation", "semantic_segmentation"


def recognise(files: list[Path]) -> bool:
    """Whether these files look like BasicWriter's."""
    frames = [found for path in files if (found := parse(path)) is not None]
    if any(annotator == TIGHT for annotator, _ in frames):
        return True
    return bool(frames) and any(f"{kind}_" in path.name for path in files for kind in (_INSTANCES, _SEMANTIC))


def read(root: Path, options: Options, tally: Tally) -> Iterator[Sample]:
    """Samples of every frame below ``root``, in any of BasicWriter's layouts."""
    boxed: set[tuple[Path, str]] = set()
    for path in walk(root):
        found = parse(path)
        if found is None:
            continue
        annotator, frame = found
        if annotator == TIGHT:
            boxed.add((frame.folder, frame.prefix))
            if frame.image is None:
                tally.skip("image missing", path)
            continue
        # Folders and files come in alphabetical order, and b precedes r: boxes of other frames would be known.
        boxless = (frame.folder, frame.prefix) not in boxed
        yield from _sample(path, frame, split_of(path.relative_to(root).parent), boxless, tally)


def _sample(path: Path, frame: Frame, split: str, boxless: bool, tally: Tally) -> Iterator[Sample]:
    instances, semantic = _picture(frame, _INSTANCES), _picture(frame, _SEMANTIC)
    try:
        if frame.file(TIGHT, "npy") is not None:
            objects = _objects(frame, instances, tally)
        elif instances is not None and frame.file(_INSTANCES, "json", "semantics_mapping") is not None:
            objects = from_picture(instances, _instance_names(frame), path, tally, _instance_prims(frame, path, tally))
        elif boxless and semantic is not None:
            objects = ()
            tally.note("semantic mask without boxes: fit for segmentation only", path)
        else:
            raise Damaged("frame without boxes and instances")
    except Damaged as error:
        tally.skip(error.reason, path)
        return
    labels = frame.file(_SEMANTIC, "json", "labels")
    reader = partial(_semantic, semantic, labels) if semantic is not None and labels is not None else None
    yield Sample(path, objects, None, split, frame.scene, reader, _intrinsics(frame))


def _objects(frame: Frame, instances: KeyPicture | None, tally: Tally) -> tuple[Object, ...]:
    tight = Boxes(frame, TIGHT)
    prims = tight.prims
    where = f"{frame.folder}/{frame.prefix}{TIGHT}_{frame.number}.npy"
    if prims is None and tight.rows:
        tally.note("prim paths missing: only equal boxes of a class are known to be one object", where)
    amodal = _amodal(frame)
    keys = _instance_prims(frame, where, tally) if instances is not None and prims is not None else {}
    objects = []
    for index, row in enumerate(tight.rows):
        names = tight.names.get(row.semantic)
        if names is None:
            tally.drop("label id without a name", where)
            continue
        prim = prims[index] if prims is not None else ""
        mine = [key for key, path in keys.items() if path == prim or path.startswith(prim + "/")] if prim else []
        mask = PictureMask(instances, mine) if mine and instances is not None else None
        objects.append(Object(names, row.box, amodal.get(prim), row.occlusion, None, "", mask, prim))
    return tuple(objects)


def _amodal(frame: Frame) -> Mapping[str, Box]:
    """Loose boxes, which enclose the hidden parts too, by prim."""
    if frame.file(LOOSE, "npy") is None:
        return {}
    loose = Boxes(frame, LOOSE)
    try:
        boxes = [row.box for row in loose.rows]
    except Damaged:
        return {}
    return dict(zip(loose.prims or (), boxes, strict=False))


def _picture(frame: Frame, annotator: str) -> KeyPicture | None:
    path = frame.file(annotator, "png")
    return None if path is None else KeyPicture(path)


def _instance_prims(frame: Frame, where: object, tally: Tally) -> dict[int, str]:
    """The prim that each key of the instance segmentation stands for; empty where that is unknown."""
    path = frame.file(_INSTANCES, "json", "mapping")
    if path is None:
        return {}
    try:
        content = mapping(read_json(path))
        return {written_key(key): prim for key, prim in content.items() if isinstance(prim, str) and prim[:1] == "/"}
    except Damaged:
        tally.note("instance segmentation without a usable mapping: no masks", where)
        return {}


def _instance_names(frame: Frame) -> dict[int, tuple[str, ...]]:
    return _names(frame.file(_INSTANCES, "json", "semantics_mapping"))


def _names(path: Path | None) -> dict[int, tuple[str, ...]]:
    if path is None:
        raise Damaged("labels of a segmentation missing")
    named = {written_key(key): names_of(value) for key, value in mapping(read_json(path)).items()}
    return {key: names for key, names in named.items() if names}


def _semantic(picture: KeyPicture, labels: Path) -> KeyedPixels:
    return picture.keys, _names(labels)


def _intrinsics(frame: Frame) -> tuple[tuple[float, float, float], ...] | None:
    """The camera matrix from the projection (the aperture's height does not fit the picture's in real files)."""
    path = frame.file("camera_params", "json")
    if path is None:
        return None
    try:
        content = mapping(read_json(path))
        width, height = numbers(content.get("renderProductResolution"), 2)
        projection = numbers(content.get("cameraProjection"), 16)
    except Damaged:
        return None
    if content.get("cameraModel", "pinhole") != "pinhole" or not all(map(math.isfinite, (*projection, width, height))):
        return None
    # Row vectors and OpenGL's axes: x = (P0 X + P8 Z) / −Z from −1 to 1, y upwards.
    fx, fy = projection[0] * width / 2, projection[5] * height / 2
    return (fx, 0.0, (1 - projection[8]) * width / 2), (0.0, fy, (1 + projection[9]) * height / 2), (0.0, 0.0, 1.0)
