"""Graphs in other precisions: types, answers, NVIDIA's builder, the budget of accuracy, and the bundle of all four."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from engines import engine_outputs
from onnx import TensorProto, helper, numpy_helper
from shapes import small_run

from perception_common.errors import UserError
from perception_infer.backends.onnx_runtime import OnnxRuntimeBackend
from perception_infer.contract.manifest import Tolerance
from perception_infer.contract.parity import compare_detections
from perception_infer.models import open_bundle
from perception_infer.predictor import Predictor
from perception_train.export import budget as budget_module
from perception_train.export import candidate as candidate_module
from perception_train.export.budget import Budget
from perception_train.export.calibration import calibration_images
from perception_train.export.candidate import Candidate
from perception_train.export.layers import layers, tidied
from perception_train.export.precision import to_fp16, to_int8
from perception_train.export.sensitivity import half_errors, halved_within, quantised_within, sensitive_layers
from perception_train.training.config import TrainParams
from perception_train.training.loop import Trainer

LAYERS = ("Conv", "ConvTranspose", "Gemm")
LINUX = pytest.mark.skipif(sys.platform != "linux", reason="NVIDIA's builder is for Linux here")
Images = Sequence[np.ndarray]


@pytest.fixture(scope="module")
def images(candidate: Candidate) -> Images:
    return list(calibration_images(candidate.source.train, (96, 64), 6))


@pytest.fixture(scope="module")
def trained(shapes: Path, tmp_path_factory: pytest.TempPathFactory) -> Candidate:
    """A yolo_n of 96x64 after some seconds of training."""
    folder = tmp_path_factory.mktemp("trained")
    chosen = small_run(shapes, folder, steps=120, validations=1, exports=1)
    trainer = Trainer(TrainParams(**chosen), lambda event: None)
    trainer.fit()
    return trainer._exporter.candidate()


@pytest.fixture(scope="module")
def graphs(candidate: Candidate, images: Images) -> dict[str, bytes]:
    return {
        "fp16": to_fp16(candidate.onnx),
        "int8": to_int8(candidate.onnx, images, symmetric=True),
        "int8_cpu": to_int8(candidate.onnx, images, symmetric=False),
    }


def types(model: onnx.ModelProto) -> dict[str, int]:
    graph = onnx.shape_inference.infer_shapes(model, strict_mode=True).graph
    values = [*graph.value_info, *graph.input, *graph.output]
    found = {value.name: value.type.tensor_type.elem_type for value in values}
    return found | {tensor.name: tensor.data_type for tensor in graph.initializer}


def answers(candidate: Candidate, graph: bytes, optimize: bool = True) -> dict[str, np.ndarray]:
    backend = OnnxRuntimeBackend(graph, candidate.manifest.variants["fp32"], 1, optimize)
    found = [backend.run(image[None]) for image in candidate.references["image"]]
    return {name: np.concatenate([each[name] for each in found]) for name in ("boxes", "scores", "labels")}


@pytest.mark.parametrize("precision", ["fp16", "int8", "int8_cpu"])
def test_tensors_and_versions_stay(candidate: Candidate, graphs: dict[str, bytes], precision: str) -> None:
    model = onnx.load_from_string(graphs[precision])
    onnx.checker.check_model(model, full_check=True)
    assert model.ir_version <= 10
    assert [(opset.domain, opset.version) for opset in model.opset_import] == [("", 17)]
    before = onnx.load_from_string(candidate.onnx).graph
    for side in ("input", "output"):
        assert [value.SerializeToString() for value in getattr(model.graph, side)] == [
            value.SerializeToString() for value in getattr(before, side)
        ]
    assert len(graphs[precision]) < 0.55 * len(candidate.onnx)


@pytest.mark.parametrize("precision", ["fp16", "int8", "int8_cpu"])
def test_what_follows_the_last_layer_is_float32(graphs: dict[str, bytes], precision: str) -> None:
    model = onnx.load_from_string(graphs[precision])
    found, leads = types(model), set()
    after = []
    for node in reversed(model.graph.node):
        if node.op_type in LAYERS or leads & set(node.output):
            leads |= set(node.input)
        elif node.op_type not in ("Cast", "QuantizeLinear", "DequantizeLinear"):
            after.append(node)
    assert {"Softmax", "TopK", "Sigmoid", "MatMul"} <= {node.op_type for node in after}
    small = {TensorProto.FLOAT16, TensorProto.INT8, TensorProto.UINT8}
    assert not {name for node in after for name in (*node.input, *node.output) if found.get(name) in small}


def test_layers_are_half_with_half_weights(graphs: dict[str, bytes]) -> None:
    model = onnx.load_from_string(graphs["fp16"])
    found = types(model)
    convolutions = [node for node in model.graph.node if node.op_type == "Conv"]
    assert len(convolutions) > 50
    assert {found[name] for node in convolutions for name in (*node.input, *node.output)} == {TensorProto.FLOAT16}
    assert "BatchNormalization" not in {node.op_type for node in model.graph.node}


def test_every_layer_is_quantised_or_skipped(candidate: Candidate, graphs: dict[str, bytes], images: Images) -> None:
    names = [node.name for node in layers(tidied(candidate.onnx).graph)]
    skip = names[-3:]
    some = to_int8(candidate.onnx, images[:1], symmetric=True, skip=skip)
    for data, left in ((graphs["int8"], []), (graphs["int8_cpu"], []), (some, skip)):
        model = onnx.load_from_string(data)
        quantised = {name for node in model.graph.node if node.op_type == "DequantizeLinear" for name in node.output}
        plain = [n.name for n in model.graph.node if n.op_type == "Conv" and not set(n.input[:2]) <= quantised]
        assert sorted(plain) == sorted(left)
    with pytest.raises(ValueError, match="no layers of this graph"):
        to_int8(candidate.onnx, images[:1], symmetric=True, skip=["nothing"])


@LINUX
@pytest.mark.parametrize("precision", ["fp16", "int8"])
def test_nvidia_builder_takes_the_graph(graphs: dict[str, bytes], precision: str) -> None:
    assert engine_outputs(graphs[precision]) == {"boxes": (1, 100, 4), "scores": (1, 100), "labels": (1, 100)}


def test_half_answers_as_float(trained: Candidate) -> None:
    """On a trained network: in one with random weights, large logits make a rounding error a different box."""
    expected = {name: trained.references[f"fp32.{name}"] for name in ("boxes", "scores", "labels")}
    found = answers(trained, to_fp16(trained.onnx))
    parity = compare_detections(expected, found, Tolerance(iou=0.98, score=0.02), trained.source.suppression.iou)
    assert parity.problem is None
    assert parity.objects >= 10


@pytest.mark.parametrize("precision", ["int8", "int8_cpu"])
def test_quantised_graphs_mean_the_same_to_other_kernels(trained: Candidate, images: Images, precision: str) -> None:
    """Optimised kernels answer as the graph computed node by node does; sums of 8-bit products that saturate do not."""
    graph = to_int8(trained.onnx, images, symmetric=precision == "int8")
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
    names = ["boxes", "scores", "labels"]
    found = [session.run(names, {"image": image[None]}) for image in trained.references["image"]]
    expected = {name: np.concatenate([each[i] for each in found]) for i, name in enumerate(names)}
    parity = compare_detections(expected, answers(trained, graph), Tolerance(iou=0.9, score=0.1), 0.7)
    assert parity.problem is None
    assert parity.objects >= 3


def test_int8_for_cpus_runs(candidate: Candidate, graphs: dict[str, bytes]) -> None:
    found = answers(candidate, graphs["int8_cpu"])
    assert np.isfinite(found["boxes"]).all()
    assert (found["scores"] > 0.1).any()


def mixed_graph(x: int = 8) -> bytes:
    """uint8 image to float32 ``out`` [1, 2, 16, 16] through the operations that detectors of other kinds have."""
    rng = np.random.default_rng(0)
    constants = {
        "w1": rng.normal(0, 0.2, (x, 3, 3, 3)),
        "w2": rng.normal(0, 0.2, (x, x, 1, 1)),
        "w3": rng.normal(0, 0.2, (2, 2 * x, 1, 1)),
        "up": rng.normal(0, 0.2, (2, 2, 2, 2)),
        "gain": np.full(1, 3000.0),
        "tiny": np.full(1, 1e-5),
        "huge": np.full(1, 1e6),
    }
    initializers = [numpy_helper.from_array(value.astype(np.float32), name) for name, value in constants.items()]
    initializers.append(numpy_helper.from_array(np.array([1, 1, 2, 2], np.float32), "sizes"))

    def node(kind: str, inputs: str, output: str, **attributes: object) -> onnx.NodeProto:
        return helper.make_node(kind, ["" if name == "-" else name for name in inputs.split()], [output], **attributes)

    nodes = [
        node("Cast", "image", "floats", to=TensorProto.FLOAT),
        node("Transpose", "floats", "pixels", perm=[0, 3, 1, 2]),
        node("Conv", "pixels w1", "a", pads=[1, 1, 1, 1]),
        node("Mul", "a gain", "loud"),
        node("ReduceMean", "loud", "mean", axes=[2, 3]),
        node("Sub", "loud mean", "centred"),
        node("Mul", "centred centred", "squares"),
        node("ReduceMean", "squares", "variance", axes=[2, 3]),
        node("Add", "variance tiny", "safe"),
        node("Sqrt", "safe", "deviation"),
        node("Div", "centred deviation", "normal"),
        node("HardSwish", "normal", "b"),
        node("GlobalAveragePool", "b", "pooled"),
        node("Conv", "pooled w2", "squeezed"),
        node("HardSigmoid", "squeezed", "gate"),
        node("Mul", "b gate", "c"),
        node("Mul", "c huge", "d0"),
        node("Div", "d0 huge", "d"),
        node("MaxPool", "d", "small", kernel_shape=[2, 2], strides=[2, 2]),
        node("Resize", "small - sizes", "large", mode="nearest"),
        node("Concat", "large c", "e", axis=1),
        node("Conv", "e w3", "f"),
        node("ConvTranspose", "f up", "g", strides=[2, 2]),
        node("Softmax", "g", "out", axis=1),
    ]
    graph = helper.make_graph(
        nodes,
        "mixed",
        [helper.make_tensor_value_info("image", TensorProto.UINT8, [1, 8, 8, 3])],
        [helper.make_tensor_value_info("out", TensorProto.FLOAT, [1, 2, 16, 16])],
        initializers,
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8).SerializeToString()


def test_half_spares_what_it_would_spoil() -> None:
    single, half = mixed_graph(), to_fp16(mixed_graph())
    image = np.random.default_rng(1).integers(0, 255, (1, 8, 8, 3), dtype=np.uint8)
    want, have = (
        onnxruntime.InferenceSession(data, providers=["CPUExecutionProvider"]).run(None, {"image": image})[0]
        for data in (single, half)
    )
    assert np.abs(want - have).max() < 0.01
    model = onnx.load_from_string(half)
    found = types(model)
    by_half = {node.op_type for node in model.graph.node if found[node.output[0]] == TensorProto.FLOAT16}
    assert by_half == {
        *("Cast", "Concat", "Conv", "ConvTranspose", "HardSigmoid", "HardSwish", "MaxPool", "Mul", "Resize")
    }


def test_layers_are_ranked_by_their_own_error(candidate: Candidate, graphs: dict[str, bytes], images: Images) -> None:
    """A planted fault: one layer in the middle has weights of twice the size; what follows it is not to blame."""
    model = onnx.load_from_string(graphs["int8"])
    victim = layers(tidied(candidate.onnx).graph)[20]
    spoilt = next(node for node in model.graph.node if node.name == victim.name)
    weights = next(node for node in model.graph.node if spoilt.input[1] in node.output)
    scale = next(tensor for tensor in model.graph.initializer if tensor.name == weights.input[1])
    scale.CopyFrom(numpy_helper.from_array(2 * numpy_helper.to_array(scale), scale.name))
    ranking = sensitive_layers(candidate.onnx, model.SerializeToString(), images)
    assert ranking[0] == victim.name
    sound = sensitive_layers(candidate.onnx, graphs["int8"], images)
    assert sorted(ranking) == sorted(sound)
    assert [name for name in sound if name != victim.name] == ranking[1:]


def test_exclusion_stops_at_the_first_share_within_the_budget(candidate: Candidate, images: Images) -> None:
    scores = [0.30, 0.45, 0.485, 0.495]
    seen: list[bytes] = []

    def score(graph: bytes) -> float:
        seen.append(graph)
        return scores[len(seen) - 1]

    made = quantised_within(candidate.onnx, images[:1], True, score, 0.50, Budget(0.02))
    total = len(layers(tidied(candidate.onnx).graph))
    assert len(seen) == 3
    assert made.graph == seen[2]
    assert len(set(made.skipped)) == -(-total // 10)
    assert (made.score, made.baseline) == (0.485, 0.50)


def test_a_budget_that_cannot_be_met_is_refused(
    candidate: Candidate, images: Images, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The refusal tells the drop and the worst layers; who accepts the drop gets the best graph that was tried."""
    monkeypatch.setattr(budget_module, "SHARES", (0.0, 0.05, 0.1))
    scores = iter([0.1, 0.1, 0.2] * 2)
    worst = sensitive_layers(candidate.onnx, to_int8(candidate.onnx, images[:1], symmetric=False), images[:1])[:5]
    budget = Budget(0.01, metric="mAP")
    with pytest.raises(UserError, match=r"8 bits cost .* mAP 0\.2000 instead of 0\.5000 with 6 of 59") as caught:
        quantised_within(candidate.onnx, images[:1], False, lambda graph: next(scores), 0.5, budget)
    assert len(str(caught.value).splitlines()) == 1
    assert f"most sensitive are {', '.join(worst)}" in str(caught.value)
    made = quantised_within(candidate.onnx, images[:1], False, lambda graph: next(scores), 0.5, Budget(0.01, True))
    assert (made.score, list(made.skipped[:5])) == (0.2, worst)
    monkeypatch.setattr(budget_module, "SHARES", (0.0,))
    with pytest.raises(UserError, match="nan instead"):
        quantised_within(candidate.onnx, images[:1], False, lambda graph: float("nan"), 0.5, Budget(0.01, True))


