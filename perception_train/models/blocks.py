"""Convolution blocks of the detectors."""

from __future__ import annotations

import torch
from torch import Tensor, nn

_EPS = 1e-3


def standardize(x: Tensor, eps: float) -> Tensor:
    """Every channel of every image less its mean over the image, divided by sqrt(variance + ``eps``).

    float [B, C, H, W] to float32 of the same shape. Written out, because this way it stays in channels-last memory,
    in float32 in every precision (squares of half numbers overflow), and becomes ReduceMean, Sub, Mul, Add, Sqrt and
    Div in ONNX, which every TensorRT takes.
    """
    x = x.float()
    centred = x - x.mean((2, 3), keepdim=True)
    return centred / ((centred * centred).mean((2, 3), keepdim=True) + eps).sqrt()


class HalfInstanceNorm(nn.Module):
    """Instance normalisation of the first half of the channels; the others pass.

    After a batch normalisation this is IBN-Net's layer (Pan et al. 2018, *Two at Once*): what is normalised per image
    loses its contrast and tint, which differ from a synthetic world to a real camera; what is normalised over the batch
    keeps telling objects apart. Batch norm goes over both halves, as the second normalisation undoes it: only so do
    exporters fold it into the convolution before it.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.split = [channels // 2, channels - channels // 2]
        self.weight = nn.Parameter(torch.ones(self.split[0]))
        self.bias = nn.Parameter(torch.zeros(self.split[0]))

    def forward(self, x: Tensor) -> Tensor:
        first, rest = torch.split(x, self.split, dim=1)
        scaled = standardize(first, _EPS) * self.weight[:, None, None] + self.bias[:, None, None]
        return torch.cat((scaled.to(x.dtype), rest), 1)


class ConvBlock(nn.Sequential):
    """Convolution without bias, batch normalisation (with ``ibn`` half of it per image), SiLU."""

    def __init__(self, inputs: int, outputs: int, kernel: int = 1, stride: int = 1, ibn: bool = False) -> None:
        super().__init__(
            nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False),
            nn.BatchNorm2d(outputs, eps=_EPS, momentum=0.03),
            *([HalfInstanceNorm(outputs)] if ibn else []),
            nn.SiLU(inplace=True),
        )


class Residual(nn.Module):
    """Two 3x3 convolutions, with a shortcut where wanted (He et al. 2016); ``ibn`` concerns the first, as in IBN-a."""

    def __init__(self, channels: int, shortcut: bool, ibn: bool = False) -> None:
        super().__init__()
        self.first = ConvBlock(channels, channels, 3, ibn=ibn)
        self.second = ConvBlock(channels, channels, 3)
        self.shortcut = shortcut

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.second(self.first(x))
        return x + y if self.shortcut else y


class CrossStage(nn.Module):
    """Cross-stage partial block (Wang et al. 2020, CSPNet) whose every step joins the concatenation (ELAN, 2022).

    One half of the channels passes straight through, the other through ``depth`` residual units. With ``ibn`` the
    first convolution normalises the half that passes per image, and each unit half of its own.
    """

    def __init__(self, inputs: int, outputs: int, depth: int, shortcut: bool = True, ibn: bool = False) -> None:
        super().__init__()
        self.hidden = outputs // 2
        self.enter = ConvBlock(inputs, 2 * self.hidden, ibn=ibn)
        self.units = nn.ModuleList(Residual(self.hidden, shortcut, ibn) for _ in range(depth))
        self.leave = ConvBlock((2 + depth) * self.hidden, outputs)

    def forward(self, x: Tensor) -> Tensor:
        parts = list(self.enter(x).split((self.hidden, self.hidden), dim=1))
        for unit in self.units:
            parts.append(unit(parts[-1]))
        return self.leave(torch.cat(parts, dim=1))  # type: ignore[no-any-return]


class PyramidPooling(nn.Module):
    """Spatial pyramid pooling (He et al. 2014) by three chained 5x5 max poolings (5, 9 and 13 wide)."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        hidden = inputs // 2
        self.enter = ConvBlock(inputs, hidden)
        self.pool = nn.MaxPool2d(5, 1, 2)
        self.leave = ConvBlock(4 * hidden, outputs)

    def forward(self, x: Tensor) -> Tensor:
        parts = [self.enter(x)]
        for _ in range(3):
            parts.append(self.pool(parts[-1]))
        return self.leave(torch.cat(parts, dim=1))  # type: ignore[no-any-return]
