"""Which layers bear a lower precision: how much each suffers is measured, and the worst stay in float.

The measures need no labels; what counts in the end is the score on the validation set (`budget`).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime
from onnx import TensorProto, helper

from .budget import Budget, Lowered, lowered_within
from .layers import layers, tidied
from .precision import QUANTISED, Image, to_fp16, to_int8

_RANKING_IMAGES = 16


def quantised_within(
    fp32_onnx: bytes,
    images: Sequence[Image],
    symmetric: bool,
    score: Callable[[bytes], float],
    baseline: float,
    budget: Budget | None = None,
) -> Lowered:
    """The graph with as many quantised layers as the accuracy allows.

    Args:
        fp32_onnx: the float32 graph.
        images: uint8 [1, H, W, 3] each; all calibrate, the first ones also rank the layers.
        symmetric: see `to_int8`.
        score: accuracy of a graph, such as mAP on the validation set; higher is better.
        baseline: that of the float32 graph.
        budget: what may be lost.

    Raises:
        UserError: the loss is larger than the budget even with the largest share left in float.
    """
    return lowered_within(
        "8 bits",
        [node.name for node in layers(tidied(fp32_onnx).graph, QUANTISED)],
        lambda skip: to_int8(fp32_onnx, images, symmetric, skip),
        lambda graph: sensitive_layers(fp32_onnx, graph, images[:_RANKING_IMAGES]),
        score,
        baseline,
        budget or Budget(),
    )


def halved_within(
    fp32_onnx: bytes,
    images: Sequence[Image],
    score: Callable[[bytes], float],
    baseline: float,
    budget: Budget | None = None,
) -> Lowered:
    """The graph with as many layers in half floats as the accuracy allows; see `quantised_within`.

    Layers that overflow on the images stay in float whatever the score says: ONNX Runtime on a CPU computes half
    floats in float32 and rounds some of them only, so that its score does not show what a GPU would answer.
    """
    errors = half_errors(fp32_onnx, to_fp16(fp32_onnx), images[:_RANKING_IMAGES])
    overflowing = {name for name, error in errors.items() if error == math.inf}
    ranking = sorted(errors.keys() - overflowing, key=lambda name: -errors[name])
    made = lowered_within(
        "half floats",
        ranking,
        lambda skip: to_fp16(fp32_onnx, overflowing.union(skip)),
        lambda graph: ranking,
        score,
        baseline,
        budget or Budget(),
    )
    return replace(made, skipped=(*(name for name in errors if name in overflowing), *made.skipped))


def half_errors(fp32_onnx: bytes, fp16_onnx: bytes, images: Sequence[Image]) -> dict[str, float]:
    """How far the output of each layer is from that of the float32 graph, by name, in the graph's order.

    The error is the mean square of the difference over the mean square of the output, infinite where a value
    overflows. Errors of earlier layers count.

    Args:
        fp32_onnx: the float32 graph.
        fp16_onnx: what `to_fp16` made of it.
        images: uint8 [1, H, W, 3] each.
    """
    single, half = tidied(fp32_onnx), onnx.load_from_string(fp16_onnx)
    names = [node.name for node in layers(single.graph)]
    runs = [_layer_outputs(model, names) for model in (single, half)]
    error = dict.fromkeys(names, 0.0)
    for image in images:
        for name, want, have in zip(names, *(run(image) for run in runs), strict=True):
            wanted = want.astype(np.float64)
            with np.errstate(invalid="ignore", over="ignore"):
                noise = float(np.square(wanted - have.astype(np.float64)).mean())
            error[name] += noise / max(float(np.square(wanted).mean()), 1e-12) if math.isfinite(noise) else math.inf
    return error


def _layer_outputs(model: onnx.ModelProto, names: Sequence[str]) -> Callable[[Image], list[npt.NDArray[np.generic]]]:
    """A function that gives the outputs of these layers for an image."""
    by_name = {node.name: node for node in model.graph.node}
    wanted = [by_name[name].output[0] for name in names]
    del model.graph.output[:]
    model.graph.output.extend(onnx.ValueInfoProto(name=name) for name in wanted)
    session = plain_session(model.SerializeToString())

    def run(image: Image) -> list[npt.NDArray[np.generic]]:
        found: list[npt.NDArray[np.generic]] = session.run(wanted, {"image": image})
        return found

    return run


def plain_session(graph: bytes) -> onnxruntime.InferenceSession:
    """A session that computes every node for itself: optimisers would merge what is to be compared."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])


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
    session = plain_session(probe.SerializeToString())
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
