"""What every architecture is to the rest of the trainer: losses to learn from, and answers to export."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor, nn

from .losses import Targets

Task = Literal["detection", "segmentation"]
_MEAN, _DEVIATION = 0.45, 0.23


class Network(nn.Module, ABC):
    """A network for ``classes`` classes; takes float [B, 3, H, W], 0 to 1, RGB, with sides that are multiples of 32.

    Normalisation of the input is part of the network: it is exported with it.
    """

    task: ClassVar[Task]

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.classes = classes

    @abstractmethod
    def losses(self, images: Tensor, targets: Targets, bf16: bool) -> dict[str, Tensor]:
        """The parts of the loss, already weighted: their sum is minimised.

        Convolutions may compute in bfloat16 where ``bf16`` says so (`autocast`); the loss itself is float32.
        """


class Detector(Network):
    """A network that finds boxes."""

    task: ClassVar[Task] = "detection"
    suppression_iou: ClassVar[float] = 0.7
    """Overlap above which the graph drops the worse of two boxes of a class."""

    @abstractmethod
    def decode(self, raw: Any, height: int, width: int) -> tuple[Tensor, Tensor]:
        """Boxes and probabilities of what ``forward`` gave for images of that size, float32 in every precision.

        Returns:
            boxes float32 [B, A, 4], or [B, A, classes, 4] where every class has its own; xyxy in network pixels;
            and class probabilities float32 [B, A, classes].
        """


class Segmenter(Network):
    """A network that tells the class of every pixel; ``forward`` gives logits [B, 1 + classes, H, W] (0: none)."""

    task: ClassVar[Task] = "segmentation"


def centred(images: Tensor) -> Tensor:
    """Images 0 to 1 with about zero mean and unit variance, as natural pictures have it on average in all channels."""
    return (images - _MEAN) / _DEVIATION


def autocast(images: Tensor, bf16: bool) -> torch.autocast:
    """The context in which a forward pass may compute in bfloat16, on the device where ``images`` are."""
    return torch.autocast(images.device.type, torch.bfloat16, enabled=bf16)
