"""Our YOLO: anchor-free, multi-scale, one-stage, trained from scratch.

Follows, and is written from, the papers: CSPNet (Wang et al. 2020) and ELAN (Wang et al. 2022) for the
blocks, FPN (Lin et al. 2017) and PANet (Liu et al. 2018) for the neck, YOLOX (Ge et al. 2021) for the
decoupled anchor-free head, Generalized Focal Loss (Li et al. 2020) for distances as distributions, and
TOOD (Feng et al. 2021) for the assignment (`perception_train.models.assign`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import torch
from torch import Tensor, nn

from .blocks import ConvBlock, CrossStage, PyramidPooling, standardize
from .losses import DetectionLoss, Targets
from .network import ClassRows, Detector, Network, autocast

#: Pixels of the network input per cell, for each level of the pyramid.
STRIDES = (8, 16, 32)
#: Distances are distributions over 0 … BINS - 1 cells.
BINS = 16


@dataclass(frozen=True)
class Size:
    """Channels at strides 2, 4, 8, 16, 32; residual units per stage; channels of the head's branches.

    Two means against a change of world, both off by default: ``standardize`` makes every channel of every input image
    zero-mean with unit variance, in the graph; ``ibn`` normalises half of the channels of the stages at strides 4 to
    16 per image (IBN-Net; the last stage, which tells the classes apart, stays as it is there too).
    """

    channels: tuple[int, int, int, int, int]
    depths: tuple[int, int, int, int]
    neck_depth: int
    box_channels: int
    class_channels: int
    standardize: bool = False
    ibn: bool = False


_SIZES = {
    "n": Size((16, 32, 64, 128, 256), (1, 1, 1, 1), 1, 48, 48),
    "s": Size((32, 64, 128, 256, 512), (1, 1, 1, 1), 1, 48, 64),
    "m": Size((48, 96, 192, 384, 576), (2, 2, 2, 2), 2, 64, 128),
    "l": Size((64, 128, 256, 512, 512), (2, 2, 2, 2), 2, 64, 128),
}
#: Every size as it is, and with each of the two normalisations.
SIZES = (
    _SIZES
    | {f"{name}_std": replace(size, standardize=True) for name, size in _SIZES.items()}
    | {f"{name}_ibn": replace(size, ibn=True) for name, size in _SIZES.items()}
)
#: Keeps an image of one colour at zero; 2.5 of 255 grey levels, squared.
_FLAT = 1e-4


class YoloNetwork(Network):
    """Backbone, pyramid and heads: all that our YOLO shares with networks that learn more than boxes."""

    class_rows: ClassVar[tuple[ClassRows, ...]] = (ClassRows(r"class_heads\.\d+\.2\.(weight|bias)"),)

    def __init__(self, classes: int, size: Size) -> None:
        super().__init__(classes)
        self.standardize, ibn = size.standardize, size.ibn
        c2, c4, c8, c16, c32 = size.channels
        d4, d8, d16, d32 = size.depths
        self.stem = nn.Sequential(ConvBlock(3, c2, 3, 2), ConvBlock(c2, c4, 3, 2), CrossStage(c4, c4, d4, ibn=ibn))
        self.stage8 = nn.Sequential(ConvBlock(c4, c8, 3, 2), CrossStage(c8, c8, d8, ibn=ibn))
        self.stage16 = nn.Sequential(ConvBlock(c8, c16, 3, 2), CrossStage(c16, c16, d16, ibn=ibn))
        self.stage32 = nn.Sequential(ConvBlock(c16, c32, 3, 2), CrossStage(c32, c32, d32), PyramidPooling(c32, c32))
        self.up = nn.Upsample(scale_factor=2.0, mode="nearest")
        depth = size.neck_depth
        self.top_down16 = CrossStage(c32 + c16, c16, depth, shortcut=False)
        self.top_down8 = CrossStage(c16 + c8, c8, depth, shortcut=False)
        self.down8 = ConvBlock(c8, c8, 3, 2)
        self.bottom_up16 = CrossStage(c8 + c16, c16, depth, shortcut=False)
        self.down16 = ConvBlock(c16, c16, 3, 2)
        self.bottom_up32 = CrossStage(c16 + c32, c32, depth, shortcut=False)
        levels = (c8, c16, c32)
        self.box_heads = nn.ModuleList(_branch(c, size.box_channels, 4 * BINS) for c in levels)
        self.class_heads = nn.ModuleList(_branch(c, size.class_channels, classes) for c in levels)
        self.criterion = DetectionLoss(classes, BINS)
        self._start_biases()

    def top_down(self, images: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """The backbone's features at stride 4, and the pyramid's at strides 8, 16 and 32 on its way down."""
        if self.standardize:
            images = standardize(images, _FLAT)
        f4 = self.stem(images)
        f8 = self.stage8(f4)
        f16 = self.stage16(f8)
        f32 = self.stage32(f16)
        t16 = self.top_down16(torch.cat((self.up(f32), f16), 1))
        return f4, self.top_down8(torch.cat((self.up(t16), f8), 1)), t16, f32

    def predictions(self, p8: Tensor, t16: Tensor, f32: Tensor) -> Tensor:
        """Raw predictions [B, 4 * BINS + classes, A] over all cells of all levels, of what `top_down` gave."""
        pyramid = self.bottom_up(p8, t16, f32)
        return self.joined(pyramid, [head(x) for x, head in zip(pyramid, self.class_heads, strict=True)])

    def bottom_up(self, p8: Tensor, t16: Tensor, f32: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The pyramid's features at strides 8, 16 and 32 after its way back up, of what `top_down` gave."""
        p16 = self.bottom_up16(torch.cat((self.down8(p8), t16), 1))
        return p8, p16, self.bottom_up32(torch.cat((self.down16(p16), f32), 1))

    def joined(self, pyramid: Sequence[Tensor], scores: Sequence[Tensor]) -> Tensor:
        """Raw predictions of what `bottom_up` gave and the logits of its cells' classes."""
        levels = zip(pyramid, self.box_heads, scores, strict=True)
        return torch.cat([torch.cat((box(x), score), 1).flatten(2) for x, box, score in levels], 2)

    def box_losses(self, raw: Tensor, images: Tensor, targets: Targets) -> dict[str, Tensor]:
        """The parts of the loss of raw predictions."""
        raw = raw.float().transpose(1, 2)
        centers, strides = anchors(images.shape[2], images.shape[3], raw.device)
        return self.criterion(raw[..., : 4 * BINS], raw[..., 4 * BINS :], centers, strides, targets)

    def backbone_parts(self) -> list[nn.Module]:
        return [*self.stem, self.stage8, self.stage16, self.stage32]

    def _start_biases(self) -> None:
        # A rare-object prior per cell keeps the first steps from drowning in background (RetinaNet, 4.1).
        for head, stride in zip(self.class_heads, STRIDES, strict=True):
            prior = 5 / self.classes / (640 / stride) ** 2
            nn.init.constant_(head[-1].bias, math.log(prior / (1 - prior)))
        for head in self.box_heads:
            nn.init.constant_(head[-1].bias, 1.0)


