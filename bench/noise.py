"""What benchmarks train on where it does not matter: noise with boxes."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import torch

from perception_train.data.coco import CocoDataset
from perception_train.data.loader import Batch
from perception_train.models.losses import Targets

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


def noise_batch(network: tuple[int, int], count: int) -> Batch:
    """A batch of noise with four boxes in each image."""
    width, height = network
    corner = torch.rand(count, 4, 2) * torch.tensor([width * 0.6, height * 0.6])
    boxes = torch.cat((corner, corner + 0.15 * width), -1)
    targets = Targets(boxes, torch.zeros(count, 4, dtype=torch.int64), torch.ones(count, 4, dtype=torch.bool))
    return Batch(torch.randint(0, 256, (count, height, width, 3), dtype=torch.uint8), targets)
