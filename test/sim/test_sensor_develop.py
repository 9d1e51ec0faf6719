"""The sensor model from light to code values: noise, mosaic, tones, fewer pixels, JPEG."""

from __future__ import annotations

import numpy as np
import pytest
from exposures import flat, linear, photo, shoot

from perception_sim.sensor import develop, grain


def test_the_linear_path_alone_changes_no_level() -> None:
    levels = np.arange(256, dtype=np.uint8).reshape(16, 16, 1).repeat(3, 2)
    light = develop.to_linear(levels, (1.0, 1.0, 1.0))
    assert light[..., 0] == pytest.approx(linear(levels[..., 0]), abs=1e-6)
    assert np.array_equal(develop.encode(develop.quantise(light), 1.0, 1.0), levels)


def test_exposure_and_balance_scale_linear_light_and_clip() -> None:
    found = shoot(flat(100, 100, 100), exposure=2.0, balance=(1.0, 0.5, 20.0))[0, 0]
    assert linear(found[0]) == pytest.approx(2.0 * linear(100), abs=0.005)
    assert linear(found[1]) == pytest.approx(linear(100), abs=0.005)
    assert found[2] == 255


@pytest.mark.parametrize("level", [0.0, 0.05, 0.4, 0.9])
def test_noise_has_the_variance_of_photons_and_reading(level: float) -> None:
    signal = np.full((400, 500), level, np.float32)
    error = grain.add_noise(signal, 0.05, 0.01, np.random.default_rng(3)) - signal
    wanted = 0.05**2 * level + 0.01**2
    assert error.var() == pytest.approx(wanted, rel=0.03)
    assert abs(error.mean()) < 4.0 * np.sqrt(wanted / error.size) + 1e-6


def test_noise_is_normal_and_has_no_pattern() -> None:
    normals = grain.unit_normals((480, 640, 3), np.random.default_rng(4))
    flat_normals = normals.ravel().astype(float)
    assert flat_normals.mean() == pytest.approx(0.0, abs=0.01)
    assert flat_normals.std() == pytest.approx(1.0, abs=0.01)
    assert (flat_normals**4).mean() == pytest.approx(3.0, abs=0.1)
    for step in (1, 3, 640 * 3, 4096):
        assert abs(np.corrcoef(flat_normals[step:], flat_normals[:-step])[0, 1]) < 0.02
    other = grain.unit_normals((480, 640, 3), np.random.default_rng(5)).ravel()
    assert abs(np.corrcoef(flat_normals, other)[0, 1]) < 0.02


def test_noise_of_a_picture_grows_towards_the_shadows_of_the_encoded_picture() -> None:
    dark, bright = (
        shoot(flat(30, 30, 30, side=200), read_noise=0.01),
        shoot(flat(200, 200, 200, side=200), read_noise=0.01),
    )
    assert dark.std() > 2.0 * bright.std() > 1.0


def test_mosaic_is_rggb_and_plain_colours_survive_it() -> None:
    light = np.zeros((4, 6, 3), np.float32) + np.array([0.1, 0.2, 0.3], np.float32)
    raw = develop.mosaic(light)
    assert raw[:2, :2] == pytest.approx(np.array([[0.1, 0.2], [0.2, 0.3]]))
    for color in ((200, 40, 10), (10, 200, 40), (40, 10, 200), (90, 90, 90)):
        assert np.array_equal(shoot(flat(*color), bayer=True), flat(*color))


def test_demosaicing_colours_fine_lines() -> None:
    lines = flat(0, 0, 0)
    lines[:, ::2] = 255
    found = shoot(lines, bayer=True)[8:-8, 8:-8].astype(int)
    assert np.abs(found[..., 0] - found[..., 2]).mean() > 50


def test_saturation_keeps_luminance_and_greys() -> None:
    weights = np.array([0.2126, 0.7152, 0.0722])
    found = shoot(flat(200, 90, 30), saturation=0.0)[0, 0]
    assert np.ptp(found) == 0
    assert linear(found[0]) == pytest.approx(float(linear(np.array([200, 90, 30])) @ weights), abs=0.004)
    assert np.array_equal(shoot(flat(77, 77, 77), saturation=2.0), flat(77, 77, 77))
    vivid = shoot(flat(150, 110, 90), saturation=1.5)[0, 0].astype(int)
    assert np.ptp(vivid) > 70
    assert float(linear(vivid) @ weights) == pytest.approx(float(linear(np.array([150, 110, 90])) @ weights), abs=0.004)


@pytest.mark.parametrize(("gamma", "contrast"), [(1.0, 1.7), (0.6, 1.0), (1.8, 0.6), (0.5, 2.5)])
def test_tone_curve_is_its_formula(gamma: float, contrast: float) -> None:
    levels = np.arange(256, dtype=np.uint8).reshape(16, 16, 1).repeat(3, 2)
    x = (levels / 255.0) ** gamma
    wanted = 255.0 * x**contrast / (x**contrast + (1.0 - x) ** contrast)
    found = shoot(levels, gamma=gamma, contrast=contrast)
    # A code value stands for what lies half a step around it, and steep curves make that more than half a step.
    assert np.abs(found - wanted).max() <= 0.52
    assert found[0, 0, 0] == 0
    assert found[-1, -1, 0] == 255


def test_sharpening_steepens_edges_only() -> None:
    edge = flat(80, 80, 80)
    edge[:, 16:] = 160
    found = shoot(edge, sharpening=1.0)
    assert found.min() < 65
    assert found.max() > 175
    assert np.array_equal(found[:, :12], edge[:, :12])


@pytest.mark.parametrize("factor", [1.5, 2.0, 3.7])
def test_fewer_pixels_lose_detail_and_move_nothing(factor: float) -> None:
    rows, columns = np.mgrid[:120, :160]
    blob = np.exp(-((columns - 90) ** 2 + (rows - 40) ** 2) / 200.0)
    picture = (20 + 200 * blob[..., None].repeat(3, 2)).astype(np.uint8)
    found = shoot(picture, downscale=factor)[..., 0].astype(float) - 20
    assert (found * columns).sum() / found.sum() == pytest.approx(90, abs=0.3)
    assert (found * rows).sum() / found.sum() == pytest.approx(40, abs=0.3)
    board = ((rows + columns) % 2 * 255)[..., None].repeat(3, 2).astype(np.uint8)
    assert shoot(board, downscale=factor).std() < 0.6 * board.std()


def test_jpeg_loses_more_at_lower_quality_and_keeps_channels_apart() -> None:
    picture = photo()
    losses = [np.abs(shoot(picture, jpeg=q).astype(int) - picture).mean() for q in (95, 60, 10)]
    assert 0.0 < losses[0] < losses[1] < losses[2]
    found = shoot(flat(220, 40, 20), jpeg=60)[0, 0].astype(int)
    assert found == pytest.approx(np.array([220, 40, 20]), abs=4)
