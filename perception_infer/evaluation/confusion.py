"""What objects and pixels were taken for: confusion matrices, with the background as a class of its own."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from .metrics import AT_50, IOU_THRESHOLDS

Ints = npt.NDArray[np.intp]
Counts = npt.NDArray[np.int64]
#: What the background is called where classes have names.
BACKGROUND = "background"
#: Class id of pixels that do not count.
IGNORED = 255


def pair_up(
    iou: npt.NDArray[np.floating],
    own: Ints,
    kept: npt.NDArray[np.bool_],
    labels: npt.NDArray[np.integer],
    truth: npt.NDArray[np.integer],
    none: int,
) -> tuple[Ints, Ints]:
    """Labels of truth and detection of every object and every false alarm; ``none`` is the background's.

    Detections first take objects of their own class, as for the metrics. Those left over take objects left over,
    whatever their class, best first, at an IoU of 0.50: they name it wrongly. The rest is background.

    Args:
        iou: float [D, G] of detections, best first, with true objects of any class.
        own: intp [D], the object of its own class that each detection found at an IoU of 0.50, or −1.
        kept: bool [D], which detections count.
        labels: int [D].
        truth: int [G].
    """
    object_of = np.where(kept, own, -2)
    free = np.ones(len(truth), bool)
    free[object_of[object_of >= 0]] = False
    for index in np.flatnonzero(object_of == -1) if free.any() else ():
        overlap = np.where(free, iou[index], -1.0)
        best = int(overlap.argmax())
        if overlap[best] >= IOU_THRESHOLDS[AT_50]:
            object_of[index] = best
            free[best] = False
    hits, alarms = object_of >= 0, object_of == -1
    true = np.concatenate((truth[object_of[hits]], truth[free], np.full(alarms.sum(), none)))
    told = np.concatenate((labels[hits], np.full(free.sum(), none), labels[alarms]))
    return true.astype(np.intp), told.astype(np.intp)


def count_pixels(truth: npt.NDArray[np.uint8], found: npt.NDArray[np.uint8], classes: int) -> Counts:
    """Pixels by true and found class id, int64 [1 + classes, 1 + classes]; `IGNORED` ones are left out.

    Args:
        truth: class ids [H, W], 0 = background.
        found: the same.
        classes: names without the background; larger ids of the truth do not count either.
    """
    size = classes + 1
    pairs = np.bincount((truth.astype(np.uint16) << 8 | found).ravel(), minlength=1 << 16).reshape(256, 256)
    return pairs[:size, :size].astype(np.int64)


def pixel_iou(confusion: Counts) -> npt.NDArray[np.float64]:
    """IoU [1 + classes], the background first (Everingham et al. 2010, VOC); NaN where neither is any such pixel."""
    right = np.diag(confusion)
    either = confusion.sum(0) + confusion.sum(1) - right
    iou: npt.NDArray[np.float64] = np.divide(
        right, either, out=np.full(len(confusion), np.nan), where=either > 0, casting="unsafe"
    )
    return iou
