"""One optimisation step: forward in the chosen precision, loss in float32; which precision is faster here."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext

import torch
from torch import Tensor
from torch.nn.parallel import DistributedDataParallel

from ..data.loader import Batch
from ..models.losses import Targets
from ..models.network import Network
from .config import TrainParams

LossFunction = Callable[[Tensor, Targets, bool], dict[str, Tensor]]
_PROBE_STEPS, _HOPELESS = 3, 4.0


def make_optimizer(model: Network, params: TrainParams) -> torch.optim.Optimizer:
    """AdamW; biases and normalisation are not decayed."""
    weights = [x for x in model.parameters() if x.ndim > 1]
    others = [x for x in model.parameters() if x.ndim <= 1]
    groups = [{"params": weights, "weight_decay": params.weight_decay}, {"params": others, "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, lr=params.learning_rate, betas=(0.9, 0.999), fused=True)


def compute_losses(losses: LossFunction, batch: Batch, bf16: bool) -> dict[str, Tensor]:
    """The parts of the loss of a batch, and their sum as ``total``; ``losses`` is `Network.losses` or like it."""
    parts = losses(batch.input(), batch.targets, bf16)
    return parts | {"total": torch.stack(list(parts.values())).sum()}


def accumulated(losses: LossFunction, batches: Sequence[Batch], bf16: bool) -> dict[str, float]:
    """Gradients of the mean loss over the images of several batches, added to those there are; the parts' means.

    Where ``losses`` averages gradients over processes, it does so once, with the last batch.
    """
    images = sum(len(batch.images) for batch in batches)
    sums: dict[str, Tensor] = {}
    for number, batch in enumerate(batches, 1):
        share = len(batch.images) / images
        local = isinstance(losses, DistributedDataParallel) and number < len(batches)
        with losses.no_sync() if local else nullcontext():
            parts = compute_losses(losses, batch, bf16)
            (parts["total"] * share).backward()  # type: ignore[no-untyped-call]
        for name, value in parts.items():
            sums[name] = sums.get(name, torch.zeros(())) + value.detach().float().cpu() * share
    return {name: float(value) for name, value in sums.items()}


def bf16_is_faster(probe: Network, batch: Batch) -> bool:
    """Whether a step is faster in bf16 on this machine; the probe's gradients are of no use afterwards."""
    plain = [_seconds(probe, batch, False) for _ in range(_PROBE_STEPS)]
    half: list[float] = []
    for _ in range(_PROBE_STEPS):
        half.append(_seconds(probe, batch, True))
        if half[0] > _HOPELESS * min(plain):
            # Layers that this processor has no half arithmetic for: seconds a step, and no better the next time.
            return False
    return min(half) < min(plain)


def _seconds(probe: Network, batch: Batch, bf16: bool) -> float:
    start = time.perf_counter()
    total = compute_losses(probe.losses, batch, bf16)["total"]
    total.backward()  # type: ignore[no-untyped-call]
    # On a GPU the step is over when a value of it can be read.
    next(x.grad for x in probe.parameters() if x.grad is not None).flatten()[0].item()
    return time.perf_counter() - start
