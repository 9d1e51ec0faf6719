"""What a gap is measured by: rules that name what there is, distances of numbers and features, looks of pictures."""

from __future__ import annotations

import dataclasses

import cv2
import numpy as np
import pytest

from perception_sim.presets import reference_preset
from perception_train.gap.comparing import CLASSES as CLASS_MIX
from perception_train.gap.comparing import VARIED
from perception_train.gap.distances import (
    feature_distance,
    least_by_chance,
    mixes_differ,
    total_variation,
    wasserstein,
)
from perception_train.gap.looks import look_of
from perception_train.gap.measures import BY_KEY, CONTENT, LOOK, MEASURES
from perception_train.gap.rules import FEATURES, RULES, changes
from perception_train.training.config import TrainParams


def test_every_rule_names_what_there_is() -> None:
    import yaml

    sections = yaml.safe_load(reference_preset())
    parameters = {field.name for field in dataclasses.fields(TrainParams)}
    pairs = [(rule.measure, rule.side) for rule in RULES]
    assert len(set(pairs)) == len(pairs)
    for rule in RULES:
        assert rule.measure in {*BY_KEY, CLASS_MIX, FEATURES}
        for change in rule.world:
            section, axis = change.name.split(".")
            assert axis in sections[section], change.name
        assert {change.name for change in rule.training} <= parameters
    # What may differ in the pictures has a rule, but for detail, which may come from anything.
    ruled = {rule.measure for rule in RULES}
    assert {measure.key for measure in MEASURES if measure.group in (LOOK, CONTENT)} - ruled == {"detail"}
    assert {change.way for change in changes("brightness", VARIED)[0]} == {"wider"}


def test_distances_of_numbers() -> None:
    rng = np.random.default_rng(0)
    values = rng.normal(size=50)
    assert wasserstein(values, values + 3) == pytest.approx(3)
    assert wasserstein(values, values) == 0
    assert wasserstein(np.array([0.0, 1.0]), np.array([0.0, 0.0, 1.0, 5.0])) == pytest.approx(1.0)
    assert total_variation(np.array([1.0, 1.0]), np.array([30.0, 10.0])) == pytest.approx(0.25)
    assert total_variation(np.zeros(2), np.ones(2)) == 0
    # Two samples of five can never be told apart once in a thousand times.
    assert least_by_chance(5, 5) > 1 > least_by_chance(20, 20)
    mixes = rng.multinomial(3, (0.5, 0.5), 30).astype(float)
    assert not mixes_differ(mixes[:15], mixes[15:])
    assert mixes_differ(mixes[:15], mixes[15:] @ np.array([[1.0, 0.0], [1.0, 0.0]]))


def test_the_discrepancy_is_unbiased_and_counts_in_halves() -> None:
    rng = np.random.default_rng(1)
    same = [feature_distance(*rng.normal(size=(2, 40, 6))) for _ in range(30)]
    values = np.array([one.mmd2 for one in same if one is not None])
    assert abs(values.mean()) < 3 * values.std() / np.sqrt(len(values))
    assert np.mean([one.times < 2 for one in same if one is not None]) > 0.9
    assert np.mean([one.outside for one in same if one is not None]) < 0.15
    moved = [feature_distance(*(rng.normal(size=(2, 40, 6)) + np.array([0, by])[:, None, None])) for by in (0.5, 1, 2)]
    times = [one.times for one in moved if one is not None]
    assert times == sorted(times) and times[0] > 2
    assert moved[2] is not None and moved[2].outside > 0.9
    assert feature_distance(np.zeros((3, 2)), np.zeros((3, 2))) is None
    flat = feature_distance(np.zeros((8, 2)), np.zeros((8, 2)))
    assert flat is not None and (flat.times, flat.outside) == (0.0, 0.0)


def test_looks_of_plain_pictures() -> None:
    rng = np.random.default_rng(0)
    grey = np.full((120, 160, 3), 100, np.uint8)
    plain = look_of(grey, (160, 128))
    assert (plain["brightness"], plain["saturation"], plain["warmth"], plain["blockiness"]) == (100, 0, 0, 0)
    for level in (2.0, 8.0):
        noise = np.repeat(rng.normal(0, level, (120, 160, 1)), 3, axis=2)
        assert look_of((grey + noise).clip(0, 255).astype(np.uint8), (160, 128))["noise"] == pytest.approx(
            level, rel=0.25
        )
    # Edges tell how blurred they are, in the dark as in the light, with and without noise.
    squares = cv2.resize(rng.integers(0, 2, (10, 12)).astype(np.float32) * 160 + 40, (192, 160), interpolation=0)
    for blur in (0.8, 1.5, 3.0):
        for light, noise in ((1.0, 0.0), (0.3, 0.0), (1.0, 5.0)):
            seen = cv2.GaussianBlur(squares, (0, 0), blur) * light + rng.normal(0, noise, squares.shape)
            told = look_of(np.repeat(seen.clip(0, 255).astype(np.uint8)[..., None], 3, 2), (192, 160))["edge_blur"]
            # The step from pixel to pixel is a blur by itself.
            assert told == pytest.approx(np.sqrt(blur**2 + 0.5), rel=0.16)
    # All black is not known to be without noise, and slivers are measured as far as they can be.
    assert np.isnan(look_of(np.zeros_like(grey), (160, 128))["noise"])
    assert np.isnan(look_of(grey[:9], (160, 128))["blockiness"])
    # Less light is neither a blur nor another contrast.
    picture = cv2.resize(rng.uniform(0, 255, (30, 40, 3)).astype(np.float32), (160, 120))
    bright, dark = (look_of((picture * factor).astype(np.uint8), (160, 128)) for factor in (1.0, 0.5))
    assert dark["brightness"] == pytest.approx(bright["brightness"] / 2, rel=0.05)
    for key in ("contrast", "saturation", "edge_blur", "detail", "warmth", "tint"):
        assert dark[key] == pytest.approx(bright[key], rel=0.06, abs=0.5)
