"""Tableware, tools, goods, nuts and fruit: sound, dressed, of real size, and resting where they are seen."""

from __future__ import annotations

import numpy as np
import pytest
from worlds import assert_sound

from perception_sim.catalogue import KINDS, bottles, cups, cutlery, goods, nuts, printed, shoes, tableware, tools
from perception_sim.catalogue.kinds import Kind
from perception_sim.catalogue.lookalikes import LOOKALIKES
from perception_sim.catalogue.lookalikes.fruit import KINDS as FRUIT
from perception_sim.rendering.gl import mujoco
from perception_sim.scene import Light, Material, Scene, Stage, Thing
from perception_sim.shapes import Solid, built
from perception_sim.textures import PATTERNS, Texture, paint
from perception_sim.world import World, compile_scene, settle

_FAMILIES = (bottles, cups, cutlery, goods, nuts, printed, shoes, tableware, tools)
MINE: dict[str, Kind] = {name: kind for family in _FAMILIES for name, kind in family.KINDS.items()} | FRUIT
EVERY = {**LOOKALIKES, **KINDS}
_FLOOR = Material(Texture("plain", ((0.5, 0.5, 0.5), (0.4, 0.4, 0.4)), 3.0, 0.0, 0.3, 1, 16), 0.0, 0.1)


def drawn(name: str, seed: int) -> tuple[float, Solid, tuple[Material, ...]]:
    """An instance of natural size: the nominal size, the solid, its materials."""
    kind, rng = MINE[name], np.random.default_rng([seed, 17])
    size = float(np.exp(rng.uniform(*np.log(kind.size))))
    shape = kind.sample(size, rng)
    assert kind.dress is not None
    return size, shape.build(), kind.dress(shape, rng)


@pytest.mark.parametrize("name", MINE)
def test_instances_are_sound(name: str) -> None:
    nuts_too = name in nuts.KINDS
    for seed in range(4):
        size, solid, materials = drawn(name, seed)
        assert len(materials) == len(solid.surfaces)
        assert 0.45 * size < np.ptp(solid.points, axis=0).max() < 1.7 * size
        assert sum(len(surface.faces) for surface in solid.surfaces) <= (1900 if nuts_too else 1500)
        assert_sound(solid.surfaces)
        for material in materials:
            assert material.texture.pattern in PATTERNS
            assert paint(material.texture).std() >= 0.0
            assert 0.25 <= material.alpha <= 1.0
            assert min(material.specular, material.roughness, material.metallic) >= 0.0


@pytest.mark.parametrize("name", MINE)
def test_no_two_are_alike_but_the_same_draw_is(name: str) -> None:
    first, again, other = drawn(name, 1), drawn(name, 1), drawn(name, 2)
    assert np.array_equal(first[1].points, again[1].points)
    assert first[2] == again[2]
    assert first[1].points.shape != other[1].points.shape or not np.allclose(first[1].points, other[1].points)
    assert first[2] != other[2]


def settled(name: str, seed: int) -> World:
    """One instance, set down as modelled on a bare floor."""
    kind, rng = MINE[name], np.random.default_rng([seed, 5])
    size = float(np.sqrt(kind.size[0] * kind.size[1]))
    shape = kind.sample(size, rng)
    solid = built(shape)
    start = (0.0, 0.0, -float(solid.points[:, 2].min()) + 0.02 * size)
    thing = Thing(name, name, shape, (_FLOOR,), start, (1.0, 0.0, 0.0, 0.0), kind.density)
    stage = Stage(_FLOOR, 5.0 * size, None, None, ((0.6, 0.7, 0.9), (0.9, 0.9, 0.9)), 0.4)
    light = Light((0.2, 0.1, -1.0), (0.7, 0.7, 0.7), False)
    world = compile_scene(Scene((thing,), (light,), stage, size, 6.0 * size))
    assert settle(world), "it did not come to rest"
    return world


@pytest.mark.parametrize("name", MINE)
def test_what_is_seen_rests_on_the_ground(name: str) -> None:
    """No collider is so much smaller or larger than what is seen that it sinks or hovers."""
    for seed in range(2):
        world = settled(name, seed)
        extent = np.ptp(world.points(0), axis=0).max()
        assert abs(world.points(0)[:, 2].min()) < 0.035 * extent + 0.0006
        before = world.pose(0)[0]
        mujoco.mj_step(world.model, world.data, nstep=50)
        assert np.abs(world.pose(0)[0] - before).max() < 0.12 * extent


def test_members_of_each_other_name_classes_that_exist() -> None:
    for name, kind in MINE.items():
        assert not {*kind.also, *kind.resembles} - set(EVERY), name
        assert name not in kind.also
    # What may be drawn as a tool, or as a cup with an ear, never stands beside one as a thing of no class.
    for name in ("hammer", "pliers", "screwdriver", "wrench"):
        assert "tool" in KINDS[name].also
        assert name in KINDS["tool"].also
    assert "mug" in KINDS["cup"].also
    assert "cup" in KINDS["mug"].also


def test_look_alikes_of_nuts_and_balls() -> None:
    assert set(FRUIT) <= set(LOOKALIKES)
    assert not set(FRUIT) & set(KINDS)
    for wanted in ("ball", "date", "fig", "hazelnut"):
        likely = [kind for kind in FRUIT.values() if wanted in kind.resembles]
        low, high = KINDS[wanted].size
        assert len(likely) >= 5
        # As large as what they are taken for.
        assert all(kind.size[1] > low * 0.5 and kind.size[0] < 1.4 * high for kind in likely)


def test_styles_vary_within_a_class() -> None:
    def styles(name: str) -> set[str]:
        return {str(getattr(MINE[name].sample(0.1, np.random.default_rng(seed)), "style", "")) for seed in range(60)}

    assert {"water", "soda", "wine", "beer", "detergent"} <= styles("bottle")
    assert {"drinks", "paper", "tin"} <= styles("can")
    assert {"lid", "paper", "tumbler"} <= styles("cup")
    assert {"round", "square", "claw"} <= styles("hammer")
    shapes = {type(MINE["tool"].sample(0.1, np.random.default_rng(seed))).__name__ for seed in range(30)}
    assert len(shapes) == 3


def test_foil_and_glass_are_told_to_the_renderer() -> None:
    metallic = [drawn("sweet", seed)[2][0].metallic for seed in range(5)]
    assert min(metallic) > 0.5
    assert min(drawn("bottle", seed)[2][0].alpha for seed in range(20)) < 0.8
    assert all(drawn("date", seed)[2][0].metallic == 0.0 for seed in range(3))
