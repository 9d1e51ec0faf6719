"""Copy-paste: objects of one image pasted into another (Ghiasi et al. 2021; Dwibedi et al. 2017 for blended edges)."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import cv2
import numpy as np

from .augment import AugmentParams, Labelled, Pixels
from .instances import InstanceMask

#: An object of which more than this share gets hidden is dropped.
MOST_HIDDEN = 0.7
_ZOOM = (0.6, 1.4)
#: Smaller than this, in pixels of the target, nothing is pasted.
_SMALLEST_PX = 6


class Shown(NamedTuple):
    """A labelled image, and how to come by the pixels of its objects: bool [H, W] by number, None where unknown."""

    labelled: Labelled
    pixels_of: Callable[[int], InstanceMask | None]


class _Piece(NamedTuple):
    """One object cut out and scaled: ``pixels`` uint8 [h, w, 3], ``mask`` bool [h, w], ``label`` its class."""

    pixels: Pixels
    mask: InstanceMask
    label: int


def paste(target: Shown, donor: Shown, scale: float, params: AugmentParams, rng: np.random.Generator) -> Labelled:
    """The target with one to ``copy_paste_objects`` objects of the donor at random places; inputs are left alone.

    Objects cut off by the donor's border are not taken. Boxes of what gets covered shrink to what stays visible, where
    the pixels are known; what is hidden by more than `MOST_HIDDEN` is dropped (of its box, where they are not).

    Args:
        target: what is pasted into, with the class of every pixel where wanted.
        donor: where the objects come from.
        scale: factor that makes the donor's image as large as the target's; a random zoom comes on top.
        params: how many objects at most, and the probability of a left-right flip of each.
        rng: makes every choice.
    """
    before, source = target.labelled, donor.labelled
    height, width = source.image.shape[:2]
    whole = np.flatnonzero((source.boxes[:, :2] >= 1).all(1) & (source.boxes[:, 2:] <= (width - 1, height - 1)).all(1))
    chosen = rng.permutation(whole)[: rng.integers(1, params.copy_paste_objects, endpoint=True)]
    image = before.image.copy()
    classes = None if before.mask is None else before.mask.copy()
    scene = _Scene(target)
    for number in chosen.tolist():
        zoom, turned = scale * rng.uniform(*_ZOOM), rng.random() < params.flip
        piece = _cut(donor, number, zoom, turned, image.shape[:2])
        if piece is None:
            continue
        h, w = piece.mask.shape
        x, y = int(rng.integers(0, image.shape[1] - w + 1)), int(rng.integers(0, image.shape[0] - h + 1))
        area = slice(y, y + h), slice(x, x + w)
        alpha = cv2.GaussianBlur(piece.mask.astype(np.float32), (3, 3), 0, borderType=cv2.BORDER_CONSTANT)[..., None]
        image[area] = np.rint(alpha * piece.pixels + (1 - alpha) * image[area]).astype(np.uint8)
        if classes is not None:
            classes[area][piece.mask] = piece.label + 1
        scene.add(piece, x, y)
    return Labelled(image, *scene.visible(), classes)


class _Scene:
    """Objects in the order in which they cover each other, and what of each is still visible."""

    def __init__(self, target: Shown) -> None:
        self._target = target
        self._size = target.labelled.image.shape[:2]
        self._boxes = list(target.labelled.boxes.astype(np.float64))
        self._labels = target.labelled.labels.tolist()
        # Of the objects that were covered: all that was visible before, and what still is.
        self._before: dict[int, InstanceMask] = {}
        self._after: dict[int, InstanceMask] = {}
        # Of covered objects whose pixels are not known: what lies over them.
        self._covers: dict[int, InstanceMask] = {}

    def add(self, piece: _Piece, x: int, y: int) -> None:
        height, width = piece.mask.shape
        full = np.zeros(self._size, np.bool_)
        full[y : y + height, x : x + width] = piece.mask
        for number, (x0, y0, x1, y1) in enumerate(self._boxes):
            if x1 <= x or y1 <= y or x0 >= x + width or y0 >= y + height:
                continue
            if number not in self._before and number not in self._covers:
                pixels = self._target.pixels_of(number)
                if pixels is not None and pixels.any():
                    self._before[number] = self._after[number] = pixels
                else:
                    self._covers[number] = np.zeros(self._size, np.bool_)
            if number in self._before:
                self._after[number] = self._after[number] & ~full
            else:
                self._covers[number] |= full
        number = len(self._boxes)
        self._boxes.append(np.array(_extent(full), np.float64))
        self._labels.append(piece.label)
        self._before[number] = self._after[number] = full

    def visible(self) -> tuple[np.ndarray, np.ndarray]:
        """Boxes float32 [N, 4] and labels int64 [N] of what is left."""
        boxes, labels = [], []
        for number, (box, label) in enumerate(zip(self._boxes, self._labels, strict=True)):
            left = self._left(number, box)
            if left is not None:
                boxes.append(left)
                labels.append(label)
        return np.asarray(boxes, np.float32).reshape(-1, 4), np.asarray(labels, np.int64)

    def _left(self, number: int, box: np.ndarray) -> np.ndarray | None:
        if number in self._covers:
            x0, y0, x1, y1 = np.rint(box).astype(int)
            covered = self._covers[number][y0 : max(y1, y0 + 1), x0 : max(x1, x0 + 1)]
            return None if covered.size and covered.mean() > MOST_HIDDEN else box
        if number not in self._before:
            return box
        before, after = self._before[number], self._after[number]
        had, has = int(before.sum()), int(after.sum())
        if has == 0 or has < (1 - MOST_HIDDEN) * had:
            return None
        # Sides move only where the extent did: annotated boxes need not be their mask's extent.
        old, new = np.array(_extent(before)), np.array(_extent(after))
        return np.where(old == new, box, new)


def _cut(donor: Shown, number: int, scale: float, flip: bool, most: tuple[int, int]) -> _Piece | None:
    """The object, scaled so that it fits; None when it would be too small, or its pixels are not known."""
    mask = donor.pixels_of(number)
    if mask is None or not mask.any():
        return None
    x0, y0, x1, y1 = _extent(mask)
    scale = min(scale, most[1] / (x1 - x0), most[0] / (y1 - y0))
    width, height = max(1, round((x1 - x0) * scale)), max(1, round((y1 - y0) * scale))
    width, height = min(width, most[1]), min(height, most[0])
    if min(width, height) < _SMALLEST_PX:
        return None
    way = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    pixels = cv2.resize(donor.labelled.image[y0:y1, x0:x1], (width, height), interpolation=way)
    part = cv2.resize(mask[y0:y1, x0:x1].astype(np.uint8) * 255, (width, height), interpolation=way) >= 128
    if flip:
        pixels, part = pixels[:, ::-1], part[:, ::-1]
    if not part.any():
        return None
    return _Piece(np.asarray(pixels, np.uint8), np.asarray(part, np.bool_), int(donor.labelled.labels[number]))


def _extent(mask: InstanceMask) -> tuple[int, int, int, int]:
    columns, rows = np.flatnonzero(mask.any(0)), np.flatnonzero(mask.any(1))
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1
