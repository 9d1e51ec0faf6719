"""The graph that a bundle holds: everything between letterboxed pixels and detections."""

from __future__ import annotations

import io
import warnings

import onnx
import torch
from torch import Tensor, nn

from perception_infer.contract.manifest import Suppression

from ..models.network import Detector
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
        height, width = image.shape[1], image.shape[2]
        boxes, scores = self.model.decode(self.model(pixels), height, width)
        return suppress(boxes, scores, self.options)


def to_onnx(graph: DetectionGraph, width: int, height: int, batch: int = 1) -> bytes:
    """The graph as a checked ONNX model of static shape, opset 17, loadable by ONNX Runtime 1.23 and later."""
    image = torch.zeros(batch, height, width, 3, dtype=torch.uint8)
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        # Sizes become constants here on purpose, and the exporter that writes opset 17 calls itself legacy.
        warnings.simplefilter("ignore", torch.jit.TracerWarning)
        warnings.simplefilter("ignore", DeprecationWarning)
        warnings.simplefilter("ignore", UserWarning)
        torch.onnx.export(
            graph.eval(),
            (image,),
            buffer,
            dynamo=False,
            opset_version=OPSET,
            input_names=["image"],
            output_names=["boxes", "scores", "labels"],
        )
    model = onnx.load_from_string(buffer.getvalue())
    onnx.checker.check_model(model, full_check=True)
    if model.ir_version > MAX_IR_VERSION:
        raise RuntimeError(f"the exporter wrote IR version {model.ir_version}, robots read up to {MAX_IR_VERSION}")
    return buffer.getvalue()
