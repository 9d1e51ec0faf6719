"""Averaged weights, and batch-norm statistics measured for them."""

from __future__ import annotations

import copy
from collections.abc import Iterable
from typing import TypeVar

import torch
from torch import Tensor, nn

from ..models.network import Network, autocast

M = TypeVar("M", bound=nn.Module)


class WeightAverage:
    """Exponential moving average of a model's floating-point state.

    The decay ramps up as (1 + t) / (10 + t), so that short runs are not held back by their start.
    """

    def __init__(self, model: nn.Module, decay: float) -> None:
        self.model = copy.deepcopy(model).eval().requires_grad_(False)
        self.decay, self.updates = decay, 0

    @torch.no_grad()
    def update(self, model: nn.Module) -> None:
        """Take in the model's present state."""
        self.updates += 1
        decay = min(self.decay, (1 + self.updates) / (10 + self.updates))
        averaged, present = self.model.state_dict(), model.state_dict()
        floating = [name for name, value in averaged.items() if value.is_floating_point()]
        torch._foreach_lerp_([averaged[name] for name in floating], [present[name] for name in floating], 1 - decay)
        for name, value in averaged.items():
            if not value.is_floating_point():
                value.copy_(present[name])


@torch.no_grad()
def with_precise_statistics(model: M, inputs: Iterable[Tensor], bf16: bool) -> M:
    """A copy of the model whose batch-norm statistics are plain means over ``inputs``.

    The running statistics lag behind the averaged weights; re-estimating them gains a few points of
    mAP in short runs ("precise BN", Wu and Johnson 2021, section 3). Frozen stages keep theirs.
    """
    precise = copy.deepcopy(model)
    frozen = precise.frozen_parts() if isinstance(precise, Network) else []
    kept = {module for part in frozen for module in part.modules()}
    norms = [m for m in precise.modules() if isinstance(m, nn.BatchNorm2d) and m not in kept]
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None
        norm.train()
    for images in inputs:
        with autocast(images, bf16):
            precise(images)
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
    return precise.eval()
