"""How fast the data path is by itself, on all cores, and against the whole training loop on the same cores."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import NamedTuple

from perception_train.data.augment import AugmentParams
from perception_train.data.coco import CocoDataset
from perception_train.data.loader import TrainLoader

from .figures import Figure, median_seconds
from .noise import noise_dataset
from .step import make_step

_CACHE_BYTES = 2 << 30


class Speed(NamedTuple):
    """Images per second of the clock, and milliseconds of processor time for each, all threads together."""

    images_per_second: float
    cpu_ms: float


def measure(
    dataset: Path | None, network: tuple[int, int], batch: int, seconds: float, workers: int, train: str | None
) -> list[Figure]:
    """Images per second with the default augmentation, mosaic on, and the processor's time for an image.

    The latter tells what the data path takes away from training, also on a machine that is busy with something else.

    Args:
        dataset: a dataset directory; none: pictures of 640x480 made for the purpose.
        network: width and height in pixels.
        batch: images per batch.
        seconds: time for each figure.
        workers: threads that prepare batches (0: as many as cores).
        train: architecture that the whole loop trains, with one such thread for every two cores; none: leave it out.
    """
    with tempfile.TemporaryDirectory() as folder:
        opened = CocoDataset.open(dataset) if dataset else noise_dataset(Path(folder), 6)
        threads = workers or os.cpu_count() or 1

        def loader(cache_bytes: int, threads: int) -> TrainLoader:
            return TrainLoader(opened, network, batch, 1, AugmentParams(), cache_bytes, workers=threads)

        figures, whole = [], None
        if train is not None:
            whole = _whole_loop(loader(_CACHE_BYTES, 0), train, len(opened.classes), batch, seconds)
            figures += _figures(f"whole training loop, {train}", whole, None)
        for name, budget in (("decoded images kept", _CACHE_BYTES), ("every image decoded anew", 0)):
            alone = _alone(loader(budget, threads), batch, seconds, len(opened.samples) if budget else 0)
            figures += _figures(f"data path, {threads} threads, {name}", alone, whole)
    return figures


def _figures(name: str, speed: Speed, whole: Speed | None) -> list[Figure]:
    against = "" if whole is None else "whole training loop"
    return [
        Figure(
            name,
            speed.images_per_second,
            "images/s",
            against,
            whole and speed.images_per_second / whole.images_per_second,
        ),
        Figure(f"{name}: processor time", speed.cpu_ms, "ms/image", against, whole and speed.cpu_ms / whole.cpu_ms),
    ]


def _whole_loop(loader: TrainLoader, architecture: str, classes: int, batch: int, seconds: float) -> Speed:
    """Training steps (in the faster precision) that the loader feeds."""
    step = make_step(architecture, classes)
    fixed = loader.batch(0, True)
    times = [median_seconds(partial(step, fixed, bf16), seconds / 4) for bf16 in (False, True)]
    stream = loader.stream(0, lambda _: True)
    try:
        return _speed(lambda: step(next(stream), times[1] < times[0]), batch, seconds, 3)
    finally:
        stream.close()


def _alone(loader: TrainLoader, batch: int, seconds: float, warm_up_images: int) -> Speed:
    """The stream by itself, after the cache has seen ``warm_up_images``."""
    stream = loader.stream(0, lambda _: True)
    try:
        return _speed(lambda: next(stream), batch, seconds, 5 + warm_up_images // batch)
    finally:
        stream.close()


def _speed(action: Callable[[], object], batch: int, seconds: float, warm_up: int) -> Speed:
    """Means, since batches come in bursts."""
    for _ in range(warm_up):
        action()
    start, cpu, done = time.perf_counter(), time.process_time(), 0
    while (passed := time.perf_counter() - start) < seconds:
        action()
        done += batch
    return Speed(done / passed, (time.process_time() - cpu) / done * 1e3)
