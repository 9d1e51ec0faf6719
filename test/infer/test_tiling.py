"""Images cut into tiles: every pixel is looked at, and what two tiles found counts once."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from bundles import scene, write_detector, write_segmenter
from hypothesis import given
from hypothesis import strategies as st

from perception_infer.contract.detections import Detections, Segmentation
from perception_infer.models import open_bundle
from perception_infer.predictor import Predictor
from perception_infer.selection import Selection
from perception_infer.tiling import Tiling, merge_detections, merge_masks

sides = st.integers(1, 3000)


@given(width=sides, height=sides, tile=st.integers(1, 1000), overlap=st.floats(0, 0.9))
def test_tiles_cover_the_area_and_overlap(width: int, height: int, tile: int, overlap: float) -> None:
    if width * height > 4000 * tile * tile:
        return
    area = (7, 11, 7 + width, 11 + height)
    tiles = Tiling(tile, overlap, whole=False).tiles(area, (320, 240))
    if width <= tile:
        assert tiles == [area]
        return
    covered = np.zeros((height, width), bool)
    for left, top, right, bottom in tiles:
        assert area[0] <= left < right <= area[2]
        assert area[1] <= top < bottom <= area[3]
        assert right - left == tile
        covered[top - 11 : bottom - 11, left - 7 : right - 7] = True
    assert covered.all()
    starts = sorted({tile[0] for tile in tiles})
    assert all(b - a <= max(1, tile * (1 - overlap)) + 1 for a, b in itertools.pairwise(starts))


def test_without_tiles_or_in_a_small_image_there_is_one_area() -> None:
    area = (0, 0, 640, 480)
    assert Tiling().tiles(area, (320, 320)) == [area]
    assert Tiling(640).tiles(area, (320, 320)) == [area]
    assert Tiling(400).tiles(area, (320, 320))[-1] == area
    assert len(Tiling(400).tiles(area, (320, 320))) == 2 * 2 + 1


def found(*boxes: tuple[float, ...], label: int = 0) -> Detections:
    array = np.array(boxes, np.float32).reshape(-1, 5)
    return Detections(array[:, :4], array[:, 4], np.full(len(array), label, np.int32))


TILES = [(0, 0, 100, 100), (80, 0, 180, 100)]


def test_an_object_in_two_tiles_counts_once() -> None:
    merged = merge_detections([found((82, 10, 98, 30, 0.8)), found((2, 10, 18, 30, 0.9))], TILES)
    assert (merged.boxes.tolist(), merged.scores.tolist()) == ([[82, 10, 98, 30]], [pytest.approx(0.9)])
    cut = merge_detections([found((60, 10, 100, 30, 0.9)), found((0, 10, 20, 30, 0.8))], TILES)
    assert cut.boxes.tolist() == [[60, 10, 100, 30]], "a part that was cut off lies in the whole"


def test_different_objects_stay() -> None:
    apart = merge_detections([found((10, 10, 30, 30, 0.8)), found((60, 10, 90, 30, 0.9))], TILES)
    assert apart.scores.tolist() == pytest.approx([0.9, 0.8]), "best first"
    other = merge_detections([found((82, 10, 98, 30, 0.8)), found((2, 10, 18, 30, 0.9), label=1)], TILES)
    assert sorted(other.labels.tolist()) == [0, 1]
    same_tile = merge_detections([found((10, 10, 30, 30, 0.8), (11, 11, 30, 30, 0.7)), found()], TILES)
    assert len(same_tile) == 2, "the graph told them apart"
    assert len(merge_detections([found(), found()], TILES)) == 0


def test_where_masks_overlap_the_surer_counts() -> None:
    def part(value: int, confidence: int) -> Segmentation:
        return Segmentation(np.full((100, 100), value, np.uint8), np.full((100, 100), confidence, np.uint8))

    merged = merge_masks([part(1, 200), part(2, 100)], TILES, (180, 100))
    assert [int(merged.mask[50, x]) for x in (10, 90, 110)] == [1, 1, 2]
    assert [int(merged.confidence[50, x]) for x in (10, 90, 110)] == [200, 200, 100]


@pytest.fixture(scope="module")
def detector(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Predictor]:
    with Predictor.load(open_bundle(write_detector(tmp_path_factory.mktemp("repository")))) as loaded:
        yield loaded


def test_what_is_small_in_a_large_image_is_seen_in_tiles(detector: Predictor) -> None:
    """Three pixels wide, and less than one in the network's input: its colour is lost in the whole image."""
    rectangle = (1500, 700, 1503, 703)
    picture = scene((1920, 1080), {"red": rectangle})
    whole = Selection().ask(detector, picture)
    tiled = Selection(tiling=Tiling(320)).ask(detector, picture)
    assert isinstance(whole, Detections) and isinstance(tiled, Detections)
    assert len(whole) == 0
    assert np.abs(tiled.boxes - np.array([rectangle])).max() <= 1.5


def test_tiles_lie_in_the_region(detector: Predictor) -> None:
    picture = scene((1920, 1080), {"red": (1500, 700, 1560, 760), "blue": (100, 100, 160, 160)})
    right = Selection(region=(0.5, 0.5, 0.5, 0.5), tiling=Tiling(320)).ask(detector, picture)
    assert isinstance(right, Detections)
    assert right.labels.tolist() == [0]
    assert np.abs(right.boxes - np.array([(1500, 700, 1560, 760)])).max() <= 2


def test_masks_of_tiles(tmp_path: Path) -> None:
    picture = scene((1000, 700), {"red": (480, 300, 560, 420)})
    with Predictor.load(open_bundle(write_segmenter(tmp_path))) as segmenter:
        found = Selection(tiling=Tiling(320)).ask(segmenter, picture)
    assert isinstance(found, Segmentation)
    assert (found.mask == (picture[:, :, 0] > 200)).mean() > 0.999
