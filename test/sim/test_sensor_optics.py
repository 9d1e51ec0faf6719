"""The sensor model's optics against what physics says."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from exposures import flat, shoot

from perception_sim.sensor import optics


def point() -> np.ndarray:
    light = np.zeros((101, 101, 3), np.float32)
    light[50, 50] = 1.0
    return light


def spread(light: np.ndarray, angle: float = 0.0) -> tuple[float, float, float, float, float]:
    """Sum, mean x and y, and the variances along ``angle`` and across it, of one channel about the middle."""
    weight = light[..., 1].astype(float)
    y, x = np.mgrid[: weight.shape[0], : weight.shape[1]] - 50.0
    total = weight.sum()
    along, across = x * np.cos(angle) + y * np.sin(angle), y * np.cos(angle) - x * np.sin(angle)
    means = [(weight * axis).sum() / total for axis in (x, y)]
    variances = [(weight * axis**2).sum() / total for axis in (along, across)]
    return total, *means, *variances


@pytest.mark.parametrize("shape", [(60, 80), (81, 41)])
def test_vignette_leaves_the_middle_and_takes_its_share_from_the_corners(shape: tuple[int, int]) -> None:
    light = optics.vignette(np.ones((*shape, 3), np.float32), 0.6)
    assert light[shape[0] // 2, shape[1] // 2] == pytest.approx(1.0, abs=1e-3)
    for row in (0, -1):
        for column in (0, -1):
            assert light[row, column, 0] == pytest.approx(0.4, abs=0.02)
    # cos^4 of the angle: at half the corner's tangent.
    corner = 0.4**-0.5 - 1.0
    edge = (shape[1] / 2) ** 2 / ((shape[1] / 2) ** 2 + (shape[0] / 2) ** 2)
    assert light[shape[0] // 2, 0, 0] == pytest.approx((1.0 + corner * edge) ** -2, abs=0.02)


@pytest.mark.parametrize("radius", [0.9, 1.5, 3.0, 3.6, 6.0, 12.0])
def test_defocus_is_a_centred_disc_that_keeps_the_light(radius: float) -> None:
    total, x, y, along, across = spread(optics.defocus(point(), radius))
    assert total == pytest.approx(1.0, abs=0.02)
    assert abs(x) + abs(y) < 0.02
    # A disc has variance r^2 / 4 along each axis, a pixel 1 / 12.
    assert along == pytest.approx(radius**2 / 4.0 + 1.0 / 12.0, rel=0.1, abs=0.1)
    assert across == pytest.approx(along, rel=0.02)


@pytest.mark.parametrize("length", [1.0, 4.0, 9.7, 14.0, 25.0, 41.0])
@pytest.mark.parametrize("angle", [0.0, 0.4, np.pi / 2, 2.5, -1.0])
def test_motion_is_a_centred_line_that_keeps_the_light(length: float, angle: float) -> None:
    total, x, y, along, across = spread(optics.motion(point(), length, angle), angle)
    assert total == pytest.approx(1.0, abs=1e-4)
    assert abs(x) + abs(y) < 1e-3
    # A line has variance L^2 / 12; sharing points among pixels adds up to a quarter pixel squared.
    assert along == pytest.approx(length**2 / 12.0, rel=0.02, abs=0.26)
    assert across < 0.4


def test_a_long_motion_line_has_no_gap() -> None:
    light = optics.motion(point(), 30.0, 0.0)[50, :, 0]
    assert light[50 - 14 : 50 + 15] == pytest.approx(1.0 / 30.0, rel=0.1)


@pytest.mark.parametrize("sigma", [0.5, 1.3, 4.0])
def test_blur_has_the_deviation_it_says(sigma: float) -> None:
    total, x, y, along, across = spread(optics.blur(point(), sigma))
    assert total == pytest.approx(1.0, abs=1e-4)
    assert abs(x) + abs(y) < 1e-4
    assert along == pytest.approx(sigma**2, rel=0.15)
    assert across == pytest.approx(along, rel=1e-3)


def test_blur_acts_on_light_not_on_code_values() -> None:
    edge = flat(0, 0, 0)
    edge[:, 16:] = 255
    # Where half of the light arrives the code value is 188, not 128.
    found = shoot(edge, blur=3.0)[16, :, 0].astype(float)
    assert np.interp(15.5, np.arange(32), found) == pytest.approx(188, abs=3)


def test_aberration_moves_red_outwards_and_blue_inwards() -> None:
    light = np.zeros((200, 300, 3), np.float32)
    light[20, 30] = light[180, 30] = light[180, 270] = 1.0
    light = cv2.GaussianBlur(light, (0, 0), 2.0)
    moved = optics.aberration(light, 3.0)
    center = np.array([149.5, 99.5])
    for x, y in ((30, 20), (30, 180), (270, 180)):
        window = np.s_[y - 12 : y + 13, x - 12 : x + 13]
        rows, columns = np.mgrid[window[0], window[1]]
        for channel, sign in ((0, 1.0), (1, 0.0), (2, -1.0)):
            weight = moved[window][..., channel].astype(float)
            found = np.array([(weight * columns).sum(), (weight * rows).sum()]) / weight.sum()
            offset = np.array([x, y]) - center
            share = np.linalg.norm(offset) / np.hypot(150, 100)
            wanted = np.array([x, y]) + sign * 3.0 * share * offset / np.linalg.norm(offset)
            assert found == pytest.approx(wanted, abs=0.08)
