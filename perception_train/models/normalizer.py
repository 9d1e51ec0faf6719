"""What a loss is divided by, when several processes train on the parts of one batch."""

from __future__ import annotations

import torch.distributed as dist
from torch import Tensor


def normalizer(counted: Tensor, least: float = 1.0) -> Tensor:
    """What was counted in this process's part of the batch, so that the processes' mean is the whole batch's loss.

    With one process that is ``counted``, or ``least`` where it is more. With several, each divides by an equal part of
    the whole batch's count; no gradient passes through it.
    """
    if not (dist.is_available() and dist.is_initialized()):
        return counted.clamp(min=least)
    total = counted.detach().clone()
    dist.all_reduce(total)
    return total.clamp(min=least) / dist.get_world_size()
