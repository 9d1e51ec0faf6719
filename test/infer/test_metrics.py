"""The metrics against pycocotools, the reference, on random cases."""

from __future__ import annotations

import contextlib
import io
import time

import numpy as np
import pytest

from perception_infer.evaluation.metrics import DetectionMetrics, match_image

COCO = pytest.importorskip("pycocotools.coco").COCO
COCOeval = pytest.importorskip("pycocotools.cocoeval").COCOeval

Image = tuple[np.ndarray, ...]  # boxes, scores, labels, truth boxes, truth labels, truth crowd
NO_BOXES = (np.zeros((0, 4)), np.zeros(0), np.zeros(0, int))


def random_image(
    rng: np.random.Generator, classes: int, objects: int, extra: int, integers: bool, levels: int, crowd: float = 0.0
) -> Image:
    """True objects, and detections that are jittered copies of some of them, duplicates and noise.

    Integer boxes give equal IoUs, few score ``levels`` give equal scores.
    """
    truth = rng.integers(0, 200, (objects, 4)).astype(float)
    truth[:, 2:] = truth[:, :2] + rng.integers(4, 80, (objects, 2))
    truth_labels = rng.integers(0, classes, objects)
    source = rng.integers(0, max(objects, 1), objects + extra)
    if objects:
        boxes = truth[source] + rng.normal(0, 4, (len(source), 4))
        labels = np.where(rng.random(len(source)) < 0.85, truth_labels[source], rng.integers(0, classes, len(source)))
    else:
        boxes = rng.uniform(0, 200, (len(source), 4))
        labels = rng.integers(0, classes, len(source))
    boxes[:, 2:] = np.maximum(boxes[:, 2:], boxes[:, :2] + 1)
    boxes = np.round(boxes) if integers else boxes
    scores = rng.integers(1, levels, len(source)) / levels
    return boxes, scores, labels, truth, truth_labels, rng.random(objects) < crowd


def random_case(seed: int) -> tuple[list[Image], int]:
    rng = np.random.default_rng(seed)
    classes = int(rng.integers(1, 6))
    images = []
    for _ in range(rng.integers(1, 12)):
        objects = 0 if rng.random() < 0.2 else int(rng.integers(1, 12))
        image = random_image(
            rng,
            classes,
            objects,
            int(rng.integers(0, 20)),
            seed % 2 == 0,
            8 if seed % 3 == 0 else 10_000,
            0.2 * (seed % 4 == 0),
        )
        if rng.random() < 0.2:
            image = (*NO_BOXES, *image[3:])
        images.append(image)
    return images, classes + seed % 2  # every second case has a class that never occurs


def ours(images: list[Image]) -> DetectionMetrics:
    metrics = DetectionMetrics()
    for image in images:
        metrics.update(*image)
    return metrics


def reference(images: list[Image], classes: int) -> np.ndarray:
    """pycocotools' precision array [10 IoUs, 101 recalls, classes] for all areas and 100 detections."""

    def xywh(box: np.ndarray) -> list[float]:
        return [box[0], box[1], box[2] - box[0], box[3] - box[1]]

    annotations, results = [], []
    for index, (boxes, scores, labels, truth, truth_labels, crowd) in enumerate(images):
        for box, label, ignore in zip(truth, truth_labels, crowd, strict=True):
            entry = dict(id=len(annotations) + 1, image_id=index, category_id=int(label), iscrowd=int(ignore))
            annotations.append(entry | dict(bbox=xywh(box), area=(box[2] - box[0]) * (box[3] - box[1])))
        for box, score, label in zip(boxes, scores, labels, strict=True):
            results.append(dict(image_id=index, category_id=int(label), bbox=xywh(box), score=float(score)))
    coco = COCO()
    categories = [dict(id=i, name=str(i)) for i in range(classes)]
    coco.dataset = dict(images=[dict(id=i) for i in range(len(images))], annotations=annotations, categories=categories)
    with contextlib.redirect_stdout(io.StringIO()):
        coco.createIndex()
        found = COCO()
        found.dataset = dict(
            coco.dataset,
            annotations=[dict(r, id=i + 1, area=r["bbox"][2] * r["bbox"][3], iscrowd=0) for i, r in enumerate(results)],
        )
        found.createIndex()
        evaluation = COCOeval(coco, found, "bbox")
        evaluation.evaluate()
        evaluation.accumulate()
    return evaluation.eval["precision"][:, :, :, 0, 2]


