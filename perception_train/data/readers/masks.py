"""Masks in the forms that COCO has for them, polygons and run lengths (pictures are in `keyed`)."""

from __future__ import annotations

from functools import cached_property
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
from pycocotools import mask as coco_mask

from perception_sim.rle import decode, encode

from .checks import Damaged, number

Pixels = npt.NDArray[np.bool_]
#: Why a mask is left out, when there is no better reason.
UNUSABLE = "mask cannot be read"
#: Polygons may stand out of the image by this many times its size.
_OVERHANG = 2
_LONGEST_SIDE = 1 << 15


class Mask(Protocol):
    """Which pixels an object covers. ``exact`` masks have their object's box as extent, to the pixel."""

    exact: bool

    def pixels(self, width: int, height: int) -> Pixels:
        """bool [H, W].

        Raises:
            Damaged: the mask cannot be read, or is not of this size.
        """

    def coco(self, pixels: Pixels) -> Any:
        """What COCO's ``segmentation`` holds, for the pixels that `pixels` gave."""


class Polygons:
    """COCO polygons: lists x1, y1, x2, y2, … in pixel-edge coordinates."""

    exact = False

    def __init__(self, rings: list[Any]) -> None:
        self._rings = rings

    @cached_property
    def rings(self) -> list[list[float]]:
        """The polygons as finite numbers.

        Raises:
            Damaged: one has fewer than three points, or holds something else than numbers.
        """
        rings = []
        for ring in self._rings:
            if not isinstance(ring, list) or len(ring) < 6 or len(ring) % 2:
                raise Damaged(UNUSABLE)
            rings.append([round(number(value), 3) if abs(number(value)) < 1e6 else _refuse() for value in ring])
        if not rings:
            raise Damaged(UNUSABLE)
        return rings

    def extent(self) -> tuple[float, float, float, float]:
        """The box around the polygons.

        Raises:
            Damaged: as in `rings`.
        """
        points = np.concatenate([np.reshape(ring, (-1, 2)) for ring in self.rings])
        (x0, y0), (x1, y1) = points.min(0), points.max(0)
        return float(x0), float(y0), float(x1), float(y1)

    def pixels(self, width: int, height: int) -> Pixels:
        low, high = -_OVERHANG * max(width, height), (1 + _OVERHANG) * max(width, height)
        x0, y0, x1, y1 = self.extent()
        # pycocotools walks along the outline pixel by pixel.
        if min(x0, y0) < low or max(x1, y1) > high:
            raise Damaged("mask far outside the image")
        runs = coco_mask.merge(coco_mask.frPyObjects(self.rings, height, width))
        return RunLengths([height, width], runs["counts"].decode("ascii")).pixels(width, height)

    def coco(self, pixels: Pixels) -> Any:
        return self.rings


def _refuse() -> float:
    raise Damaged(UNUSABLE)


class RunLengths:
    """COCO's run lengths, as a list or as compressed text: runs down the columns, zeros first."""

    exact = True

    def __init__(self, size: Any, counts: Any) -> None:
        self._size, self._counts = size, counts

    def pixels(self, width: int, height: int) -> Pixels:
        if self._size != [height, width]:
            raise Damaged("mask of another size than its image")
        try:
            return decode({"size": [height, width], "counts": self._counts})
        except ValueError as error:
            raise Damaged(UNUSABLE) from error

    def coco(self, pixels: Pixels) -> Any:
        return encode(pixels)

    def extent(self) -> tuple[float, float, float, float] | None:
        """The box around the pixels; None when there are none.

        Raises:
            Damaged: the runs or their size cannot be used.
        """
        size = self._size if isinstance(self._size, list) else []
        if len(size) != 2 or not all(type(side) is int and 0 < side <= _LONGEST_SIDE for side in size):
            raise Damaged(UNUSABLE)
        return extent(self.pixels(size[1], size[0]))


def extent(pixels: Pixels) -> tuple[float, float, float, float] | None:
    """The box around the pixels of a mask, pixel-edge coordinates; None when it has none."""
    columns, rows = np.flatnonzero(pixels.any(0)), np.flatnonzero(pixels.any(1))
    if not len(columns):
        return None
    return float(columns[0]), float(rows[0]), float(columns[-1] + 1), float(rows[-1] + 1)


def from_coco(segmentation: Any) -> Mask | None:
    """The mask in an annotation's ``segmentation``, unread; None where it holds none."""
    if isinstance(segmentation, dict):
        return RunLengths(segmentation.get("size"), segmentation.get("counts"))
    if isinstance(segmentation, list) and segmentation:
        flat = not isinstance(segmentation[0], list)
        return Polygons([segmentation] if flat else segmentation)
    return None
