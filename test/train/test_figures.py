"""The figures of a validation beyond mAP, against what is counted by hand and by COCO's own code."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from shapes import make_dataset

from perception_infer.contract.detections import Detections
from perception_train.data.coco import CocoDataset
from perception_train.evaluation.calibration import CalibrationCounter
from perception_train.evaluation.detection import DetectionRecord
from perception_train.evaluation.figures import DetectionFigures
from perception_train.training.detection import DetectionValidation, validate_detection
from perception_train.training.validation import outcome


class Told:
    """A predictor that answers what it was told, image after image."""

    task = "detection"

    def __init__(self, dataset: CocoDataset, answers: list[Detections]) -> None:
        self.classes, self._answers = dataset.classes, iter(answers)

    def predict(self, rgb: np.ndarray) -> Detections:
        return next(self._answers)


def detections(rows: list[tuple[list[float], float, int]]) -> Detections:
    rows = sorted(rows, key=lambda row: -row[1])
    return Detections(
        np.array([row[0] for row in rows], np.float32).reshape(-1, 4),
        np.array([row[1] for row in rows], np.float32),
        np.array([row[2] for row in rows], np.int32),
    )


def dataset_of(root: Path, images: list[list[dict[str, Any]]], size: tuple[int, int] = (200, 200)) -> CocoDataset:
    """A dataset with these annotations (without ids) and pictures of noise."""
    make_dataset(root, len(images), seed=1, size=size)
    content = json.loads((root / "annotations.json").read_text())
    rows = [
        {"iscrowd": 0, "area": 1.0, **row, "id": 0, "image_id": index}
        for index, picture in enumerate(images, 1)
        for row in picture
    ]
    for index, row in enumerate(rows, 1):
        row["id"] = index
    (root / "annotations.json").write_text(json.dumps(content | {"annotations": rows}))
    return CocoDataset.open(root)


def box(x: float, y: float, side: float, category: int = 1, **more: Any) -> dict[str, Any]:
    return {"category_id": category, "bbox": [x, y, side, side], **more}


def figures(told: DetectionValidation) -> DetectionFigures:
    assert told.figures is not None
    return told.figures


def test_confusion_errors_and_classes_by_hand(tmp_path: Path) -> None:
    dataset = dataset_of(tmp_path / "data", [[box(0, 0, 40), box(100, 0, 40, 2)], [box(0, 0, 40)], []])
    answers = [
        # The square is found, the disc is taken for a square.
        detections([([0, 0, 40, 40], 0.9, 0), ([100, 0, 140, 40], 0.8, 0)]),
        # The square is missed, something else is seen.
        detections([([100, 100, 140, 140], 0.85, 1)]),
        detections([]),
    ]
    record = DetectionRecord(dataset)
    for sample, found in zip(dataset.samples, answers, strict=True):
        record.add(sample, found)
    confusion = record.confusion((0.5, 0.5))
    assert confusion.names == ("square", "disc", "background")
    assert confusion.counts == ((1, 0, 1), (1, 0, 0), (0, 1, 0))
    worst = record.worst((0.5, 0.5))
    assert [(example.index, example.note) for example in worst] == [
        (1, "1 missed, 1 false"),
        (0, "1 of the wrong class"),
        (2, "all right"),
    ]
    assert worst[1].boxes == ((0.0, 0.0, 40.0, 40.0), (100.0, 0.0, 140.0, 40.0))
    # Above every score nothing is found, and nothing is wrong but what is missed.
    assert record.confusion((0.95, 0.95)).counts == ((0, 0, 2), (0, 0, 1), (0, 0, 0))


def test_of_two_detections_of_an_object_one_is_a_false_alarm(tmp_path: Path) -> None:
    dataset = dataset_of(tmp_path / "data", [[box(0, 0, 40)]])
    record = DetectionRecord(dataset)
    record.add(dataset.samples[0], detections([([0, 0, 40, 40], 0.9, 0), ([0, 0, 40, 38], 0.8, 1)]))
    assert record.confusion((0.5, 0.5)).counts == ((1, 0, 0), (0, 0, 0), (0, 1, 0))


def test_calibration_error_by_hand() -> None:
    counter = CalibrationCounter()
    counter.add(np.array([0.95, 0.95, 0.95, 0.95, 0.25, 1.0]), np.array([True, True, True, False, False, True]))
    told = counter.result()
    # Five in the last bin: mean confidence 0.96, 0.8 right; one in the third: 0.25, nothing right.
    assert told.error == pytest.approx((5 * 0.16 + 1 * 0.25) / 6)
    assert told.count == (0, 0, 1, 0, 0, 0, 0, 0, 0, 5)
    assert told.right[9] == pytest.approx(0.8)
    assert told.confidence[0] is None


def test_a_detector_that_says_how_often_it_is_right_is_calibrated(tmp_path: Path) -> None:
    dataset = dataset_of(tmp_path / "data", [[box(0, 0, 40)] if i % 4 else [] for i in range(40)])
    at = [0.0, 0.0, 40.0, 40.0]
    honest = [detections([(at, 0.75, 0)]) for _ in dataset.samples]
    boastful = [detections([(at, 0.99, 0)]) for _ in dataset.samples]
    one, other = (figures(validate_detection(Told(dataset, told), dataset)) for told in (honest, boastful))  # type: ignore[arg-type]
    assert one.calibration.error == pytest.approx(0.0, abs=1e-6)
    assert other.calibration.error == pytest.approx(0.24, abs=1e-6)


def test_occlusion_is_read_and_scored_by_range(tmp_path: Path) -> None:
    pictures = [
        [box(0, 0, 40, occlusion=0.0), box(100, 0, 40, occlusion=0.5)],
        [box(0, 0, 40, occlusion=0.05), box(100, 0, 40, occlusion=0.2), box(0, 100, 40)],
    ]
    dataset = dataset_of(tmp_path / "data", pictures)
    hidden = dataset.samples[1].occlusion
    assert hidden is not None
    assert hidden.tolist()[:2] == pytest.approx([0.05, 0.2])
    assert np.isnan(hidden[2])
    # What is half hidden is missed, all else is found.
    answers = [
        detections([([0, 0, 40, 40], 0.9, 0)]),
        detections([([0, 0, 40, 40], 0.9, 0), ([100, 0, 140, 40], 0.8, 0), ([0, 100, 40, 140], 0.7, 0)]),
    ]
    told = figures(validate_detection(Told(dataset, answers), dataset))  # type: ignore[arg-type]
    assert [(row.objects, row.recall, row.ap50) for row in told.by_occlusion] == [
        (2, 1.0, pytest.approx(1.0)),
        (1, 1.0, pytest.approx(1.0)),
        (1, 0.0, 0.0),
        (0, None, None),
    ]


def test_without_occlusion_nothing_is_said_of_it(shapes: Path) -> None:
    dataset = CocoDataset.open(shapes / "val")
    assert all(sample.occlusion is None for sample in dataset.samples)
    told = validate_detection(Told(dataset, [Detections.empty() for _ in dataset.samples]), dataset)  # type: ignore[arg-type]
    assert figures(told).by_occlusion == ()
    assert [row.ap50 for row in figures(told).classes] == [0.0, 0.0]
    assert figures(told).calibration.error == 0.0


def noisy(dataset: CocoDataset, seed: int) -> list[Detections]:
    """Objects found with errors, some missed, some of the wrong class, and false alarms."""
    rng = np.random.default_rng(seed)
    answers = []
    for sample in dataset.samples:
        rows = []
        for true, label in zip(sample.boxes, sample.labels, strict=True):
            if rng.random() < 0.8:
                wrong = int(rng.random() < 0.15)
                rows.append(((true + rng.normal(0, 3, 4)).tolist(), float(rng.random()), int(label) ^ wrong))
        rows += [([5.0, 5.0, 5 + rng.uniform(5, 90), 5 + rng.uniform(5, 90)], float(rng.random()), 0) for _ in range(3)]
        answers.append(detections(rows))
    return answers


def test_sizes_are_those_of_the_original_pictures_and_agree_with_cocos_code(tmp_path: Path) -> None:
    rng = np.random.default_rng(4)
    pictures = [
        [
            box(*rng.uniform(0, 150, 2).tolist(), float(side), int(rng.integers(1, 3)))
            for side in rng.uniform(12, 140, 4)
        ]
        for _ in range(20)
    ]
    dataset = dataset_of(tmp_path / "data", pictures, (300, 300))
    answers = noisy(dataset, 5)
    told = figures(validate_detection(Told(dataset, answers), dataset))  # type: ignore[arg-type]
    areas = np.concatenate([(s.boxes[:, 2:] - s.boxes[:, :2]).prod(1) for s in dataset.samples])
    expected = [
        int((areas < 32**2).sum()),
        int(((areas >= 32**2) & (areas < 96**2)).sum()),
        int((areas >= 96**2).sum()),
    ]
    assert [row.objects for row in told.by_size] == expected
    assert min(expected) > 3

    pycocotools = pytest.importorskip("pycocotools.coco")
    from pycocotools.cocoeval import COCOeval

    truth = pycocotools.COCO()
    truth.dataset = json.loads((dataset.root / "annotations.json").read_text())
    for row, sample_box in zip(
        truth.dataset["annotations"], np.concatenate([s.boxes for s in dataset.samples]).tolist(), strict=True
    ):
        row["bbox"] = [*sample_box[:2], sample_box[2] - sample_box[0], sample_box[3] - sample_box[1]]
        row["area"] = row["bbox"][2] * row["bbox"][3]
    truth.createIndex()
    found = [
        {"image_id": i, "category_id": int(n) + 1, "bbox": [*b[:2], b[2] - b[0], b[3] - b[1]], "score": float(s)}
        for i, answer in enumerate(answers, 1)
        for b, s, n in zip(answer.boxes.tolist(), answer.scores, answer.labels, strict=True)
    ]
    coco = COCOeval(truth, truth.loadRes(found), "bbox")
    coco.evaluate()
    coco.accumulate()
    coco.summarize()
    assert [row.ap for row in told.by_size] == pytest.approx(coco.stats[3:6].tolist(), abs=1e-6)
    curve = coco.eval["precision"][0, :, 0, 0, -1]
    assert told.classes[0].curve == pytest.approx(curve.tolist(), abs=1e-4)


def test_figures_survive_a_checkpoint_and_json(shapes: Path) -> None:
    dataset = CocoDataset.open(shapes / "val")
    told = validate_detection(Told(dataset, noisy(dataset, 1)), dataset)  # type: ignore[arg-type]
    values = dataclasses.asdict(told)
    assert outcome(values) == told
    text = json.dumps(dataclasses.asdict(figures(told)))
    assert "NaN" not in text
    assert msgspec.json.decode(text, type=DetectionFigures) == told.figures
    # The manifest holds what it always held.
    assert set(told.metrics()) == {"map", "map50", "map75"}


def test_a_checkpoint_without_figures_is_read(shapes: Path) -> None:
    old = {"map": 0.1, "map50": 0.2, "map75": 0.1, "ap50": {"disc": 0.2}, "thresholds": (0.3, 0.4), "images": 12}
    told = outcome(old)
    assert isinstance(told, DetectionValidation)
    assert (told.map50, told.thresholds, told.figures) == (0.2, (0.3, 0.4), None)
    assert outcome({"miou": 0.5, "pixel_accuracy": 0.9, "iou": {}, "thresholds": [0.5], "images": 1}).figures is None
