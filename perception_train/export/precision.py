"""Other precisions of an exported graph: half floats, and 8-bit integers for TensorRT and for CPUs. Needs no torch.

TensorRT builds strongly typed networks: the graph alone says in which type every tensor is computed. In every
precision what follows the last layer (decoding, TopK, suppression) is float32, and inputs and outputs keep their types.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper

from .layers import body, checked, constants, drop_unused, layers, selection, tidied

#: uint8 [1, H, W, 3], letterboxed.
Image = npt.NDArray[np.uint8]

#: What the two integer formats quantise; ONNX Runtime leaves transposed convolutions slow in 8 bits.
QUANTISED = ("Conv", "Gemm", "MatMul")

_HALF_RANGE = float(np.finfo(np.float16).max)
_MOVES = (
    *("Concat", "Expand", "Flatten", "Gather", "Identity", "Pad", "Reshape", "Resize", "Slice", "Split", "Squeeze"),
    *("Transpose", "Unsqueeze"),
)
_ARITHMETIC = ("Add", "Mul", "Sub")
#: Computed in half. Everything else within the body stays float32: sums over many values (means, norms, softmax),
#: powers, roots, exponentials and quotients lose too much or overflow.
_HALF = frozenset(
    (
        *("Conv", "ConvTranspose", "Gemm", "MatMul", "AveragePool", "MaxPool", "Clip", "Elu", "HardSigmoid"),
        *("HardSwish", "LeakyRelu", "PRelu", "Relu", "Sigmoid", "Tanh", *_ARITHMETIC, *_MOVES),
    )
)
#: Inputs that keep their type whatever the others have: Resize's regions and scales.
_UNTOUCHED = {"Resize": 1}


def to_fp16(fp32_onnx: bytes, skip: Collection[str] = ()) -> bytes:
    """The graph with weights and computation of its body in half floats.

    Operations of the body that half floats would spoil (see ``_HALF``; also squares and what stands between two
    such operations, as in a normalisation written out) stay float32 between Casts, and so does whatever has a
    constant beyond the range of half floats.

    Args:
        fp32_onnx: a float32 model of opset 17, without subgraphs.
        skip: names of layers that stay float32.

    Raises:
        UserError: the graph has no layer.
        ValueError: ``skip`` names no layer of the graph.
        onnx.checker.ValidationError, onnx.shape_inference.InferenceError: the graph is not valid.
    """
    model = tidied(fp32_onnx)
    _require_layers(skip, [node.name for node in layers(model.graph)])
    _Halving(model, frozenset(skip)).apply()
    return checked(model)


def _require_layers(skip: Collection[str], names: Collection[str]) -> None:
    unknown = set(skip) - set(names)
    if unknown:
        raise ValueError(f"no layers of this graph: {sorted(unknown)}")


class _Halving:
    """One rewriting of a graph: a float tensor ``x`` may exist as ``x`` (float32) and as ``x.half``."""

    def __init__(self, model: onnx.ModelProto, skip: frozenset[str]) -> None:
        self._skip = skip
        self._graph = model.graph
        self._floats = _float_tensors(model)
        self._constants = constants(model.graph)
        self._chosen = self._choose()
        self._nodes: list[onnx.NodeProto] = []
        self._have: set[str] = set(self._constants)
        self._have |= {value.name for value in model.graph.input}
        self._added: list[onnx.TensorProto] = []

    def apply(self) -> None:
        for node in self._graph.node:
            if node.name in self._chosen:
                stop = _UNTOUCHED.get(node.op_type, len(node.input))
                for index, name in enumerate(node.input):
                    if name in self._floats:
                        node.input[index] = self._half(name) if index < stop else self._single(name)
                for index, name in enumerate(node.output):
                    if name in self._floats:
                        node.output[index] = f"{name}.half"
            else:
                for index, name in enumerate(node.input):
                    if name and node.op_type == "Shape" and name not in self._have:
                        node.input[index] = f"{name}.half"
                    elif name:
                        self._single(name)
            self._append(node)
        for output in self._graph.output:
            self._single(output.name)
        del self._graph.node[:]
        self._graph.node.extend(self._nodes)
        self._graph.initializer.extend(self._added)
        drop_unused(self._graph)

    def _append(self, node: onnx.NodeProto) -> None:
        self._nodes.append(node)
        self._have |= set(node.output)

    def _half(self, name: str) -> str:
        """The tensor as half floats; its name."""
        half = f"{name}.half"
        if half not in self._have:
            if name in self._constants:
                tensor = numpy_helper.from_array(self._constants[name].astype(np.float16), half)
                self._added.append(tensor)
                self._have.add(half)
            else:
                self._append(helper.make_node("Cast", [name], [half], f"{half}:Cast", to=TensorProto.FLOAT16))
        return half

    def _single(self, name: str) -> str:
        """The tensor as it was; its name."""
        if name not in self._have:
            self._append(helper.make_node("Cast", [f"{name}.half"], [name], f"{name}:Cast", to=TensorProto.FLOAT))
        return name

    def _choose(self) -> set[str]:
        """Names of the nodes to compute in half."""
        inner = body(self._graph)
        nodes = [node for node in self._graph.node if node.name in inner and self._floats & set(node.output)]
        single = {node.name for node in nodes if not self._bears_half(node)} | selection(self._graph) | self._skip
        producer = {name: node.name for node in self._graph.node for name in node.output}
        consumers: dict[str, list[str]] = {}
        for node in nodes:
            for name in node.input:
                consumers.setdefault(name, []).append(node.name)
        # Within a normalisation the steps between mean, square, root and quotient stay float32, too.
        changed = True
        while changed:
            changed = False
            for node in nodes:
                if node.op_type in _ARITHMETIC and node.name not in single:
                    from_single = any(producer.get(name) in single for name in node.input)
                    to_single = any(name in single for output in node.output for name in consumers.get(output, ()))
                    if from_single and to_single:
                        single.add(node.name)
                        changed = True
        return {node.name for node in nodes} - single

    def _bears_half(self, node: onnx.NodeProto) -> bool:
        if node.op_type not in _HALF or (node.op_type == "Mul" and node.input[0] == node.input[1]):
            return False
        for name in self._floats & set(node.input) & set(self._constants):
            if np.abs(self._constants[name]).max(initial=0.0) > _HALF_RANGE:
                return False
        return True


def _float_tensors(model: onnx.ModelProto) -> set[str]:
    """Names of all float32 tensors."""
    graph = onnx.shape_inference.infer_shapes(model, strict_mode=True).graph
    values = [*graph.value_info, *graph.input, *graph.output]
    found = {value.name for value in values if value.type.tensor_type.elem_type == TensorProto.FLOAT}
    return found | {tensor.name for tensor in graph.initializer if tensor.data_type == TensorProto.FLOAT}


def to_int8(fp32_onnx: bytes, images: Iterable[Image], symmetric: bool, skip: Collection[str] = ()) -> bytes:
    """The graph with 8-bit layers, as QuantizeLinear and DequantizeLinear around float32 operations (QDQ).

    Ranges of activations are the least and greatest values over the images; weights are quantised per channel.

    Args:
        fp32_onnx: a float32 model of opset 17.
        images: uint8 [1, H, W, 3] each, to calibrate with.
        symmetric: int8 activations around 0 and float biases, which TensorRT takes; layers' outputs stay float, as
            it fuses the activation function with the layer and quantises after it. Otherwise uint8 activations and
            quantised outputs, which is what CPUs compute fast.
        skip: names of layers that stay float32.

    Raises:
        UserError: the graph has no layer.
        ValueError: ``skip`` names no layer of the graph, or leaves none, or there are no images.
    """
    # Imported here: only who quantises waits for it.
    from onnxruntime.quantization import QuantFormat, QuantType, quantize_static

    model = tidied(fp32_onnx)
    names = [node.name for node in layers(model.graph, QUANTISED)]
    _require_layers(skip, names)
    chosen = [name for name in names if name not in set(skip)]
    reader = _Reader(images)
    if not chosen or not reader.filled:
        raise ValueError("nothing is left to quantise" if not chosen else "no images to calibrate with")
    options: dict[str, Any] = {"WeightSymmetric": True, "ActivationSymmetric": symmetric}
    if symmetric:
        options |= {"QuantizeBias": False, "OpTypesToExcludeOutputQuantization": list(QUANTISED)}
    # Without this mark it asks for its own preprocessing, on the log.
    helper.set_model_props(model, {"onnx.quant.pre_process": "onnxruntime.quant"})
    with TemporaryDirectory() as folder:
        before, after = Path(folder) / "fp32.onnx", Path(folder) / "int8.onnx"
        onnx.save(model, str(before))
        quantize_static(
            str(before),
            str(after),
            reader,
            quant_format=QuantFormat.QDQ,
            op_types_to_quantize=list(QUANTISED),
            nodes_to_quantize=chosen,
            per_channel=True,
            # CPUs without instructions for 8-bit products add two of uint8 and int8 in 16 bits, which saturate.
            reduce_range=not symmetric,
            activation_type=QuantType.QInt8 if symmetric else QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            extra_options=options,
        )
        quantised = onnx.load(str(after))
    del quantised.metadata_props[:]
    quantised.ir_version = model.ir_version
    return checked(quantised)


class _Reader:
    """Calibration images one by one, as ONNX Runtime asks for them."""

    def __init__(self, images: Iterable[Image]) -> None:
        self._images = iter(images)
        self._next = next(self._images, None)
        self.filled = self._next is not None

    def get_next(self) -> dict[str, Image] | None:
        image, self._next = self._next, next(self._images, None)
        return None if image is None else {"image": image}