def test_half_leaves_overflowing_layers_in_float(candidate: Candidate, images: Images) -> None:
    """A planted fault: the outputs of one layer in the middle go beyond the range of half floats and back."""
    model = tidied(candidate.onnx)
    victim = layers(model.graph)[20]
    index = list(model.graph.node).index(victim)
    output, loud = victim.output[0], f"{victim.output[0]}.loud"
    weights = next(tensor for tensor in model.graph.initializer if tensor.name == victim.input[1])
    biases = next(tensor for tensor in model.graph.initializer if tensor.name == victim.input[2])
    # The weights themselves still are within the range.
    gain = np.float32(5e4 / max(np.abs(numpy_helper.to_array(tensor)).max() for tensor in (weights, biases)))
    for tensor in (weights, biases):
        tensor.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(tensor) * gain, tensor.name))
    victim.output[0] = loud
    model.graph.initializer.append(numpy_helper.from_array(gain, "loudness"))
    model.graph.node.insert(index + 1, helper.make_node("Div", [loud, "loudness"], [output], "quiet"))
    single = model.SerializeToString()
    errors = half_errors(single, to_fp16(single), images[:2])
    assert [name for name, error in errors.items() if error == np.inf] == [victim.name]
    made = halved_within(single, images[:2], lambda graph: 0.5, 0.5)
    assert made.skipped == (victim.name,)
    # Half floats hold its inputs and, once it is quiet again, what follows.
    left = onnx.load_from_string(made.graph)
    floats = [node.name for node in left.graph.node if node.op_type == "Conv" and types(left)[node.output[0]] == 1]
    assert floats == [victim.name]


