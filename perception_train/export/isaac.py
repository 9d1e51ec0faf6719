"""The layout that NVIDIA's nodes for ROS 2 expect: image encoder, TensorRT or Triton node, YOLOv8 or U-Net decoder.

Tensor names, shapes and normalisation are the defaults of Isaac ROS's own launch files (release 4.5):
``isaac_ros_yolov8_core.launch.py`` and ``isaac_ros_unet_core.launch.py``. What their decoders read was taken from
``yolov8_decoder_node.cpp`` and ``segmentation_postprocessor.cu.cpp``. Inputs and outputs are never half floats: the
TensorRT node refuses them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml
from torch import Tensor, nn

from perception_common import durable
from perception_common.errors import UserError
from perception_infer.contract.manifest import Tolerance

from ..models.network import Detector, Segmenter
from ..models.yolo import Yolo
from .bundle import GRAPH_FILES, Precision
from .candidate import Candidate
from .graph import traced
from .precision import to_fp16
from .sensitivity import plain_session

#: The folder of the graphs, as Triton wants it: the only version of the model.
VERSION = "1"
#: For Triton, which else looks for model.onnx and guesses the rest.
_TRITON = """backend: "onnxruntime"
max_batch_size: 0
default_model_filename: "{file}"
"""
#: The decoder's source fixes 8,400 cells, those of this many pixels squared.
YOLO_SIDE = 640
#: One colour for each class beside the background, in turn; the decoder wants a palette.
_COLOURS = (0xE6194B, 0x3CB44B, 0xFFE119, 0x4363D8, 0xF58231, 0x911EB4, 0x46F0F0, 0xF032E6, 0xBCF60C, 0xFABEBE)
#: How far the graph may be from the network: pixels of a box, probabilities.
_NEAR_PIXELS, _NEAR = 0.5, 0.01
_README = """# {name} for Isaac ROS

`{file}` answers what {decoder} reads, and `parameters.yaml` holds the parameters of each node:

    ros2 launch perception_suite isaac.launch.py model:=THIS_FOLDER image_width:=1280 image_height:=720

starts image encoder, TensorRT (or Triton, with `inference:=triton`) and decoder in one container. The folder is a model
of a Triton repository, too: its parent is the repository. Classes, in the order of their index: {classes}.

- The image encoder hands on the channels as they come: the camera must publish rgb8 (`convert:=true` puts NVIDIA's
  converter in front). It keeps the aspect ratio (`enable_padding: true`) and pads with black where training padded
  with grey (114): the nearer the camera's aspect ratio is to that of the network, the less that matters. Crop in front
  of the encoder if scores at the border are low.
- The TensorRT node builds an engine from `{file}` at its first start, or at each where it is told to
  (`force_engine_update`, which is its default). `enable_fp16` changes nothing: the precision is that of the graph.
{more}"""
_MORE_YOLO = """\
- `num_classes` is no argument of `isaac_ros_yolov8_core.launch.py`, and its default of 80 reads beyond the tensor:
  set it on the decoder node.
- The decoder knows one threshold for all classes, suppresses across classes, and rounds boxes to whole pixels of the
  network's input. Our own node does none of that.
"""
_MORE_UNET = """\
- The mask has the size of the network's input: 0 is the background, 1 the first class.
"""


class YoloGraph(nn.Module):
    """float32 [1, 3, 640, 640], 0 to 1, RGB, to float32 [1, 4 + classes, 8400]: x, y (centre), w, h, probabilities."""

    def __init__(self, model: Detector) -> None:
        super().__init__()
        self.model = model

    def forward(self, images: Tensor) -> Tensor:
        height, width = int(images.shape[2]), int(images.shape[3])
        boxes, scores = self.model.decode(self.model(images), height, width)
        low, high = boxes[..., :2], boxes[..., 2:]
        return torch.cat(((low + high) / 2, high - low, scores), -1).transpose(1, 2)


class UnetGraph(nn.Module):
    """float32 [1, 3, H, W], -1 to 1, RGB, to int32 [1, H, W, 1], the class of every pixel."""

    def __init__(self, model: Segmenter) -> None:
        super().__init__()
        self.model = model

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.model(images * 0.5 + 0.5)
        return logits.float().argmax(1, keepdim=True).permute(0, 2, 3, 1).to(torch.int32)


@dataclass(frozen=True)
class _Layout:
    """Names of the graph's tensors, what the encoder subtracts and divides by, and the decoder in words."""

    graph: nn.Module
    input: str
    output: str
    mean: float
    deviation: float
    decoder: str
    more: str


