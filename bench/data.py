"""How fast the data path is by itself, on all cores, and against the whole training loop on the same cores."""

from __future__ import annotations

import os
import tempfile
import time
from pathlib import Path

from perception_train.data.augment import AugmentParams
from perception_train.data.coco import CocoDataset
from perception_train.data.loader import TrainLoader

from .figures import Figure, median_seconds
from .step import make_step
from .train import noise_dataset

_CACHE_BYTES = 2 << 30


def measure(
    dataset: Path | None, network: tuple[int, int], batch: int, seconds: float, workers: int, train: str | None
) -> list[Figure]:
    """Images per second with the default augmentation, mosaic on.

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

        figures = []
        whole = None
        if train is not None:
            whole = _whole_loop(loader(_CACHE_BYTES, 0), train, len(opened.classes), batch, seconds)
            figures.append(Figure(f"whole training loop, {train}", whole, "images/s"))
        for name, budget in (("decoded images kept", _CACHE_BYTES), ("every image decoded anew", 0)):
            alone = _images_per_second(loader(budget, threads), batch, seconds, len(opened.samples) if budget else 0)
            against, ratio = ("", None) if whole is None else ("whole training loop", alone / whole)
            figures.append(Figure(f"data path, {threads} threads, {name}", alone, "images/s", against, ratio))
    return figures


def _whole_loop(loader: TrainLoader, architecture: str, classes: int, batch: int, seconds: float) -> float:
    """Images per second of training steps (in the faster precision) that the loader feeds."""
    step = make_step(architecture, classes)
    fixed = loader.batch(0, True)
    bf16 = median_seconds(lambda: step(fixed, True), seconds / 4) < median_seconds(
        lambda: step(fixed, False), seconds / 4
    )
    stream = loader.stream(0, lambda _: True)
    try:
        return batch / median_seconds(lambda: step(next(stream), bf16), seconds)
    finally:
        stream.close()


def _images_per_second(loader: TrainLoader, batch: int, seconds: float, warm_up_images: int) -> float:
    """Throughput of the stream, after the cache has seen ``warm_up_images``; a mean, since batches come in bursts."""
    stream = loader.stream(0, lambda _: True)
    try:
        for _ in range(5 + warm_up_images // batch):
            next(stream)
        start, batches = time.perf_counter(), 0
        while (passed := time.perf_counter() - start) < seconds:
            next(stream)
            batches += 1
        return batches * batch / passed
    finally:
        stream.close()
