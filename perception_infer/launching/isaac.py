"""A model of ours in NVIDIA's graph: the components of Isaac ROS, with all parameters from an exported folder.

Names and types of their parameters were compared with the sources of release 4.5 (4.4 of the decoders).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from perception_common.errors import UserError

from ..engines.isaac import engine_file

PARAMETERS, ENCODER, TENSOR_RT = "parameters.yaml", "dnn_image_encoder", "tensor_rt"
INFERENCE = (TENSOR_RT, "triton")
#: Best effort takes the images of every camera; the default of NVIDIA's nodes would not hear ours.
_QOS = {"input_qos": "SENSOR_DATA"}
_DNN = "nvidia::isaac_ros::dnn_inference"
#: By the name of their parameters in the exported folder: package and plugin.
_DECODERS = {
    "yolov8_decoder_node": ("isaac_ros_yolov8", "nvidia::isaac_ros::yolov8::YoloV8DecoderNode"),
    "unet_decoder": ("isaac_ros_unet", "nvidia::isaac_ros::unet::UNetDecoderNode"),
}
_OF_TENSORS = tuple(
    f"{side}_{what}" for side in ("input", "output") for what in ("tensor_names", "binding_names", "tensor_formats")
)


@dataclass(frozen=True)
class Component:
    """A node that is loaded into a component container."""

    package: str
    plugin: str
    name: str
    parameters: dict[str, Any]
    remappings: dict[str, str]


@dataclass(frozen=True)
class Camera:
    """Size of its images in pixels, and its topics; ``rgb`` where it publishes rgb8."""

    width: int
    height: int
    image: str = "image"
    info: str = "camera_info"
    rgb: bool = True


def components(
    folder: Path,
    camera: Camera,
    inference: str = TENSOR_RT,
    engine: str = "",
    further: Mapping[str, Mapping[str, Any]] | None = None,
) -> list[Component]:
    """The chain from the camera's images to detections or a mask.

    Args:
        folder: what ``perception-train export --layout isaac`` has written, wherever it lies now.
        camera: whose images are looked at.
        inference: one of `INFERENCE`.
        engine: file of the TensorRT engine; empty: one in the cache, see `engine_file`.
        further: parameters of the user, by the names of the components.

    Raises:
        UserError: the folder is another one.
    """
    told = exported(folder)
    chain, image = [], camera.image
    if not camera.rgb:
        image = "rgb/image"
        size = {"image_width": camera.width, "image_height": camera.height}
        converter = "nvidia::isaac_ros::image_proc::ImageFormatConverterNode"
        names = {"image_raw": camera.image, "image": image}
        values = {"encoding_desired": "rgb8", **size, **_QOS}
        chain.append(Component("isaac_ros_image_proc", converter, "converter", values, names))
    size = {"input_image_width": camera.width, "input_image_height": camera.height}
    names = {"image": image, "camera_info": camera.info, "tensors": "tensor_pub"}
    values = {**size, **_QOS, **told[ENCODER]}
    chain.append(Component("isaac_ros_dnn_image_encoder", f"{_DNN}::DnnImageEncoderNode", "encoder", values, names))
    run = _triton(folder, told[TENSOR_RT]) if inference == "triton" else _tensor_rt(folder, told[TENSOR_RT], engine)
    decoder = next(name for name in _DECODERS if name in told)
    chain += [run, Component(*_DECODERS[decoder], "decoder", told[decoder], {})]
    own = further or {}
    return [
        Component(one.package, one.plugin, one.name, {**one.parameters, **own.get(one.name, {})}, one.remappings)
        for one in chain
    ]


def exported(folder: Path) -> dict[str, dict[str, Any]]:
    """The parameters of each node, as they were exported.

    Raises:
        UserError: the folder holds no such export.
    """
    try:
        told = yaml.safe_load((folder / PARAMETERS).read_text(encoding="utf-8"))
        values = {str(name): dict(node["ros__parameters"]) for name, node in told.items()}
    except (OSError, yaml.YAMLError, AttributeError, KeyError, TypeError, ValueError):
        values = {}
    if not {ENCODER, TENSOR_RT} <= set(values) or not set(_DECODERS) & set(values):
        raise UserError(
            "not a model for Isaac ROS", where=folder, fix="perception-train export --layout isaac writes one"
        )
    return values


def _tensor_rt(folder: Path, values: Mapping[str, Any], engine: str) -> Component:
    # The folder may have moved since; its files have not.
    graph = folder.joinpath(*Path(values["model_file_path"]).parts[-2:])
    file, sure = (Path(engine), True) if engine else engine_file(graph)
    own = {"model_file_path": str(graph), "engine_file_path": str(file), "force_engine_update": not sure}
    return Component("isaac_ros_tensor_rt", f"{_DNN}::TensorRTNode", "inference", {**values, **own}, {})


def _triton(folder: Path, values: Mapping[str, Any]) -> Component:
    own = {"model_name": folder.name, "model_repository_paths": [str(folder.parent)], "max_batch_size": 0}
    tensors = {name: values[name] for name in _OF_TENSORS}
    return Component("isaac_ros_triton", f"{_DNN}::TritonNode", "inference", {**own, **tensors}, {})
