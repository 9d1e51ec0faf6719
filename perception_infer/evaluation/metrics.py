"""COCO detection metrics in numpy: the figures of pycocotools' ``COCOeval`` (bbox, all areas), without it.

Average precision follows T.-Y. Lin et al., "Microsoft COCO: Common Objects in Context", ECCV 2014, and
its reference implementation: IoU 0.50 to 0.95 in steps of 0.05, 101 recall points, at most 100
detections per image and class. True objects marked ``iscrowd`` (in our datasets: hardly visible ones) are
ignored as COCOeval ignores them: who finds one is neither right nor wrong, who misses it misses nothing.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..contract.geometry import iou_matrix

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.intp]

IOU_THRESHOLDS: Floats = np.linspace(0.5, 0.95, 10)
RECALL_POINTS: Floats = np.linspace(0.0, 1.0, 101)
MAX_DETECTIONS = 100
#: Rows of `IOU_THRESHOLDS` that have a name of their own.
AT_50, AT_75 = 0, 5
# What an IoU must reach; COCOeval lets rounding pass at IoU 1.
_LIMITS = np.minimum(IOU_THRESHOLDS, 1 - 1e-10)


@dataclass(frozen=True, eq=False)
class ImageMatches:
    """What one image adds to the metrics.

    Attributes:
        scores: float64 [D], descending within each class.
        labels: intp [D], class of each detection.
        matched: bool [10, D], whether the detection found a true object at each IoU threshold.
        ignored: bool [10, D], whether it found only an object that does not count.
        truth: intp [G], class of each true object that counts.
    """

    scores: Floats
    labels: Ints
    matched: Bools
    ignored: Bools
    truth: Ints


@dataclass(frozen=True)
class Scores:
    """Metrics over all images; a figure is NaN when there was no true object at all.

    Attributes:
        map: mean over classes and IoU 0.50:0.95 of the average precision.
        map50: the same at IoU 0.50.
        map75: the same at IoU 0.75.
        ap: average precision over IoU 0.50:0.95 per class that has true objects.
        ap50: average precision at IoU 0.50 per class that has true objects.
        images: number of images.
        objects: number of true objects.
    """

    map: float
    map50: float
    map75: float
    ap: dict[int, float]
    ap50: dict[int, float]
    images: int
    objects: int


@dataclass(frozen=True, eq=False)
class Curve:
    """Precision and recall as the score threshold falls; float64 [D] each, ``scores`` descending."""

    scores: Floats
    precision: Floats
    recall: Floats


def match_image(
    boxes: npt.NDArray[np.floating],
    scores: npt.NDArray[np.floating],
    labels: npt.NDArray[np.integer],
    truth_boxes: npt.NDArray[np.floating],
    truth_labels: npt.NDArray[np.integer],
    truth_crowd: npt.NDArray[np.bool_] | None = None,
) -> ImageMatches:
    """Match the detections of one image to its true objects.

    The best detection chooses first: it takes the free object of its class with the greatest IoU (of
    equals the last, as COCOeval does) that reaches the threshold, at each threshold on its own.

    Args:
        boxes: xyxy [D, 4].
        scores: [D].
        labels: [D].
        truth_boxes: xyxy [G, 4], in the same pixels.
        truth_labels: [G].
        truth_crowd: [G], True for objects to ignore; None when there is none.
    """
    truth = np.asarray(truth_labels, np.intp).reshape(-1)
    crowd = np.zeros(len(truth), bool) if truth_crowd is None else np.asarray(truth_crowd, bool)
    places = np.asarray(truth_boxes).reshape(-1, 4)
    order = best_per_class(np.asarray(scores), np.asarray(labels))
    values, kinds = np.asarray(scores, np.float64)[order], np.asarray(labels, np.intp)[order]
    corners = np.asarray(boxes).reshape(-1, 4)[order]
    iou = iou_matrix(corners, places[~crowd])
    iou[kinds[:, None] != truth[None, ~crowd]] = -1.0
    matched = match_objects(iou) >= 0
    ignored = ~matched & found_crowds(corners, kinds, places[crowd], truth[crowd])
    return ImageMatches(values, kinds, matched, ignored, truth[~crowd])


def found_crowds(
    boxes: npt.NDArray[np.floating],
    labels: npt.NDArray[np.integer],
    crowds: npt.NDArray[np.floating],
    crowd_labels: npt.NDArray[np.integer],
) -> Bools:
    """Which detections, boxes [D, 4], lie in an object of their class to ignore, [C, 4]: bool [10, D] by threshold."""
    if not len(crowds) or not len(boxes):
        return np.zeros((len(_LIMITS), len(boxes)), bool)
    covered = _share_inside(boxes, crowds)
    covered[labels[:, None] != crowd_labels[None, :]] = -1.0
    inside: Bools = covered.max(axis=1)[None, :] >= _LIMITS[:, None]
    return inside


def match_objects(iou: Floats) -> Ints:
    """The true object that each detection finds at each IoU threshold, intp [10, D]; −1 where it finds none.

    Args:
        iou: float64 [D, G] of detections, best first, with true objects; −1 where the two cannot match.
    """
    found = np.full((len(_LIMITS), iou.shape[0]), -1, np.intp)
    if not iou.size:
        return found
    free = np.ones((len(_LIMITS), iou.shape[1]), bool)
    rows = np.arange(len(_LIMITS))
    last = iou.shape[1] - 1
    # Most detections of a low score floor overlap nothing, and are passed over here at once.
    for index in np.flatnonzero(iou.max(axis=1) >= _LIMITS[0]):
        candidates = np.where(free & (iou[index] >= _LIMITS[:, None]), iou[index], -1.0)
        best = last - np.argmax(candidates[:, ::-1], axis=1)
        hit = candidates[rows, best] >= 0
        found[hit, index] = best[hit]
        free[rows[hit], best[hit]] = False
    return found


def joined(images: Sequence[ImageMatches]) -> ImageMatches:
    """Images as one, one after the other; they may be none."""
    none, no_row = np.zeros(0, np.intp), np.zeros((len(IOU_THRESHOLDS), 0), np.bool_)
    return ImageMatches(
        scores=np.concatenate([np.zeros(0), *(image.scores for image in images)]),
        labels=np.concatenate([none, *(image.labels for image in images)]),
        matched=np.concatenate([no_row, *(image.matched for image in images)], axis=1),
        ignored=np.concatenate([no_row, *(image.ignored for image in images)], axis=1),
        truth=np.concatenate([none, *(image.truth for image in images)]),
    )


class DetectionMetrics:
    """Collects images with `update` and answers with `compute`; `reset` starts again."""

    def __init__(self, images: Iterable[ImageMatches] = ()) -> None:
        self._images: list[ImageMatches] = list(images)

    def __len__(self) -> int:
        return len(self._images)

    def update(
        self,
        boxes: npt.NDArray[np.floating],
        scores: npt.NDArray[np.floating],
        labels: npt.NDArray[np.integer],
        truth_boxes: npt.NDArray[np.floating],
        truth_labels: npt.NDArray[np.integer],
        truth_crowd: npt.NDArray[np.bool_] | None = None,
    ) -> None:
        """Add one image (arguments as of `match_image`)."""
        self.add(match_image(boxes, scores, labels, truth_boxes, truth_labels, truth_crowd))

    def add(self, image: ImageMatches) -> None:
        """Add one image that was matched already."""
        self._images.append(image)

    def reset(self) -> None:
        """Forget every image."""
        self._images.clear()

    def compute(self) -> Scores:
        """The metrics of all images so far."""
        every = joined(self._images)
        precision = {}
        for label, count in zip(*(x.tolist() for x in np.unique(every.truth, return_counts=True)), strict=True):
            chosen = every.labels == label
            order = np.argsort(-every.scores[chosen], kind="stable")
            matched, ignored = every.matched[:, chosen][:, order], every.ignored[:, chosen][:, order]
            precision[label] = _average_precision(matched, ignored, count)
        if not precision:
            return Scores(float("nan"), float("nan"), float("nan"), {}, {}, len(self._images), 0)
        table = np.stack(list(precision.values()))
        return Scores(
            map=float(table.mean()),
            map50=float(table[:, AT_50].mean()),
            map75=float(table[:, AT_75].mean()),
            ap={label: float(values.mean()) for label, values in precision.items()},
            ap50={label: float(values[AT_50]) for label, values in precision.items()},
            images=len(self._images),
            objects=len(every.truth),
        )

    def precision_recall(self, threshold: float, label: int | None = None) -> tuple[float, float]:
        """Precision and recall at IoU 0.50 of detections that score at least ``threshold``.

        Of one class, or of all together. Precision is NaN without detections, recall without true objects.
        """
        (hits, scores), objects = self._hits(label)
        kept = scores >= threshold
        found = int(hits[kept].sum())
        count = int(kept.sum())
        return (found / count if count else float("nan")), (found / objects if objects else float("nan"))

    def curve(self, label: int | None = None) -> Curve:
        """Precision over recall at IoU 0.50, of one class or of all together; recall is NaN without true objects."""
        (hits, scores), objects = self._hits(label)
        found = np.cumsum(hits, dtype=np.float64)
        recall = found / objects if objects else np.full_like(found, np.nan)
        return Curve(scores, found / np.arange(1, len(found) + 1), recall)

    def _hits(self, label: int | None) -> tuple[tuple[Bools, Floats], int]:
        every = joined(self._images)
        chosen = ~every.ignored[AT_50] & (True if label is None else every.labels == label)
        order = np.argsort(-every.scores[chosen], kind="stable")
        objects = len(every.truth) if label is None else int((every.truth == label).sum())
        return (every.matched[AT_50, chosen][order], every.scores[chosen][order]), objects


def best_per_class(scores: npt.NDArray[np.floating], labels: npt.NDArray[np.integer]) -> Ints:
    """Indices in descending order of score (equals in their order), at most 100 of each class."""
    order = np.argsort(-scores, kind="stable")
    if len(order) <= MAX_DETECTIONS:
        return order
    by_class = np.argsort(labels[order], kind="stable")
    sorted_labels = labels[order][by_class]
    first = np.searchsorted(sorted_labels, sorted_labels, side="left")
    rank = np.empty(len(order), np.intp)
    rank[by_class] = np.arange(len(order)) - first
    return order[rank < MAX_DETECTIONS]


def finite(value: float) -> float | None:
    """The value, or None for NaN, which JSON does not have."""
    return value if math.isfinite(value) else None


def _share_inside(boxes: npt.NDArray[np.floating], regions: npt.NDArray[np.floating]) -> Floats:
    """Share of each box [D, 4] that lies in each region [G, 4], as [D, G]: COCO's IoU with a crowd."""
    boxes, regions = boxes.astype(np.float64), regions.astype(np.float64)
    size = np.minimum(boxes[:, None, 2:], regions[None, :, 2:]) - np.maximum(boxes[:, None, :2], regions[None, :, :2])
    area = np.prod(boxes[:, 2:] - boxes[:, :2], axis=1)[:, None]
    overlap: Floats = np.prod(np.clip(size, 0, None), axis=2)
    share: Floats = np.divide(overlap, area, out=np.zeros_like(overlap), where=area > 0)
    return share


def _average_precision(matched: Bools, ignored: Bools, objects: int) -> Floats:
    """Average precision [10], one value per IoU threshold; bool [10, D] in descending order of score."""
    count = matched.shape[1]
    if count == 0:
        return np.zeros(len(IOU_THRESHOLDS))
    found = np.cumsum(matched, axis=1, dtype=np.float64)
    recall = found / objects
    precision = found / (np.cumsum(~ignored, axis=1) + np.spacing(1.0))
    # From the right: the best precision at this recall or any greater one.
    precision = np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1]
    result = np.zeros(len(IOU_THRESHOLDS))
    for row in range(len(result)):
        at = np.searchsorted(recall[row], RECALL_POINTS, side="left")
        result[row] = precision[row, at[at < count]].sum() / len(RECALL_POINTS)
    return result
