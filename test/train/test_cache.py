"""Decoded images: within their budget, and no larger than needed."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from perception_sim.rle import encode
from perception_train.data.appearance import HOME
from perception_train.data.augment import AugmentParams
from perception_train.data.cache import ImageCache
from perception_train.data.coco import CocoDataset
from perception_train.data.loader import TrainLoader

STILL = (
    HOME
    | dict(blur=0.0, noise=0.0, hue=0.0, saturation=0.0, brightness=0.0)
    | dict(flip=0.0, scale=0.0, aspect=0.0, translate=0.0, mosaic=0.0)
)


@pytest.fixture(scope="module")
def photographs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six pictures of 1000x750: smooth, with an ellipse whose box, class and pixels are known."""
    root = tmp_path_factory.mktemp("photographs") / "data"
    for folder in ("images", "masks"):
        (root / folder).mkdir(parents=True)
    rng = np.random.default_rng(1)
    images, annotations = [], []
    for number in range(1, 7):
        smooth = cv2.resize(
            rng.integers(0, 120, (9, 12, 3), dtype=np.uint8), (1000, 750), interpolation=cv2.INTER_CUBIC
        )
        mask = np.zeros((750, 1000), np.uint8)
        centre = int(rng.integers(200, 800)), int(rng.integers(200, 550))
        cv2.ellipse(mask, centre, (150, 100), 0, 0, 360, (1,), -1)
        smooth[mask == 1] = (220, 200, 240)
        cv2.imwrite(str(root / "images" / f"{number}.png"), smooth)
        cv2.imwrite(str(root / "masks" / f"{number}.png"), mask)
        images.append({"id": number, "file_name": f"{number}.png", "width": 1000, "height": 750})
        rows, columns = np.nonzero(mask)
        x, y = int(columns.min()), int(rows.min())
        box = [x, y, int(columns.max()) + 1 - x, int(rows.max()) + 1 - y]
        annotations.append(
            {"id": number, "image_id": number, "category_id": 1, "bbox": box, "segmentation": encode(mask == 1)}
        )
    content = {"images": images, "annotations": annotations, "categories": [{"id": 1, "name": "ellipse"}]}
    (root / "annotations.json").write_text(json.dumps(content))
    return root


def cache(root: Path, network: tuple[int, int], budget: int = 1 << 30, **changes: float) -> ImageCache:
    return ImageCache(CocoDataset.open(root).samples, network, AugmentParams(**changes), budget)


@pytest.mark.parametrize(
    ("network", "changes", "size"),
    [
        ((96, 96), {}, (200, 150)),
        ((256, 256), {}, (1000, 750)),
        ((250, 64), {}, (200, 150)),
        ((96, 96), {"scale": 0.9, "crop": 0.1, "crop_area": 0.05}, (500, 375)),
    ],
)
def test_images_come_as_large_as_needed(
    photographs: Path, network: tuple[int, int], changes: dict[str, float], size: tuple[int, int]
) -> None:
    images = cache(photographs, network, **changes)
    assert images.size(0) == size
    image = images.get(0)
    assert image.shape[1::-1] == size
    content = min(network[0] / 1000, network[1] / 750)
    assert size[0] >= min(1000, 2 * 1000 * content)
    assert images.scale(0).tolist() == pytest.approx([size[0] / 1000, size[1] / 750] * 2)


def test_the_budget_counts_what_is_kept(photographs: Path) -> None:
    one = 200 * 150 * 3
    images = cache(photographs, (96, 96), budget=2 * one)
    kept = [images.get(index) is images.get(index) for index in range(4)]
    assert kept == [True, True, False, False]


def test_a_reduced_image_looks_as_the_whole_one(photographs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    dataset = CocoDataset.open(photographs)

    def batch(**changes: float) -> tuple[torch.Tensor, torch.Tensor, np.ndarray]:
        loader = TrainLoader(dataset, (96, 96), 6, 3, AugmentParams(**(STILL | changes)), 1 << 30, with_masks=True)
        made = loader.batch(0, True)
        assert made.targets.pixels is not None
        return made.images, made.targets.boxes, made.targets.pixels.numpy()

    for changes in ({}, {"scale": 0.4, "flip": 0.5, "translate": 0.2}, {"mosaic": 1.0}):
        reduced = batch(**changes)
        with monkeypatch.context() as patch:
            patch.setattr(ImageCache, "size", lambda self, index: (1000, 750))
            whole = batch(**changes)
        assert (reduced[0].int() - whole[0].int()).abs().float().mean() < 1.0
        assert (reduced[1] - whole[1]).abs().max() < 1e-3
        assert (reduced[2] != whole[2]).mean() < 0.01


def test_objects_of_reduced_images_are_pasted_whole(photographs: Path) -> None:
    params = AugmentParams(**(STILL | {"copy_paste": 1.0}))
    batch = TrainLoader(CocoDataset.open(photographs), (96, 96), 6, 3, params, 1 << 30, True).batch(0, False)
    assert int(batch.targets.mask.sum()) > 8
    assert batch.targets.pixels is not None
    for image, boxes, valid, pixels in zip(
        batch.images.numpy(), batch.targets.boxes, batch.targets.mask, batch.targets.pixels.numpy(), strict=True
    ):
        objects = pixels == 1
        rows, columns = np.nonzero(objects)
        told = boxes[valid].numpy()
        around = [*told[:, :2].min(0), *told[:, 2:].max(0)]
        assert np.abs(np.array(around) - (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)).max() <= 1.5
        assert image[objects].mean() > image[pixels == 0].mean()
