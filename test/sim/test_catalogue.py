"""Large objects and look-alikes: sound, of real size, dressed, at rest, and not to be seen through."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest

from perception_sim.catalogue import (
    KINDS,
    barrels,
    bins,
    cartons,
    cones,
    crates,
    furniture,
    household,
    pallets,
    people,
    plants,
    street,
    wheels,
)
from perception_sim.catalogue.distractors import DISTRACTORS
from perception_sim.catalogue.kinds import Kind
from perception_sim.catalogue.lookalikes import LOOKALIKES
from perception_sim.catalogue.lookalikes import rounds as lookalikes_round
from perception_sim.catalogue.lookalikes import street as lookalikes_street
from perception_sim.catalogue.lookalikes import tapered as lookalikes_tapered
from perception_sim.rendering.gl import mujoco
from perception_sim.scene import Light, Material, Scene, Stage, Thing
from perception_sim.shapes import Collider, Solid
from perception_sim.shapes.mesh import Mesh, merge
from perception_sim.textures import PATTERNS, Texture, paint
from perception_sim.world import compile_scene, settle

LOOK_ALIKES = (lookalikes_round, lookalikes_street, lookalikes_tapered)
FAMILIES = (
    barrels,
    bins,
    cartons,
    cones,
    crates,
    furniture,
    household,
    pallets,
    people,
    plants,
    street,
    wheels,
    *LOOK_ALIKES,
)
OURS: dict[str, Kind] = {name: kind for family in FAMILIES for name, kind in family.KINDS.items()}
FLOOR = Material(Texture("plain", ((0.5, 0.5, 0.5), (0.4, 0.4, 0.4)), 3.0, 0.0, 0.5, 1, 32), 0.0, 0.1)


def extent(collider: Collider) -> np.ndarray:
    """Lower and upper corner [2, 3] of a collider's box."""
    if collider.kind == "hull":
        assert collider.mesh is not None
        points = collider.mesh.vertices @ collider.rotation.T + collider.position
        return np.stack([points.min(0), points.max(0)])
    size = (*collider.size, 0.0)
    axis = np.abs(collider.rotation[:, 2])
    if collider.kind == "box":
        reach = np.abs(collider.rotation) @ np.asarray(collider.size)
    elif collider.kind == "cylinder":
        reach = size[1] * axis + size[0] * np.sqrt(np.maximum(1.0 - axis**2, 0.0))
    else:
        reach = size[0] + size[1] * axis
    return np.stack([collider.position - reach, collider.position + reach])


def inward(solid: Solid, rays: int, rng: np.random.Generator) -> float:
    """The share of rays from outside that meet the back of a triangle first: there one sees through the object."""
    mesh = merge(solid.surfaces)
    a, b, c = mesh.vertices[mesh.faces].transpose(1, 0, 2)
    normals = np.cross(b - a, c - a)
    radius = float(np.linalg.norm(mesh.vertices, axis=1).max())
    through = hits = 0
    for _ in range(rays):
        way = rng.normal(size=3)
        way /= np.linalg.norm(way)
        # Through a random point of the surface: thin things are hit as well.
        face = int(rng.integers(len(a)))
        share = rng.dirichlet([1.0, 1.0, 1.0])
        start = share @ np.stack([a[face], b[face], c[face]]) - 3.0 * radius * way
        slope = normals @ way
        distance = ((a - start) * normals).sum(1) / np.where(np.abs(slope) < 1e-15, 1e-15, slope)
        at = start + distance[:, None] * way
        inside = np.ones(len(a), bool)
        for p, q in ((a, b), (b, c), (c, a)):
            inside &= (np.cross(q - p, at - p) * normals).sum(1) >= -1e-9 * (normals**2).sum(1)
        inside &= np.abs(slope) > 1e-12
        if not inside.any():
            continue
        near = distance[inside].min()
        first = inside & (distance < near + 2e-3 * radius)
        hits += 1
        through += not (slope[first] < 0.0).any()
    assert hits > rays // 2
    return through / hits


def alone(kind: str, size: float, rng: np.random.Generator) -> Scene:
    """One upright thing just above the ground."""
    shape = OURS[kind].sample(size, rng)
    solid = shape.build()
    lift = 0.001 - float(solid.points[:, 2].min())
    thing = Thing(kind, kind, shape, (FLOOR,) * len(solid.surfaces), (0.0, 0.0, lift), (1.0, 0.0, 0.0, 0.0))
    stage = Stage(FLOOR, 1.0, None, None, ((0.5, 0.6, 0.8), (0.8, 0.8, 0.9)), 0.3)
    return Scene((thing,), (Light((0.0, 0.0, -1.0), (0.7, 0.7, 0.7), False),), stage)


def check_surface(surface: Mesh) -> None:
    assert all(np.isfinite(part).all() for part in (surface.vertices, surface.normals, surface.uvs))
    assert len(surface.vertices) == len(surface.normals) == len(surface.uvs)
    assert np.allclose(np.linalg.norm(surface.normals[np.unique(surface.faces)], axis=1), 1.0, atol=1e-6)
    corners = surface.vertices[surface.faces]
    faces = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    faces /= np.linalg.norm(faces, axis=1, keepdims=True)
    facing = (faces[:, None] * surface.normals[surface.faces]).sum(-1)
    # Triangles face the way their normals say; crumpled ones may differ here and there.
    assert facing.mean() > 0.75
    assert (facing < 0.0).mean() < 0.05