def mean(values: np.ndarray) -> float:
    known = values[values > -1]
    return float(known.mean()) if known.size else float("nan")


@pytest.mark.parametrize("seed", range(120))
def test_equal_to_pycocotools(seed: int) -> None:
    images, classes = random_case(seed)
    precision = reference(images, classes)
    scores = ours(images).compute()
    np.testing.assert_allclose(scores.map, mean(precision), atol=1e-6)
    np.testing.assert_allclose(scores.map50, mean(precision[0]), atol=1e-6)
    np.testing.assert_allclose(scores.map75, mean(precision[5]), atol=1e-6)
    for label in range(classes):
        expected = mean(precision[0, :, label])
        assert (label in scores.ap50) == (not np.isnan(expected))
        if label in scores.ap50:
            np.testing.assert_allclose(scores.ap50[label], expected, atol=1e-6)
            np.testing.assert_allclose(scores.ap[label], mean(precision[:, :, label]), atol=1e-6)


def test_at_most_100_detections_per_image_and_class() -> None:
    rng = np.random.default_rng(0)
    images = [random_image(rng, 2, 30, 300, True, 50) for _ in range(3)]
    np.testing.assert_allclose(ours(images).compute().map, mean(reference(images, 2)), atol=1e-6)


def test_empty_cases() -> None:
    nothing = DetectionMetrics().compute()
    assert np.isnan(nothing.map) and nothing.images == 0 and nothing.ap50 == {}
    false_alarm = ours(
        [(np.array([[0, 0, 9, 9.0]]), np.array([0.9]), np.array([0]), np.zeros((0, 4)), np.zeros(0, int))]
    )
    assert np.isnan(false_alarm.compute().map50)
    missed = ours([(*NO_BOXES, np.array([[0, 0, 9, 9.0]]), np.array([3]))])
    assert missed.compute().ap50 == {3: 0.0}
    assert np.isnan(missed.precision_recall(0.5)[0]) and missed.precision_recall(0.5)[1] == 0


def test_reset_forgets() -> None:
    metrics = ours(random_case(1)[0])
    metrics.reset()
    assert len(metrics) == 0 and metrics.compute().images == 0


def test_precision_and_recall_at_a_threshold() -> None:
    truth = np.array([[0, 0, 10, 10], [20, 20, 40, 40], [60, 60, 80, 80.0]])
    boxes = np.array([[0, 0, 10, 10], [0, 0, 10, 10], [20, 20, 40, 40], [60, 60, 80, 80.0]])
    metrics = ours([(boxes, np.array([0.9, 0.8, 0.7, 0.2]), np.zeros(4, int), truth, np.zeros(3, int))])
    assert metrics.precision_recall(0.5) == (2 / 3, 2 / 3)  # the second is a duplicate, the last scores too low
    assert metrics.precision_recall(0.1, label=0) == (3 / 4, 1.0)
    curve = metrics.curve()
    np.testing.assert_allclose(curve.precision, [1, 1 / 2, 2 / 3, 3 / 4])
    np.testing.assert_allclose(curve.recall, [1 / 3, 1 / 3, 2 / 3, 1])
    assert curve.scores.tolist() == [0.9, 0.8, 0.7, 0.2]


def test_the_better_overlap_wins_and_is_used_once() -> None:
    truth = np.array([[0, 0, 10, 10], [0, 0, 10, 12.0]])
    match = match_image(truth[[1, 1]], np.array([0.5, 0.9]), np.zeros(2, int), truth, np.zeros(2, int))
    assert match.scores.tolist() == [0.9, 0.5]
    assert match.matched[0].tolist() == [True, True]  # IoU 1 first, then the other with 10/12
    assert match.matched[-1].tolist() == [True, False]


def test_ten_thousand_detections_take_no_time() -> None:
    rng = np.random.default_rng(0)
    images = [random_image(rng, 6, 5, 45, False, 10_000) for _ in range(200)]
    started = time.perf_counter()
    ours(images).compute()
    assert time.perf_counter() - started < 2.0
