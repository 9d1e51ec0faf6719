"""Objects of a picture, whatever tells of them: detections, true boxes, or the connected parts of a mask."""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from perception_infer.contract.detections import Detections
from perception_infer.evaluation.confusion import IGNORED
from perception_infer.replay.truth import TrueBoxes

#: Of masks, smaller parts than this share of the picture are specks.
_LEAST_SHARE = 2e-4


class Regions(NamedTuple):
    """Boxes float64 [K, 4] xyxy, shares of the picture's sides, labels intp [K], scores float64 [K], 1 of the truth."""

    boxes: npt.NDArray[np.float64]
    labels: npt.NDArray[np.intp]
    scores: npt.NDArray[np.float64]


def regions_of_detections(found: Detections, shape: tuple[int, ...]) -> Regions:
    """Of what was found in a picture of that shape [H, W, …]."""
    return Regions(_shares(found.boxes, shape), found.labels.astype(np.intp), found.scores.astype(np.float64))


def regions_of_truth(truth: TrueBoxes, shape: tuple[int, ...]) -> Regions:
    """Of the true boxes that count."""
    kept = ~truth.ignored
    return Regions(_shares(truth.boxes[kept], shape), truth.labels[kept], np.ones(int(kept.sum())))


def regions_of_mask(mask: npt.NDArray[np.uint8], confidence: npt.NDArray[np.uint8] | None = None) -> Regions:
    """Of the connected parts of each class in a mask [H, W] of class ids; scores are their mean confidence of 255."""
    height, width = mask.shape
    rows: list[tuple[list[float], int, float]] = []
    for value in np.unique(mask[(mask > 0) & (mask != IGNORED)]).tolist():
        count, parts, facts, _ = cv2.connectedComponentsWithStats((mask == value).astype(np.uint8))
        for number in range(1, count):
            left, top, wide, high, area = (int(fact) for fact in facts[number])
            if area < _LEAST_SHARE * mask.size:
                continue
            place = np.s_[top : top + high, left : left + wide]
            sure = 255.0 if confidence is None else float(confidence[place][parts[place] == number].mean())
            box = [left / width, top / height, (left + wide) / width, (top + high) / height]
            rows.append((box, value - 1, sure / 255))
    return Regions(
        np.array([row[0] for row in rows], np.float64).reshape(-1, 4),
        np.array([row[1] for row in rows], np.intp),
        np.array([row[2] for row in rows], np.float64),
    )


def _shares(boxes: npt.NDArray[np.float32], shape: tuple[int, ...]) -> npt.NDArray[np.float64]:
    return np.asarray(boxes / np.array([shape[1], shape[0], shape[1], shape[0]], np.float64))
