"""A U-Net on our YOLO's backbone and pyramid, which learns the boxes of objects beside their pixels.

From scratch, pixels are a poor teacher: nine in ten are background, and those of large objects outvote all others.
Boxes name every object once, whatever its size. Learning both, as Mask R-CNN does (He et al. 2017), the network knows
twice as much after the same time. And what the detector's heads know of each cell's class goes down to the pixels: at
stride 4 alone a network sees edges and no objects. The exported graph holds what the pixels need and no more. Names and
shapes are those of the detector, so that either can start from a bundle of the other.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .blocks import ConvBlock, CrossStage
from .losses import Targets
from .network import ClassRows, Segmenter, autocast
from .unet import segmentation_losses
from .yolo import Size, YoloNetwork

#: Of the boxes' losses beside those of the pixels.
_BOXES = 0.5
_STRIDE = 4


class UnetYolo(YoloNetwork, Segmenter):
    """``forward`` gives logits [B, 1 + classes, H, W] at the size of the input, made at a quarter of it."""

    class_rows = (*YoloNetwork.class_rows, ClassRows(r"pixel_head\.1\.(weight|bias)", background=True))

    def __init__(self, classes: int, size: Size) -> None:
        super().__init__(classes, size)
        _, c4, c8, *_ = size.channels
        # What the detector's heads know of each cell's class, one way down from stride 32 to 4.
        self.told = nn.ModuleList(ConvBlock(size.class_channels, c4, 1) for _ in self.class_heads)
        self.top_down4 = CrossStage(c8 + c4 + c4, c4, size.neck_depth, shortcut=False)
        self.pixel_head = nn.Sequential(ConvBlock(c4, c4, 3), nn.Conv2d(c4, 1 + classes, 1))
        self.learns_boxes = True

    def leave_out_boxes(self) -> None:
        self.learns_boxes = False
        # DistributedDataParallel waits for the gradient of everything that asks for one.
        for part in [self.box_heads, *(head[-1] for head in self.class_heads)]:
            part.requires_grad_(False)

    def forward(self, images: Tensor) -> Tensor:
        f4, *levels = self.top_down(images)
        pyramid = self.bottom_up(*levels)
        return self._logits(f4, pyramid[0], self._hidden(pyramid))

    def losses(self, images: Tensor, targets: Targets, bf16: bool) -> dict[str, Tensor]:
        if targets.pixels is None:
            raise ValueError("a segmenter learns from the class of every pixel")
        with autocast(images, bf16):
            f4, *levels = self.top_down(images)
            pyramid = self.bottom_up(*levels)
            hidden = self._hidden(pyramid)
            logits = self._logits(f4, pyramid[0], hidden)
            raw = None
            if self.learns_boxes:
                raw = self.joined(pyramid, [head[-1](x) for x, head in zip(hidden, self.class_heads, strict=True)])
        pixels = segmentation_losses(logits, targets.pixels.long())
        if raw is None:
            return pixels
        return pixels | {name: _BOXES * loss for name, loss in self.box_losses(raw, images, targets).items()}

    def _hidden(self, pyramid: Sequence[Tensor]) -> list[Tensor]:
        return [head[:-1](x) for x, head in zip(pyramid, self.class_heads, strict=True)]

    def _logits(self, f4: Tensor, p8: Tensor, hidden: Sequence[Tensor]) -> Tensor:
        h8, h16, h32 = (told(x) for told, x in zip(self.told, hidden, strict=True))
        known = self.up(h8 + self.up(h16 + self.up(h32)))
        logits = self.pixel_head(self.top_down4(torch.cat((self.up(p8), f4, known), 1)))
        return F.interpolate(logits.float(), scale_factor=float(_STRIDE), mode="bilinear", align_corners=False)
