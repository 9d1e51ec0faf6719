"""U-Net (Ronneberger et al. 2015): an encoder, and a decoder that joins what the encoder saw at every scale.

Encoders and decoder are those of segmentation-models-pytorch, trained from scratch.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import segmentation_models_pytorch as smp
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..data.augment import IGNORED
from .losses import Targets
from .network import ClassRows, Segmenter, autocast, centred


@dataclass(frozen=True)
class Size:
    """An encoder by the library's name, and the decoder's channels from coarse to fine."""

    encoder: str
    decoder: tuple[int, int, int, int, int]


SIZES = {
    "mobilenet": Size("tu-mobilenetv3_small_100", (128, 96, 64, 32, 16)),
    "resnet18": Size("resnet18", (256, 128, 64, 32, 16)),
    "resnet34": Size("resnet34", (256, 128, 64, 32, 16)),
    "efficientnet": Size("efficientnet-b0", (256, 128, 64, 32, 16)),
}


class Unet(Segmenter):
    """``forward`` gives logits [B, 1 + classes, H, W] at the size of the input."""

    class_rows: ClassVar[tuple[ClassRows, ...]] = (
        ClassRows(r"net\.segmentation_head\.0\.(weight|bias)", background=True),
    )

    def __init__(self, classes: int, size: Size) -> None:
        super().__init__(classes)
        # Never weights from a hub: there may be no network, and a fallback to random ones would be silent.
        self.net = smp.Unet(size.encoder, encoder_weights=None, decoder_channels=size.decoder, classes=1 + classes)

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.net(centred(images))
        return logits

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
    if not counted.any():
        return {"ce": logits.sum() * 0.0, "dice": logits.sum() * 0.0}
    cross_entropy = F.cross_entropy(logits, pixels, ignore_index=IGNORED)
    shown = torch.where(counted, pixels, 0)
    truth = F.one_hot(shown, logits.shape[1]).permute(0, 3, 1, 2) * counted[:, None]
    found = logits.softmax(1) * counted[:, None]
    common, both = (found * truth).sum((0, 2, 3))[1:], (found + truth).sum((0, 2, 3))[1:]
    # Classes that the batch does not show have no coefficient: cross-entropy keeps them away.
    present = truth.sum((0, 2, 3))[1:] > 0
    dice = (1.0 - (2.0 * common + 1.0) / (both + 1.0))[present]
    return {"ce": cross_entropy, "dice": dice.mean() if present.any() else logits.sum() * 0.0}