def write_isaac(candidate: Candidate, folder: Path, precisions: Sequence[str] = ("fp32",)) -> dict[str, str]:
    """Write graphs, parameters of NVIDIA's nodes and a README into a new folder; the files' names by kind.

    Args:
        candidate: what a run has trained.
        folder: must not exist.
        precisions: ``fp32``, ``fp16``.

    Raises:
        UserError: no decoder of Isaac ROS reads what this network answers, the precision is not offered in this
            layout, the graph answers otherwise than the network, or the folder exists or cannot be written.
    """
    layout = _layout(candidate)
    other = next((name for name in precisions if name not in ("fp32", "fp16")), None)
    if other is not None:
        raise UserError(f"the isaac layout has no {other}", fix="choose fp32 or fp16")
    source = candidate.source
    example = torch.zeros(1, 3, source.height, source.width)
    fp32 = traced(layout.graph, example, [layout.input], [layout.output])
    graphs: dict[Precision, bytes] = {"fp32": fp32}
    if "fp16" in precisions:
        graphs["fp16"] = to_fp16(fp32)
    for precision, graph in graphs.items():
        _prove(candidate, layout, precision, graph)
    chosen: Precision = "fp16" if "fp16" in graphs else "fp32"
    files: dict[str, str] = {precision: f"{VERSION}/{GRAPH_FILES[precision]}" for precision in graphs}
    files |= {"parameters": "parameters.yaml", "triton": "config.pbtxt", "readme": "README.md"}
    if folder.exists():
        raise UserError("the output folder exists already", where=folder, fix="choose another, or remove it")
    with durable.new_directory(folder) as work:
        (work / VERSION).mkdir()
        for precision, graph in graphs.items():
            (work / files[precision]).write_bytes(graph)
        told = yaml.safe_dump(_parameters(candidate, layout, folder / files[chosen]), sort_keys=False)
        (work / files["parameters"]).write_text(told)
        (work / files["triton"]).write_text(_TRITON.format(file=GRAPH_FILES[chosen]))
        (work / files["readme"]).write_text(
            _README.format(
                name=source.name,
                file=files[chosen],
                decoder=layout.decoder,
                classes=", ".join(f"{i} {name}" for i, name in enumerate(_classes(candidate))),
                more=layout.more,
            )
        )
    return files


def _layout(candidate: Candidate) -> _Layout:
    source, model = candidate.source, candidate.model.eval()
    if isinstance(model, Segmenter):
        return _Layout(UnetGraph(model), "input_2:0", "argmax_1", 0.5, 0.5, "the decoder of isaac_ros_unet", _MORE_UNET)
    if not isinstance(model, Yolo):
        raise UserError(
            f"no decoder of Isaac ROS reads what {source.architecture} answers",
            fix="train a YOLO at 640x640 or a U-Net, or export a bundle, which our node reads",
        )
    if (source.width, source.height) != (YOLO_SIDE, YOLO_SIDE):
        raise UserError(
            f"the YOLOv8 decoder of Isaac ROS reads networks of {YOLO_SIDE}x{YOLO_SIDE} only, this one has "
            f"{source.width}x{source.height}",
            fix=f"train with width and height of {YOLO_SIDE}, or export a bundle, which our node reads",
        )
    return _Layout(YoloGraph(model), "images", "output0", 0.0, 1.0, "the decoder of isaac_ros_yolov8", _MORE_YOLO)


