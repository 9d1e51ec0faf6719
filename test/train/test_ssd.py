"""SSD on torchvision's parts: default boxes, decoding, learning, export, and NVIDIA's builder."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from engines import engine_outputs
from shapes import small_run

from perception_common.errors import UserError
from perception_infer.models import open_bundle
from perception_infer.predictor import Predictor
from perception_train.data.coco import CocoDataset
from perception_train.export.graph import inference_graph, to_onnx
from perception_train.models import build_model
from perception_train.models.losses import Targets
from perception_train.models.ssd import Ssd
from perception_train.models.suppression import DEFAULT
from perception_train.training.config import TrainParams
from perception_train.training.detection import DetectionValidation
from perception_train.training.loop import Trainer
from perception_train.training.validation import validate

SIZES = {"ssdlite": (96, 64), "ssd300": (320, 288)}


def built(name: str, classes: int = 2) -> Ssd:
    torch.manual_seed(0)
    model = build_model(name, classes)
    assert isinstance(model, Ssd)
    return model


def truth() -> Targets:
    boxes = torch.tensor([[[4.0, 4, 30, 30], [40, 20, 90, 62]], [[10, 20, 40, 50], [0, 0, 0, 0]]])
    return Targets(boxes, torch.tensor([[0, 1], [1, 0]]), torch.tensor([[True, True], [True, False]]))


def test_default_boxes_are_centred_in_their_cells() -> None:
    model = built("ssdlite").eval()
    with torch.no_grad():
        regression, logits = model(torch.rand(1, 3, 64, 96))
        features = list(model.net.backbone(torch.rand(1, 3, 64, 96)).values())
    anchors = model._anchors[64, 96]
    assert regression.shape == (1, len(anchors), 4)
    assert logits.shape == (1, len(anchors), 3)
    rows, columns = features[0].shape[2:]
    each = model.net.anchor_generator.num_anchors_per_location()[0]
    centres = ((anchors[:, :2] + anchors[:, 2:]) / 2)[: rows * columns * each].reshape(rows, columns, each, 2)
    x = (torch.arange(columns) + 0.5) * 96 / columns
    y = (torch.arange(rows) + 0.5) * 64 / rows
    torch.testing.assert_close(centres[..., 0], x[None, :, None].expand(rows, columns, each))
    torch.testing.assert_close(centres[..., 1], y[:, None, None].expand(rows, columns, each))


def test_decoding_is_the_inverse_of_the_losss_encoding() -> None:
    model = built("ssdlite").eval()
    with torch.no_grad():
        model(torch.rand(1, 3, 64, 96))
    anchors = model._anchors[64, 96]
    boxes = torch.rand(len(anchors), 4, generator=torch.Generator().manual_seed(0)) * 40
    boxes[:, 2:] += boxes[:, :2] + 4
    encoded = model.net.box_coder.encode_single(boxes, anchors)
    logits = torch.zeros(1, len(anchors), 3)
    again, probabilities = model.decode((encoded[None], logits), 64, 96)
    torch.testing.assert_close(again[0], boxes, rtol=1e-4, atol=1e-3)
    assert probabilities.shape == (1, len(anchors), 2)
    # What training may throw at it before it knows anything.
    wild, _ = model.decode((torch.full((1, len(anchors), 4), 2000.0), logits), 64, 96)
    assert torch.isfinite(wild).all()


def test_a_model_learns_one_batch() -> None:
    model, images = built("ssdlite").train(), torch.rand(2, 3, 64, 96)
    optimizer = torch.optim.AdamW(model.parameters(), 2e-3)
    totals = []
    for _ in range(30):
        total = torch.stack(list(model.losses(images, truth(), bf16=False).values())).sum()
        optimizer.zero_grad()
        total.backward()
        optimizer.step()
        totals.append(float(total.detach()))
    assert totals[-1] < 0.5 * totals[0]


@pytest.mark.parametrize("bf16", [False, True])
def test_images_without_objects_train(bf16: bool) -> None:
    model = built("ssdlite").train()
    none = Targets(torch.zeros(2, 0, 4), torch.zeros(2, 0, dtype=torch.int64), torch.zeros(2, 0, dtype=torch.bool))
    losses = model.losses(torch.rand(2, 3, 64, 96), none, bf16)
    torch.stack(list(losses.values())).sum().backward()
    assert all(value.dtype == torch.float32 and torch.isfinite(value) for value in losses.values())
    assert float(losses["box"].detach()) == 0.0


def test_ssd300_takes_other_sizes_than_its_own_but_not_any() -> None:
    model = built("ssd300").eval()
    with torch.no_grad():
        regression, _ = model(torch.rand(1, 3, 288, 416))
        assert regression.shape[1] == len(model._anchors[288, 416])
        with pytest.raises(UserError, match="96x64 are too small"):
            model(torch.rand(1, 3, 64, 96))


@pytest.mark.parametrize("name", SIZES)
def test_graphs_build_with_nvidias_builder(name: str) -> None:
    width, height = SIZES[name]
    graph = to_onnx(inference_graph(built(name).eval(), DEFAULT), width, height)
    model = onnx.load_from_string(graph)
    kinds = {node.op_type for node in model.graph.node}
    assert not kinds & {"NonMaxSuppression", "NonZero", "RoiAlign", "If", "Loop"}
    assert next(node for node in model.graph.node if "image" in node.input).op_type == "Cast"
    assert engine_outputs(graph) == {"boxes": (1, 100, 4), "scores": (1, 100), "labels": (1, 100)}


def test_a_run_exports_a_bundle_that_answers(shapes: Path, tmp_path: Path) -> None:
    """The exporter itself proves parity with the network; here the robot's code answers as it was validated."""
    told = small_run(shapes, tmp_path, architecture="ssdlite", steps=60, batch=8, learning_rate=0.003)
    summary = Trainer(TrainParams(**told), lambda event: None).fit()
    assert summary["versions"] == [1]
    bundle = open_bundle(tmp_path / "models" / "shapes" / "1")
    assert bundle.manifest.architecture == "ssdlite"
    assert bundle.manifest.suppression is not None
    assert bundle.manifest.suppression.iou == 0.5
    with Predictor.load(bundle, threshold=0.0) as predictor:
        again = validate(predictor, CocoDataset.open(shapes / "val"))
        found = predictor.predict(np.zeros((64, 96, 3), np.uint8))
    assert isinstance(again, DetectionValidation)
    assert again.map50 == pytest.approx(summary["val_map50"], abs=1e-6)
    assert found.boxes.dtype == np.float32
