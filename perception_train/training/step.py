"""One step of the optimiser: forward and backward in chunks that fit in memory, gradients clipped and checked."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace

import torch
from torch import Tensor, nn

from perception_common.errors import UserError

from ..data.loader import Batch
from ..models.losses import Targets
from ..models.network import Network
from .group import Group
from .optimize import accumulated

#: What is said on a CPU, where running out of memory has no type of its own: by torch's allocator, and by oneDNN, which
#: does not say what it lacked.
_CPU_OUT_OF_MEMORY = ("can't allocate memory", "could not create a primitive")


class Diverged(Exception):
    """The loss or its gradient is not a finite number."""


class Losses(nn.Module):
    """A network whose ``forward`` gives its losses: what DistributedDataParallel can wrap."""

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: Tensor, targets: Targets, bf16: bool) -> dict[str, Tensor]:
        """See `Network.losses`."""
        return self.network.losses(images, targets, bf16)


class Stepper:
    """Steps of one model on one device, together with the other processes of the group.

    Args:
        model: on the group's device.
        optimizer: of the model's parameters.
        group: the processes whose gradients are averaged.
        clip_norm: largest norm of the gradient.
        split: chunks that every batch is cut into; grows when memory runs out.
        less: told when it does, with the images that a forward pass has from now on.
    """

    def __init__(
        self,
        model: Network,
        optimizer: torch.optim.Optimizer,
        group: Group,
        clip_norm: float,
        less: Callable[[int], None],
        split: int = 1,
    ) -> None:
        self._model, self._optimizer, self._group, self._less = model, optimizer, group, less
        self._losses, self._clip_norm, self.split = group.joined(Losses(model)), clip_norm, split

    def run(self, batches: Sequence[Batch], rate: float, bf16: bool) -> dict[str, float]:
        """Learn from the batches at a learning rate; the mean of each part of the loss over all processes.

        Raises:
            Diverged: the loss or its gradient is not finite; the weights are as they were.
            UserError: not even one image at a time fits in memory.

        """
        for group in self._optimizer.param_groups:
            group["lr"] = rate
        values = self._group.means(self._gradients(batches, bf16))
        norm = float(torch.nn.utils.clip_grad_norm_(self._model.parameters(), self._clip_norm))
        for name, value in (("loss", values["total"]), ("gradient", norm)):
            if not math.isfinite(value):
                raise Diverged(f"the {name} became {value}")
        self._optimizer.step()
        return values

    def _gradients(self, batches: Sequence[Batch], bf16: bool) -> dict[str, float]:
        while True:
            self._model.train()
            self._optimizer.zero_grad(set_to_none=True)
            try:
                return accumulated(self._losses, self._chunks(batches), bf16)
            except (torch.OutOfMemoryError, RuntimeError) as error:
                if not out_of_memory(error):
                    raise
                problem = str(error).splitlines()[0]
            # Outside of the handler, whose traceback holds on to the tensors of the failed pass.
            self._halve(max(len(batch.images) for batch in batches), problem)

    def _halve(self, images: int, problem: str) -> None:
        if self._group.size > 1:
            # The other processes wait in a gradient's exchange that this one will not reach again.
            raise UserError(
                f"out of memory with {images} images in a forward pass: {problem}",
                fix="lower batch and raise accumulate by as much",
            )
        if self.split >= images:
            raise UserError(f"out of memory with one image: {problem}", fix="lower width and height")
        self.split *= 2
        if self._group.device.type == "cuda":
            torch.cuda.empty_cache()
        self._less(math.ceil(images / self.split))

    def _chunks(self, batches: Sequence[Batch]) -> list[Batch]:
        return [chunk for batch in batches for chunk in split_batch(batch.to(self._group.device), self.split)]


def split_batch(batch: Batch, parts: int) -> list[Batch]:
    """A batch cut into so many, or as many as it has images."""
    if parts == 1:
        return [batch]
    targets = batch.targets
    cuts = [torch.tensor_split(x, min(parts, len(batch.images))) for x in (batch.images, *targets.tensors())]
    return [
        Batch(images, replace(targets, boxes=boxes, labels=labels, mask=mask, pixels=pixels[0] if pixels else None))
        for images, boxes, labels, mask, *pixels in zip(*cuts, strict=True)
    ]


def out_of_memory(error: Exception) -> bool:
    """Whether an error of torch says that memory ran out."""
    return isinstance(error, torch.OutOfMemoryError) or any(text in str(error) for text in _CPU_OUT_OF_MEMORY)
