"""Static suppression equals standard non-maximum suppression."""

from __future__ import annotations

import pytest
import torch
from torchvision.ops import nms

from perception_infer.contract.manifest import Suppression
from perception_train.models.suppression import suppress


def crowd(seed: int, cells: int, classes: int) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    centers = torch.rand(1, cells, 2, generator=generator) * 60 + 20
    sizes = torch.rand(1, cells, 2, generator=generator) * 30 + 10
    boxes = torch.cat((centers - sizes / 2, centers + sizes / 2), -1)
    return boxes, torch.rand(1, cells, classes, generator=generator)


def standard(boxes: torch.Tensor, scores: torch.Tensor, options: Suppression) -> list[tuple[float, int, list[float]]]:
    """torchvision's suppression per class over the same candidates."""
    cells, classes = scores.shape
    best, index = scores.flatten().topk(min(options.candidates, cells * classes))
    found = []
    for label in range(classes):
        chosen = (index % classes == label) & (best > options.score_floor)
        candidates, values = boxes[index[chosen] // classes], best[chosen]
        found += [(float(values[i]), label, candidates[i].tolist()) for i in nms(candidates, values, options.iou)]
    return sorted(found, key=lambda entry: -entry[0])[: options.slots]


@pytest.mark.parametrize("seed", range(20))
def test_equals_standard_suppression(seed: int) -> None:
    options = Suppression(slots=50, candidates=200, score_floor=0.001, iou=0.5 + 0.01 * seed, rounds=32)
    boxes, scores = crowd(seed, 150, 3)
    got_boxes, got_scores, got_labels = suppress(boxes, scores, options)
    wanted = standard(boxes[0], scores[0], options)
    assert int((got_scores[0] > 0).sum()) == len(wanted)
    for slot, (score, label, box) in enumerate(wanted):
        assert float(got_scores[0, slot]) == pytest.approx(score)
        assert int(got_labels[0, slot]) == label
        assert got_boxes[0, slot].tolist() == pytest.approx(box)


def test_empty_slots_are_marked() -> None:
    boxes = torch.tensor([[[0.0, 0.0, 10.0, 10.0], [50.0, 50.0, 60.0, 60.0]]])
    scores = torch.tensor([[[0.9], [0.0005]]])
    got_boxes, got_scores, got_labels = suppress(
        boxes, scores, Suppression(slots=5, candidates=10, score_floor=0.001, iou=0.7, rounds=16)
    )
    assert got_scores.tolist()[0] == pytest.approx([0.9, 0, 0, 0, 0])
    assert got_labels.tolist() == [[0, -1, -1, -1, -1]]
    assert got_labels.dtype == torch.int32
    assert got_boxes[0, 1:].abs().sum() == 0


def test_boxes_of_different_classes_do_not_suppress_each_other() -> None:
    boxes = torch.tensor([[[0.0, 0.0, 10.0, 10.0]] * 2])
    scores = torch.tensor([[[0.9, 0.0], [0.0, 0.8]]])
    _, got_scores, got_labels = suppress(
        boxes, scores, Suppression(slots=4, candidates=4, score_floor=0.001, iou=0.5, rounds=16)
    )
    assert got_scores[0, :2].tolist() == pytest.approx([0.9, 0.8])
    assert got_labels[0, :2].tolist() == [0, 1]


def test_rounds_settle_chains() -> None:
    """A chain of boxes that suppress each other in turn: every second one stays."""
    count = 30
    left = torch.arange(count, dtype=torch.float32) * 3
    boxes = torch.stack((left, torch.zeros(count), left + 10, torch.full((count,), 10.0)), -1)[None]
    scores = torch.linspace(0.9, 0.1, count)[None, :, None]
    options = Suppression(slots=30, candidates=30, score_floor=0.001, iou=0.5, rounds=32)
    _, got, _ = suppress(boxes, scores, options)
    assert torch.allclose(got[0, :15], scores[0, ::2, 0])
    assert got[0, 15:].sum() == 0
