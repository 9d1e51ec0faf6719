"""How fast training is: the bare step, the step fed by the data path, the data path alone."""

from __future__ import annotations

import tempfile
from pathlib import Path

from perception_train.data.augment import AugmentParams
from perception_train.data.loader import TrainLoader

from .figures import Figure, median_seconds
from .noise import noise_dataset
from .step import make_step


def measure(architecture: str, classes: int, network: tuple[int, int], batch: int, seconds: float) -> list[Figure]:
    """Images per second; the limit of the training loop is the faster of the two bare steps."""
    with tempfile.TemporaryDirectory() as folder:
        loader = TrainLoader(noise_dataset(Path(folder), classes), network, batch, 1, AugmentParams(), 1 << 30)
        fixed = loader.batch(0, True)
        step = make_step(architecture, classes)
        speeds = {bf16: batch / median_seconds(lambda bf16=bf16: step(fixed, bf16), seconds) for bf16 in (False, True)}
        best = max(speeds, key=lambda key: speeds[key])
        stream = loader.stream(0, lambda _: True)
        fed = batch / median_seconds(lambda: step(next(stream), best), seconds)
        stream.close()
        steps = iter(range(1, 1 << 30))
        alone = batch / median_seconds(lambda: loader.batch(next(steps), True), seconds)
    return [
        Figure("bare step, fp32", speeds[False], "images/s"),
        Figure("bare step, bf16", speeds[True], "images/s", "bare step, fp32", speeds[True] / speeds[False]),
        Figure("step with the data path", fed, "images/s", "the faster bare step", fed / speeds[best]),
        Figure("data path alone, one thread", alone, "images/s", "step with the data path", alone / fed),
    ]
