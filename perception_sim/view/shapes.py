"""What is drawn over a picture: boxes, amodal boxes and outlines of masks, at the picture's scale."""

from __future__ import annotations

import dataclasses

import cv2
import numpy as np

from .annotations import Dataset
from .masks import BrokenMaskError, outlines

Box = tuple[float, float, float, float]
# Points that lie closer to a line than this (pixels of the drawing) are left out of outlines.
_TOLERANCE = 0.4
# A mask of noise must not make the page endless.
_MOST_RINGS, _MOST_POINTS = 8, 60


@dataclasses.dataclass(frozen=True, eq=False)
class Shape:
    """An annotation ready to draw; boxes are x_min, y_min, x_max, y_max in the drawing's pixel edges.

    ``category`` is the index of its class, ``rings`` float [P, 2] are the outlines of its mask, ``note`` says in
    words what else is recorded.
    """

    category: int
    name: str
    box: Box
    amodal: Box | None
    rings: tuple[np.ndarray, ...]
    crowd: bool
    note: str


def shapes_of(dataset: Dataset, image: int, scale: float) -> list[Shape]:
    """The annotations of an image, the largest first, for a drawing ``scale`` times its size."""
    found = [_shape(dataset, index, scale) for index in dataset.of(image)]
    return sorted(found, key=lambda shape: -(shape.box[2] - shape.box[0]) * (shape.box[3] - shape.box[1]))


def _shape(dataset: Dataset, index: int, scale: float) -> Shape:
    category = int(dataset.category[index])
    amodal = dataset.amodal[index]
    x0, y0, x1, y1 = dataset.boxes[index].tolist()
    note = f"{dataset.classes[category]}, {x1 - x0:g} × {y1 - y0:g} px"
    for share, word in ((dataset.occlusion[index], "hidden"), (dataset.truncation[index], "cut off")):
        note += f", {share:.0%} {word}" if share > 0 else ""
    return Shape(
        category,
        dataset.classes[category],
        _scaled(dataset.boxes[index], scale),
        None if np.isnan(amodal).any() or np.allclose(amodal, dataset.boxes[index]) else _scaled(amodal, scale),
        tuple(_rings(dataset, index, scale)),
        bool(dataset.crowd[index]),
        note + (", not labelled" if dataset.crowd[index] else ""),
    )


def _rings(dataset: Dataset, index: int, scale: float) -> list[np.ndarray]:
    segmentation = dataset.segmentation(index)
    if segmentation is None:
        return []
    width, height = dataset.sizes[dataset.image[index]].tolist()
    try:
        rings = outlines(segmentation, width, height)
    except BrokenMaskError:  # counted where masks are checked
        return []
    simple = sorted((_simplified(ring * scale) for ring in rings), key=len, reverse=True)
    return [ring for ring in simple[:_MOST_RINGS] if len(ring) >= 3]


def _simplified(ring: np.ndarray) -> np.ndarray:
    tolerance = _TOLERANCE
    while len(ring) > _MOST_POINTS or tolerance == _TOLERANCE:
        ring = cv2.approxPolyDP(ring.astype(np.float32), tolerance, True)[:, 0]
        tolerance *= 2
    return ring


def _scaled(box: np.ndarray, scale: float) -> Box:
    x0, y0, x1, y1 = (box * scale).tolist()
    return x0, y0, x1, y1
