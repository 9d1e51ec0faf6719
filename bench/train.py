"""How fast training is: the bare step, the step fed by the data path, the data path alone."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import cv2
import numpy as np

from perception_train.data.augment import AugmentParams
from perception_train.data.coco import CocoDataset
from perception_train.data.loader import TrainLoader

from .figures import Figure, median_seconds
from .step import make_step

_IMAGES = 64


def noise_dataset(root: Path, classes: int) -> CocoDataset:
    """Noise with boxes, at a camera's size: enough to time the data path."""
    rng = np.random.default_rng(0)
    (root / "images").mkdir()
    images, annotations = [], []
    for number in range(1, _IMAGES + 1):
        coarse = rng.integers(0, 256, (30, 40, 3), dtype=np.uint8)
        cv2.imwrite(str(root / "images" / f"{number}.jpg"), cv2.resize(coarse, (640, 480)))
        images.append({"id": number, "file_name": f"{number}.jpg", "width": 640, "height": 480})
        for _ in range(4):
            x, y, w, h = rng.integers(0, 400), rng.integers(0, 300), rng.integers(40, 200), rng.integers(40, 150)
            box = [float(v) for v in (x, y, w, h)]
            kind = int(rng.integers(1, classes + 1))
            annotations.append({"id": len(annotations) + 1, "image_id": number, "category_id": kind, "bbox": box})
    categories = [{"id": i, "name": f"class_{i}"} for i in range(1, classes + 1)]
    content = {"images": images, "annotations": annotations, "categories": categories}
    (root / "annotations.json").write_text(json.dumps(content))
    return CocoDataset.open(root)


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
