"""How right the model is on a source: the scorers of a replay, with the calibration and the errors of each picture."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from perception_infer.contract.detections import Detections, Segmentation
from perception_infer.contract.geometry import iou_matrix
from perception_infer.evaluation.confusion import IGNORED, pair_up
from perception_infer.evaluation.metrics import AT_50, found_crowds, match_objects
from perception_infer.predictor import Predictor
from perception_infer.replay.detections import DetectionScorer
from perception_infer.replay.segmentation import SegmentationScorer
from perception_infer.replay.truth import FrameTruth, TrueBoxes, TrueMask

from ..evaluation.calibration import CalibrationCounter
from ..evaluation.detection import CALIBRATED_FROM

Figures = dict[str, Any]


class BoxScoring:
    """Takes the pictures of a source by `add`; objects of classes that the model does not have do not count."""

    def __init__(self, predictor: Predictor) -> None:
        self._classes = predictor.classes
        self._thresholds = np.asarray(predictor.bundle.manifest.thresholds, np.float32)
        self._scorer = DetectionScorer(self._thresholds)

    def kept(self, found: Detections) -> npt.NDArray[np.bool_]:
        """Which detections reach the model's thresholds, bool [D]."""
        return found.scores >= self._thresholds[found.labels]

    def add(self, found: Detections, truth: FrameTruth | None) -> tuple[float | None, str]:
        """A picture: all that was found, and what is true. Its errors at the thresholds, and these in words."""
        if not isinstance(truth, TrueBoxes):
            self._scorer.add(found, None)
            return None, ""
        known = truth.labels < len(self._classes)
        counted = TrueBoxes(truth.boxes[known], truth.labels[known], truth.ignored[known], truth.metres[known])
        self._scorer.add(found, counted)
        return _errors(found[self.kept(found)], counted, len(self._classes))

    def figures(self) -> Figures | None:
        """map50, AP50 and recall of every class, and the calibration; None without truth."""
        told = self._scorer.figures(self._classes, None)
        if told is None:
            return None
        counter = CalibrationCounter()
        for image in self._scorer.matches():
            chosen = (image.scores >= CALIBRATED_FROM) & ~image.ignored[AT_50]
            counter.add(image.scores[chosen], image.matched[AT_50, chosen])
        return {
            "metric": "map50",
            "value": told["map50"],
            "precision": told["precision"],
            "recall": told["recall"],
            "classes": {
                row["name"]: {"objects": row["objects"], "value": row["ap50"], "recall": row["recall"]}
                for row in told["classes"]
            },
            "calibration": dataclasses.asdict(counter.result()),
        }


class MaskScoring:
    """The same of a segmenter."""

    def __init__(self, classes: Sequence[str]) -> None:
        self._classes = classes
        self._scorer = SegmentationScorer(len(classes))
        self._sure, self._right = np.zeros(256, np.int64), np.zeros(256, np.int64)

    def add(self, found: Segmentation, truth: FrameTruth | None) -> tuple[float | None, str]:
        """A picture; the share of its pixels that are wrong, and this in words."""
        if not isinstance(truth, TrueMask):
            self._scorer.add(found, None)
            return None, ""
        # What the model does not know is not counted either.
        strange = (truth.mask > len(self._classes)) & (truth.mask != IGNORED)
        mask = np.where(strange, IGNORED, truth.mask).astype(np.uint8)
        self._scorer.add(found, TrueMask(mask))
        counted = mask != IGNORED
        sure, right = found.confidence[counted], (mask == found.mask)[counted]
        self._sure += np.bincount(sure, minlength=256)
        self._right += np.bincount(sure[right], minlength=256)
        wrong = 1.0 - float(right.mean()) if len(right) else 0.0
        return wrong, f"{wrong:.1%} of the pixels wrong"

    def figures(self) -> Figures | None:
        """Mean IoU, IoU and recall of every class, and the calibration of the pixels; None without truth."""
        told = self._scorer.figures(self._classes)
        if told is None:
            return None
        counter = CalibrationCounter()
        counter.add_counted(np.arange(256) / 255.0, self._sure, self._right)
        return {
            "metric": "miou",
            "value": told["miou"],
            "precision": None,
            "recall": None,
            "classes": {
                row["name"]: {"objects": row["pixels"], "value": row["iou"], "recall": row["recall"]}
                for row in told["classes"][1:]
            },
            "calibration": dataclasses.asdict(counter.result()),
        }


def differences(synthetic: Figures, source: Figures) -> Figures:
    """How much worse (below 0) the model is on a source.

    The headline is the mean over the classes that both have objects of: of others the difference would say nothing.
    """
    classes: dict[str, Any] = {}
    for name, row in synthetic["classes"].items():
        other = source["classes"][name]
        classes[name] = {key: _less(row[key], other[key]) for key in ("value", "recall")}
    common = [
        name
        for name, row in classes.items()
        if row["value"] is not None and all(f["classes"][name]["objects"] for f in (synthetic, source))
    ]
    means = [_mean(figures["classes"], common) for figures in (synthetic, source)]
    return {
        "metric": synthetic["metric"],
        "common_classes": common,
        "synthetic": means[0],
        "source": means[1],
        "value": _less(*means),
        "calibration_error": _less(synthetic["calibration"]["error"], source["calibration"]["error"]),
        "classes": classes,
    }


def _mean(classes: Mapping[str, Any], names: Sequence[str]) -> float | None:
    return float(np.mean([classes[name]["value"] for name in names])) if names else None


def _less(before: float | None, after: float | None) -> float | None:
    return None if before is None or after is None else after - before


def _errors(found: Detections, truth: TrueBoxes, none: int) -> tuple[float, str]:
    crowd, labels = truth.ignored, truth.labels[~truth.ignored]
    overlap = iou_matrix(found.boxes, truth.boxes[~crowd])
    own = match_objects(np.where(found.labels[:, None] != labels[None, :], -1.0, overlap))[AT_50]
    ignored = found_crowds(found.boxes, found.labels, truth.boxes[crowd], truth.labels[crowd])[AT_50] & (own < 0)
    true, told = pair_up(overlap, own, ~ignored, found.labels, labels, none)
    parts = {
        "missed": int((told == none).sum()),
        "of the wrong class": int(((true != told) & (true != none) & (told != none)).sum()),
        "false": int((true == none).sum()),
    }
    note = ", ".join(f"{count} {what}" for what, count in parts.items() if count)
    return float(sum(parts.values())), note or "all right"
