"""Distributions: what YAML says is what is drawn."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from perception_common.errors import UserError
from perception_sim import axes
from perception_sim.presets import load_preset, parse_preset, preset_names, reference_preset
from perception_sim.randomize import number, shares
from perception_sim.sections import Camera, Content

_NUMBERS = st.floats(-1e3, 1e3)


def _pair(values: tuple[float, float]) -> list[float]:
    return sorted(values)


_FLAT = st.one_of(
    _NUMBERS,
    st.tuples(_NUMBERS, _NUMBERS).map(_pair),
    st.tuples(_NUMBERS, _NUMBERS).map(_pair).map(lambda pair: {"uniform": pair}),
    st.tuples(st.floats(0.01, 1e3), st.floats(0.01, 1e3)).map(_pair).map(lambda pair: {"log_uniform": pair}),
    st.tuples(_NUMBERS, st.floats(0.0, 10.0)).map(lambda pair: {"normal": list(pair)}),
    st.lists(_NUMBERS, min_size=1, max_size=4).map(lambda values: {"choice": values}),
)
_SPECS = st.one_of(
    _FLAT,
    st.lists(st.tuples(st.floats(0.1, 5.0), _FLAT), min_size=1, max_size=3).map(
        lambda pairs: {"mixture": [list(pair) for pair in pairs]}
    ),
)


@given(_SPECS, st.integers(0, 2**32 - 1))
@settings(max_examples=200, deadline=None)
def test_draws_lie_within_bounds_and_the_spec_reads_back(spec: Any, seed: int) -> None:
    drawn = number(spec)
    low, high = drawn.bounds
    slack = 1e-9 * max(abs(low), abs(high), 1.0)
    rng = np.random.default_rng(seed)
    values = [drawn(rng) for _ in range(20)]
    assert all(low - slack <= value <= high + slack for value in values)
    again = number(json.loads(json.dumps(drawn.spec)))
    assert again == drawn
    rng = np.random.default_rng(seed)
    assert [again(rng) for _ in range(20)] == values


def test_whole_numbers_include_both_ends() -> None:
    drawn, rng = number([2, 4], whole=True), np.random.default_rng(0)
    assert {drawn(rng) for _ in range(100)} == {2, 3, 4}


def test_shares_are_kept() -> None:
    drawn, rng = shares({"wood": 3, "tiles": 1, "grass": 0}), np.random.default_rng(0)
    names = [drawn(rng) for _ in range(4000)]
    assert "grass" not in names
    assert names.count("wood") / 4000 == pytest.approx(0.75, abs=0.03)
    assert drawn.share("wood") == 0.75


def test_a_mixture_draws_each_part_with_its_share() -> None:
    drawn, rng = number({"mixture": {0.8: 0, 0.2: [1, 4]}}), np.random.default_rng(0)
    values = np.array([drawn(rng) for _ in range(4000)])
    assert (values == 0).mean() == pytest.approx(0.8, abs=0.03)
    assert values.max() <= 4.0


@pytest.mark.parametrize(
    "wrong",
    [
        None, True, "wide", [1], [1, 2, 3], [3, 1], ["a", "b"], {}, {"uniform": [1, 2], "normal": [0, 1]},
        {"gamma": [1, 2]}, {"log_uniform": [0, 1]}, {"normal": 3}, {"choice": []}, {"mixture": []},
        {"mixture": {"often": 1}}, {"mixture": [[0, 1]]}, float("nan"), [0, float("inf")],
    ],
)  # fmt: skip
def test_what_is_no_distribution_is_refused(wrong: Any) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        number(wrong)


@pytest.mark.parametrize("wrong", [None, 3, [], ["a", "a"], {"a": -1}, {"a": 0}, [1, 2]])
def test_what_are_no_shares_is_refused(wrong: Any) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        shares(wrong)


@pytest.mark.parametrize("name", preset_names())
def test_presets_read_back_what_they_record(name: str) -> None:
    preset = load_preset(name)
    recorded = json.loads(json.dumps(preset.as_dict()))
    told = recorded.pop("name")
    assert parse_preset(told, recorded) == preset
    # As YAML too: what dataset.json says can be saved and used as a preset.
    assert parse_preset(told, yaml.safe_load(yaml.safe_dump(recorded))) == preset


def test_a_preset_upon_another() -> None:
    mine = parse_preset("mine", {"base": "outdoor", "content": {"classes": ["ball"]}})
    outdoor = load_preset("outdoor")
    assert mine.content.classes == ("ball",)
    assert mine.content.spread == outdoor.content.spread
    assert mine.camera == outdoor.camera
    with pytest.raises(UserError, match="did you mean 'outdoor'"):
        parse_preset("mine", {"base": "outdor"})


def test_natural_sizes_and_ranges() -> None:
    assert axes.read(Content, {"size": "natural"}, "here").size is None
    with pytest.raises(UserError, match=r"10 to 400 leaves what is allowed, 3 to 120 .*here"):
        axes.read(Camera, {"fovy": [10, 400]}, "here")
    with pytest.raises(UserError, match="did you mean 'fovy'"):
        axes.read(Camera, {"fov": 30}, "here")


def test_the_reference_is_a_preset_of_defaults() -> None:
    assert parse_preset("x", yaml.safe_load(reference_preset())) == parse_preset("x", {})


def test_every_axis_is_described() -> None:
    for section in (Content, Camera):
        for name, _, doc in axes.describe(section):
            assert len(doc) > 8, name
