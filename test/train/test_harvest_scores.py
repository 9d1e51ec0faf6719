"""What a harvest sees in a frame: doubt, disagreement, a bad picture, and what comes and goes between frames."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from recorded import PERIOD

from perception_infer.contract.detections import Detections, Segmentation
from perception_train.harvest.scores import Opinion, disagreement, quality, uncertainty
from perception_train.harvest.steadiness import Steadiness

SIZE = (160, 120)


def found(*rows: tuple[float, float, float, float, float, int]) -> Detections:
    table = np.array(rows, np.float32).reshape(-1, 6)
    return Detections(table[:, :4].copy(), table[:, 4].copy(), table[:, 5].astype(np.int32))


def test_doubt_is_greatest_at_the_threshold() -> None:
    limits = np.array([0.4, 0.8])
    box = (0, 0, 9, 9)

    def doubt(*scores: tuple[float, int]) -> float:
        return uncertainty(found(*((*box, *score) for score in scores)), limits, ("a", "b")).value

    assert doubt() == doubt((0.2, 0)) == doubt((0.7, 0)) == doubt((0.4, 1)) == 0
    assert doubt((0.4, 0)) == pytest.approx(4 / 7, abs=1e-5)
    assert doubt((0.8, 1)) == pytest.approx(4 / 7, abs=1e-5)
    assert doubt((0.3, 0)) == pytest.approx(2 / 7, abs=1e-5)
    assert doubt(*[(0.4, 0)] * 5) == pytest.approx(1, abs=1e-5)
    told = uncertainty(found((*box, 0.41, 0)), limits, ("a", "b")).reason
    assert told == "close to the threshold: a 0.41 (0.40)"


def test_unsure_pixels_count_however_few() -> None:
    def doubt(share: float, confidence: int) -> float:
        values = np.full((50, 40), 255, np.uint8)
        values.ravel()[: round(share * values.size)] = confidence
        return uncertainty(Segmentation(np.ones((50, 40), np.uint8), values), np.zeros(1), ("a",)).value

    assert doubt(0, 128) == pytest.approx(0, abs=1e-6)
    assert doubt(0.05, 128) == pytest.approx(0.5, abs=0.01)
    assert doubt(0.1, 128) == doubt(0.5, 128) == pytest.approx(1, abs=0.01)
    assert doubt(0.1, 230) == pytest.approx(0.46, abs=0.03)


def test_disagreement_is_that_of_the_farthest_opinion() -> None:
    one, moved, none = found((0, 0, 10, 10, 0.9, 0)), found((1, 0, 11, 10, 0.9, 0)), found()
    assert disagreement(one, ("a",), []).value == 0
    assert disagreement(one, ("a",), [Opinion("v2", moved, ("a",))]).value == 0
    worst = disagreement(one, ("a",), [Opinion("v2", moved, ("a",)), Opinion("tiles", none, ("a",))])
    assert worst == (1.0, "tiles: nothing, against 1 a, 0% agree")
    # By name, not by number.
    assert disagreement(one, ("a", "b"), [Opinion("v2", found((0, 0, 10, 10, 0.9, 1)), ("b", "a"))]).value == 0


def test_blurred_and_blown_out_pictures_count_less() -> None:
    rng = np.random.default_rng(0)
    sharp = cv2.resize(rng.integers(30, 220, (60, 80, 3), np.uint8), (640, 480), interpolation=cv2.INTER_NEAREST)
    assert quality(sharp) == (1.0, "")
    assert quality(np.full((48, 64, 3), 120, np.uint8)) == (1.0, "")
    blurred = quality(cv2.GaussianBlur(sharp, (0, 0), 12))
    assert blurred.value < 0.6
    assert blurred.reason == "blurred"
    white = sharp.copy()
    white[:360] = 255
    assert quality(white).value == pytest.approx(0.25, abs=0.05)
    assert "75% blown out" in quality(white).reason
    assert quality(sharp // 100).value == 0


BOX, FAR = (40, 40, 60, 60, 0.9, 0), (100, 90, 130, 110, 0.9, 1)


def steady(*frames: Detections, gap: int = PERIOD, cut: int = -1) -> list[tuple[float, str]]:
    """The scores of all frames but the last."""
    told = Steadiness(("cup", "mug"))
    scores = []
    for index, frame in enumerate(frames):
        grey = np.full(9, 200 if index == cut else 20, np.uint8)
        scores.append(told.add(frame, grey, index * gap, SIZE))
    return [(round(score.value, 3), score.reason) for score in scores[1:]]


def test_what_comes_and_goes() -> None:
    both, one = found(BOX, FAR), found(FAR)
    quiet = (0.0, "")
    assert steady(both, both, both, both) == [quiet] * 3
    assert steady(both, both, one, both, both)[2] == (0.7, "1 cup missing in this frame alone")
    assert steady(one, one, both, one, one) == [quiet, quiet, (0.7, "1 cup in this frame alone"), quiet]
    assert steady(one, one, both, both) == [quiet, quiet, (0.4, "1 cup there all at once")]
    assert steady(both, both, one, one) == [quiet, quiet, (0.4, "1 cup gone all at once")]
    other = found((*BOX[:5], 1), FAR)
    assert steady(both, both, other, both)[2] == (0.91, "1 mug in this frame alone, 1 cup missing in this frame alone")


def test_what_is_no_surprise() -> None:
    both, one = found(BOX, FAR), found(FAR)
    quiet = [(0.0, "")]
    # Too long a pause, another scene, and what enters at the border.
    assert steady(both, both, one, both, gap=2 * 10**9) == quiet * 3
    assert steady(both, both, one, both, cut=2) == quiet * 3
    edge = found((0, 40, 20, 60, 0.9, 0), FAR)
    assert steady(one, one, edge, edge) == quiet * 3
    # Fast things are never linked, but always near.
    fast = [found((20 + 25 * i, 40, 40 + 25 * i, 60, 0.9, 0)) for i in range(4)]
    assert steady(*fast) == quiet * 3
