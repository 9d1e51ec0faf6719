"""What NVIDIA's nodes declare, read in their sources: parameters with types, and topics; and an export for them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

#: What the nodes of Isaac ROS declare and of which type, read in the sources of release 4.5 (decoders, converter: 4.4).
TEXT, TEXTS, WHOLE, WHOLES, NUMBER, NUMBERS, TRUTH = "str", "str[]", "int", "int[]", "float", "float[]", "bool"
QUALITY = dict(input_qos=TEXT, output_qos=TEXT)
TENSORS = {
    f"{side}_{what}": TEXTS
    for side in ("input", "output")
    for what in ("tensor_names", "binding_names", "tensor_formats")
}
DECLARED = {
    "nvidia::isaac_ros::image_proc::ImageFormatConverterNode": dict(
        encoding_desired=TEXT, image_width=WHOLE, image_height=WHOLE, num_blocks=WHOLE, **QUALITY
    ),
    "nvidia::isaac_ros::dnn_inference::DnnImageEncoderNode": dict(
        tensor_name=TEXT, input_image_width=WHOLE, input_image_height=WHOLE, network_image_width=WHOLE,
        network_image_height=WHOLE, input_encoding=TEXT, enable_padding=TRUTH, image_mean=NUMBERS,
        image_stddev=NUMBERS, batch_size=WHOLE, **QUALITY,
    ),
    "nvidia::isaac_ros::dnn_inference::TensorRTNode": dict(
        model_file_path=TEXT, engine_file_path=TEXT, force_engine_update=TRUTH, verbose=TRUTH,
        max_workspace_size=WHOLE, dla_core=WHOLE, max_batch_size=WHOLE, enable_fp16=TRUTH,
        relaxed_dimension_check=TRUTH, **TENSORS, **QUALITY,
    ),
    "nvidia::isaac_ros::dnn_inference::TritonNode": dict(
        model_name=TEXT, model_repository_paths=TEXTS, max_batch_size=WHOLE, num_concurrent_requests=WHOLE,
        **TENSORS, **QUALITY,
    ),
    "nvidia::isaac_ros::yolov8::YoloV8DecoderNode": dict(
        tensor_name=TEXT, confidence_threshold=NUMBER, nms_threshold=NUMBER, num_classes=WHOLE
    ),
    "nvidia::isaac_ros::unet::UNetDecoderNode": dict(
        color_segmentation_mask_encoding=TEXT, color_palette=WHOLES, network_output_type=TEXT, mask_width=WHOLE,
        mask_height=WHOLE, **QUALITY,
    ),
}  # fmt: skip
#: The names of topics in those nodes, before they are remapped: what is read, what is published.
TOPICS = {
    "converter": (["image_raw"], ["image"]),
    "encoder": (["image", "camera_info"], ["tensors"]),
    "inference": (["tensor_pub"], ["tensor_sub"]),
    "decoder": (["tensor_sub"], []),
}


def kind(value: Any) -> str:
    return f"{kind(value[0])}[]" if isinstance(value, list) else type(value).__name__


def undeclared(plugin: str, parameters: dict[str, Any]) -> dict[str, str]:
    """Parameters that a node does not declare, or declares with another type, and their types."""
    return {name: kind(value) for name, value in parameters.items() if DECLARED[plugin].get(name) != kind(value)}


def write_export(folder: Path, decoder: str = "yolov8_decoder_node") -> Path:
    """A folder such as the exporter writes; test/train/test_isaac.py proves that it does."""
    of_decoder: dict[str, Any] = {"tensor_name": "output_tensor", "confidence_threshold": 0.4, "num_classes": 3}
    if decoder == "unet_decoder":
        of_decoder = {"network_output_type": "argmax", "color_palette": [0, 1], "mask_width": 640, "mask_height": 480}
    nodes = {
        "dnn_image_encoder": {"network_image_width": 640, "network_image_height": 640, "image_mean": [0.0, 0.0, 0.0]},
        "tensor_rt": {
            "model_file_path": "/where/it/was/exported/1/model.fp16.onnx",
            "engine_file_path": "/where/it/was/exported/1/model.fp16.plan",
            **{name: ["x"] for name in TENSORS},
        },
        decoder: of_decoder,
    }
    (folder / "1").mkdir(parents=True)
    (folder / "1" / "model.fp16.onnx").write_bytes(b"a graph")
    told = {name: {"ros__parameters": values} for name, values in nodes.items()}
    (folder / "parameters.yaml").write_text(yaml.safe_dump(told))
    return folder
