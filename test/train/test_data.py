"""Reading, augmenting and batching."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from shapes import make_dataset

from bench.data import measure as measure_data_path
from perception_common.errors import UserError
from perception_infer.contract.geometry import Letterbox
from perception_train.data.augment import AugmentParams, mosaic, photometric, random_view
from perception_train.data.coco import CocoDataset
from perception_train.data.loader import TrainLoader, collate, threads_for

MARKED = AugmentParams()


def marked_image(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A dark image with one white rectangle, whose box is known exactly."""
    image = np.zeros((120, 160, 3), np.uint8)
    x, y, w, h = (
        int(rng.integers(40, 80)),
        int(rng.integers(30, 60)),
        int(rng.integers(25, 50)),
        int(rng.integers(20, 40)),
    )
    image[y : y + h, x : x + w] = 255
    return image, np.array([[x, y, x + w, y + h]], np.float32), np.zeros(1, np.int64)


def extent(image: np.ndarray) -> tuple[int, int, int, int]:
    """Pixel edges of what is bright (the grey border is not)."""
    rows, columns = np.nonzero(image[..., 0] > 184)
    return columns.min(), rows.min(), columns.max() + 1, rows.max() + 1


@pytest.mark.parametrize("seed", range(25))
def test_boxes_follow_the_pixels(seed: int) -> None:
    rng = np.random.default_rng(seed)
    image, boxes, labels, _ = random_view(marked_image(rng), (128, 96), MARKED, rng)
    if len(labels):
        # Bilinear edges blur by up to a pixel of the source.
        assert np.abs(boxes[0] - extent(image)).max() <= 1.6


@pytest.mark.parametrize("seed", range(25))
def test_mosaic_boxes_follow_the_pixels(seed: int) -> None:
    rng = np.random.default_rng(seed)
    dark = (np.zeros((120, 160, 3), np.uint8), np.zeros((0, 4), np.float32), np.zeros(0, np.int64))
    image, boxes, labels, _ = mosaic([dark, marked_image(rng), dark, dark], (128, 96), MARKED, rng)
    assert image.shape == (96, 128, 3)
    if len(labels):
        assert np.abs(boxes[0] - extent(image)).max() <= 1.6


def test_no_augmentation_is_the_letterbox() -> None:
    off = AugmentParams(flip=0.0, scale=0.0, aspect=0.0, translate=0.0)
    rng = np.random.default_rng(0)
    source = marked_image(rng)
    image, boxes, _, _ = random_view(source, (128, 128), off, rng)
    letterbox = Letterbox.fit((160, 120), (128, 128))
    assert np.abs(boxes - letterbox.boxes_to_network(source[1])).max() < 1e-3
    wanted = letterbox.image(source[0])
    assert np.abs(image.astype(int) - wanted).mean() < 1.0


def test_photometric_leaves_the_input_alone() -> None:
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, (20, 30, 3), dtype=np.uint8)
    before = image.copy()
    changed = photometric(image, AugmentParams(noise=1.0, blur=1.0), rng)
    assert changed.dtype == np.uint8
    assert (image == before).all()
    assert (changed != image).any()


def test_batches_depend_on_seed_and_step_only(shapes: Path) -> None:
    dataset = CocoDataset.open(shapes / "train")

    def loader() -> TrainLoader:
        return TrainLoader(dataset, (96, 64), 4, 7, MARKED, 1 << 20)

    one, other = loader(), loader()
    one.batch(3, True)
    a, b = one.batch(5, True), other.batch(5, True)
    assert torch.equal(a.images, b.images)
    assert torch.equal(a.targets.boxes, b.targets.boxes)
    assert not torch.equal(a.images, one.batch(6, True).images)


def test_every_image_once_per_epoch(shapes: Path) -> None:
    dataset = CocoDataset.open(shapes / "train")
    loader = TrainLoader(dataset, (96, 64), 4, 7, MARKED, 0)
    assert sorted(loader._order.index(i) for i in range(36, 72)) == list(range(36))


