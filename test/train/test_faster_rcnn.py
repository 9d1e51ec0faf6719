"""Faster R-CNN: equal to torchvision where it can be, and exported without what TensorRT lacks."""

from __future__ import annotations

import sys

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from engines import engine_outputs
from torch import nn
from torchvision.models.detection.image_list import ImageList
from torchvision.ops import MultiScaleRoIAlign, batched_nms

from perception_infer.contract.manifest import Suppression, Tolerance
from perception_infer.contract.parity import compare_detections
from perception_train.export.graph import DetectionGraph, to_onnx
from perception_train.models import build_model
from perception_train.models.faster_rcnn import PLANS, FasterRcnn
from perception_train.models.losses import Targets
from perception_train.models.proposals import Proposals
from perception_train.models.roi import region_levels, sample_regions
from perception_train.training.ema import with_precise_statistics

WIDTH, HEIGHT = 128, 96
OPTIONS = Suppression(slots=50, candidates=200, score_floor=0.001, iou=0.5, rounds=32)


def random_boxes(seed: int, count: int, height: int, width: int) -> torch.Tensor:
    """float32 [count, 4] of all sizes, clipped to the image, some of them empty."""
    generator = torch.Generator().manual_seed(seed)
    limits = torch.tensor([width, height], dtype=torch.float32)
    centers = torch.rand(count, 2, generator=generator) * limits
    half = torch.rand(count, 2, generator=generator).pow(3) * limits
    boxes = torch.cat((centers - half, centers + half), 1)
    boxes[0] = torch.tensor([width, height, width, height])
    boxes[1] = torch.tensor([3.0, 3.0, 3.0, 3.0])
    return torch.minimum(boxes.clamp(min=0), limits.repeat(2))


def moved_batch() -> tuple[torch.Tensor, Targets]:
    """Two noisy images, each with two boxes whose inside is brighter."""
    torch.manual_seed(0)
    images = torch.rand(2, 3, HEIGHT, WIDTH) * 0.3
    boxes = torch.tensor([[[4.0, 4, 44, 40], [60, 30, 110, 90]], [[10, 20, 60, 70], [80, 8, 120, 60]]])
    labels = torch.tensor([[0, 1], [1, 0]])
    for image, places, kinds in zip(images, boxes.int().tolist(), labels.tolist(), strict=True):
        for (left, top, right, bottom), kind in zip(places, kinds, strict=True):
            image[kind, top:bottom, left:right] += 0.6
    return images, Targets(boxes, labels, torch.ones(2, 2, dtype=torch.bool))


@pytest.fixture(scope="module")
def learnt() -> tuple[FasterRcnn, list[float]]:
    """The small detector after forty steps on one batch, in eval mode, and the loss of every step."""
    torch.manual_seed(1)
    model = build_model("faster_rcnn_mobilenet", 2)
    assert isinstance(model, FasterRcnn)
    images, targets = moved_batch()
    optimizer = torch.optim.AdamW(model.parameters(), 1e-3)
    totals = []
    for _ in range(40):
        total = torch.stack(list(model.losses(images, targets, bf16=False).values())).sum()
        optimizer.zero_grad()
        total.backward()
        optimizer.step()
        totals.append(float(total.detach()))
    settled = with_precise_statistics(model.eval(), [images], bf16=False)
    assert isinstance(settled, FasterRcnn)
    return settled, totals


@pytest.fixture(scope="module")
def exported(learnt: tuple[FasterRcnn, list[float]]) -> bytes:
    return to_onnx(DetectionGraph(learnt[0], OPTIONS), WIDTH, HEIGHT)


