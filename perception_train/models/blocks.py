"""Convolution blocks of the detectors."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class ConvBlock(nn.Sequential):
    """Convolution without bias, batch normalisation, SiLU."""

    def __init__(self, inputs: int, outputs: int, kernel: int = 1, stride: int = 1) -> None:
        super().__init__(
            nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False),
            nn.BatchNorm2d(outputs, eps=1e-3, momentum=0.03),
            nn.SiLU(inplace=True),
        )


class Residual(nn.Module):
    """Two 3x3 convolutions, with a shortcut where wanted (He et al. 2016)."""

    def __init__(self, channels: int, shortcut: bool) -> None:
        super().__init__()
        self.first = ConvBlock(channels, channels, 3)
        self.second = ConvBlock(channels, channels, 3)
        self.shortcut = shortcut

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.second(self.first(x))
        return x + y if self.shortcut else y


class CrossStage(nn.Module):
    """Cross-stage partial block (Wang et al. 2020, CSPNet) whose every step joins the concatenation (ELAN, 2022).

    One half of the channels passes straight through, the other through ``depth`` residual units.
    """

    def __init__(self, inputs: int, outputs: int, depth: int, shortcut: bool = True) -> None:
        super().__init__()
        self.hidden = outputs // 2
        self.enter = ConvBlock(inputs, 2 * self.hidden)
        self.units = nn.ModuleList(Residual(self.hidden, shortcut) for _ in range(depth))
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
