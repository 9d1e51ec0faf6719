"""What a loss is divided by, when several processes train on the parts of one batch."""

from __future__ import annotations

import torch.distributed as dist
from torch import Tensor


def normalizer(counted: Tensor, least: float = 1.0) -> Tensor:
    """What was counted in this process's part of the batch, so that the processes' mean is the whole batch's loss.

    With one process that is ``counted``, or ``least`` where it is more. With several, each divides by an equal part of
    the whole batch's count; no gradient passes through it.
    """
    if not _several():
        return counted.clamp(min=least)
    return _total(counted).clamp(min=least) / dist.get_world_size()


def over_all(part: Tensor) -> Tensor:
    """The sum of all processes' parts, for losses that no mean over the processes gives.

    What is made of it is the same in every process. Gradients reach the own part, as many times as there are processes,
    for their mean is taken afterwards.
    """
    if not _several():
        return part
    return _total(part) + (part - part.detach()) * dist.get_world_size()


def _several() -> bool:
    return dist.is_available() and dist.is_initialized()


def _total(part: Tensor) -> Tensor:
    total = part.detach().clone()
    dist.all_reduce(total)
    return total
