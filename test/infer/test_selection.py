"""Classes, thresholds and a region: what of a model's answers is wanted."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from bundles import CLASSES, scene, write_detector, write_segmenter

from perception_common.errors import UserError
from perception_infer.contract.detections import Detections, Segmentation
from perception_infer.models import open_bundle
from perception_infer.predictor import Predictor
from perception_infer.selection import Selection, region_from, thresholds_from

RECTANGLES = {"red": (40, 40, 100, 80), "blue": (200, 60, 240, 200)}
PICTURE = scene((320, 240), RECTANGLES)


@pytest.fixture(scope="module")
def detector(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Predictor]:
    directory = write_detector(tmp_path_factory.mktemp("repository"), thresholds=(0.5, 0.5, 0.5))
    with Predictor.load(open_bundle(directory), threads=1) as loaded:
        yield loaded


def names(selection: Selection, predictor: Predictor) -> list[str]:
    found = selection.ask(predictor, PICTURE)
    assert isinstance(found, Detections)
    return [CLASSES[label] for label in found.labels]


def test_all_of_it_is_what_the_predictor_tells(detector: Predictor) -> None:
    found, plain = Selection().ask(detector, PICTURE), detector.predict(PICTURE)
    assert isinstance(found, Detections)
    assert np.array_equal(found.boxes, plain.boxes)
    assert found.boxes.tolist() == [list(box) for box in RECTANGLES.values()]


def test_classes_and_their_thresholds(detector: Predictor) -> None:
    assert names(Selection(classes=("blue",)), detector) == ["blue"]
    assert names(Selection(classes=("green",)), detector) == []
    # Scores are 0.9 and 0.88.
    assert names(Selection(by_class={"red": 0.95}), detector) == ["blue"]
    assert names(Selection(threshold=0.95), detector) == []
    assert names(Selection(threshold=0.95, by_class={"red": 0.5}), detector) == ["red"]
    assert names(Selection(by_class={"red": 0.5}, classes=("blue",)), detector) == ["blue"]
    assert names(Selection(), detector) == ["red", "blue"]


def test_boxes_of_a_region_are_in_pixels_of_the_image(detector: Predictor) -> None:
    right = Selection(region=(0.5, 0.0, 0.5, 1.0)).ask(detector, PICTURE)
    assert isinstance(right, Detections)
    assert right.labels.tolist() == [2]
    assert np.abs(right.boxes[0] - RECTANGLES["blue"]).max() <= 1.5
    cut = Selection(region=(0.0, 0.0, 0.25, 1.0)).ask(detector, PICTURE)
    assert isinstance(cut, Detections)
    assert cut.labels.tolist() == [0]
    # The rectangle goes on to the right of what is looked at.
    assert cut.boxes[0, 2] <= 80


def test_masks_of_a_region_have_the_size_of_the_image(tmp_path: Path) -> None:
    with Predictor.load(open_bundle(write_segmenter(tmp_path)), threads=1) as segmenter:
        whole = Selection().ask(segmenter, PICTURE)
        left = Selection(region=(0.0, 0.0, 0.5, 1.0)).ask(segmenter, PICTURE)
        none = Selection(classes=("another",)).ask(segmenter, PICTURE)
        some = Selection(classes=(segmenter.classes[0],)).ask(segmenter, PICTURE)
    assert isinstance(whole, Segmentation) and isinstance(left, Segmentation)
    assert isinstance(none, Segmentation) and isinstance(some, Segmentation)
    assert left.mask.shape == whole.mask.shape == (240, 320)
    # Edges are a pixel off, for the half is enlarged to the network's size.
    assert (left.mask[:, :160] != whole.mask[:, :160]).mean() < 0.01
    assert left.mask[60, 60] == 1
    assert not left.mask[:, 160:].any()
    assert not left.confidence[:, 160:].any()
    assert whole.mask.any()
    assert not none.mask.any()
    assert np.array_equal(some.mask, np.where(whole.mask == 1, 1, 0))


@pytest.mark.parametrize("size", [(1, 1), (3, 2), (640, 480)])
@pytest.mark.parametrize("region", [(0.0, 0.0, 1.0, 1.0), (0.999, 0.999, 0.001, 0.001), (0.0, 0.0, 0.001, 1.0)])
def test_a_region_has_pixels(size: tuple[int, int], region: tuple[float, float, float, float]) -> None:
    left, top, right, bottom = Selection(region=region).pixels(*size)
    assert 0 <= left < right <= size[0]
    assert 0 <= top < bottom <= size[1]


def test_what_is_told_is_read_or_refused() -> None:
    assert thresholds_from(("mug=0.4", "a=b=1")) == {"mug": 0.4, "a=b": 1.0}
    for wrong in ("mug", "mug=", "=0.4", "mug=high", "mug=1.5", "mug=nan"):
        with pytest.raises(UserError, match="is no threshold of a class"):
            thresholds_from((wrong,))
    assert region_from(()) == (0.0, 0.0, 1.0, 1.0)
    assert region_from((0.0, 0.4, 1.0, 0.6)) == (0.0, 0.4, 1.0, 0.6)
    for outside in ((0.5,), (0.0, 0.0, 0.0, 1.0), (0.5, 0.0, 0.6, 1.0), (0.0, 0.5, 1.0, 0.6)):
        with pytest.raises(UserError, match="is no region"):
            region_from(outside)


def test_unknown_classes_are_told() -> None:
    assert Selection(classes=("red",), by_class={"blue": 0.5}).unknown(CLASSES) is None
    told = Selection(classes=("rod",), by_class={"pink": 0.5}).unknown(CLASSES)
    assert told is not None
    assert "no class 'pink', 'rod'" in told
