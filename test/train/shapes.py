"""A tiny labelled dataset in the suite's format, made here: bright squares and discs on dark noise."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from perception_train.data.appearance import HOME

CLASSES = ("square", "disc")


def make_dataset(
    root: Path,
    images: int,
    seed: int,
    size: tuple[int, int] = (96, 64),
    classes: tuple[str, ...] = CLASSES,
    sides: tuple[int, int] = (14, 28),
) -> Path:
    """Write ``images`` pictures of ``size`` (width, height), each with one to three shapes, or none in every sixth.

    Shapes have a side from the first of ``sides`` to just below the second, in pixels.
    """
    rng = np.random.default_rng(seed)
    width, height = size
    for folder in ("images", "masks"):
        (root / folder).mkdir(parents=True)
    annotations: list[dict[str, object]] = []
    listed = []
    for image_id in range(1, images + 1):
        picture, mask = rng.integers(0, 60, (height, width, 3), dtype=np.uint8), np.zeros((height, width), np.uint8)
        for _ in range(0 if image_id % 6 == 0 else int(rng.integers(1, 4))):
            side = int(rng.integers(*sides))
            x, y = int(rng.integers(0, width - side)), int(rng.integers(0, height - side))
            kind = int(rng.integers(0, 2))
            colour = rng.integers(140, 256, 3).tolist()
            if kind == 0:
                picture[y : y + side, x : x + side], mask[y : y + side, x : x + side] = colour, 1
            else:
                centre = (x + side // 2, y + side // 2)
                cv2.circle(picture, centre, side // 2, colour, -1)
                cv2.circle(mask, centre, side // 2, (2,), -1)
            box = [float(x), float(y), float(side), float(side)]
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": image_id,
                    "category_id": kind + 1,
                    "bbox": box,
                    "area": box[2] * box[3],
                    "iscrowd": 0,
                }
            )
        name = f"{image_id:04}.png"
        cv2.imwrite(str(root / "images" / name), picture)
        cv2.imwrite(str(root / "masks" / name), mask)
        listed.append({"id": image_id, "file_name": name, "width": width, "height": height})
    categories = [{"id": index, "name": name} for index, name in enumerate(classes, 1)]
    content = {"images": listed, "annotations": annotations, "categories": categories}
    (root / "annotations.json").write_text(json.dumps(content))
    return root


def make_both(root: Path) -> Path:
    """The datasets ``train`` (36 images) and ``val`` (12 images) in a folder, which is returned."""
    make_dataset(root / "train", 36, seed=1)
    make_dataset(root / "val", 12, seed=2)
    return root


def small_run(data: Path, folder: Path, **changes: Any) -> dict[str, Any]:
    """Parameters of a training run of some seconds on ``data``/train and val, that writes below ``folder``."""
    told: dict[str, Any] = {
        **HOME,
        "dataset": (str(data / "train"),),
        "validation": str(data / "val"),
        "run_directory": str(folder / "run"),
        "model_root": str(folder / "models"),
        "model": "shapes",
        "width": 96,
        "height": 64,
        "batch": 4,
        "minutes": 0.0,
        "steps": 60,
        "exports": 1,
        "validations": 2,
        "warmup_steps": 2,
        "learning_rate": 0.004,
        "precision": "fp32",
        "threads": 1,
    }
    return told | changes