def test_collate_pads_images_without_objects() -> None:
    image = np.zeros((8, 8, 3), np.uint8)
    none = (image, np.zeros((0, 4), np.float32), np.zeros(0, np.int64))
    two = (image, np.ones((2, 4), np.float32), np.ones(2, np.int64))
    batch = collate([none, two])
    assert batch.targets.mask.tolist() == [[False, False], [True, True]]


def test_missing_dataset(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="does not exist"):
        CocoDataset.open(tmp_path / "nothing")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: c.update(images=[], annotations=[]), "no images"),
        (lambda c: c.pop("annotations"), "no key 'annotations'"),
        (lambda c: c["annotations"][0].update(image_id=999), "not listed"),
        (lambda c: c["annotations"][0].update(bbox=[1, 2]), "not enough values"),
        (lambda c: c["annotations"][0].update(category_id=9), "no key 9"),
        (lambda c: c["images"][0].update(file_name="../../etc/passwd"), "outside"),
        (lambda c: c.update(categories=[]), "no key"),
        (lambda c: c.update(categories=c["categories"] * 2), "same name"),
    ],
)
def test_damaged_annotations_are_told_in_one_line(tmp_path: Path, change, message: str) -> None:
    root = make_dataset(tmp_path / "data", 3, seed=1)
    content = json.loads((root / "annotations.json").read_text())
    change(content)
    (root / "annotations.json").write_text(json.dumps(content))
    with pytest.raises(UserError, match=message) as caught:
        CocoDataset.open(root)
    assert "\n" not in str(caught.value)


def test_truncated_annotations(tmp_path: Path) -> None:
    root = make_dataset(tmp_path / "data", 3, seed=1)
    text = (root / "annotations.json").read_text()
    (root / "annotations.json").write_text(text[: len(text) // 2])
    with pytest.raises(UserError, match="not valid JSON"):
        CocoDataset.open(root)


def test_crowd_and_empty_boxes_are_counted(tmp_path: Path) -> None:
    root = make_dataset(tmp_path / "data", 5, seed=1)
    content = json.loads((root / "annotations.json").read_text())
    content["annotations"][0]["iscrowd"] = 1
    content["annotations"][1]["bbox"] = [10, 10, -5, 5]
    content["annotations"][2]["bbox"] = [float("nan"), 10, 5, 5]
    (root / "annotations.json").write_text(json.dumps(content))
    assert CocoDataset.open(root).skipped == 3


def test_image_of_another_size(tmp_path: Path) -> None:
    root = make_dataset(tmp_path / "data", 2, seed=1)
    cv2.imwrite(str(root / "images" / "0001.png"), np.zeros((10, 10, 3), np.uint8))
    with pytest.raises(UserError, match="is 10x10"):
        CocoDataset.open(root).samples[0].read()


def test_threads_keep_the_order(shapes: Path) -> None:
    dataset = CocoDataset.open(shapes / "train")

    def loader(workers: int) -> TrainLoader:
        return TrainLoader(dataset, (96, 64), 4, 7, MARKED, 1 << 20, workers=workers)

    one, stream = loader(1), loader(4).stream(2, lambda step: step % 2 == 0)
    for step in range(2, 14):
        made, wanted = next(stream), one.batch(step, step % 2 == 0)
        assert torch.equal(made.images, wanted.images)
        assert torch.equal(made.targets.boxes, wanted.targets.boxes)
    stream.close()
    assert threads_for(3) == 3
    assert threads_for(0) >= 1


def test_the_benchmark_of_the_data_path_measures_it() -> None:
    alone = measure_data_path(None, (96, 64), 4, 0.3, 2, None)
    assert [figure.unit for figure in alone] == ["images/s", "ms/image"] * 2
    assert all(figure.value > 0 and figure.ratio is None for figure in alone)
    beside = measure_data_path(None, (96, 64), 4, 0.3, 2, "yolo_n")
    loop, kept = beside[0], beside[2]
    assert kept.ratio == kept.value / loop.value
