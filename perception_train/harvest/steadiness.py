"""What comes and goes from one frame to the next: objects that are missing once, there once, or suddenly.

An answer to a frame needs the frame after it. A pause of more than a second or a change of scene says nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from perception_infer.contract.detections import Detections, Result
from perception_infer.contract.geometry import iou_matrix

from .scores import NOTHING, Score

_PAUSE_NS = 1_000_000_000
# Mean difference of two thumbnails, in grey levels, from which on the scene is another one.
_CUT = 24.0
# From which overlap on two boxes in frames after one another are the same object.
_SAME = 0.3
# What enters or leaves the picture, this close to its border, is no surprise.
_BORDER = 0.03
_WEIGHTS = {
    "missing in this frame alone": 0.7,
    "in this frame alone": 0.7,
    "there all at once": 0.4,
    "gone all at once": 0.4,
}
_MISSING, _ALONE, _SUDDEN, _GONE = _WEIGHTS
_MASK_PX = 160
# Fewer pixels of the small mask are too few to say anything.
_LEAST_PIXELS = 12

Floats = npt.NDArray[np.float64]
Labels = npt.NDArray[np.integer]


@dataclass(frozen=True, eq=False)
class _Seen:
    """A frame as it is remembered: boxes [N, 4] and labels [N] or a small mask, its thumbnail, time and size."""

    boxes: Floats
    labels: Labels
    mask: npt.NDArray[np.uint8] | None
    thumbnail: npt.NDArray[np.uint8]
    time: int
    size: tuple[int, int]

    def follows(self, other: _Seen) -> bool:
        """Whether it shows what the other one showed, a moment later."""
        if not 0 < self.time - other.time <= _PAUSE_NS or self.size != other.size:
            return False
        away = np.abs(self.thumbnail.astype(np.int16) - other.thumbnail.astype(np.int16))
        return float(away.mean()) <= _CUT


class Steadiness:
    """Takes the frames of a recording in order, and answers about the one before."""

    def __init__(self, classes: Sequence[str]) -> None:
        self._classes = classes
        self._seen: list[_Seen] = []

    def add(self, found: Result, thumbnail: npt.NDArray[np.uint8], time: int, size: tuple[int, int]) -> Score:
        """The next frame; the score of the frame before it.

        Args:
            found: above the thresholds.
            thumbnail: uint8 [any], of one length.
            time: nanoseconds.
            size: width and height of the frame in pixels.
        """
        if isinstance(found, Detections):
            now = _Seen(found.boxes.astype(np.float64), found.labels, None, thumbnail, time, size)
        else:
            scale = min(1.0, _MASK_PX / max(found.mask.shape))
            mask = cv2.resize(found.mask, None, fx=scale, fy=scale, interpolation=cv2.INTER_NEAREST)
            nothing = np.zeros((0, 4)), np.zeros(0, np.int32)
            now = _Seen(*nothing, np.asarray(mask, np.uint8), thumbnail, time, size)
        if self._seen and not now.follows(self._seen[-1]):
            self._seen = []
        self._seen = [*self._seen[-3:], now]
        if len(self._seen) < 3:
            return NOTHING
        return self._objects(*self._seen) if now.mask is None else _pixels(*self._seen[-3:])

    def _objects(self, *seen: _Seen) -> Score:
        before, now, after = seen[-3:]
        earlier = seen[0] if len(seen) > 3 else None
        found: Counter[tuple[str, str]] = Counter()

        def tell(what: str, labels: Labels) -> None:
            found.update((what, self._classes[label]) for label in labels.tolist())

        partner = _linked(after.boxes, after.labels, before.boxes, before.labels)
        there = partner >= 0
        between, labels = (after.boxes[there] + before.boxes[partner[there]]) / 2, after.labels[there]
        tell(_MISSING, labels[_linked(between, labels, now.boxes, now.labels) < 0])
        inside = _inside(now)
        new = inside & ~_near(now, before)
        followed = _linked(now.boxes, now.labels, after.boxes, after.labels) >= 0
        tell(_ALONE, now.labels[new & ~_near(now, after)])
        if earlier is not None:
            tell(_SUDDEN, now.labels[new & followed & ~_near(now, earlier)])
            steady = _linked(before.boxes, before.labels, earlier.boxes, earlier.labels) >= 0
            lost = _inside(before) & steady & ~_near(before, now) & ~_near(before, after)
            tell(_GONE, before.labels[lost])
        if not found:
            return NOTHING
        left = float(np.prod([(1.0 - _WEIGHTS[what]) ** count for (what, _), count in found.items()]))
        told = [f"{count} {name} {what}" for (what, name), count in sorted(found.items(), key=_by_weight)]
        return Score(1.0 - left, ", ".join(told))


def _by_weight(entry: tuple[tuple[str, str], int]) -> tuple[float, str, str]:
    (what, name), _ = entry
    return -_WEIGHTS[what], what, name


def _pixels(before: _Seen, now: _Seen, after: _Seen) -> Score:
    assert before.mask is not None
    assert now.mask is not None
    assert after.mask is not None
    something = (before.mask > 0) | (now.mask > 0) | (after.mask > 0)
    if something.sum() < _LEAST_PIXELS:
        return NOTHING
    share = float(((before.mask == after.mask) & (now.mask != before.mask)).sum() / something.sum())
    return Score(share, f"{share:.0%} of what is there is otherwise before and after") if share else NOTHING


def _linked(boxes: Floats, labels: Labels, others: Floats, other_labels: Labels) -> npt.NDArray[np.intp]:
    """The other box that each box is, or −1: one to one, the greatest overlap first."""
    found = np.full(len(boxes), -1, np.intp)
    if not len(boxes) or not len(others):
        return found
    iou = np.where(labels[:, None] == other_labels[None, :], iou_matrix(boxes, others), -1.0)
    while True:
        row, column = np.unravel_index(int(np.argmax(iou)), iou.shape)
        if iou[row, column] < _SAME:
            return found
        found[row] = column
        iou[row], iou[:, column] = -1.0, -1.0


def _near(one: _Seen, other: _Seen) -> npt.NDArray[np.bool_]:
    """Of each box, whether the other frame has one of its class within a box's size of it."""
    if not len(one.boxes) or not len(other.boxes):
        return np.zeros(len(one.boxes), bool)
    reach = (one.boxes[:, 2:] - one.boxes[:, :2]) / 2
    wide = np.concatenate([one.boxes[:, :2] - reach, one.boxes[:, 2:] + reach], 1)
    low = np.maximum(wide[:, None, :2], other.boxes[None, :, :2])
    high = np.minimum(wide[:, None, 2:], other.boxes[None, :, 2:])
    touching = (high > low).all(axis=2)
    return np.asarray((touching & (one.labels[:, None] == other.labels[None, :])).any(axis=1), bool)


def _inside(seen: _Seen) -> npt.NDArray[np.bool_]:
    """Of each box, whether it lies clear of the picture's border."""
    size = np.asarray(seen.size, np.float64)
    margin = _BORDER * size
    clear = np.concatenate([seen.boxes[:, :2] > margin, seen.boxes[:, 2:] < size - margin], 1)
    return np.asarray(clear.all(axis=1), bool)
