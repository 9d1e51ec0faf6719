"""perception-sim view: every way to write a mask, and masks that are broken."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from labelled import HEIGHT, WIDTH, block, content_of, runs_of, written

from perception_sim import rle
from perception_sim.view.annotations import read_dataset
from perception_sim.view.masks import BrokenMaskError, extent, outlines
from perception_sim.view.shapes import shapes_of


@pytest.mark.parametrize("seed", range(5))
def test_every_way_to_write_a_mask_has_the_same_extent(seed: int) -> None:
    rng = np.random.default_rng(seed)
    x, y = int(rng.integers(0, 60)), int(rng.integers(0, 40))
    w, h = int(rng.integers(1, WIDTH - x)), int(rng.integers(1, HEIGHT - y))
    mask = block(x, y, w, h)
    box = (x, y, x + w, y + h)
    polygon = [[x, y, x + w, y, x + w, y + h, x, y + h]]
    for segmentation in (rle.encode(mask), runs_of(mask), polygon):
        assert extent(segmentation, WIDTH, HEIGHT) == box
        points = np.concatenate(outlines(segmentation, WIDTH, HEIGHT))
        assert np.abs(np.r_[points.min(0), points.max(0)] - box).max() <= 0.25


def test_outlines_of_a_mask_enclose_its_pixels_and_leave_its_holes() -> None:
    mask = block(20, 10, 30, 20) & ~block(28, 14, 8, 8) | block(70, 50, 26, 14)
    drawn = np.zeros((HEIGHT * 16, WIDTH * 16), np.uint8)
    rings = [np.rint(ring * 16).astype(np.int32) for ring in outlines(rle.encode(mask), WIDTH, HEIGHT)]
    cv2.fillPoly(drawn, rings, 1)
    assert len(rings) == 3
    assert (drawn[8::16, 8::16].astype(bool) == mask).all()
    assert outlines(rle.encode(np.zeros_like(mask)), WIDTH, HEIGHT) == []


def test_a_mask_of_noise_stays_short_in_the_page(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).random((HEIGHT, WIDTH)) > 0.4
    content = content_of()
    content["annotations"][0]["segmentation"] = rle.encode(noise)
    data = read_dataset(written(tmp_path / "data", content))
    shape = next(one for one in shapes_of(data, 0, 4.0) if one.name == "cup")
    assert 0 < len(shape.rings) <= 8 and max(map(len, shape.rings)) <= 60


@pytest.mark.parametrize(
    "segmentation",
    [
        [[1, 2, 3]],
        [[1, 2, 3, 4]],
        [[1, 2, 3, "x", 5, 6]],
        [[1, 2, 3, 1e300, 5, 6]],
        "text",
        {"size": [HEIGHT, WIDTH]},
        {"size": [2, 2], "counts": [4]},
        {"size": [HEIGHT, WIDTH], "counts": [1, 2]},
        {"size": [HEIGHT, WIDTH], "counts": [-1, HEIGHT * WIDTH + 1]},
        {"size": [HEIGHT, WIDTH], "counts": "zz"},
        {"size": [HEIGHT, WIDTH], "counts": "ooooooooooo0"},
        {"size": None, "counts": None},
    ],
)
def test_broken_masks_are_told_as_such(segmentation: Any) -> None:
    with pytest.raises(BrokenMaskError):
        extent(segmentation, WIDTH, HEIGHT)
    with pytest.raises(BrokenMaskError):
        outlines(segmentation, WIDTH, HEIGHT)
