"""The graph that a bundle holds: everything between letterboxed pixels and detections."""

from __future__ import annotations

import io
import warnings

import onnx
import torch
from torch import Tensor, nn

from perception_infer.contract.manifest import Suppression

from ..models.network import Detector, Network, Segmenter
from ..models.suppression import suppress
from .layers import MAX_IR_VERSION, OPSET


class DetectionGraph(nn.Module):
    """uint8 [B, H, W, 3] RGB to boxes float32 [B, K, 4], scores float32 [B, K], labels int32 [B, K]."""

    def __init__(self, model: Detector, options: Suppression) -> None:
        super().__init__()
        self.model, self.options = model, options

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        # TensorRT refuses to transpose uint8: cast first.
        pixels = image.float().permute(0, 3, 1, 2) / 255.0
        # Numbers, also while the graph is traced: sizes are constants in it.
        height, width = int(image.shape[1]), int(image.shape[2])
        boxes, scores = self.model.decode(self.model(pixels), height, width)
        return suppress(boxes, scores, self.options)


class SegmentationGraph(nn.Module):
    """uint8 [B, H, W, 3] RGB to mask uint8 [B, H, W], the class of every pixel, and confidence uint8 [B, H, W]."""

    def __init__(self, model: Segmenter) -> None:
        super().__init__()
        self.model = model

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        logits: Tensor = self.model(image.float().permute(0, 3, 1, 2) / 255.0)
        probability, label = logits.float().softmax(1).max(1)
        return label.to(torch.uint8), (probability * 255.0 + 0.5).to(torch.uint8)


def inference_graph(model: Network, options: Suppression | None) -> nn.Module:
    """What a bundle holds of a network; detectors need to be told how to suppress."""
    if isinstance(model, Segmenter):
        return SegmentationGraph(model)
    assert isinstance(model, Detector)
    assert options is not None
    return DetectionGraph(model, options)


def to_onnx(graph: nn.Module, width: int, height: int, batch: int = 1) -> bytes:
    """The graph of a bundle as an ONNX model; see `traced`."""
    image = torch.zeros(batch, height, width, 3, dtype=torch.uint8)
    segments = isinstance(graph, SegmentationGraph)
    return traced(graph, image, ["image"], ["mask", "confidence"] if segments else ["boxes", "scores", "labels"])


def traced(graph: nn.Module, example: Tensor, inputs: list[str], outputs: list[str]) -> bytes:
    """A module as a checked ONNX model of static shape, opset 17, loadable by ONNX Runtime 1.23 and later.

    Args:
        graph: takes one tensor.
        example: of the shape and type that the model is for.
        inputs: the input's name.
        outputs: names of the outputs.
    """
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        # Sizes become constants here on purpose, and the exporter that writes opset 17 calls itself legacy.
        warnings.simplefilter("ignore", torch.jit.TracerWarning)
        warnings.simplefilter("ignore", DeprecationWarning)
        warnings.simplefilter("ignore", UserWarning)
        torch.onnx.export(
            graph.eval(),
            (example,),
            buffer,
            dynamo=False,
            opset_version=OPSET,
            input_names=inputs,
            output_names=outputs,
        )
    model = onnx.load_from_string(buffer.getvalue())
    # The exporter loses track of static sizes in long graphs, and readers of the contract ask for numbers.
    with torch.no_grad():
        answers = graph(example)
    for told, answer in zip(model.graph.output, (answers,) if isinstance(answers, Tensor) else answers, strict=True):
        for dimension, side in zip(told.type.tensor_type.shape.dim, answer.shape, strict=True):
            dimension.dim_value = int(side)
    onnx.checker.check_model(model, full_check=True)
    if model.ir_version > MAX_IR_VERSION:
        raise RuntimeError(f"the exporter wrote IR version {model.ir_version}, robots read up to {MAX_IR_VERSION}")
    data: bytes = model.SerializeToString()
    return data