def test_unknown_precisions_are_refused(candidate: Candidate) -> None:
    with pytest.raises(UserError, match="unknown precision 'fp8'"):
        candidate.variants(["fp32", "fp8"], [])


def test_bundle_of_four_variants(trained: Candidate, images: Images, tmp_path: Path) -> None:
    result = trained.validate()
    variants = trained.variants(["int8_cpu", "fp32", "fp16", "int8"], images, 1.0, result)
    assert list(variants) == ["fp16", "int8", "int8_cpu"]
    directory = trained.write(tmp_path / "models", result, variants)
    assert sorted(path.name for path in directory.iterdir()) == [
        "manifest.json",
        "model.fp16.onnx",
        "model.int8.onnx",
        "model.int8_cpu.onnx",
        "model.onnx",
        "parity.safetensors",
        "weights.safetensors",
    ]
    bundle = open_bundle(directory)
    assert list(bundle.manifest.variants) == ["fp32", "fp16", "int8", "int8_cpu"]
    assert bundle.manifest.variants["int8"].meant_for == ("tensorrt",)
    assert bundle.manifest.variants["fp16"].tolerance == Tolerance(iou=0.98, score=0.02, agreement=0.995)
    for precision, variant in variants.items():
        assert bundle.manifest.variants[precision].metrics == variant.graph.metrics
    assert Predictor.load(bundle, threshold=0.0).backend.precision == "fp32"


def test_lost_accuracy_is_refused(trained: Candidate, images: Images, monkeypatch: pytest.MonkeyPatch) -> None:
    """A planted fault: every further graph scores less than it may."""
    result = trained.validate()
    good = replace(result, map=0.5)
    monkeypatch.setattr(candidate_module, "validate", lambda *_: replace(result, map=0.4))
    with pytest.raises(UserError, match=r"half floats cost too much accuracy: mAP 0\.4000 instead of 0\.5000"):
        trained.variants(["fp16"], images, 0.05, good)
    made = trained.variants(["fp16"], images, 0.05, good, accept_drop=True)["fp16"]
    assert made.drop == pytest.approx(0.1)
    assert made.graph.metrics["map"] == 0.4
