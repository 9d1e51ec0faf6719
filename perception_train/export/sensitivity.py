"""Which layers may be quantised: the loss of accuracy is measured, and the layers that suffer most stay in float."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import onnx
import onnxruntime
from onnx import TensorProto, helper

from perception_common.errors import UserError

from .layers import layers, tidied
from .precision import QUANTISED, Image, to_int8

#: Shares of the layers that are left in float, one after the other, until the accuracy holds.
SHARES = (0.0, 0.05, 0.1, 0.2, 0.4)
_RANKING_IMAGES = 16


@dataclass(frozen=True)
class Quantised:
    """A quantised graph, the layers left in float (worst first), its score and that of the float32 graph."""

    graph: bytes
    skipped: tuple[str, ...]
    score: float
    baseline: float


def quantised_within(
    fp32_onnx: bytes,
    images: Sequence[Image],
    symmetric: bool,
    score: Callable[[bytes], float],
    budget: float = 0.01,
    baseline: float | None = None,
) -> Quantised:
    """The graph with as many quantised layers as the accuracy allows, of those that `SHARES` lists.

    Args:
        fp32_onnx: the float32 graph.
        images: uint8 [1, H, W, 3] each; all calibrate, the first ones also rank the layers.
        symmetric: see `to_int8`.
        score: accuracy of a graph, such as mAP on the validation set; higher is better.
        budget: by how much the score may be below that of the float32 graph.
        baseline: that score, when it is known already.

    Raises:
        UserError: the loss is larger than the budget even with the largest share left in float.
    """
    reference = score(fp32_onnx) if baseline is None else baseline
    names = [node.name for node in layers(tidied(fp32_onnx).graph, QUANTISED)]
    ranking: list[str] = []
    graph, reached, skipped, tried = b"", -math.inf, (), []
    for share in SHARES:
        count = math.ceil(share * len(names))
        if count == len(names) or count in tried:
            continue
        tried.append(count)
        if count and not ranking:
            ranking = sensitive_layers(fp32_onnx, graph, images[:_RANKING_IMAGES])
        skipped = tuple(ranking[:count])
        graph_now = to_int8(fp32_onnx, images, symmetric, skipped)
        graph = graph or graph_now
        reached = score(graph_now)
        # `not` lets a score that is no number count as too low.
        if not reached < reference - budget and not math.isnan(reached):
            return Quantised(graph_now, skipped, reached, reference)
    raise UserError(
        f"8 bits cost too much accuracy: {reached:.4f} instead of {reference:.4f} with {len(skipped)} of {len(names)} "
        f"layers left in float, a loss of {budget:g} is allowed",
        fix="allow a larger budget, calibrate with more images, or export without this precision",
    )


def sensitive_layers(fp32_onnx: bytes, int8_onnx: bytes, images: Sequence[Image]) -> list[str]:
    """Names of the quantised layers, the one with the largest error of its own first.

    Every layer is computed twice on the inputs that it has in the float32 graph: in float, and with inputs, weights
    and (where the graph has it) output quantised as in the quantised graph. The error is the mean square of the
    difference over the mean square of the output, so errors of earlier layers do not count.

    Args:
        fp32_onnx: the float32 graph.
        int8_onnx: what `to_int8` made of it.
        images: uint8 [1, H, W, 3] each.
    """
    probe, names = _probe(tidied(fp32_onnx), onnx.load_from_string(int8_onnx))
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    # Optimisers would merge what is to be compared.
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(probe.SerializeToString(), options, providers=["CPUExecutionProvider"])
    noise, signal = dict.fromkeys(names, 0.0), dict.fromkeys(names, 0.0)
    for image in images:
        values = session.run(None, {"image": image})
        for index, name in enumerate(names):
            noise[name] += float(values[2 * index])
            signal[name] += float(values[2 * index + 1])
    error = {name: noise[name] / max(signal[name], 1e-12) for name in names}
    # Of equals the later layer first: it is nearer to the answer.
    names.reverse()
    return sorted(names, key=lambda name: -error[name])


def _probe(model: onnx.ModelProto, quantised: onnx.ModelProto) -> tuple[onnx.ModelProto, list[str]]:
    """The float32 model with a quantised twin beside each layer; its outputs are noise and signal per layer."""
    producer = {output: node for node in quantised.graph.node for output in node.output}
    quantiser = {node.input[0]: node for node in quantised.graph.node if node.op_type == "QuantizeLinear"}
    twins = {node.name: node for node in quantised.graph.node}
    known = {tensor.name for tensor in model.graph.initializer}
    model.graph.initializer.extend(tensor for tensor in quantised.graph.initializer if tensor.name not in known)
    names, nodes, outputs = [], [], []
    for layer in layers(model.graph, QUANTISED):
        twin = twins[layer.name]
        if not any(_is_dequantised(producer, name) for name in twin.input):
            continue
        mark = f"probe:{layer.name}"
        inputs = [_copied_input(producer, name, f"{mark}:{i}", nodes) for i, name in enumerate(twin.input)]
        copy = onnx.NodeProto()
        copy.CopyFrom(layer)
        copy.name, copy.input[:], copy.output[:] = mark, inputs, [f"{mark}:out"]
        nodes.append(copy)
        last = f"{mark}:out"
        after = quantiser.get(twin.output[0])
        if after is not None:
            scale = list(after.input[1:])
            nodes.append(helper.make_node("QuantizeLinear", [last, *scale], [f"{mark}:q"]))
            nodes.append(helper.make_node("DequantizeLinear", [f"{mark}:q", *scale], [f"{mark}:dq"]))
            last = f"{mark}:dq"
        nodes.append(helper.make_node("Sub", [last, layer.output[0]], [f"{mark}:difference"]))
        for what, source in (("noise", f"{mark}:difference"), ("signal", layer.output[0])):
            nodes.append(helper.make_node("Mul", [source, source], [f"{mark}:{what}:square"]))
            nodes.append(helper.make_node("ReduceMean", [f"{mark}:{what}:square"], [f"{mark}:{what}"], keepdims=0))
            outputs.append(helper.make_tensor_value_info(f"{mark}:{what}", TensorProto.FLOAT, []))
        names.append(layer.name)
    model.graph.node.extend(nodes)
    del model.graph.output[:]
    model.graph.output.extend(outputs)
    return model, names


def _is_dequantised(producer: dict[str, onnx.NodeProto], name: str) -> bool:
    return name in producer and producer[name].op_type == "DequantizeLinear"


def _copied_input(producer: dict[str, onnx.NodeProto], name: str, mark: str, nodes: list[onnx.NodeProto]) -> str:
    """Name of an input of a twin: the float tensor itself, or a copy of it through the same quantisation."""
    if not _is_dequantised(producer, name):
        return name
    copy = onnx.NodeProto()
    copy.CopyFrom(producer[name])
    copy.name, copy.output[:] = f"{mark}:dq", [f"{mark}:dq"]
    source = producer.get(copy.input[0])
    if source is not None:
        first = onnx.NodeProto()
        first.CopyFrom(source)
        first.name, first.output[:] = f"{mark}:q", [f"{mark}:q"]
        copy.input[0] = f"{mark}:q"
        nodes.append(first)
    nodes.append(copy)
    return f"{mark}:dq"
