"""Published backbone weights, by their libraries' own means; nothing is fetched unless it was asked for."""

from __future__ import annotations

import itertools
import pickle
from collections.abc import Callable
from typing import TYPE_CHECKING

from torch import Tensor, nn
from torchvision.models import MobileNet_V3_Large_Weights, ResNet50_Weights, VGG16_BN_Weights, WeightsEnum

from perception_common.errors import UserError

if TYPE_CHECKING:
    from .network import Network

Tensors = dict[str, Tensor]


def published(architecture: str, model: Network) -> tuple[str, Tensors]:
    """The name of the published weights of an architecture's backbone, and they under the model's own names.

    Raises:
        UserError: there are none, or they are neither here nor can be fetched.
    """
    if architecture not in _SOURCES:
        raise UserError(
            f"no backbone weights are published for {architecture}",
            fix=f"start from a bundle with initial, or train one of {', '.join(_SOURCES)}",
        )
    try:
        return _SOURCES[architecture](model)
    # URLError is an OSError; torch.hub says RuntimeError of a wrong hash, and nothing of a file that it kept before.
    except (OSError, RuntimeError, pickle.UnpicklingError) as error:
        raise UserError(
            f"the published weights for {architecture} cannot be fetched: {str(error).splitlines()[0]}",
            fix="connect this machine to the internet once (they are kept), or leave pretrained out",
        ) from error


def _torchvision(weights: WeightsEnum, strip: str, prefix: str) -> Callable[[Network], tuple[str, Tensors]]:
    """Weights of the same names below ``prefix``."""

    def load(_: Network) -> tuple[str, Tensors]:
        found = _fetch(weights)
        return str(weights), {
            prefix + name.removeprefix(strip): value for name, value in found.items() if name.startswith(strip)
        }

    return load


def _fetch(weights: WeightsEnum) -> Tensors:
    # torch.hub's own default runs what a pickle says.
    return weights.get_state_dict(progress=False, check_hash=True, weights_only=True)


def _in_order(weights: WeightsEnum, inside: str) -> Callable[[Network], tuple[str, Tensors]]:
    """Weights of the same order, where the model divides the backbone's ``features`` otherwise."""

    def load(model: Network) -> tuple[str, Tensors]:
        found = _fetch(weights)
        features = [(name, value) for name, value in found.items() if name.startswith("features.")]
        parts = itertools.chain.from_iterable(
            ((f"{name}", value) for name, value in model.state_dict().items() if name.startswith(f"{inside}.{group}."))
            for group in ("features", "extra")
        )
        # Both list the same layers from the image on; the model goes on where the backbone has ended.
        return str(weights), {
            own: value
            for (own, now), (name, value) in zip(parts, features, strict=False)
            if now.shape == value.shape and own.rpartition(".")[2] == name.rpartition(".")[2]
        }

    return load


def _encoder(name: str) -> Callable[[Network], tuple[str, Tensors]]:
    """An encoder of segmentation-models-pytorch."""

    def load(_: Network) -> tuple[str, Tensors]:
        import segmentation_models_pytorch as smp

        encoder: nn.Module = smp.encoders.get_encoder(name, weights="imagenet")
        return f"{name} (imagenet)", {f"net.encoder.{key}": value for key, value in encoder.state_dict().items()}

    return load


_SOURCES: dict[str, Callable[[Network], tuple[str, Tensors]]] = {
    "ssdlite": _in_order(MobileNet_V3_Large_Weights.IMAGENET1K_V2, "net.backbone"),
    "ssd300": _in_order(VGG16_BN_Weights.IMAGENET1K_V1, "net.backbone"),
    "faster_rcnn_mobilenet": _torchvision(MobileNet_V3_Large_Weights.IMAGENET1K_V2, "features.", "backbone.body."),
    "faster_rcnn_resnet50": _torchvision(ResNet50_Weights.IMAGENET1K_V2, "", "backbone.body."),
    "unet_mobilenet": _encoder("tu-mobilenetv3_small_100"),
    "unet_resnet18": _encoder("resnet18"),
    "unet_resnet34": _encoder("resnet34"),
    "unet_efficientnet": _encoder("efficientnet-b0"),
}
