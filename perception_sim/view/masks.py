"""COCO's three ways to write a mask: polygons, uncompressed and compressed run lengths."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np

from .. import rle


class BrokenMaskError(ValueError):
    """A segmentation that is none of COCO's, or does not fit its image."""


def outlines(segmentation: Any, width: int, height: int) -> list[np.ndarray]:
    """The closed outlines of a COCO segmentation, float [P, 2] each, pixel-edge coordinates.

    Raises:
        BrokenMaskError: it is malformed, or of another size than its image.

    """
    if isinstance(segmentation, list):
        return _rings(segmentation)
    mask = _decode(segmentation, width, height)
    box = _box(mask)
    if box is None:
        return []
    x0, y0, x1, y1 = box
    # Contours run through pixel centres: twice the size puts them within a quarter of a pixel of the edges.
    double = mask[y0:y1, x0:x1].astype(np.uint8).repeat(2, axis=0).repeat(2, axis=1)
    found, _ = cv2.findContours(double, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_SIMPLE)
    return [(ring[:, 0, :].astype(float) + 0.5) / 2 + (x0, y0) for ring in found]


def extent(segmentation: Any, width: int, height: int) -> tuple[float, float, float, float] | None:
    """The box around a COCO segmentation (x_min, y_min, x_max, y_max, pixel edges); None where it is empty.

    Raises:
        BrokenMaskError: as in `outlines`.

    """
    if isinstance(segmentation, list):
        points = np.concatenate(_rings(segmentation))
        (x0, y0), (x1, y1) = points.min(0).tolist(), points.max(0).tolist()
        return x0, y0, x1, y1
    return _box(_decode(segmentation, width, height))


def _box(mask: np.ndarray) -> tuple[int, int, int, int] | None:
    columns, rows = np.flatnonzero(mask.any(0)), np.flatnonzero(mask.any(1))
    return (int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1) if len(columns) else None


def _rings(polygons: list[Any]) -> list[np.ndarray]:
    try:
        rings = [np.asarray(ring, np.float64).reshape(-1, 2) for ring in polygons]
    except (TypeError, ValueError) as error:
        raise BrokenMaskError("a polygon must be a list of x, y, x, y, …") from error
    if not rings or any(len(ring) < 3 or not (np.abs(ring) < 1e6).all() for ring in rings):
        raise BrokenMaskError("a polygon must have three finite corners or more")
    return rings


def _decode(segmentation: Any, width: int, height: int) -> np.ndarray:
    try:
        size = list(segmentation["size"])
        if size != [height, width]:
            raise BrokenMaskError(f"a mask of {size} in an image of {[height, width]}")
        return rle.decode(segmentation)
    except (KeyError, TypeError, ValueError) as error:
        raise BrokenMaskError(str(error)) from error