class Yolo(YoloNetwork, Detector):
    """Our YOLO; ``forward`` gives raw predictions [B, 4 * BINS + classes, A] over all cells of all levels."""

    def forward(self, images: Tensor) -> Tensor:
        _, *levels = self.top_down(images)
        return self.predictions(*levels)

    def decode(self, raw: Tensor, height: int, width: int) -> tuple[Tensor, Tensor]:
        """Boxes float32 [B, A, 4], xyxy in network pixels, and class probabilities float32 [B, A, classes].

        Everything here is float32 in every precision: in half, coordinates move by half a pixel.
        """
        raw = raw.float()
        distances = expected_distances(raw[:, : 4 * BINS].transpose(1, 2), BINS)
        centers, strides = anchors(height, width, raw.device)
        boxes = distances_to_boxes(centers, distances, strides)
        return boxes, raw[:, 4 * BINS :].transpose(1, 2).sigmoid()

    def losses(self, images: Tensor, targets: Targets, bf16: bool) -> dict[str, Tensor]:
        with autocast(images, bf16):
            raw = self(images)
        return self.box_losses(raw, images, targets)


def anchors(height: int, width: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Cell centres float32 [A, 2] (x, y) in network pixels and strides float32 [A, 1], level by level."""
    centers, strides = [], []
    for stride in STRIDES:
        y = (torch.arange(height // stride, device=device, dtype=torch.float32) + 0.5) * stride
        x = (torch.arange(width // stride, device=device, dtype=torch.float32) + 0.5) * stride
        grid = torch.stack(torch.meshgrid(x, y, indexing="xy"), -1).reshape(-1, 2)
        centers.append(grid)
        strides.append(torch.full((len(grid), 1), float(stride), device=device))
    return torch.cat(centers), torch.cat(strides)


def expected_distances(logits: Tensor, bins: int) -> Tensor:
    """Expected left, top, right, bottom distances [B, A, 4] in cells, of logits [B, A, 4 * bins]."""
    batch, count, _ = logits.shape
    steps = torch.arange(bins, dtype=torch.float32, device=logits.device)
    return (logits.reshape(batch, count, 4, bins).softmax(-1) * steps).sum(-1)


def distances_to_boxes(centers: Tensor, distances: Tensor, strides: Tensor) -> Tensor:
    """xyxy [B, A, 4] in pixels."""
    low = centers - distances[..., :2] * strides
    high = centers + distances[..., 2:] * strides
    return torch.cat((low, high), -1)


def _branch(inputs: int, hidden: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(ConvBlock(inputs, hidden, 3), ConvBlock(hidden, hidden, 3), nn.Conv2d(hidden, outputs, 1))
