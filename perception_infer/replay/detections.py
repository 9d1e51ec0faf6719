"""Scores detections against true boxes, frame by frame, and keeps of each frame only what the figures need."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from ..contract.detections import Detections
from ..contract.geometry import iou_matrix
from ..evaluation.confusion import BACKGROUND, pair_up
from ..evaluation.metrics import (
    AT_50,
    IOU_THRESHOLDS,
    RECALL_POINTS,
    DetectionMetrics,
    ImageMatches,
    best_per_class,
    finite,
    found_crowds,
    match_objects,
)
from .stability import Stability
from .truth import TrueBoxes

#: Bins of the histogram of scores.
BINS = 20
#: COCO's sizes, as areas of boxes in px².
_SIZES = (("small", 0.0, 32.0**2), ("medium", 32.0**2, 96.0**2), ("large", 96.0**2, math.inf))
#: Edges of the bands of distance, in metres.
_DISTANCES = (0.0, 2.0, 5.0, 10.0, 20.0, 50.0, math.inf)
_FOUND = np.dtype(
    # Which of the IoU thresholds it reached as bits; the object found at 0.50 (−1: none); area in px².
    [
        ("score", "f4"),
        ("label", "i2"),
        ("matched", "u2"),
        ("ignored", "u2"),
        ("object", "i2"),
        ("area", "f4"),
    ]
)
_TRUE = np.dtype([("label", "i2"), ("seen", "?"), ("area", "f4"), ("metres", "f4")])
_BITS = (1 << np.arange(len(IOU_THRESHOLDS))).astype(np.uint16)


class DetectionScorer:
    """Takes every frame by `add`.

    Args:
        thresholds: the score that a detection of each class must reach to be told, float [classes].
    """

    def __init__(self, thresholds: npt.NDArray[np.floating]) -> None:
        self._thresholds = np.asarray(thresholds, np.float64)
        self._none = len(thresholds)
        self._found: list[npt.NDArray[Any]] = []
        self._true: list[npt.NDArray[Any]] = []
        self._pairs: dict[tuple[int, int], int] = {}
        self._histogram = np.zeros((len(thresholds), BINS), np.int64)
        self._told = np.zeros(len(thresholds), np.int64)
        self._frames = self._without = self._alarms = self._missed = 0
        self.stability = Stability()

    def add(self, found: Detections, truth: TrueBoxes | None) -> None:
        """What was found in the next frame, best first and with all its scores, and what is true in it."""
        kept = found.scores >= self._thresholds[found.labels]
        self._frames += 1
        self._without += not kept.any()
        self._told += np.bincount(found.labels[kept], minlength=self._none)
        bins = np.minimum((found.scores * BINS).astype(np.intp), BINS - 1)
        np.add.at(self._histogram, (found.labels, bins), 1)
        self.stability.update(found.boxes[kept], found.labels[kept])
        if truth is not None:
            self._score(found, kept, truth)

    def matches(self) -> list[ImageMatches]:
        """Every frame that has truth, for `DetectionMetrics`."""
        return [_matches(found, true) for found, true in zip(self._found, self._true, strict=True)]

    @property
    def objects(self) -> int:
        """True objects that count."""
        return sum(len(true) for true in self._true)

    def counts(self, names: Sequence[str]) -> dict[str, Any]:
        """What was told above the thresholds, and how sure; the key ``counts`` of replay.json."""
        total = int(self._told.sum())
        return {
            "detections": total,
            "per_class": dict(zip(names, self._told.tolist(), strict=False)),
            "per_frame": total / self._frames if self._frames else None,
            "frames_without": self._without,
            "score_histogram": dict(zip(names, self._histogram.tolist(), strict=False)),
        }

    def figures(self, names: Sequence[str], minutes: float | None) -> dict[str, Any] | None:
        """The key ``figures`` of replay.json; None without truth.

        Args:
            names: class names by label, those that only the truth has included.
            minutes: how long the recording is, if that is known.
        """
        if not self._true:
            return None
        metrics = DetectionMetrics(self.matches())
        scores = metrics.compute()
        told, right, objects = int(self._told_scored()), self.objects - self._missed, self.objects
        precision = (told - self._alarms) / told if told else None
        recall = right / objects if objects else None
        return {
            "map": finite(scores.map),
            "map50": finite(scores.map50),
            "map75": finite(scores.map75),
            "precision": precision,
            "recall": recall,
            "f1": _f1(precision, recall),
            "classes": [
                self._class(name, label, metrics, scores.ap.get(label), scores.ap50.get(label))
                for label, name in enumerate(names)
            ],
            "confusion": self._confusion(names),
            "by_size": [self._stratum(name, "area", low, high) for name, low, high in _SIZES],
            "by_distance": self._by_distance(),
            "false_alarms_per_minute": self._alarms / minutes if minutes else None,
            "missed_per_minute": self._missed / minutes if minutes else None,
        }

    def _score(self, found: Detections, kept: npt.NDArray[np.bool_], truth: TrueBoxes) -> None:
        order = best_per_class(found.scores, found.labels)
        found, kept = found[order], kept[order]
        crowd, labels = truth.ignored, truth.labels[~truth.ignored]
        boxes = truth.boxes[~crowd]
        overlap = iou_matrix(found.boxes, boxes)
        objects = match_objects(np.where(found.labels[:, None] != labels[None, :], -1.0, overlap))
        ignored = (objects < 0) & found_crowds(found.boxes, found.labels, truth.boxes[crowd], truth.labels[crowd])
        at_50 = objects[AT_50]
        row = np.zeros(len(found), _FOUND)
        row["score"], row["label"], row["object"], row["area"] = found.scores, found.labels, at_50, _areas(found.boxes)
        row["matched"] = ((objects >= 0) * _BITS[:, None]).sum(0)
        row["ignored"] = (ignored * _BITS[:, None]).sum(0)
        true = np.zeros(len(labels), _TRUE)
        true["label"], true["area"], true["metres"] = labels, _areas(boxes), truth.metres[~crowd]
        counted = kept & ~ignored[AT_50]
        true["seen"][at_50[counted & (at_50 >= 0)]] = True
        self._found.append(row)
        self._true.append(true)
        self._alarms += int((counted & (at_50 < 0)).sum())
        self._missed += int((~true["seen"]).sum())
        # The background's place is decided when all names are known.
        for pair in zip(*(x.tolist() for x in pair_up(overlap, at_50, counted, found.labels, labels, -1)), strict=True):
            self._pairs[pair] = self._pairs.get(pair, 0) + 1

    def _told_scored(self) -> int:
        return self._alarms + self.objects - self._missed

    def _class(
        self, name: str, label: int, metrics: DetectionMetrics, ap: float | None, ap50: float | None
    ) -> dict[str, Any]:
        # A class that only the truth has is never told.
        threshold = float(self._thresholds[label]) if label < self._none else None
        told = missed = objects = right = 0
        for (true, found), count in self._pairs.items():
            objects += count * (true == label)
            told += count * (found == label)
            right += count * (true == found == label)
            missed += count * (true == label != found)
        return {
            "name": name,
            "objects": objects,
            "ap": ap,
            "ap50": ap50,
            "threshold": threshold,
            "precision": right / told if told else None,
            "recall": right / objects if objects else None,
            "false_alarms": told - right,
            "missed": missed,
            "curve": _curve(metrics, label) if objects else [],
        }

    def _confusion(self, names: Sequence[str]) -> dict[str, Any]:
        counts = np.zeros((len(names) + 1, len(names) + 1), np.int64)
        for (true, found), count in self._pairs.items():
            counts[true, found] = count
        return {"names": [*names, BACKGROUND], "counts": counts.tolist()}

    def _by_distance(self) -> list[dict[str, Any]]:
        if not any(np.isfinite(true["metres"]).any() for true in self._true):
            return []
        bands = [
            self._stratum(f"{low:g}-{high:g} m" if math.isfinite(high) else f"over {low:g} m", "metres", low, high)
            for low, high in pairwise(_DISTANCES)
        ]
        return [band for band in bands if band["objects"]]

    def _stratum(self, name: str, field: str, low: float, high: float) -> dict[str, Any]:
        """Objects of one band; as COCO does it, who finds one of another is neither right nor wrong.

        False alarms count in the band of their own area, and in every band of distance, as nobody knows theirs.
        """
        frames, objects, seen = [], 0, 0
        for found, true in zip(self._found, self._true, strict=True):
            inside = (low <= true[field]) & (true[field] < high)
            objects, seen = objects + int(inside.sum()), seen + int((inside & true["seen"]).sum())
            hit = found["object"] >= 0
            own = hit & (inside[found["object"]] if len(true) else False)
            beside = ~hit & ((found["area"] < low) | (found["area"] >= high)) if field == "area" else np.zeros_like(hit)
            ignored = (found["ignored"] & 1).astype(bool) | (hit & ~own) | beside
            rows = np.broadcast_to(own, (len(IOU_THRESHOLDS), len(own)))
            frames.append(
                ImageMatches(
                    found["score"].astype(np.float64),
                    found["label"].astype(np.intp),
                    rows,
                    np.broadcast_to(ignored, rows.shape),
                    true["label"][inside].astype(np.intp),
                )
            )
        ap50 = finite(DetectionMetrics(frames).compute().map50)
        return {"name": name, "objects": objects, "ap50": ap50, "recall": seen / objects if objects else None}


def _matches(found: npt.NDArray[Any], true: npt.NDArray[Any]) -> ImageMatches:
    return ImageMatches(
        found["score"].astype(np.float64),
        found["label"].astype(np.intp),
        (found["matched"][None, :] & _BITS[:, None]) > 0,
        (found["ignored"][None, :] & _BITS[:, None]) > 0,
        true["label"].astype(np.intp),
    )


def _curve(metrics: DetectionMetrics, label: int) -> list[float]:
    """The precision at each recall point, made monotonous as COCO does (IoU 0.50)."""
    curve = metrics.curve(label)
    best = np.maximum.accumulate(curve.precision[::-1])[::-1]
    at = np.searchsorted(curve.recall, RECALL_POINTS, side="left")
    return [round(float(best[index]), 5) if index < len(best) else 0.0 for index in at]


def _areas(boxes: npt.NDArray[np.floating]) -> npt.NDArray[np.floating]:
    areas: npt.NDArray[np.floating] = (boxes[:, 2:] - boxes[:, :2]).prod(axis=1)
    return areas


def _f1(precision: float | None, recall: float | None) -> float | None:
    if precision is None or recall is None:
        return None
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0