def test_there_are_enough_of_them() -> None:
    assert set(OURS) <= set(KINDS) | set(LOOKALIKES)
    assert len(set(OURS) & set(KINDS)) >= 12
    assert len(set(OURS) & set(LOOKALIKES)) >= 12


@pytest.mark.parametrize("name", OURS)
def test_fifty_instances_are_sound_and_of_their_size(name: str) -> None:
    kind, rng = OURS[name], np.random.default_rng(5)
    low, high = kind.size
    assert 0.0 < low < high < 2.5
    seen = set()
    for index in range(50):
        size = float(np.exp(rng.uniform(np.log(low), np.log(high)))) if index % 5 else 0.1
        shape = kind.sample(size, rng)
        # What was sampled goes into a dataset's record.
        seen.add(json.dumps(dataclasses.asdict(shape)))  # type: ignore[call-overload]
        solid = shape.build()
        for surface in solid.surfaces:
            check_surface(surface)
        assert sum(len(surface.faces) for surface in solid.surfaces) < 2300
        box = np.stack([solid.points.min(0), solid.points.max(0)])
        assert np.allclose(box[0], -box[1])
        assert 0.5 < (box[1] - box[0]).max() / size < 1.6
        # The physics is about as large as what is seen.
        reach = np.array([extent(collider) for collider in solid.colliders])
        outer = np.stack([reach[:, 0].min(0), reach[:, 1].max(0)])
        assert np.abs(outer - box).max() < 0.25 * size, np.abs(outer - box) / size
        assert kind.dress is not None
        assert len(kind.dress(shape, rng)) == len(solid.surfaces)
    assert len(seen) == 50


@pytest.mark.parametrize("name", OURS)
def test_nothing_can_be_seen_through(name: str) -> None:
    rng = np.random.default_rng(2)
    shares = [inward(OURS[name].sample(0.1, rng).build(), 60, rng) for _ in range(3)]
    assert np.mean(shares) < 0.03, shares


@pytest.mark.parametrize("name", OURS)
def test_they_stand_and_rest_on_what_is_seen(name: str) -> None:
    rng = np.random.default_rng(3)
    standing, count = 0, 4
    for _ in range(count):
        world = compile_scene(alone(name, 0.1, rng))
        if not settle(world):
            continue
        contacts = world.data.contact.dist[: world.data.ncon]
        assert contacts.min() > -0.003
        assert abs(world.points(0)[:, 2].min()) < 0.006
        before = world.pose(0)[0]
        mujoco.mj_step(world.model, world.data, nstep=50)
        assert np.abs(world.pose(0)[0] - before).max() < 0.004
        standing += world.pose(0)[1][2, 2] > 0.9
    # Eggs, melons and balloons roll; most others stand where they were put.
    assert standing >= (count - 1 if OURS[name].upright > 0.6 else 0)


@pytest.mark.parametrize("name", OURS)
def test_looks_are_theirs_and_vary(name: str) -> None:
    kind, rng = OURS[name], np.random.default_rng(4)
    assert kind.dress is not None
    pictures = set()
    for _ in range(5):
        for material in kind.dress(kind.sample(kind.size[1], rng), rng):
            assert material.texture.pattern in PATTERNS
            for value in (material.specular, material.shininess, material.roughness, material.metallic):
                assert 0.0 <= value <= 1.0
            json.dumps(dataclasses.asdict(material))
            pictures.add(paint(material.texture).tobytes())
    assert len(pictures) >= 5


def test_a_shape_and_its_looks_depend_on_the_generator_alone() -> None:
    for name, kind in OURS.items():
        assert kind.dress is not None
        first, second = np.random.default_rng(9), np.random.default_rng(9)
        one, two = kind.sample(0.3, first), kind.sample(0.3, second)
        assert one == two, name
        assert np.array_equal(one.build().points, two.build().points)
        assert kind.dress(one, first) == kind.dress(two, second)


def test_look_alikes_say_what_they_resemble() -> None:
    assert not set(LOOKALIKES) & (set(KINDS) | set(DISTRACTORS))
    assert {"traffic_cone", "ball"} <= {name for kind in LOOKALIKES.values() for name in kind.resembles}
    for kind in LOOKALIKES.values():
        assert kind.resembles
        assert set(kind.resembles) <= set(KINDS)
        assert set(kind.also) <= set(KINDS)
        assert not set(kind.also) & set(kind.resembles)


def test_most_traffic_cones_are_orange_and_many_have_bands() -> None:
    kind, rng = KINDS["traffic_cone"], np.random.default_rng(6)
    assert kind.dress is not None
    orange = banded = 0
    for _ in range(200):
        shape = kind.sample(0.6, rng)
        materials = kind.dress(shape, rng)
        red, green, blue = materials[0].texture.colors[0]
        orange += red > 0.7 and 0.15 < green < 0.75 and blue < 0.6 and red > green + 0.2
        banded += len(materials) == 4
    assert 140 < orange < 190
    assert 90 < banded < 180
