"""The sensor model, step by step against what physics says, and as a whole."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
from typing import Any

import cv2
import numpy as np
import pytest

from perception_common.errors import UserError
from perception_sim.sensor import SensorSettings, develop, expose, grain, optics

EVERYTHING = SensorSettings(
    exposure=1.2,
    balance=(1.1, 1.0, 0.8),
    vignette=0.3,
    aberration=0.8,
    defocus=1.2,
    motion=3.0,
    motion_angle=0.7,
    blur=0.5,
    shot_noise=0.03,
    read_noise=0.004,
    bayer=True,
    saturation=1.2,
    gamma=0.9,
    contrast=1.2,
    sharpening=0.7,
    downscale=1.3,
    jpeg=70,
)


def photo(height: int = 120, width: int = 161) -> np.ndarray:
    """Smooth colours with edges and a little texture."""
    rng = np.random.default_rng(5)
    small = rng.integers(0, 256, (height // 12 + 2, width // 12 + 2, 3), dtype=np.uint8)
    picture = cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC)
    picture[height // 3 : height // 2, width // 4 : width // 2] = (230, 60, 20)
    return cv2.add(picture, rng.integers(0, 9, picture.shape, dtype=np.uint8))


def shoot(picture: np.ndarray, seed: int = 1, **values: Any) -> np.ndarray:
    return expose(picture, SensorSettings(**values), np.random.default_rng(seed))


def flat(*rgb: int, side: int = 32) -> np.ndarray:
    return np.full((side, side, 3), rgb, np.uint8)


def linear(encoded: np.ndarray | float) -> np.ndarray:
    """IEC 61966-2-1, written down once more."""
    x = np.asarray(encoded, float) / 255.0
    return np.where(x <= 0.04045, x / 12.92, ((x + 0.055) / 1.055) ** 2.4)


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


def test_neutral_settings_give_the_identical_picture() -> None:
    picture = photo()
    assert np.array_equal(shoot(picture), picture)
    assert np.array_equal(shoot(picture, motion_angle=1.0), picture)


def test_the_linear_path_alone_changes_no_level() -> None:
    levels = np.arange(256, dtype=np.uint8).reshape(16, 16, 1).repeat(3, 2)
    light = develop.to_linear(levels, (1.0, 1.0, 1.0))
    assert light[..., 0] == pytest.approx(linear(levels[..., 0]), abs=1e-6)
    assert np.array_equal(develop.encode(develop.quantise(light), 1.0, 1.0), levels)


@pytest.mark.parametrize("seed", [0, 1])
def test_a_picture_is_a_pure_function_of_picture_settings_and_generator(seed: int) -> None:
    picture = photo()
    before = picture.copy()
    first = expose(picture, EVERYTHING, np.random.default_rng(seed))
    assert np.array_equal(picture, before)
    assert first.dtype == np.uint8
    assert first.shape == picture.shape
    assert np.array_equal(expose(picture, EVERYTHING, np.random.default_rng(seed)), first)
    assert not np.array_equal(expose(picture, EVERYTHING, np.random.default_rng(seed + 7)), first)
    # Renders come upside down, as views with a negative stride.
    flipped = np.ascontiguousarray(picture[::-1])[::-1]
    assert np.array_equal(expose(flipped, EVERYTHING, np.random.default_rng(seed)), first)


@pytest.mark.parametrize("field", [f.name for f in dataclasses.fields(SensorSettings) if f.name != "motion_angle"])
def test_every_setting_does_something(field: str) -> None:
    values = {**dataclasses.asdict(EVERYTHING), "noise": 0.02}
    changed = shoot(photo(), **{field: values[field], "motion_angle": 0.3})
    assert not np.array_equal(changed, photo())
    assert np.abs(changed.astype(int) - photo()).mean() < 60.0


@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (2, 2), (3, 5), (33, 2)])
def test_tiny_and_odd_pictures_come_through(shape: tuple[int, int]) -> None:
    picture = np.full((*shape, 3), 120, np.uint8)
    found = expose(picture, dataclasses.replace(EVERYTHING, vignette=0.0), np.random.default_rng(0))
    assert found.shape == picture.shape
    assert 60 < found[..., 1].mean() < 200


def test_exposure_and_balance_scale_linear_light_and_clip() -> None:
    found = shoot(flat(100, 100, 100), exposure=2.0, balance=(1.0, 0.5, 20.0))[0, 0]
    assert linear(found[0]) == pytest.approx(2.0 * linear(100), abs=0.005)
    assert linear(found[1]) == pytest.approx(linear(100), abs=0.005)
    assert found[2] == 255


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


def test_settings_survive_json() -> None:
    assert SensorSettings(**json.loads(json.dumps(dataclasses.asdict(EVERYTHING)))) == EVERYTHING


@pytest.mark.parametrize(
    "values",
    [
        {"exposure": 0.0},
        {"exposure": float("nan")},
        {"exposure": "bright"},
        {"balance": (1.0, 1.0)},
        {"balance": (1.0, 1.0, float("inf"))},
        {"vignette": 1.0},
        {"motion": -1.0},
        {"jpeg": 101},
        {"jpeg": 70.5},
        {"bayer": 1},
        {"read_noise": -0.1},
    ],
)
def test_wrong_settings_are_refused(values: dict[str, Any]) -> None:
    with pytest.raises(UserError, match=next(iter(values))):
        SensorSettings(**values)


@pytest.mark.parametrize(
    "picture",
    [np.zeros((4, 4), np.uint8), np.zeros((4, 4, 4), np.uint8), np.zeros((4, 4, 3)), np.zeros((0, 4, 3), np.uint8)],
)
def test_what_is_no_picture_is_refused(picture: np.ndarray) -> None:
    with pytest.raises(UserError, match="not a picture"):
        expose(picture, EVERYTHING, np.random.default_rng(0))


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="counts page faults of glibc")
def test_kept_memory_is_not_cleared_anew_for_every_picture() -> None:
    code = """
import resource, numpy as np
from perception_sim.sensor import SensorSettings, expose, keep_freed_memory
settings, rng = SensorSettings(vignette=0.2, blur=0.5, read_noise=0.01, jpeg=80), np.random.default_rng(0)
picture = np.full((480, 640, 3), 90, np.uint8)
assert keep_freed_memory()
for _ in range(3): expose(picture, settings, rng)
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(5): expose(picture, settings, rng)
print((resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before) / 5)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    # Without it, thousands.
    assert float(done.stdout) < 200
