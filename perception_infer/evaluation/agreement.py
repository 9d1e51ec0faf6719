"""How far two models agree on one frame, where nobody knows the truth."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..contract.detections import Detections, Result, Segmentation
from ..contract.geometry import iou_matrix
from .metrics import AT_50, match_objects


def agreement(one: Result, other: Result, classes: Sequence[str], other_classes: Sequence[str]) -> float | None:
    """From 0, they have nothing in common, to 1; None when the two cannot be compared.

    Detections: of all that both found, the share that has a partner of the same class name and an IoU of at least 0.5
    (the F1 score of one against the other); 1 when neither found anything. Masks: the share of pixels of one class.
    """
    if isinstance(one, Detections) and isinstance(other, Detections):
        total = len(one) + len(other)
        if total == 0:
            return 1.0
        names, others = (
            np.array([known[label] for label in found.labels.tolist()], dtype=object)
            for found, known in ((one, classes), (other, other_classes))
        )
        iou = np.where(names[:, None] == others[None, :], iou_matrix(one.boxes, other.boxes), -1.0)
        return 2.0 * float((match_objects(iou)[AT_50] >= 0).sum()) / total
    if isinstance(one, Segmentation) and isinstance(other, Segmentation) and tuple(classes) == tuple(other_classes):
        return float((one.mask == other.mask).mean())
    return None
