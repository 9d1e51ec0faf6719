"""What precision is decided by: the layers of an ONNX graph, and the nodes between them. Needs no torch."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
import numpy.typing as npt
import onnx
from onnx import numpy_helper

from perception_common.errors import UserError

OPSET = 17
MAX_IR_VERSION = 10
_LAYERS = ("Conv", "ConvTranspose", "Gemm", "MatMul")


def tidied(data: bytes) -> onnx.ModelProto:
    """A model in which every node has a name of its own and every constant is an initialiser.

    Exporters share equal biases through Identity nodes; rewriting tools see constants only where they stand as
    initialisers. What is computed stays the same.
    """
    model = onnx.load_from_string(data)
    graph = model.graph
    constants = {tensor.name: tensor for tensor in graph.initializer}
    kept, names = [], set()
    for node in graph.node:
        value = None
        if node.op_type == "Constant" and node.attribute[0].name == "value":
            value = node.attribute[0].t
        elif node.op_type == "Identity" and node.input[0] in constants:
            value = constants[node.input[0]]
        if value is not None and not any(node.output[0] == output.name for output in graph.output):
            tensor = onnx.TensorProto()
            tensor.CopyFrom(value)
            tensor.name = node.output[0]
            constants[tensor.name] = tensor
            continue
        if not node.name or node.name in names:
            node.name = f"{node.op_type}:{node.output[0]}"
        names.add(node.name)
        kept.append(node)
    _replace(graph.node, kept)
    _replace(graph.initializer, list(constants.values()))
    drop_unused(graph)
    return model


def drop_unused(graph: onnx.GraphProto) -> None:
    """Remove initialisers that nothing reads."""
    used = {name for node in graph.node for name in node.input} | {output.name for output in graph.output}
    _replace(graph.initializer, [tensor for tensor in graph.initializer if tensor.name in used])


def checked(model: onnx.ModelProto) -> bytes:
    """The model's bytes, once onnx has checked it in full.

    Raises:
        onnx.checker.ValidationError, onnx.shape_inference.InferenceError: the graph is not valid.
        ValueError: it has another operator set or IR version than robots read.
    """
    used = {node.domain for node in model.graph.node}
    _replace(model.opset_import, [entry for entry in model.opset_import if not entry.domain or entry.domain in used])
    del model.graph.value_info[:]
    found = [(entry.domain, entry.version) for entry in model.opset_import]
    if found != [("", OPSET)] or model.ir_version > MAX_IR_VERSION:
        raise ValueError(f"operator sets {found}, IR version {model.ir_version}: robots read {OPSET}, {MAX_IR_VERSION}")
    onnx.checker.check_model(model, full_check=True)
    data: bytes = model.SerializeToString()
    return data


def constants(graph: onnx.GraphProto) -> dict[str, npt.NDArray[np.generic]]:
    """The initialisers by name."""
    return {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}


def layers(graph: onnx.GraphProto, kinds: Collection[str] = _LAYERS) -> list[onnx.NodeProto]:
    """Nodes that apply trained weights, in the graph's order: convolutions, and products with a constant matrix.

    Products of two computed matrices are none: suppression consists of them.

    Raises:
        UserError: the graph has no layer.
    """
    known = {tensor.name for tensor in graph.initializer}
    found = [node for node in graph.node if node.op_type in kinds and known & set(node.input[:2])]
    if not found:
        raise UserError("the graph has no layer with weights", fix="export it without further precisions")
    return found


def body(graph: onnx.GraphProto) -> set[str]:
    """Names of the layers and of all nodes between two of them.

    What only leads to the first layers (conversion and normalisation of the image) and what only follows the last
    ones (decoding and suppression) is no part of it.
    """
    trained = layers(graph)
    names = {node.name for node in trained}
    # Nodes stand in topological order.
    wanted: set[str] = set()
    before: set[str] = set()
    for node in reversed(graph.node):
        if node.name in names or wanted & set(node.output):
            before.add(node.name)
            wanted |= set(node.input) - {""}
    made: set[str] = set()
    after: set[str] = set()
    for node in graph.node:
        if node.name in names or made & set(node.input):
            after.add(node.name)
            made |= set(node.output) - {""}
    return before & after


def selection(graph: onnx.GraphProto) -> set[str]:
    """Names of the nodes that choose by score between layers, as the proposals of a two-stage detector do.

    They are all nodes that a TopK leads to before the next layer (coordinates, suppression, sampling of regions), and
    what leads to one of them from the last layer before.
    """
    names = {node.name for node in layers(graph)}
    made: set[str] = set()
    found: set[str] = set()
    for node in graph.node:
        if node.name not in names and (node.op_type == "TopK" or made & set(node.input)):
            found.add(node.name)
            made |= set(node.output) - {""}
    wanted: set[str] = set()
    for node in reversed(graph.node):
        if node.name not in names and (node.name in found or wanted & set(node.output)):
            found.add(node.name)
            wanted |= set(node.input) - {""}
    return found


def has_two_stages(data: bytes) -> bool:
    """Whether layers follow a choice by score (`selection`), as in Faster R-CNN."""
    graph = tidied(data).graph
    names = {node.name for node in layers(graph)}
    chosen: set[str] = set()
    for node in graph.node:
        if node.op_type == "TopK" or chosen & set(node.input):
            if node.name in names:
                return True
            chosen |= set(node.output)
    return False


def _replace(field: object, values: list[object]) -> None:
    """Give a repeated field of a message new contents (which may be some of the old)."""
    copies = list(values)
    del field[:]  # type: ignore[attr-defined]
    field.extend(copies)  # type: ignore[attr-defined]
