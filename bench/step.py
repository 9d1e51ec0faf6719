"""The bare training step that the benchmarks time, and a process that does nothing else (``python -m bench.step``)."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable

import torch

from perception_train.data.loader import Batch
from perception_train.models import build_model
from perception_train.training.config import TrainParams
from perception_train.training.optimize import compute_losses, make_optimizer

from .noise import noise_batch

_WARM_UP = 3
_NICE = 10


def make_step(architecture: str, classes: int) -> Callable[[Batch, bool], None]:
    """A function that trains a fresh model by one step on a batch, in bf16 or not."""
    torch.manual_seed(0)
    model = build_model(architecture, classes).to(memory_format=torch.channels_last)
    optimizer = make_optimizer(model, TrainParams())

    def step(batch: Batch, bf16: bool) -> None:
        total = compute_losses(model.losses, batch, bf16)["total"]
        optimizer.zero_grad(set_to_none=True)
        total.backward()
        optimizer.step()

    return step


def main() -> None:
    """Print the images per second of niced steps in bf16: ARCHITECTURE CLASSES WIDTH HEIGHT BATCH SECONDS."""
    os.nice(_NICE)
    architecture, classes, width, height, count, seconds = sys.argv[1:]
    step = make_step(architecture, int(classes))
    batch = noise_batch((int(width), int(height)), int(count))
    for _ in range(_WARM_UP):
        step(batch, True)
    # The mean, not the median: what another process costs is a few very long steps.
    start, steps = time.perf_counter(), 0
    while time.perf_counter() < start + float(seconds):
        step(batch, True)
        steps += 1
    print(int(count) * steps / (time.perf_counter() - start))


if __name__ == "__main__":
    main()
