"""Labelled pictures of one small world, as cameras see it that differ in one thing, and a recording of it."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import numpy as np
from bundles import CLASSES, COLOURS
from recorded import Film, write_bag

Pixels = np.ndarray
Change = Callable[[Pixels, np.random.Generator], Pixels]
PICTURES, SIZE = 20, (256, 160)


def world(
    root: Path,
    seed: int,
    change: Change = lambda rgb, rng: rgb,
    *,
    sides: tuple[int, int] = (20, 45),
    mix: Sequence[float] = (0.34, 0.33, 0.33),
    most: int = 3,
    across: tuple[float, float] = (0.0, 1.0),
    classes: Sequence[str] = CLASSES,
    suffix: str = ".png",
    masks: bool = False,
) -> Path:
    """Rectangles of pure colours on coloured clouds with noise, labelled; ``change`` is what a camera makes of them."""
    rng = np.random.default_rng(seed)
    width, height = SIZE
    (root / "images").mkdir(parents=True)
    if masks:
        (root / "masks").mkdir()
    images, annotations = [], []
    for number in range(1, PICTURES + 1):
        clouds = cv2.resize(rng.uniform(60, 145, (10, 16, 3)).astype(np.float32), SIZE, interpolation=cv2.INTER_CUBIC)
        picture = clouds * rng.uniform(0.7, 1.2)
        x, y = int(rng.integers(0, width - 40)), int(rng.integers(0, height - 20))
        # Something with sharp edges that is no object.
        picture[y : y + 20, x : x + 20], picture[y : y + 20, x + 20 : x + 40] = 15, (130, 235, 235)
        mask = np.zeros((height, width), np.uint8)
        for _ in range(int(rng.integers(1, most + 1))):
            side, kind = int(rng.integers(*sides)), int(rng.choice(3, p=mix))
            left = int((across[0] + rng.random() * (across[1] - across[0])) * (width - side))
            top = int(rng.integers(0, height - side))
            picture[top : top + side, left : left + side] = COLOURS[CLASSES[kind]]
            mask[top : top + side, left : left + side] = kind + 1
            box = {"bbox": [left, top, side, side], "area": side * side, "iscrowd": 0}
            annotations.append(box | {"id": len(annotations) + 1, "image_id": number, "category_id": kind + 1})
        picture += rng.normal(0, rng.uniform(1, 5), picture.shape)
        name = f"{number:03}{suffix}"
        seen = change(np.clip(picture, 0, 255).astype(np.uint8), rng)
        write(root / "images" / name, seen)
        if masks:
            cv2.imwrite(str(root / "masks" / f"{number:03}.png"), mask)
        images.append({"id": number, "file_name": name, "width": width, "height": height})
    categories = [{"id": index, "name": name} for index, name in enumerate(classes, 1)]
    content = {"images": images, "annotations": annotations, "categories": categories}
    (root / "annotations.json").write_text(json.dumps(content))
    return root


def write(path: Path, rgb: Pixels) -> None:
    options = [cv2.IMWRITE_JPEG_QUALITY, 12] if path.suffix == ".jpg" else []
    cv2.imwrite(str(path), cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR), options)


def darker(rgb: Pixels, rng: np.random.Generator) -> Pixels:
    return (rgb * 0.4).astype(np.uint8)


def blurred(rgb: Pixels, rng: np.random.Generator) -> Pixels:
    return cv2.GaussianBlur(rgb, (0, 0), 3)


def noisy(rgb: Pixels, rng: np.random.Generator) -> Pixels:
    return np.clip(rgb + rng.normal(0, 14, rgb.shape), 0, 255).astype(np.uint8)


def reddish(rgb: Pixels, rng: np.random.Generator) -> Pixels:
    return np.clip(rgb * np.array([1.25, 1.0, 0.7]), 0, 255).astype(np.uint8)


def greyish(rgb: Pixels, rng: np.random.Generator) -> Pixels:
    return np.clip(rgb * 0.3 + rgb.mean(axis=2, keepdims=True) * 0.7, 0, 255).astype(np.uint8)


def recording(path: Path) -> Path:
    """Three frames with a red and a blue rectangle, and their truth, as a rosbag2 recording."""
    boxes = {"red": (10, 20, 60, 70), "blue": (90, 30, 130, 100)}
    frames = []
    for index in range(3):
        rgb = np.full((SIZE[1], SIZE[0], 3), 90 + 20 * index, np.uint8)
        for name, (left, top, right, bottom) in boxes.items():
            rgb[top:bottom, left:right] = COLOURS[name]
        frames.append(rgb)
    return write_bag(path, Film(frames, truth=[boxes] * len(frames)))