def _classes(candidate: Candidate) -> tuple[str, ...]:
    """Names by the index that the decoder publishes."""
    names = candidate.source.train.classes
    return ("background", *names) if isinstance(candidate.model, Segmenter) else names


def _prove(candidate: Candidate, layout: _Layout, precision: Precision, graph: bytes) -> None:
    """Compare with the network's answers to the reference images.

    Raises:
        UserError: they differ by more than a half pixel or a hundredth, or in too many pixels of a mask.
    """
    session = plain_session(graph)
    problem = None
    for image in candidate.references["image"]:
        pixels = torch.from_numpy(np.asarray(image[None])).float().permute(0, 3, 1, 2) / 255.0
        values = (pixels - layout.mean) / layout.deviation
        with torch.no_grad():
            want = layout.graph(values).numpy()
        have = session.run([layout.output], {layout.input: values.numpy()})[0]
        if isinstance(candidate.model, Segmenter):
            agreement = float(np.mean(want == have))
            if agreement < Tolerance().agreement - (0.004 if precision == "fp16" else 0.0):
                problem = f"{agreement:.2%} of the pixels agree"
        else:
            likely = want[:, 4:].max(1) > 2 * _NEAR
            error = np.abs(want - have).transpose(0, 2, 1)[likely]
            allowed = 2.0 if precision == "fp16" else 1.0
            if len(error) and (error[:, :4].max() > allowed * _NEAR_PIXELS or error[:, 4:].max() > allowed * _NEAR):
                problem = f"boxes differ by {error[:, :4].max():.3f} pixels, scores by {error[:, 4:].max():.4f}"
    if problem is not None:
        raise UserError(
            f"the {precision} graph does not answer as the network does: {problem}", fix="nothing was written"
        )


def _parameters(candidate: Candidate, layout: _Layout, graph: Path) -> dict[str, Any]:
    """Parameters by node, as ROS reads them."""
    source = candidate.source
    encoder = {
        "network_image_width": source.width,
        "network_image_height": source.height,
        "input_encoding": "rgb8",
        "enable_padding": True,
        "image_mean": [layout.mean] * 3,
        "image_stddev": [layout.deviation] * 3,
        "tensor_name": "input_tensor",
    }
    tensor_rt = {
        "model_file_path": str(graph.absolute()),
        "engine_file_path": str(graph.absolute().with_suffix(".plan")),
        "input_tensor_names": ["input_tensor"],
        "input_binding_names": [layout.input],
        "input_tensor_formats": ["nitros_tensor_list_nchw_rgb_f32"],
        "output_tensor_names": ["output_tensor"],
        "output_binding_names": [layout.output],
    }
    decoder: dict[str, Any]
    if isinstance(candidate.model, Segmenter):
        name = "unet_decoder"
        tensor_rt["output_tensor_formats"] = ["nitros_tensor_list_nhwc_rgb_f32"]
        colours = [_COLOURS[i % len(_COLOURS)] for i in range(candidate.model.classes)]
        decoder = {
            "network_output_type": "argmax",
            "color_segmentation_mask_encoding": "rgb8",
            "mask_width": source.width,
            "mask_height": source.height,
            "color_palette": [0, *colours],
        }
    else:
        name = "yolov8_decoder_node"
        tensor_rt["output_tensor_formats"] = ["nitros_tensor_list_nchw_rgb_f32"]
        thresholds = candidate.validate().thresholds
        decoder = {
            "tensor_name": "output_tensor",
            # One for all classes: the least of ours loses nothing that ours would show.
            "confidence_threshold": float(min(thresholds)),
            "nms_threshold": float(source.suppression.iou),
            "num_classes": candidate.model.classes,
        }
    nodes = {"dnn_image_encoder": encoder, "tensor_rt": tensor_rt, name: decoder}
    return {node: {"ros__parameters": values} for node, values in nodes.items()}
