"""The exported graph: contract, parity with the torch model, and NVIDIA's builder."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from engines import engine_outputs

from perception_common.errors import UserError
from perception_infer.contract.manifest import detection_tensors
from perception_infer.contract.parity import compare_detections
from perception_infer.models import open_bundle
from perception_infer.predictor import Predictor
from perception_train.export import candidate as candidate_module
from perception_train.export.candidate import Candidate, Source
from perception_train.models import build_model


def test_graph_keeps_the_contract(candidate: Candidate) -> None:
    model = onnx.load_from_string(candidate.onnx)
    assert model.ir_version <= 10
    assert [(opset.domain, opset.version) for opset in model.opset_import] == [("", 17)]
    kinds = {node.op_type for node in model.graph.node}
    assert not kinds & {"NonMaxSuppression", "NonZero", "RoiAlign", "If", "Loop"}
    inputs, outputs = detection_tensors(96, 64, 1, 100)
    assert candidate.manifest.variants["fp32"].inputs == inputs
    assert candidate.manifest.variants["fp32"].outputs == outputs
    first = next(node for node in model.graph.node if "image" in node.input)
    assert first.op_type == "Cast"


def test_parity_is_proven_on_objects(candidate: Candidate) -> None:
    parity = candidate.prove()
    assert parity.problem is None
    assert parity.objects >= 10
    assert parity.min_iou >= 0.99


def test_parity_refuses_another_answer(candidate: Candidate) -> None:
    expected = {name: candidate.references[f"fp32.{name}"] for name in ("boxes", "scores", "labels")}
    moved = expected | {"boxes": expected["boxes"] + np.float32(2.0)}
    tolerance = candidate.manifest.variants["fp32"].tolerance
    assert "boxes" in str(compare_detections(expected, moved, tolerance).problem)


def test_a_graph_that_differs_is_not_published(
    tmp_path: Path, candidate: Candidate, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A planted fault: the file holds the weights of another model."""
    monkeypatch.setattr(candidate_module, "to_onnx", lambda *_: candidate.onnx)
    torch.manual_seed(99)
    other = build_model("yolo_n", 2).eval()
    for head in other.class_heads:
        torch.nn.init.constant_(head[-1].bias, 0.5)
    source: Source = candidate.source
    wrong = Candidate(other, source)
    with pytest.raises(UserError, match="does not answer as the model does"):
        wrong.write(tmp_path / "models", candidate.validate())
    assert not (tmp_path / "models").exists()


def test_bundle_round_trip(candidate: Candidate, tmp_path: Path) -> None:
    result = candidate.validate()
    assert result.images == 12
    assert 0 <= result.map <= result.map50 <= 1
    directory = candidate.write(tmp_path / "models", result)
    assert sorted(path.name for path in directory.iterdir()) == [
        "manifest.json",
        "model.onnx",
        "parity.safetensors",
        "weights.safetensors",
    ]
    bundle = open_bundle(directory)
    assert bundle.manifest.variants["fp32"].metrics == result.metrics()
    assert bundle.manifest.thresholds == result.thresholds
    assert candidate.write(tmp_path / "models", result).name == "2"
    image = np.random.default_rng(0).integers(0, 255, (64, 96, 3), dtype=np.uint8)
    found = Predictor.load(bundle, threshold=0.0).predict(image)
    assert len(found) > 0


@pytest.mark.skipif(sys.platform != "linux", reason="NVIDIA's builder is for Linux here")
def test_nvidia_builder_takes_the_graph(candidate: Candidate) -> None:
    assert engine_outputs(candidate.onnx) == {"boxes": (1, 100, 4), "scores": (1, 100), "labels": (1, 100)}
