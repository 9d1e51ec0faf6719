"""COCO metrics of a detector on a dataset: the robot's own code path, image by image."""

from __future__ import annotations

import contextlib
import io
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from faster_coco_eval import COCO, COCOeval_faster

from perception_infer.evaluation.metrics import RECALL_POINTS, DetectionMetrics
from perception_infer.predictor import Predictor

from ..data.coco import CocoDataset
from ..evaluation.detection import DetectionRecord
from ..evaluation.figures import ClassFigures, DetectionFigures

#: Thresholds stay in this range: below, a model floods its users; above, it says nothing.
_THRESHOLD_RANGE = (0.1, 0.9)
_FALLBACK_THRESHOLD = 0.25
_BANDS = (("small, below 32² px", 0.0, 32.0**2), ("medium", 32.0**2, 96.0**2), ("large, from 96² px", 96.0**2, np.inf))
"""COCO's bands of area, in the order of its own code."""


@dataclass(frozen=True)
class DetectionValidation:
    """mAP over IoU 0.50:0.95, at 0.50 and at 0.75; AP at 0.50 per class; the threshold of the best F1 per class.

    ``figures`` is all the rest; None in checkpoints of earlier versions.
    """

    map: float
    map50: float
    map75: float
    ap50: dict[str, float]
    thresholds: tuple[float, ...]
    images: int
    figures: DetectionFigures | None = None

    def metrics(self) -> dict[str, float]:
        """What a manifest says of a variant."""
        return {"map": self.map, "map50": self.map50, "map75": self.map75}

    @property
    def per_class(self) -> tuple[str, dict[str, float]]:
        """The name of the figure per class, and the figures."""
        return "ap50", self.ap50

    def __str__(self) -> str:
        return f"mAP50 {self.map50:.3f}, mAP {self.map:.3f}"


def validate_detection(predictor: Predictor, dataset: CocoDataset) -> DetectionValidation:
    """Run every image of the dataset through the predictor (which should have threshold 0) and score it.

    Raises:
        UserError: the classes differ, or an image cannot be read.
    """
    dataset.require_classes(predictor.classes, "model")
    results: list[dict[str, object]] = []
    metrics, record = DetectionMetrics(), DetectionRecord(dataset)
    for image_id, sample in enumerate(dataset.samples, 1):
        found = predictor.predict(sample.read())
        metrics.add(record.add(sample, found))
        sizes = found.boxes[:, 2:] - found.boxes[:, :2]
        rows = np.concatenate((found.boxes[:, :2], sizes), 1).tolist()
        for row, score, label in zip(rows, found.scores.tolist(), found.labels.tolist(), strict=True):
            results.append({"image_id": image_id, "category_id": label + 1, "bbox": row, "score": score})
    coco, names = _coco(dataset, results), dataset.classes
    thresholds = tuple(_best_threshold(metrics, label) for label in range(len(names)))
    return DetectionValidation(
        map=coco.overall[0],
        map50=coco.overall[1],
        map75=coco.overall[2],
        ap50={names[label]: _mean(coco.precision[0, :, label, 0]) or 0.0 for label in coco.labels},
        thresholds=thresholds,
        images=len(dataset.samples),
        figures=DetectionFigures(
            classes=tuple(_class_figures(coco, metrics, label, names, thresholds) for label in range(len(names))),
            by_size=record.by_size(_BANDS, [coco.by_area(area) for area in range(1, 1 + len(_BANDS))], thresholds),
            by_occlusion=record.by_occlusion(thresholds),
            calibration=record.calibration(),
            confusion=record.confusion(thresholds),
            examples=record.worst(thresholds),
        ),
    )


class _Coco(NamedTuple):
    """What faster-coco-eval says: mAP, mAP50 and mAP75; the classes that have objects; how many each class has.

    ``precision`` [IoU, recall, class, area] is −1 where there are no objects; areas are all, small, medium and large.
    """

    overall: list[float]
    labels: list[int]
    objects: list[int]
    precision: npt.NDArray[np.float64]

    def by_area(self, area: int) -> tuple[float | None, float | None]:
        """AP and AP50 of the classes together."""
        return _mean(self.precision[..., area]), _mean(self.precision[0, ..., area])


def _class_figures(
    coco: _Coco, metrics: DetectionMetrics, label: int, names: tuple[str, ...], thresholds: tuple[float, ...]
) -> ClassFigures:
    precision, recall = metrics.precision_recall(thresholds[label], label)
    there, curve = label in coco.labels, coco.precision[0, :, label, 0]
    return ClassFigures(
        name=names[label],
        objects=coco.objects[label],
        ap=_mean(coco.precision[:, :, label, 0]),
        ap50=_mean(curve),
        threshold=thresholds[label],
        precision=None if np.isnan(precision) else precision,
        recall=None if np.isnan(recall) else recall,
        curve=tuple(np.round(np.maximum(curve, 0.0), 4).tolist()) if there else (),
    )


def _mean(precision: npt.NDArray[np.float64]) -> float | None:
    """The mean of what is known."""
    known = precision[precision > -1]
    return float(known.mean()) if known.size else None


def _coco(dataset: CocoDataset, results: list[dict[str, object]]) -> _Coco:
    annotations: list[dict[str, Any]] = []
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
    every = [int(entry["category_id"]) - 1 for entry in annotations]
    labels, objects = sorted(set(every)), np.bincount(every, minlength=len(dataset.classes)).tolist()
    if not results or not annotations:
        nothing = np.full((1, len(RECALL_POINTS), len(dataset.classes), 1 + len(_BANDS)), -1.0)
        nothing[:, :, labels] = 0.0
        return _Coco([0.0, 0.0, 0.0], labels, objects, nothing)
    images = [dict(id=i, width=s.width, height=s.height) for i, s in enumerate(dataset.samples, 1)]
    categories = [dict(id=i, name=name) for i, name in enumerate(dataset.classes, 1)]
    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO(dict(images=images, annotations=annotations, categories=categories))
        evaluation = COCOeval_faster(truth, truth.loadRes(results), iouType="bbox", print_function=_silent)
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    overall = [float(value) for value in evaluation.stats[:3]]
    return _Coco(overall, labels, objects, np.asarray(evaluation.eval["precision"])[..., -1])


def _silent(*_: object) -> None:
    """The library prints a table; our callers decide what is shown."""


def _best_threshold(metrics: DetectionMetrics, label: int) -> float:
    """The score at which F1 at IoU 0.50 is highest, within limits."""
    curve = metrics.curve(label)
    if not len(curve.scores) or not np.isfinite(curve.recall).all():
        return _FALLBACK_THRESHOLD
    f1 = 2 * curve.precision * curve.recall / np.maximum(curve.precision + curve.recall, 1e-9)
    return float(np.round(np.clip(curve.scores[int(f1.argmax())], *_THRESHOLD_RANGE), 4))
