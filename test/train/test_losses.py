"""Assignment and losses."""

from __future__ import annotations

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode
from torchvision.ops import box_iou, complete_box_iou_loss

from perception_train.models import build_model
from perception_train.models.assign import assign, pairwise_iou
from perception_train.models.losses import Targets, complete_iou
from perception_train.models.yolo import anchors, distances_to_boxes


def random_boxes(count: int, seed: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    low = torch.rand(count, 2, generator=generator) * 50
    return torch.cat((low, low + 5 + torch.rand(count, 2, generator=generator) * 40), -1)


def test_pairwise_iou_equals_torchvision() -> None:
    a, b = random_boxes(9, 1), random_boxes(7, 2)
    assert torch.allclose(pairwise_iou(a, b), box_iou(a, b), atol=1e-6)


def test_complete_iou_equals_torchvision() -> None:
    a, b = random_boxes(50, 1), random_boxes(50, 2)
    assert torch.allclose(1 - complete_iou(a, b), complete_box_iou_loss(a, b), atol=1e-4)


def test_distances_round_trip() -> None:
    centers, strides = anchors(64, 96, torch.device("cpu"))
    assert len(centers) == 12 * 8 + 6 * 4 + 3 * 2
    boxes = distances_to_boxes(centers, torch.ones(1, len(centers), 4), strides)
    assert torch.allclose((boxes[0, :, :2] + boxes[0, :, 2:]) / 2, centers)
    assert torch.allclose(boxes[0, :, 2:] - boxes[0, :, :2], 2 * strides.expand(-1, 2))


def test_cells_inside_the_object_become_positive() -> None:
    centers, _ = anchors(64, 64, torch.device("cpu"))
    truth = torch.tensor([[[8.0, 8.0, 40.0, 40.0], [0.0, 0.0, 0.0, 0.0]]])
    labels, mask = torch.tensor([[1, 0]]), torch.tensor([[True, False]])
    boxes = truth[:, :1].expand(1, len(centers), 4)
    found = assign(torch.full((1, len(centers), 3), 0.5), boxes, centers, truth, labels, mask)
    assert int(found.positive.sum()) == 10
    inside = ((centers > 8) & (centers < 40)).all(-1)
    assert bool(inside[found.positive[0]].all())
    assert found.scores[0, found.positive[0]].argmax(-1).unique().tolist() == [1]
    assert float(found.scores.max()) == pytest.approx(1.0, abs=1e-4)


def test_images_without_objects_train_towards_silence() -> None:
    torch.manual_seed(0)
    model = build_model("yolo_n", 2)
    none = Targets(torch.zeros(2, 0, 4), torch.zeros(2, 0, dtype=torch.int64), torch.zeros(2, 0, dtype=torch.bool))
    losses = model.losses(torch.rand(2, 3, 64, 64), none, bf16=False)
    torch.stack(list(losses.values())).sum().backward()
    assert float(losses["box"].detach()) == 0.0
    assert all(torch.isfinite(x.grad).all() for x in model.parameters() if x.grad is not None)


def test_a_model_learns_one_batch() -> None:
    """The parts fit together: thirty steps on four boxes bring the loss well down."""
    torch.manual_seed(0)
    model = build_model("yolo_n", 2)
    images = torch.rand(2, 3, 64, 64)
    boxes = torch.tensor([[[4.0, 4, 30, 30], [34, 30, 60, 62]], [[10, 20, 40, 50], [0, 0, 16, 16]]])
    targets = Targets(boxes, torch.tensor([[0, 1], [1, 0]]), torch.ones(2, 2, dtype=torch.bool))
    optimizer = torch.optim.AdamW(model.parameters(), 2e-3)
    totals = []
    for _ in range(30):
        total = torch.stack(list(model.losses(images, targets, bf16=False).values())).sum()
        optimizer.zero_grad()
        total.backward()
        optimizer.step()
        totals.append(float(total.detach()))
    assert totals[-1] < 0.6 * totals[0]


@pytest.mark.parametrize(("architecture", "gflops"), [("yolo_n", 6.5), ("yolo_s", 21.5)])
def test_sizes_cost_what_yolo11_costs(architecture: str, gflops: float) -> None:
    """Published figures of YOLO11 at 640x640 and 80 classes, so that comparisons are between equals."""
    model = build_model(architecture, 80).eval()
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        raw = model(torch.zeros(1, 3, 640, 640))
    assert raw.shape == (1, 4 * 16 + 80, 8400)
    assert counter.get_total_flops() / 1e9 == pytest.approx(gflops, rel=0.1)
