"""What every architecture is to the rest of the trainer: losses to learn from, and answers to export."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, TypeVar

import torch
from torch import Tensor, nn

from perception_common.errors import UserError

from .losses import Targets

N = TypeVar("N", bound="Network")
Task = Literal["detection", "segmentation"]
_MEAN, _DEVIATION = 0.45, 0.23


@dataclass(frozen=True)
class ClassRows:
    """Which tensors have rows for each class, and how these lie in the first dimension.

    The first dimension is [any, classes, ``inner``], flattened, with a row for the background before the classes
    where ``background`` says so.

    Attributes:
        names: regular expression of the tensors' full names.
        background: whether the background is a class of its own.
        inner: neighbouring rows of one class, such as the four numbers of a box.
    """

    names: str
    background: bool = False
    inner: int = 1

    def holds(self, name: str) -> bool:
        """Whether the tensor of this name is one of them."""
        return re.fullmatch(self.names, name) is not None

    def by_class(self, values: Tensor, classes: int) -> Tensor:
        """A view [any, background + classes, inner, ...] of a tensor for so many classes.

        Raises:
            ValueError: it has no such rows.
        """
        rows = self.background + classes
        if values.ndim == 0 or values.shape[0] % (rows * self.inner):
            raise ValueError(f"{list(values.shape)} does not divide into {rows} classes")
        return values.view(-1, rows, self.inner, *values.shape[1:])


class Network(nn.Module, ABC):
    """A network for ``classes`` classes; takes float [B, 3, H, W], 0 to 1, RGB, with sides that are multiples of 32.

    Normalisation of the input is part of the network: it is exported with it.
    """

    task: ClassVar[Task]
    class_rows: ClassVar[tuple[ClassRows, ...]] = ()
    """The tensors whose shape follows from the number of classes."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.classes = classes
        self.frozen = 0

    def backbone_parts(self) -> list[nn.Module]:
        """The modules of the backbone in the order of the computation, as fine as they can be told apart."""
        return []

    def stages(self) -> list[list[nn.Module]]:
        """The backbone in stages, one for each halving of the resolution, from the image on."""
        return _by_stride(self.backbone_parts())

    def freeze(self, count: int) -> None:
        """Keep the first stages of the backbone as they are: weights and batch-norm statistics.

        Raises:
            UserError: the backbone has not so many stages.
        """
        stages = self.stages()
        if count > len(stages):
            raise UserError(
                f"the backbone has {len(stages)} stages, and {count} are to be frozen", fix="lower the parameter freeze"
            )
        self.frozen = count
        for part in self.frozen_parts():
            part.requires_grad_(False)
        self.train(self.training)

    def frozen_parts(self) -> list[nn.Module]:
        """The modules of all frozen stages."""
        return [part for stage in self.stages()[: self.frozen] for part in stage] if self.frozen else []

    def train(self: N, mode: bool = True) -> N:
        """As everywhere in torch, but what is frozen stays in evaluation mode."""
        super().train(mode)
        for part in self.frozen_parts():
            part.eval()
        return self

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

    def leave_out_boxes(self) -> None:
        """Learn the pixels alone, where the network learns the boxes of objects beside them."""


def centred(images: Tensor) -> Tensor:
    """Images 0 to 1 with about zero mean and unit variance, as natural pictures have it on average in all channels."""
    return (images - _MEAN) / _DEVIATION


def autocast(images: Tensor, bf16: bool) -> torch.autocast:
    """The context in which a forward pass may compute in bfloat16, on the device where ``images`` are."""
    return torch.autocast(images.device.type, torch.bfloat16, enabled=bf16)


def _by_stride(parts: Iterable[nn.Module]) -> list[list[nn.Module]]:
    stages: list[list[nn.Module]] = []
    for part in parts:
        if not stages or any(_stride(module) > 1 for module in part.modules()):
            stages.append([])
        stages[-1].append(part)
    return stages


def _stride(module: nn.Module) -> int:
    stride = getattr(module, "stride", 1)
    return max(stride) if isinstance(stride, (tuple, list)) else int(stride)
