"""The pixels of single objects, where a dataset knows them: kept small, and read when they are wanted."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from .readers.checks import Damaged
from .readers.masks import from_coco

#: COCO's run lengths as they are, or polygons as arrays of x, y; None where the pixels are not known.
Segment = dict[str, Any] | tuple[npt.NDArray[np.float32], ...] | None
InstanceMask = npt.NDArray[np.bool_]


def packed(segmentation: Any) -> Segment:
    """An annotation's ``segmentation`` for keeping: lists of numbers take ten times as much memory as arrays."""
    if isinstance(segmentation, dict):
        return segmentation
    if not isinstance(segmentation, list) or not segmentation:
        return None
    rings = segmentation if isinstance(segmentation[0], list) else [segmentation]
    try:
        return tuple(np.asarray(ring, np.float32).reshape(-1) for ring in rings)
    except (TypeError, ValueError):
        return None


def instance_mask(segment: Segment, width: int, height: int) -> InstanceMask | None:
    """The object's pixels, bool [H, W] at the annotated size; None where they are not known or cannot be read."""
    if segment is None:
        return None
    mask = from_coco(segment if isinstance(segment, dict) else [ring.tolist() for ring in segment])
    try:
        return None if mask is None else mask.pixels(width, height)
    except Damaged:
        return None
