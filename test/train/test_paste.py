"""Copy-paste: what is pasted, what is covered, and where the pixels of objects come from."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from shapes import make_dataset

from perception_sim.rle import encode
from perception_train.data.augment import AugmentParams, Labelled
from perception_train.data.coco import CocoDataset
from perception_train.data.instances import instance_mask, packed
from perception_train.data.loader import TrainLoader
from perception_train.data.paste import MOST_HIDDEN, Shown, paste

RED, BLUE = (255, 0, 0), (0, 0, 255)
STILL = dict(flip=0.0, scale=0.0, aspect=0.0, translate=0.0, mosaic=0.0, hue=0.0, saturation=0.0, brightness=0.0)


def scene(
    boxes: list[tuple[int, int, int, int]], colour: tuple[int, int, int], label: int, known: bool = True
) -> Shown:
    """Bright rectangles on black, 60x80, each with its pixels."""
    image, classes = np.zeros((60, 80, 3), np.uint8), np.zeros((60, 80), np.uint8)
    masks = []
    for x0, y0, x1, y1 in boxes:
        image[y0:y1, x0:x1], classes[y0:y1, x0:x1] = colour, label + 1
        masks.append(np.zeros((60, 80), np.bool_))
        masks[-1][y0:y1, x0:x1] = True
    labels = np.full(len(boxes), label, np.int64)
    labelled = Labelled(image, np.asarray(boxes, np.float32).reshape(-1, 4), labels, classes)
    return Shown(labelled, lambda number: masks[number] if known else None)


def extent(mask: np.ndarray) -> list[int]:
    rows, columns = np.nonzero(mask)
    return [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]


@pytest.mark.parametrize("seed", range(40))
def test_boxes_are_what_is_visible(seed: int) -> None:
    target, donor = scene([(20, 15, 60, 45)], RED, 0), scene([(30, 20, 60, 45)], BLUE, 1)
    before = target.labelled.image.copy()
    shown = paste(target, donor, 1.0, AugmentParams(), np.random.default_rng(seed))
    assert (target.labelled.image == before).all()
    assert shown.mask is not None
    # The class of every pixel is exact, the picture up to its soft edges.
    pasted = shown.mask == 2
    assert (shown.image[pasted][:, 2] >= 100).all()
    assert shown.boxes[shown.labels == 1].tolist() == [extent(pasted)]
    left = shown.mask == 1
    if left.sum() >= (1 - MOST_HIDDEN) * 40 * 30:
        assert shown.boxes[shown.labels == 0].tolist() == [extent(left)]
    else:
        assert 0 not in shown.labels


def test_hidden_objects_go_and_shrunk_ones_shrink() -> None:
    dropped = shrunk = 0
    for seed in range(150):
        target = scene([(30, 20, 50, 40)], RED, 0)
        shown = paste(
            target, scene([(5, 5, 45, 35)], BLUE, 1), 1.0, AugmentParams(flip=0.0), np.random.default_rng(seed)
        )
        mine = shown.boxes[shown.labels == 0]
        dropped += len(mine) == 0
        shrunk += len(mine) == 1 and mine[0].tolist() != [30, 20, 50, 40]
    assert dropped > 5
    assert shrunk > 5


def test_where_pixels_are_not_known_the_box_decides() -> None:
    kept = dropped = 0
    for seed in range(150):
        target = scene([(30, 20, 50, 40)], RED, 0, known=False)
        shown = paste(
            target, scene([(5, 5, 45, 35)], BLUE, 1), 1.0, AugmentParams(flip=0.0), np.random.default_rng(seed)
        )
        assert shown.mask is not None
        hidden = (shown.mask[20:40, 30:50] == 2).mean()
        mine = shown.boxes[shown.labels == 0].tolist()
        assert mine == ([] if hidden > MOST_HIDDEN else [[30, 20, 50, 40]])
        kept, dropped = kept + (hidden > 0 and bool(mine)), dropped + (not mine)
    assert kept > 5
    assert dropped > 5


def test_cut_off_and_unknown_objects_are_not_taken() -> None:
    target = scene([(30, 20, 50, 40)], RED, 0)
    for donor in (scene([(0, 5, 20, 25), (60, 30, 80, 50)], BLUE, 1), scene([(5, 5, 45, 35)], BLUE, 1, known=False)):
        shown = paste(target, donor, 1.0, AugmentParams(flip=0.0), np.random.default_rng(1))
        assert (shown.image == target.labelled.image).all()
        assert shown.labels.tolist() == [0]


def test_large_objects_are_made_to_fit_and_tiny_ones_left_out() -> None:
    target = scene([], RED, 0)
    assert paste(
        target, scene([(5, 5, 75, 55)], BLUE, 1), 9.0, AugmentParams(flip=0.0), np.random.default_rng(1)
    ).labels.tolist() == [1]
    assert (
        len(
            paste(
                target, scene([(5, 5, 15, 15)], BLUE, 1), 0.2, AugmentParams(flip=0.0), np.random.default_rng(1)
            ).labels
        )
        == 0
    )


def test_pixels_from_run_lengths_and_polygons() -> None:
    wanted = np.zeros((20, 30), np.bool_)
    wanted[4:12, 6:18] = True
    square = [6.0, 4.0, 18.0, 4.0, 18.0, 12.0, 6.0, 12.0]
    for segmentation in (encode(wanted), [square], square):
        assert (instance_mask(packed(segmentation), 30, 20) == wanted).all()
    for damaged in (
        None,
        [],
        "x",
        [[1.0, 2.0]],
        [["a"]],
        {"size": [20, 30], "counts": "!"},
        {"size": [9, 9]},
        [[1e30] * 6],
    ):
        assert instance_mask(packed(damaged), 30, 20) is None


@pytest.fixture(scope="module")
def with_pixels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Shapes whose annotations tell their pixels (rectangles: good enough for squares)."""
    root = make_dataset(tmp_path_factory.mktemp("paste") / "data", 24, seed=4)
    content = json.loads((root / "annotations.json").read_text())
    for entry in content["annotations"]:
        x, y, w, h = (int(value) for value in entry["bbox"])
        mask = np.zeros((64, 96), np.bool_)
        mask[y : y + h, x : x + w] = True
        entry["segmentation"] = encode(mask)
    (root / "annotations.json").write_text(json.dumps(content))
    return root


