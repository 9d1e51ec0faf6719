"""Parity: what counts as the same answer, and what does not."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from bundles import expected_slots

from perception_infer.contract.manifest import Tolerance
from perception_infer.contract.parity import compare_detections, compare_masks

RECTANGLES = {"red": (10, 10, 60, 60), "green": (100, 20, 180, 90), "blue": (30, 120, 90, 200)}
Answer = dict[str, npt.NDArray[Any]]


@pytest.fixture
def answer() -> Answer:
    boxes, scores, labels = expected_slots(RECTANGLES, 0.9)
    return {"boxes": boxes[None], "scores": scores[None], "labels": labels[None]}


def copy(answer: Answer) -> Answer:
    return {name: array.copy() for name, array in answer.items()}


def test_equal_answers_agree(answer: Answer) -> None:
    parity = compare_detections(answer, copy(answer), Tolerance())
    assert (parity.images, parity.objects, parity.min_iou, parity.max_score_error, parity.problem) == (
        1,
        3,
        1.0,
        0.0,
        None,
    )


def test_slots_may_swap(answer: Answer) -> None:
    other = copy(answer)
    for array in other.values():
        array[:, [0, 1]] = array[:, [1, 0]]
    assert compare_detections(answer, other, Tolerance()).problem is None


def test_a_moved_box_is_told(answer: Answer) -> None:
    other = copy(answer)
    other["boxes"][0, 1] += 2
    parity = compare_detections(answer, other, Tolerance())
    assert "boxes" in (parity.problem or "")
    assert 0.89 < parity.min_iou < 0.91


def test_another_score_is_told(answer: Answer) -> None:
    other = copy(answer)
    other["scores"][0, 2] -= 0.02
    parity = compare_detections(answer, other, Tolerance())
    assert "scores" in (parity.problem or "")
    assert parity.max_score_error == pytest.approx(0.02, abs=1e-6)


def test_another_class_is_told(answer: Answer) -> None:
    other = copy(answer)
    other["labels"][0, 0] = 1
    assert "boxes" in (compare_detections(answer, other, Tolerance()).problem or "")


@pytest.mark.parametrize("swap", [False, True])
def test_a_detection_that_only_one_has_is_told(answer: Answer, swap: bool) -> None:
    other = copy(answer)
    other["scores"][0, 2], other["labels"][0, 2], other["boxes"][0, 2] = 0, -1, 0
    pair = (other, answer) if swap else (answer, other)
    assert compare_detections(*pair, Tolerance()).problem is not None


def test_faint_detections_are_left_out(answer: Answer) -> None:
    other = copy(answer)
    other["scores"][0, 5], other["labels"][0, 5], other["boxes"][0, 5] = 0.06, 1, (1, 1, 9, 9)
    assert compare_detections(answer, other, Tolerance()).problem is None


def test_values_that_are_not_finite_are_told(answer: Answer) -> None:
    other = copy(answer)
    other["boxes"][0, 7, 0] = np.nan
    assert "not finite" in (compare_detections(answer, other, Tolerance()).problem or "")


def test_another_shape_is_told(answer: Answer) -> None:
    other = {name: array[:, :4] for name, array in answer.items()}
    assert "shape" in (compare_detections(answer, other, Tolerance()).problem or "")


def test_a_looser_tolerance_lets_more_pass(answer: Answer) -> None:
    other = copy(answer)
    other["boxes"][0, :3] += 1
    other["scores"][0, :3] -= 0.03
    assert compare_detections(answer, other, Tolerance(iou=0.9, score=0.05)).problem is None


def test_masks() -> None:
    want = {"mask": np.zeros((2, 10, 10), np.uint8)}
    want["mask"][0, :5] = 1
    have = {"mask": want["mask"].copy()}
    parity = compare_masks(want, have, Tolerance())
    assert (parity.images, parity.objects, parity.min_iou, parity.problem) == (2, 1, 1.0, None)
    have["mask"][0, 0, 0] = 2
    parity = compare_masks(want, have, Tolerance())
    assert parity.min_iou == pytest.approx(0.99)
    assert parity.problem is not None
    assert compare_masks(want, have, Tolerance(agreement=0.98)).problem is None
    assert "shape" in (compare_masks(want, {"mask": have["mask"][:1]}, Tolerance()).problem or "")
