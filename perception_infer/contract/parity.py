"""Does a backend answer as the trainer's model did? Compared on the bundle's reference images.

``parity.safetensors`` holds ``image`` uint8 [N, H, W, 3] (letterboxed) and, per variant, what the
trainer's model answered: ``fp32.boxes``, ``fp32.scores``, ``fp32.labels`` (or ``fp32.mask``). For 8-bit variants it
is what the quantised graph itself answers by ONNX's definition: how near that is to the model, their metrics say.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from .geometry import iou_matrix
from .manifest import Tolerance

#: Output tensors by name, each with the images along its first axis.
Answers = Mapping[str, npt.NDArray[Any]]
#: Detections below this score are left out: their order in the list is decided by rounding.
MIN_SCORE = 0.05
#: So are boxes with a shorter side, in network pixels: rounding moves sides by a twentieth of one.
MIN_SIDE = 4.0
#: Detections whose score lies this close to ``MIN_SCORE`` may be on either side of it.
_EDGE = 2.0


@dataclass(frozen=True)
class Parity:
    """The worst deviations over all reference images, apart from the share that need not match.

    ``problem`` is None within the tolerance.
    """

    images: int
    objects: int
    min_iou: float
    max_score_error: float
    problem: str | None


def compare_detections(
    expected: Mapping[str, npt.NDArray[Any]],
    actual: Mapping[str, npt.NDArray[Any]],
    tolerance: Tolerance,
    suppression_iou: float | None = None,
) -> Parity:
    """Compare ``boxes`` [N, K, 4], ``scores`` [N, K] and ``labels`` [N, K] of the same N images.

    Every expected detection must have one of its class that lies close enough, and the other way
    round. Slots may swap on ties. What rounding can decide either way is left out: detections near the
    score threshold, near the last slot of a full list, or whose overlap with a better one is near
    ``suppression_iou``, the threshold inside the graph (and what such a one suppresses in turn), and
    slivers. A share of ``1 - tolerance.matched`` of all detections, the worst ones, need not match.
    """
    shapes = {name: (expected[name].shape, actual[name].shape) for name in ("boxes", "scores", "labels")}
    for name, (want, have) in shapes.items():
        if want != have:
            return Parity(0, 0, 0.0, 1.0, f"tensor '{name}' has shape {have} instead of {want}")
        if not np.isfinite(actual[name]).all():
            return Parity(0, 0, 0.0, 1.0, f"tensor '{name}' holds values that are not finite")
    images = len(expected["scores"])
    overlaps, errors, objects = [1.0], [0.0], 0
    for index in range(images):
        pair = tuple({name: source[name][index] for name in shapes} for source in (expected, actual))
        sides = (_Side(pair[0], pair[1], tolerance), _Side(pair[1], pair[0], tolerance))
        _excuse(sides, tolerance, suppression_iou)
        for side in sides:
            overlaps += side.iou[side.counted].tolist()
            errors += side.error[side.counted].tolist()
        objects += int(sides[0].counted.sum())
    iou, error = np.asarray(overlaps), np.asarray(errors)
    badness = np.maximum((1 - iou) / max(1 - tolerance.iou, 1e-9), error / max(tolerance.score, 1e-9))
    kept = np.argsort(-badness)[int((1 - tolerance.matched) * (len(badness) - 1)) :]
    worst_iou, worst_score = float(iou[kept].min()), float(error[kept].max())
    problem = None
    if worst_iou < tolerance.iou:
        problem = (
            f"tensor 'boxes' differs: IoU {worst_iou:.4f} of boxes of one class, at least {tolerance.iou} is wanted"
        )
    elif worst_score > tolerance.score:
        problem = f"tensor 'scores' differs by {worst_score:.4f}, at most {tolerance.score} is allowed"
    return Parity(images, objects, worst_iou, worst_score, problem)


def compare_masks(expected: Answers, actual: Answers, tolerance: Tolerance) -> Parity:
    """Compare ``mask`` uint8 [N, H, W] of the same N images; in the result ``min_iou`` is the worst image's agreement.

    ``objects`` counts the images in which anything but background is expected.
    """
    want, have = expected["mask"], actual["mask"]
    if want.shape != have.shape:
        return Parity(0, 0, 0.0, 1.0, f"tensor 'mask' has shape {have.shape} instead of {want.shape}")
    agreement = float(np.mean(want == have, axis=(1, 2)).min()) if len(want) else 1.0
    problem = None
    if agreement < tolerance.agreement:
        problem = f"tensor 'mask' differs: {agreement:.4%} of the pixels agree, {tolerance.agreement:.4%} should"
    return Parity(len(want), int(np.any(want, axis=(1, 2)).sum()), agreement, 0.0, problem)


def compare(
    task: str, expected: Answers, actual: Answers, tolerance: Tolerance, suppression_iou: float | None = None
) -> Parity:
    """`compare_detections`, or `compare_masks` where the task is ``segmentation``."""
    if task == "segmentation":
        return compare_masks(expected, actual, tolerance)
    return compare_detections(expected, actual, tolerance, suppression_iou)


class _Side:
    """The detections of one answer, each with its best partner in the other answer of the same image.

    Attributes:
        boxes, scores, labels: [D], those that score clearly above `MIN_SCORE` and are no slivers (`MIN_SIDE`).
        iou, error: [D], overlap and score error of the best partner of the same class.
        counted: bool [D], False once a detection is found to hang on rounding.
    """

    def __init__(
        self, one: Mapping[str, npt.NDArray[Any]], other: Mapping[str, npt.NDArray[Any]], tolerance: Tolerance
    ) -> None:
        sides = one["boxes"][:, 2:] - one["boxes"][:, :2]
        chosen = (one["scores"] >= MIN_SCORE + _EDGE * tolerance.score) & (sides.min(axis=1) >= MIN_SIDE)
        self.boxes, self.labels = one["boxes"][chosen], one["labels"][chosen]
        self.scores = one["scores"][chosen].astype(np.float64)
        self.counted = np.ones(len(self.scores), bool)
        self.other, self.other_scores = other, other["scores"].astype(np.float64)
        # [D, K]; 0 where the classes differ.
        self.overlap = iou_matrix(self.boxes, other["boxes"])
        self.overlap[self.labels[:, None] != other["labels"][None, :]] = 0.0
        errors = np.abs(self.scores[:, None] - self.other_scores[None, :])
        # Among partners that overlap about equally well, the one with the nearest score is meant.
        best = np.argmax(self.overlap - 0.1 * errors, axis=1) if len(self.scores) else np.zeros(0, np.intp)
        rows = np.arange(len(best))
        self.iou, self.error = self.overlap[rows, best], errors[rows, best]

    def alone(self, tolerance: Tolerance) -> npt.NDArray[np.bool_]:
        """Bool [D]: counted detections without a close enough partner."""
        lonely: npt.NDArray[np.bool_] = self.counted & ((self.iou < tolerance.iou) | (self.error > tolerance.score))
        return lonely


def _excuse(sides: tuple[_Side, _Side], tolerance: Tolerance, suppression_iou: float | None) -> None:
    """Stop counting detections without a partner whose absence over there rounding explains."""
    # Two boxes that may each move within the tolerance change their overlap by up to this.
    margin = 2 * (1 - tolerance.iou)
    for side in sides:
        full = bool((side.other_scores > 0).all())
        if full:
            side.counted &= ~(
                side.alone(tolerance) & (side.scores <= side.other_scores.min() + _EDGE * tolerance.score)
            )
        if suppression_iou is not None:
            as_good = side.other_scores[None, :] >= side.scores[:, None] - tolerance.score
            near = (np.abs(side.overlap - suppression_iou) <= margin) & as_good
            side.counted &= ~(side.alone(tolerance) & near.any(axis=1))
    changed = suppression_iou is not None
    while changed and suppression_iou is not None:
        changed = False
        for side, opposite in (sides, sides[::-1]):
            excused = ~opposite.counted
            overlap = iou_matrix(side.boxes, opposite.boxes[excused])
            stronger = opposite.scores[excused][None, :] >= side.scores[:, None] - tolerance.score
            same = side.labels[:, None] == opposite.labels[excused][None, :]
            hit = side.alone(tolerance) & ((overlap >= suppression_iou - margin) & stronger & same).any(axis=1)
            changed |= bool(hit.any())
            side.counted &= ~hit
