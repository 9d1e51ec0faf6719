"""Scenes: shapes, physics, presets, distributions."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from worlds import assert_sound, world_of

from perception_common.errors import UserError
from perception_sim.catalogue import KINDS
from perception_sim.catalogue.distractors import DISTRACTORS
from perception_sim.presets import load_preset, preset_names
from perception_sim.randomize import Chance, Choice, Color, LogUniform, Orientation, Uniform, Whole
from perception_sim.rendering.gl import mujoco
from perception_sim.textures import PATTERNS, Texture, paint

SHAPES = {name: kind.sample for name, kind in {**KINDS, **DISTRACTORS}.items()}


@pytest.mark.parametrize("kind", SHAPES)
def test_shapes_are_sound_and_no_two_alike(kind: str) -> None:
    rng = np.random.default_rng(0)
    first, second = SHAPES[kind](0.1, rng), SHAPES[kind](0.1, rng)
    assert first != second
    solid = first.build()
    assert solid.colliders
    low, high = solid.points.min(0), solid.points.max(0)
    assert np.allclose(low, -high)
    assert 0.04 < (high - low).max() < 0.2
    assert_sound(solid.surfaces)


@pytest.mark.parametrize("preset", ["demo", "tabletop"])
def test_settled_things_rest_where_they_are(preset: str) -> None:
    for seed in range(4):
        world = world_of(preset, seed)
        model, data = world.model, world.data
        assert world.scene.things
        contacts = data.contact.dist[: data.ncon]
        unit = world.scene.unit
        assert contacts.min() > -0.03 * unit, "something sank into something else"
        touching = set(model.geom_bodyid[data.contact.geom[: data.ncon].ravel()].tolist())
        before = np.array([world.pose(thing)[0] for thing in range(len(world.scene.things))])
        for thing in range(len(world.scene.things)):
            assert thing + 1 in touching, "something hangs in the air"
            assert world.points(thing)[:, 2].min() > -0.06 * unit
        mujoco.mj_step(model, data, nstep=75)
        after = np.array([world.pose(thing)[0] for thing in range(len(world.scene.things))])
        assert np.abs(after - before).max() < 0.06 * unit, "something still moves"


def test_what_is_seen_stands_on_the_ground() -> None:
    """The lowest visible point of a thing that touches only the ground is the ground, give or take 3 mm."""
    checked = 0
    for seed in range(5):
        world = world_of("demo", seed)
        bodies = world.model.geom_bodyid[world.data.contact.geom[: world.data.ncon]]
        for thing in range(len(world.scene.things)):
            others = {int(body) for pair in bodies if thing + 1 in pair for body in pair} - {thing + 1}
            if others == {0}:
                assert abs(world.points(thing)[:, 2].min()) < 0.004, world.scene.things[thing].kind
                checked += 1
    assert checked >= 10


def test_negative_scenes_hold_distractors_only() -> None:
    for seed in range(3):
        things = world_of("demo", seed, negative=True).scene.things
        assert things
        assert all(not thing.label for thing in things)


def test_colour_does_not_tell_the_class() -> None:
    preset = load_preset("demo")
    hues: dict[str, list[float]] = {}
    from perception_sim.sampling import sample_scene

    rng = np.random.default_rng(1)
    for _ in range(60):
        for thing in sample_scene(preset, rng, negative=False).things:
            if thing.label:
                hues.setdefault(thing.label, []).append(float(np.mean(thing.materials[0].texture.colors[0])))
    means = [np.mean(values) for values in hues.values()]
    assert len(hues) == 6
    assert max(means) - min(means) < 0.2


def test_presets_that_come_with_the_package() -> None:
    assert {"demo", "outdoor", "tabletop"} <= set(preset_names())
    demo = load_preset("demo")
    assert len(demo.content.classes) == 6
    assert "24 pixels" in demo.description
    assert demo.labels.min_box_px == 24.0
    assert len(KINDS) >= 15


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"contents": {}}, "did you mean 'content'"),
        ({"content": {"objekts": [1, 2]}}, "did you mean 'objects'"),
        ({"content": {"classes": ["ball", "bal"]}}, "'ball'"),
        ({"content": {"classes": ["ball", "ball"]}}, "none twice"),
        ({"content": {"objects": [5, 2]}}, "low <= high"),
        ({"content": {"objects": [5]}}, "[low, high]"),
        ({"content": {"objects": 5.5}}, "no whole number"),
        ({"content": {"objects": {"gamma": [1, 2]}}}, "log_uniform"),
        ({"camera": {"fovy": [10, 400]}}, "3 to 120"),
        ({"camera": {"lens": ["nonee"]}}, "did you mean 'none'"),
        ({"content": {"classes": ["mug"], "distractor_kinds": ["mug"]}}, "is a class"),
        ({"labels": {"min_box_px": "big"}}, "min_box_px"),
        ({"light": [1]}, "light"),
    ],
)
def test_mistakes_in_a_preset_are_told(tmp_path: Path, change: dict[str, Any], told: str) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(yaml.safe_dump(change))
    with pytest.raises(UserError) as caught:
        load_preset(str(path))
    assert told in str(caught.value)
    assert "mine.yaml" in str(caught.value)


def test_a_preset_of_ones_own(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("content: {classes: [mug], objects: [1, 1]}\n")
    preset = load_preset(str(path))
    assert preset.name == "mine"
    assert preset.content.classes == ("mug",)
    assert [thing.label for thing in world_of(preset, 0).scene.things if thing.label] == ["mug"]


DRAWS: dict[str, Callable[[np.random.Generator], Any]] = {
    "uniform": Uniform(2.0, 3.0),
    "log-uniform": LogUniform(0.5, 2.0),
    "whole": Whole(2, 5),
    "chance": Chance(0.3),
    "choice": Choice(("a", "b", "c")),
    "color": Color((0.2, 0.8), (0.5, 1.0)),
    "orientation": Orientation(0.5),
}


@pytest.mark.parametrize("name", DRAWS)
def test_distributions_depend_on_their_generator_alone(name: str) -> None:
    draw = DRAWS[name]
    first = [draw(np.random.default_rng(seed)) for seed in range(20)]
    assert first == [draw(np.random.default_rng(seed)) for seed in range(20)]
    assert len(set(first)) > 1


def test_distributions_keep_their_bounds() -> None:
    rng = np.random.default_rng(0)
    assert {Whole(2, 5)(rng) for _ in range(200)} == {2, 3, 4, 5}
    assert all(0.5 <= LogUniform(0.5, 2.0)(rng) <= 2.0 for _ in range(200))
    assert all(abs(np.linalg.norm(Orientation(0.5)(rng)) - 1.0) < 1e-9 for _ in range(200))
    assert 0.2 < np.mean([Chance(0.3)(rng) for _ in range(1000)]) < 0.4


@pytest.mark.parametrize("pattern", PATTERNS)
def test_textures_are_pictures_fixed_by_their_numbers(pattern: str) -> None:
    texture = Texture(pattern, ((0.9, 0.1, 0.1), (0.1, 0.1, 0.9)), 4.0, 0.0, 1.0, 7, 64)
    pixels = paint(texture)
    assert pixels.shape == (64, 64, 3)
    assert pixels.dtype == np.uint8
    assert pixels.std() > 1.0
    assert np.array_equal(pixels, paint(texture))
