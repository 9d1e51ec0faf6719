"""COCO metrics of a predictor on a dataset: the robot's own code path, image by image."""

from __future__ import annotations

import contextlib
import io
from dataclasses import dataclass
from typing import Any

import numpy as np
from faster_coco_eval import COCO, COCOeval_faster

from perception_infer.evaluation.metrics import DetectionMetrics
from perception_infer.predictor import Predictor

from ..data.coco import CocoDataset
from .segmentation import SegmentationValidation, validate_segmentation

#: Thresholds stay in this range: below, a model floods its users; above, it says nothing.
_THRESHOLD_RANGE = (0.1, 0.9)
_FALLBACK_THRESHOLD = 0.25


@dataclass(frozen=True)
class Validation:
    """mAP over IoU 0.50:0.95, at 0.50 and at 0.75; AP at 0.50 per class; the threshold of the best F1 per class."""

    map: float
    map50: float
    map75: float
    ap50: dict[str, float]
    thresholds: tuple[float, ...]
    images: int

    def metrics(self) -> dict[str, float]:
        """What a manifest says of a variant."""
        return {"map": self.map, "map50": self.map50, "map75": self.map75}

    @property
    def per_class(self) -> tuple[str, dict[str, float]]:
        """The name of the figure per class, and the figures."""
        return "ap50", self.ap50

    def __str__(self) -> str:
        return f"mAP50 {self.map50:.3f}, mAP {self.map:.3f}"


Outcome = Validation | SegmentationValidation
"""What a validation tells: ``metrics()``, ``per_class``, ``thresholds``, ``images``, and itself in words."""


def validate(predictor: Predictor, dataset: CocoDataset) -> Outcome:
    """Score a predictor (which should have threshold 0) on a dataset, by what its model does.

    Raises:
        UserError: the classes differ, or an image or mask cannot be read.
    """
    if predictor.task == "segmentation":
        return validate_segmentation(predictor, dataset)
    return validate_detection(predictor, dataset)


def outcome(values: dict[str, Any]) -> Outcome:
    """What `dataclasses.asdict` made of a validation."""
    kind = SegmentationValidation if "miou" in values else Validation
    return kind(**values)


def validate_detection(predictor: Predictor, dataset: CocoDataset) -> Validation:
    """Run every image of the dataset through the predictor (which should have threshold 0) and score it.

    Raises:
        UserError: the classes differ, or an image cannot be read.
    """
    dataset.require_classes(predictor.classes, "model")
    results: list[dict[str, object]] = []
    metrics = DetectionMetrics()
    for image_id, sample in enumerate(dataset.samples, 1):
        found = predictor.predict(sample.read())
        metrics.update(found.boxes, found.scores, found.labels, sample.boxes, sample.labels)
        sizes = found.boxes[:, 2:] - found.boxes[:, :2]
        rows = np.concatenate((found.boxes[:, :2], sizes), 1).tolist()
        for row, score, label in zip(rows, found.scores.tolist(), found.labels.tolist(), strict=True):
            results.append({"image_id": image_id, "category_id": label + 1, "bbox": row, "score": score})
    overall, per_class = _coco(dataset, results)
    names = dataset.classes
    return Validation(
        map=overall[0],
        map50=overall[1],
        map75=overall[2],
        ap50={names[label]: value for label, value in per_class.items()},
        thresholds=tuple(_best_threshold(metrics, label) for label in range(len(names))),
        images=len(dataset.samples),
    )


def _coco(dataset: CocoDataset, results: list[dict[str, object]]) -> tuple[list[float], dict[int, float]]:
    """mAP, mAP50 and mAP75, and AP50 by label of the classes that have objects, by faster-coco-eval."""
    annotations = []
    for image_id, sample in enumerate(dataset.samples, 1):
        for box, label in zip(sample.boxes.tolist(), sample.labels.tolist(), strict=True):
            width, height = box[2] - box[0], box[3] - box[1]
            bbox = [box[0], box[1], width, height]
            entry = dict(
                id=len(annotations) + 1,
                image_id=image_id,
                category_id=label + 1,
                bbox=bbox,
                area=width * height,
                iscrowd=0,
            )
            annotations.append(entry)
    labels = sorted({int(entry["category_id"]) - 1 for entry in annotations})
    if not results or not annotations:
        return [0.0, 0.0, 0.0], dict.fromkeys(labels, 0.0)
    images = [dict(id=i, width=s.width, height=s.height) for i, s in enumerate(dataset.samples, 1)]
    categories = [dict(id=i, name=name) for i, name in enumerate(dataset.classes, 1)]
    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO(dict(images=images, annotations=annotations, categories=categories))
        evaluation = COCOeval_faster(truth, truth.loadRes(results), iouType="bbox", print_function=_silent)
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    precision = evaluation.eval["precision"][0, :, :, 0, -1]
    per_class = {label: float(precision[:, label].mean()) for label in labels}
    return [float(value) for value in evaluation.stats[:3]], per_class


def _silent(*_: object) -> None:
    """The library prints a table; our callers decide what is shown."""


def _best_threshold(metrics: DetectionMetrics, label: int) -> float:
    """The score at which F1 at IoU 0.50 is highest, within limits."""
    curve = metrics.curve(label)
    if not len(curve.scores) or not np.isfinite(curve.recall).all():
        return _FALLBACK_THRESHOLD
    f1 = 2 * curve.precision * curve.recall / np.maximum(curve.precision + curve.recall, 1e-9)
    return float(np.round(np.clip(curve.scores[int(f1.argmax())], *_THRESHOLD_RANGE), 4))
