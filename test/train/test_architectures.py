"""Every architecture in every precision: answers, accuracy, NVIDIA's builder, and bundles that open."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import msgspec.structs
import numpy as np
import onnx
import pytest
from engines import engine_outputs
from memorised import RECIPES, memorise
from onnx import TensorProto

from perception_infer.backends.onnx_runtime import OnnxRuntimeBackend
from perception_infer.contract.manifest import Tolerance
from perception_infer.contract.parity import compare
from perception_infer.loading import prove_parity
from perception_infer.models import open_bundle
from perception_train.export.candidate import Candidate
from perception_train.export.layers import layers, tidied
from perception_train.export.variants import COMPARED, Variant

ARCHITECTURES = pytest.mark.parametrize("architecture", RECIPES)
LOWER = ("fp16", "int8", "int8_cpu")
#: How far graphs may be from the network, and what they may lose.
TOLERANCE = {"fp32": Tolerance(), "fp16": Tolerance(iou=0.98, score=0.02, agreement=0.995)}
DROP = 0.02
Known = Callable[[str], tuple[Candidate, Mapping[str, Variant]]]


@pytest.fixture(scope="module")
def known(tmp_path_factory: pytest.TempPathFactory) -> Known:
    """By architecture: a network that has memorised four pictures, and its graphs in the other precisions."""
    made: dict[str, tuple[Candidate, Mapping[str, Variant]]] = {}

    def get(architecture: str) -> tuple[Candidate, Mapping[str, Variant]]:
        if architecture not in made:
            candidate = memorise(architecture, tmp_path_factory.mktemp("memorised") / "shapes")
            images = [image[None] for image in candidate.references["image"]]
            made[architecture] = candidate, candidate.variants(LOWER, images, DROP)
        return made[architecture]

    return get


def answers(candidate: Candidate, graph: bytes) -> dict[str, np.ndarray]:
    backend = OnnxRuntimeBackend(graph, candidate.manifest.variants["fp32"], 1)
    found = [backend.run(image[None]) for image in candidate.references["image"]]
    return {name: np.concatenate([each[name] for each in found]) for name in found[0]}


@ARCHITECTURES
@pytest.mark.parametrize("precision", TOLERANCE)
def test_graphs_answer_as_the_network(known: Known, architecture: str, precision: str) -> None:
    candidate, variants = known(architecture)
    task = candidate.model.task
    graph = candidate.onnx if precision == "fp32" else variants[precision].graph.data
    expected = {name: candidate.references[f"fp32.{name}"] for name in COMPARED[task]}
    found = answers(candidate, graph)
    tolerance = TOLERANCE[precision]
    if precision != "fp32" and architecture.startswith("faster_rcnn"):
        # Which of many proposals of an object wins is decided by rounding.
        tolerance = msgspec.structs.replace(tolerance, matched=0.9)
    parity = compare(task, expected, found, tolerance, candidate.source.suppression.iou)
    assert parity.problem is None
    assert parity.objects >= 3
    if task == "segmentation":
        single = answers(candidate, candidate.onnx)["confidence"].astype(int)
        near = np.abs(single - found["confidence"].astype(int)) <= 255 * TOLERANCE[precision].score
        assert near.mean() > 0.99


@ARCHITECTURES
@pytest.mark.parametrize("precision", LOWER)
def test_accuracy_stays_within_the_budget(known: Known, architecture: str, precision: str) -> None:
    candidate, variants = known(architecture)
    metric = "miou" if candidate.model.task == "segmentation" else "map"
    before = candidate.validate().metrics()[metric]
    # Enough that a drop could be seen; how much exactly is up to each processor's rounding.
    assert before > 0.1
    assert variants[precision].graph.metrics[metric] >= before - DROP
    assert variants[precision].drop == pytest.approx(before - variants[precision].graph.metrics[metric])


@pytest.mark.skipif(sys.platform != "linux", reason="NVIDIA's builder is for Linux here")
@ARCHITECTURES
@pytest.mark.parametrize("precision", ["fp16", "int8"])
def test_nvidia_builder_takes_the_graph(known: Known, architecture: str, precision: str) -> None:
    candidate, variants = known(architecture)
    wanted = {tensor.name: tensor.shape for tensor in candidate.manifest.variants["fp32"].outputs}
    assert engine_outputs(variants[precision].graph.data) == wanted


@ARCHITECTURES
def test_half_graphs_hold_half_layers_and_float_decisions(known: Known, architecture: str) -> None:
    """From a TopK to the next layer (proposals, regions) and after the last layer, nothing is half."""
    candidate, variants = known(architecture)
    model = onnx.load_from_string(variants["fp16"].graph.data)
    graph = onnx.shape_inference.infer_shapes(model, strict_mode=True).graph
    kinds = {value.name: value.type.tensor_type.elem_type for value in (*graph.value_info, *graph.output)}
    names = {node.name for node in layers(tidied(candidate.onnx).graph)}
    found = [node for node in graph.node if node.name in names]
    assert len(found) == len(names)
    assert {kinds[node.output[0]] for node in found} == {TensorProto.FLOAT16}
    after: set[str] = set()
    last = len(graph.node) - 1 - next(i for i, n in enumerate(reversed(graph.node)) if n.name in names)
    for index, node in enumerate(graph.node):
        if node.name in names or node.op_type == "Cast":
            continue
        if node.op_type == "TopK" or after & set(node.input) or index > last:
            after |= set(node.output)
            assert not [name for name in (*node.input, *node.output) if kinds.get(name) == TensorProto.FLOAT16], node
    assert after


@pytest.mark.parametrize("architecture", ["unet_mobilenet", "faster_rcnn_mobilenet"])
def test_bundles_of_four_variants_prove_themselves(known: Known, architecture: str, tmp_path: Path) -> None:
    """As the robot does before it serves a graph; and a graph of other weights is found out."""
    candidate, variants = known(architecture)
    bundle = open_bundle(candidate.write(tmp_path / "models", candidate.validate(), variants))
    for precision in ("fp32", *LOWER):
        variant = bundle.manifest.variants[precision]
        backend: Any = OnnxRuntimeBackend(bundle.read(variant.file), variant, 1)
        assert prove_parity(bundle, backend).problem is None
        assert variant.metrics.keys() == bundle.manifest.variants["fp32"].metrics.keys()
