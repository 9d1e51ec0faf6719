"""U-Net (Ronneberger et al. 2015): an encoder, and a decoder that joins what the encoder saw at every scale.

Encoders and decoder are those of segmentation-models-pytorch, trained from scratch. The decoder ends at half of the
input's size, and its logits are enlarged: the last block of the library's costs a fifth of training, and has nothing
from the encoder to join there.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
import torch.nn.functional as F
from segmentation_models_pytorch.base import SegmentationHead
from segmentation_models_pytorch.base.initialization import initialize_decoder, initialize_head
from segmentation_models_pytorch.decoders.unet.decoder import UnetDecoder
from segmentation_models_pytorch.encoders import get_encoder
from torch import Tensor, nn

from perception_infer.evaluation.confusion import IGNORED

from .losses import Targets
from .network import ClassRows, Segmenter, autocast, centred
from .normalizer import normalizer, over_all


@dataclass(frozen=True)
class Size:
    """An encoder by the library's name, and the decoder's channels at strides 16, 8, 4 and 2."""

    encoder: str
    decoder: tuple[int, int, int, int]


SIZES = {
    "mobilenet": Size("tu-mobilenetv3_small_100", (128, 96, 64, 32)),
    "resnet18": Size("resnet18", (256, 128, 64, 32)),
    "resnet34": Size("resnet34", (256, 128, 64, 32)),
    "efficientnet": Size("efficientnet-b0", (256, 128, 64, 32)),
}


class _Net(nn.Module):
    """The library's parts, joined: logits at half the size of the images."""

    def __init__(self, outputs: int, size: Size) -> None:
        super().__init__()
        # Never weights from a hub: there may be no network, and a fallback to random ones would be silent.
        self.encoder = get_encoder(size.encoder, in_channels=3, depth=5, weights=None)
        self.decoder = UnetDecoder(self.encoder.out_channels, size.decoder, n_blocks=len(size.decoder))
        self.segmentation_head = SegmentationHead(size.decoder[-1], outputs, kernel_size=3)
        initialize_decoder(self.decoder)
        initialize_head(self.segmentation_head)

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.segmentation_head(self.decoder(self.encoder(images)))
        return logits


class Unet(Segmenter):
    """``forward`` gives logits [B, 1 + classes, H, W] at the size of the input."""

    class_rows: ClassVar[tuple[ClassRows, ...]] = (
        ClassRows(r"net\.segmentation_head\.0\.(weight|bias)", background=True),
    )

    def __init__(self, classes: int, size: Size) -> None:
        super().__init__(classes)
        self.net = _Net(1 + classes, size)

    def forward(self, images: Tensor) -> Tensor:
        logits = self.net(centred(images)).float()
        return F.interpolate(logits, scale_factor=2.0, mode="bilinear", align_corners=False)

    def backbone_parts(self) -> list[nn.Module]:
        encoder = self.net.encoder
        children = (encoder.model if hasattr(encoder, "model") else encoder).children()
        # timm's and EfficientNet's blocks are lists; ResNet's layers are a stage each.
        lists = (nn.ModuleList, nn.Sequential) if not hasattr(encoder, "layer1") else nn.ModuleList
        return [x for part in children for x in (part if isinstance(part, lists) else [part])]

    def losses(self, images: Tensor, targets: Targets, bf16: bool) -> dict[str, Tensor]:
        if targets.pixels is None:
            raise ValueError("a segmenter learns from the class of every pixel")
        with autocast(images, bf16):
            logits = self(images)
        return segmentation_losses(logits.float(), targets.pixels.long())


def segmentation_losses(logits: Tensor, pixels: Tensor) -> dict[str, Tensor]:
    """Cross-entropy, and one minus the Dice coefficient of the classes (Milletari et al. 2016).

    The many pixels of the background do not drown the second.

    Args:
        logits: float32 [B, 1 + classes, H, W].
        pixels: int64 [B, H, W], class ids with 0 = background; `IGNORED` pixels do not count.
    """
    counted = pixels != IGNORED
    shown = torch.where(counted, pixels, 0)
    log_probability = logits.log_softmax(1)
    # Of each pixel's own class; everything else needs sums over pixels alone, and no one-hot truth.
    own = log_probability.gather(1, shown[:, None])[:, 0]
    cross_entropy = -(own * counted).sum() / normalizer(counted.sum().to(logits.dtype))
    classes, flat = logits.shape[1], shown.flatten()
    common = logits.new_zeros(classes).index_add(0, flat, (own.exp() * counted).flatten())
    truth = torch.bincount(flat, counted.flatten().to(logits.dtype), minlength=classes)
    found = (log_probability.exp() * counted[:, None]).sum((0, 2, 3))
    common, truth, found = over_all(torch.stack((common, truth, found)))
    # Classes that the batch does not show have no coefficient: cross-entropy keeps them away.
    present = truth[1:] > 0
    dice = (1.0 - (2.0 * common[1:] + 1.0) / (found[1:] + truth[1:] + 1.0))[present]
    return {"ce": cross_entropy, "dice": dice.mean() if present.any() else logits.sum() * 0.0}