@pytest.mark.parametrize("strides", [(4, 8, 16, 32), (32, 32), (16,)])
@pytest.mark.parametrize(("height", "width"), [(96, 128), (640, 320)])
def test_sampling_equals_multi_scale_roi_align(strides: tuple[int, ...], height: int, width: int) -> None:
    torch.manual_seed(0)
    features = {str(i): torch.randn(2, 5, height // stride, width // stride) for i, stride in enumerate(strides)}
    boxes = torch.stack([random_boxes(seed, 60, height, width) for seed in (1, 2)])
    align = MultiScaleRoIAlign(list(features), 7, 2)
    wanted = align(features, list(boxes), [(height, width)] * 2)
    got = sample_regions(list(features.values()), boxes, height)
    assert (got - wanted).abs().max() < 1e-4


def test_levels_are_those_of_torchvision() -> None:
    boxes = random_boxes(0, 2000, 1280, 960)
    sides = torch.tensor([14.0, 28, 56, 112, 224, 448, 896])
    exact = torch.stack((torch.zeros(7), torch.zeros(7), sides, sides), 1)
    boxes = torch.cat((boxes, exact))
    align = MultiScaleRoIAlign(["0", "1", "2", "3"], 7, 2)
    features = {str(i): torch.zeros(1, 1, 1280 // stride, 960 // stride) for i, stride in enumerate((4, 8, 16, 32))}
    align(features, [boxes[:1]], [(1280, 960)])
    levels = region_levels(boxes[None], [4, 8, 16, 32])[0]
    assert levels.tolist() == align.map_levels([boxes]).tolist()
    assert levels.unique().tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("plan", ["mobilenet", "resnet50"])
def test_proposals_equal_those_of_torchvision(plan: str, seed: int) -> None:
    """Of random predictions, slot by slot: boxes to a hundredth of a pixel."""
    torch.manual_seed(seed)
    model = FasterRcnn(2, PLANS[plan], Proposals(candidates=150, slots=100)).eval()
    height, width = 192, 256
    strides = (8, 16, 32, 64) if plan == "mobilenet" else (4, 8, 16, 32, 64)
    shapes = [(2, PLANS[plan].channels, height // stride, width // stride) for stride in strides]
    features = {str(i): torch.randn(shape) for i, shape in enumerate(shapes)}
    nn.init.normal_(model.rpn.head.cls_logits.weight, std=0.3)
    nn.init.normal_(model.rpn.head.bbox_pred.weight, std=0.1)
    with torch.no_grad():
        wanted, _ = model.rpn(ImageList(torch.zeros(2, 3, height, width), [(height, width)] * 2), features)
        got, filled = model.find_proposals(features, height, width)
    for image in range(2):
        found = int(filled[image].sum())
        assert found == len(wanted[image])
        assert found > 50
        assert (got[image, :found] - wanted[image]).abs().max() < 0.01
        assert got[image, found:].abs().sum() == 0


def test_detections_equal_those_of_torchvision(learnt: tuple[FasterRcnn, list[float]]) -> None:
    """The whole second stage too: what torchvision's inference path finds with the same layers."""
    model, _ = learnt
    images, _ = moved_batch()
    sizes = [(HEIGHT, WIDTH)] * 2
    with torch.no_grad():
        features = model._pyramid(images)
        proposals, _ = model.rpn(ImageList(images, sizes), features)
        found, _ = model.roi_heads(features, proposals, sizes)
        boxes, scores = model.decode(model(images), HEIGHT, WIDTH)
    for image in range(2):
        label = scores[image].new_zeros(scores[image].shape).long() + torch.arange(2)
        chosen = scores[image] > 0.001
        flat = boxes[image][chosen], scores[image][chosen], label[chosen]
        kept = batched_nms(*flat, 0.5)[:100]
        assert len(kept) == len(found[image]["boxes"])
        assert torch.allclose(flat[1][kept], found[image]["scores"], atol=1e-4)
        confident = flat[1][kept] > 0.05
        assert confident.any()
        assert torch.allclose(flat[0][kept][confident], found[image]["boxes"][confident], atol=0.05)
        assert torch.equal(flat[2][kept][confident] + 1, found[image]["labels"][confident])


def test_a_model_learns_one_batch(learnt: tuple[FasterRcnn, list[float]]) -> None:
    model, totals = learnt
    assert np.mean(totals[-5:]) < 0.5 * totals[0]
    images, targets = moved_batch()
    with torch.no_grad():
        boxes, scores, labels = DetectionGraph(model, OPTIONS)((images.permute(0, 2, 3, 1) * 255).byte())
    answer = {"boxes": boxes[:, :2].numpy(), "scores": scores[:, :2].numpy(), "labels": labels[:, :2].numpy()}
    truth = {"boxes": targets.boxes.numpy(), "scores": np.ones((2, 2)), "labels": targets.labels.numpy()}
    assert compare_detections(truth, answer, Tolerance(iou=0.5, score=0.7)).problem is None


@pytest.mark.parametrize("bf16", [False, True])
def test_images_without_objects_train(bf16: bool) -> None:
    torch.manual_seed(0)
    model = build_model("faster_rcnn_mobilenet", 2)
    empty = torch.zeros(2, 1, 4), torch.zeros(2, 1, dtype=torch.int64), torch.zeros(2, 1, dtype=torch.bool)
    losses = model.losses(torch.rand(2, 3, 64, 96), Targets(*empty), bf16)
    assert set(losses) == {"rpn_cls", "rpn_box", "cls", "box"}
    assert all(part.dtype == torch.float32 for part in losses.values())
    torch.stack(list(losses.values())).sum().backward()
    assert float(losses["box"].detach()) == float(losses["rpn_box"].detach()) == 0.0
    assert float(losses["cls"].detach()) > 0
    assert all(torch.isfinite(x.grad).all() for x in model.parameters() if x.grad is not None)


@pytest.mark.parametrize("architecture", ["faster_rcnn_mobilenet", "faster_rcnn_resnet50"])
def test_every_layer_learns(architecture: str) -> None:
    torch.manual_seed(0)
    model = build_model(architecture, 2)
    images, targets = moved_batch()
    losses = model.losses(images, targets, bf16=False)
    torch.stack(list(losses.values())).sum().backward()
    silent = [name for name, x in model.named_parameters() if x.grad is None or not torch.isfinite(x.grad).all()]
    assert not silent


def test_graph_keeps_the_contract(exported: bytes) -> None:
    model = onnx.load_from_string(exported)
    assert model.ir_version <= 10
    assert [(opset.domain, opset.version) for opset in model.opset_import] == [("", 17)]
    kinds = {node.op_type for node in model.graph.node}
    assert not kinds & {"NonMaxSuppression", "NonZero", "RoiAlign", "If", "Loop"}
    first = next(node for node in model.graph.node if "image" in node.input)
    assert first.op_type == "Cast"


def test_onnx_runtime_answers_as_torch(learnt: tuple[FasterRcnn, list[float]], exported: bytes) -> None:
    images = (moved_batch()[0].permute(0, 2, 3, 1) * 255).byte()
    graph = DetectionGraph(learnt[0], OPTIONS).eval()
    session = onnxruntime.InferenceSession(exported, providers=["CPUExecutionProvider"])
    names = ("boxes", "scores", "labels")
    objects = 0
    for image in images:
        with torch.no_grad():
            expected = {name: x.numpy() for name, x in zip(names, graph(image[None]), strict=True)}
        actual = dict(zip(names, session.run(list(names), {"image": image[None].numpy()}), strict=True))
        parity = compare_detections(expected, actual, Tolerance(iou=0.99, score=0.01), OPTIONS.iou)
        assert parity.problem is None
        objects += parity.objects
    assert objects >= 4


@pytest.mark.skipif(sys.platform != "linux", reason="NVIDIA's builder is for Linux here")
def test_nvidia_builder_takes_the_graph(exported: bytes) -> None:
    assert engine_outputs(exported) == {"boxes": (1, 50, 4), "scores": (1, 50), "labels": (1, 50)}
