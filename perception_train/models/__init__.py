"""Architectures: one explicit table from name to builder. Torch is imported with the first build, not before."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from perception_common.errors import UserError, did_you_mean

if TYPE_CHECKING:
    from .network import Network

#: Sides of the network's input are multiples of this many pixels.
STRIDE = 32


def _yolo(size: str) -> Callable[[int], Network]:
    def build(classes: int) -> Network:
        from .yolo import SIZES, Yolo

        return Yolo(classes, SIZES[size])

    return build


def _unet(size: str) -> Callable[[int], Network]:
    def build(classes: int) -> Network:
        from .unet import SIZES, Unet

        return Unet(classes, SIZES[size])

    return build


def _unet_yolo(size: str) -> Callable[[int], Network]:
    def build(classes: int) -> Network:
        from .unet_yolo import UnetYolo
        from .yolo import SIZES

        return UnetYolo(classes, SIZES[size])

    return build


def _ssd(name: str) -> Callable[[int], Network]:
    def build(classes: int) -> Network:
        from . import ssd

        built: Network = getattr(ssd, name)(classes)
        return built

    return build


def _faster_rcnn(plan: str) -> Callable[[int], Network]:
    def build(classes: int) -> Network:
        from .faster_rcnn import PLANS, FasterRcnn

        return FasterRcnn(classes, PLANS[plan])

    return build


BUILDERS: dict[str, Callable[[int], Network]] = {
    "yolo_n": _yolo("n"),
    "yolo_n_ibn": _yolo("n_ibn"),
    "yolo_n_std": _yolo("n_std"),
    "yolo_s": _yolo("s"),
    "yolo_s_ibn": _yolo("s_ibn"),
    "yolo_s_std": _yolo("s_std"),
    "yolo_m": _yolo("m"),
    "yolo_l": _yolo("l"),
    "ssdlite": _ssd("ssdlite"),
    "ssd300": _ssd("ssd300"),
    "faster_rcnn_mobilenet": _faster_rcnn("mobilenet"),
    "faster_rcnn_resnet50": _faster_rcnn("resnet50"),
    "unet_yolo_n": _unet_yolo("n"),
    "unet_yolo_s": _unet_yolo("s"),
    "unet_mobilenet": _unet("mobilenet"),
    "unet_resnet18": _unet("resnet18"),
    "unet_resnet34": _unet("resnet34"),
    "unet_efficientnet": _unet("efficientnet"),
}


def build_model(architecture: str, classes: int) -> Network:
    """A freshly initialised model.

    Raises:
        UserError: no architecture has this name.
    """
    require_architecture(architecture)
    return BUILDERS[architecture](classes)


def require_architecture(name: str) -> None:
    """Refuse a name that no architecture has."""
    if name not in BUILDERS:
        raise UserError(f"unknown architecture '{name}'", fix=did_you_mean(name, BUILDERS))
