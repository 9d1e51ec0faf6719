"""The sensor model as a whole: settings, determinism, memory."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from exposures import EVERYTHING, photo, shoot

from perception_common.errors import UserError
from perception_sim.sensor import SensorSettings, expose


def test_neutral_settings_give_the_identical_picture() -> None:
    picture = photo()
    assert np.array_equal(shoot(picture), picture)
    assert np.array_equal(shoot(picture, motion_angle=1.0), picture)


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
from perception_common.heap import keep_freed_memory
from perception_sim.sensor import SensorSettings, expose
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
