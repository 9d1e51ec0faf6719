"""Depth of field: what is sharp, what is not, and what does not bleed into what."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from perception_sim.sensor import focus

NEAR, FAR = 2.0, 50.0


def scene() -> tuple[np.ndarray, np.ndarray]:
    """A red square at 2 m before a noisy grey wall at 50 m."""
    rng = np.random.default_rng(0)
    rgb = np.repeat(rng.integers(60, 180, (120, 160, 1)), 3, axis=2).astype(np.uint8)
    depth = np.full((120, 160), FAR, np.float32)
    rgb[40:80, 60:100], depth[40:80, 60:100] = (220, 30, 30), NEAR
    return rgb, depth


def test_what_is_in_focus_stays_as_it_is_and_the_rest_is_blurred() -> None:
    rgb, depth = scene()
    seen = focus(rgb, depth, NEAR, 4.0)
    assert np.array_equal(seen[40:80, 60:100], rgb[40:80, 60:100])
    assert seen[:30].std() < 0.35 * rgb[:30].std()
    assert abs(float(seen[:30].mean()) - float(rgb[:30].mean())) < 2.0


def test_what_is_sharp_leaves_no_halo() -> None:
    rgb, depth = scene()
    rgb[depth == FAR] = 120
    seen = focus(rgb, depth, NEAR, 8.0)
    assert (np.abs(seen[depth == FAR].astype(int) - 120) <= 1).all()


def test_focused_on_the_far_the_near_is_blurred() -> None:
    rgb, depth = scene()
    rgb[50:70:4, 60:100] = 255
    seen = focus(rgb, depth, FAR, 3.0)
    assert np.array_equal(seen[:30], rgb[:30])
    assert seen[45:75, 65:95, 1].std() < 0.7 * rgb[45:75, 65:95, 1].std()


def test_nothing_is_infinitely_far_and_no_blur_is_none() -> None:
    rgb, depth = scene()
    depth[depth == FAR] = 0.0
    far = np.where(depth == 0.0, np.float32(1e9), depth)
    assert np.array_equal(focus(rgb, depth, NEAR, 4.0), focus(rgb, far, NEAR, 4.0))
    assert focus(rgb, depth, NEAR, 0.3) is rgb


@pytest.mark.parametrize("blur", [2.0, 6.0])
def test_the_blur_of_the_far_is_as_wide_as_it_says(blur: float) -> None:
    # A point's light spreads over a disc of that radius: its standard deviation along an axis is half of it.
    rgb, depth = np.zeros((129, 129, 3), np.uint8), np.zeros((129, 129), np.float32)
    cv2.rectangle(rgb, (62, 62), (66, 66), (255, 255, 255), -1)
    light = focus(rgb, depth, NEAR, blur)[..., 0].astype(float)
    columns = np.arange(129) - 64
    spread = np.sqrt((light.sum(0) * columns**2).sum() / light.sum())
    # The spot's own, of five pixels.
    own = np.sqrt((25 - 1) / 12)
    assert np.sqrt(spread**2 - own**2) == pytest.approx(blur / 2, rel=0.25)
