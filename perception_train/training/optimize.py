"""One optimisation step: forward in the chosen precision, loss in float32; which precision is faster here."""

from __future__ import annotations

import time
from collections.abc import Sequence

import torch
from torch import Tensor

from ..data.loader import Batch
from ..models.network import Network
from .config import TrainParams

_PROBE_STEPS = 3


def make_optimizer(model: Network, params: TrainParams) -> torch.optim.Optimizer:
    """AdamW; biases and normalisation are not decayed."""
    weights = [x for x in model.parameters() if x.ndim > 1]
    others = [x for x in model.parameters() if x.ndim <= 1]
    groups = [{"params": weights, "weight_decay": params.weight_decay}, {"params": others, "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, lr=params.learning_rate, betas=(0.9, 0.999), fused=True)


def compute_losses(model: Network, batch: Batch, bf16: bool) -> dict[str, Tensor]:
    """The parts of the loss of a batch, and their sum as ``total``."""
    losses = model.losses(batch.input(), batch.targets, bf16)
    return losses | {"total": torch.stack(list(losses.values())).sum()}


def accumulated(model: Network, batches: Sequence[Batch], bf16: bool) -> dict[str, float]:
    """Gradients of the mean loss over several batches, added to those of the model; the means of the loss's parts."""
    means: dict[str, float] = {}
    for batch in batches:
        losses = compute_losses(model, batch, bf16)
        (losses["total"] / len(batches)).backward()  # type: ignore[no-untyped-call]
        for name, value in losses.items():
            means[name] = means.get(name, 0.0) + float(value.detach()) / len(batches)
    return means


def bf16_is_faster(probe: Network, batch: Batch) -> bool:
    """Whether a step is faster in bf16 on this machine; the probe's gradients are of no use afterwards."""
    seconds: dict[bool, list[float]] = {False: [], True: []}
    for bf16, times in seconds.items():
        for _ in range(_PROBE_STEPS):
            start = time.perf_counter()
            compute_losses(probe, batch, bf16)["total"].backward()  # type: ignore[no-untyped-call]
            times.append(time.perf_counter() - start)
    return min(seconds[True]) < min(seconds[False])