def test_the_loader_pastes(with_pixels: Path, shapes: Path) -> None:
    def batch(root: Path, probability: float) -> tuple[int, torch.Tensor]:
        params = AugmentParams(**STILL, copy_paste=probability)
        loader = TrainLoader(CocoDataset.open(root), (96, 64), 24, 7, params, 1 << 24, with_masks=True)
        made, again = loader.batch(0, False), loader.batch(0, False)
        assert torch.equal(made.images, again.images)
        return int(made.targets.mask.sum()), made.images

    plain, _ = batch(with_pixels, 0.0)
    assert batch(with_pixels, 1.0)[0] > plain + 12
    # Nothing to paste, nothing drawn: the same batch.
    assert torch.equal(batch(shapes / "train", 1.0)[1], batch(shapes / "train", 0.0)[1])


def test_pasted_pixels_are_of_their_class(with_pixels: Path) -> None:
    dataset = CocoDataset.open(with_pixels)
    params = AugmentParams(**STILL, copy_paste=1.0)
    batch = TrainLoader(dataset, (96, 64), 24, 7, params, 1 << 24, with_masks=True).batch(0, False)
    assert batch.targets.pixels is not None
    for boxes, labels, valid, pixels in zip(
        batch.targets.boxes, batch.targets.labels, batch.targets.mask, batch.targets.pixels.numpy(), strict=True
    ):
        for (x0, y0, x1, y1), label in zip(boxes[valid].int().tolist(), labels[valid].tolist(), strict=True):
            assert (pixels[y0:y1, x0:x1] == label + 1).any()
