"""A small labelled dataset, which has a mask of every kind and a name that no page should take for markup."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from perception_sim import rle
from perception_sim.view import statistics
from perception_sim.view.annotations import read_dataset
from perception_sim.view.features import feature_values
from perception_sim.view.files import list_files
from perception_sim.view.pixels import measure

WIDTH, HEIGHT = 96, 64
NASTY = "</script><b>\"Häß\" & $x_1$ '空'"


def block(x: int, y: int, w: int, h: int) -> np.ndarray:
    mask = np.zeros((HEIGHT, WIDTH), bool)
    mask[y : y + h, x : x + w] = True
    return mask


def runs_of(mask: np.ndarray) -> dict[str, Any]:
    """A mask as COCO's uncompressed run lengths, written pixel by pixel."""
    runs, value = [0], False
    for pixel in mask.ravel(order="F").tolist():
        if pixel != value:
            runs.append(0)
            value = pixel
        runs[-1] += 1
    return {"size": [HEIGHT, WIDTH], "counts": runs}


def content_of(images: int = 5) -> dict[str, Any]:
    """Image 1 has one object in each way to write a mask, image 2 a crowd; the last one nothing."""
    box = [10, 8, 30, 20]
    base = {"image_id": 1, "category_id": 1, "bbox": box, "iscrowd": 0, "area": 600}
    polygon = [[10, 8, 40, 8, 40, 28, 10, 28]]
    annotations = [
        base | {"segmentation": rle.encode(block(*box)), "occlusion": 0.25, "truncation": 0.0},
        base | {"segmentation": runs_of(block(*box)), "category_id": 7, "amodal_bbox": [5, 3, 50, 40]},
        base | {"segmentation": polygon, "category_id": 7, "bbox": [10, 8, 30, 20.5]},
        base | {"image_id": 2, "iscrowd": 1, "bbox": [0, 0, 50, 50]},
        base | {"image_id": 3, "bbox": [60, 40, 36, 24]},
        base | {"image_id": 4, "bbox": [60, 40, 3, 10]},
    ]
    return {
        "images": [{"id": n, "file_name": f"{n}.png", "width": WIDTH, "height": HEIGHT} for n in range(1, images + 1)],
        "categories": [{"id": 1, "name": "cup"}, {"id": 7, "name": NASTY}],
        "annotations": [{"id": number, **one} for number, one in enumerate(annotations, 1)],
    }


def written(root: Path, content: dict[str, Any], seed: int = 0) -> Path:
    (root / "images").mkdir(parents=True)
    rng = np.random.default_rng(seed)
    for image in content["images"]:
        picture = rng.integers(0, 255, (HEIGHT, WIDTH, 3), np.uint8)
        (root / "images" / image["file_name"]).write_bytes(cv2.imencode(".png", picture)[1].tobytes())
    (root / "annotations.json").write_text(json.dumps(content))
    return root


def described(root: Path) -> dict[str, Any]:
    data = read_dataset(root)
    files = list_files(root / "images", data.file_names)
    pixels = measure(data, files.present.tolist(), lambda _: None)
    return statistics.describe(data, files, pixels, feature_values(data, pixels))
