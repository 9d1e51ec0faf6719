"""Views of a world, drawn from a preset, and how well they keep to it."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from ..camera import View, orbit
from ..presets import Preset
from ..randomize import Choice
from ..rendering.viewer import Viewer
from ..sections import Camera
from ..world import World
from .optics import Optics


def sample_view(camera: Camera, optics: Optics, world: World, rng: np.random.Generator) -> View:
    """A view of the scene as the preset's camera has it, through that lens."""
    view = (
        _robot_view(camera, optics.fovy, world, rng)
        if camera.mode(rng) == "robot"
        else _orbit_view(camera, optics.fovy, world, rng)
    )
    return dataclasses.replace(view, lens=optics.lens)


def _orbit_view(camera: Camera, fovy: float, world: World, rng: np.random.Generator) -> View:
    """A view of the whole group of things."""
    center, radius = group(world)
    distance = viewing_distance(fovy, radius, camera.fill(rng))
    position = orbit(center, distance, rng.uniform(0.0, 2 * np.pi), np.radians(camera.elevation(rng)))
    aim = rng.normal(size=3) * [1.0, 1.0, 0.5]
    aim *= camera.aim * radius * rng.uniform() / np.linalg.norm(aim)
    x, y, z = (np.asarray(center) + aim).tolist()
    return View(position, (x, y, z), np.radians(camera.roll(rng)), fovy)


def _robot_view(camera: Camera, fovy: float, world: World, rng: np.random.Generator) -> View:
    """A view from a height above the ground onto one thing, which lies somewhere near the middle of the image."""
    chosen = _looked_at(world)
    focus, size = np.zeros(3), world.scene.unit
    if len(chosen):
        points = world.points(Choice(chosen)(rng))
        focus, size = (points.min(0) + points.max(0)) / 2.0, float(np.ptp(points, axis=0).max())
    distance = standing_distance(fovy, size, camera.apparent(rng))
    rise = camera.height(rng) - float(focus[2])
    rise = float(np.clip(rise, max(-0.5 * focus[2], -0.5 * distance), 0.97 * distance))
    along = float(np.sqrt(distance**2 - rise**2))
    walls = world.scene.stage.walls
    if walls:
        along = min(along, max(0.8 * walls.distance - float(np.hypot(*focus[:2])), 0.1 * walls.distance))
    azimuth = rng.uniform(0.0, 2 * np.pi)
    x, y, z = (focus + np.array([along * np.cos(azimuth), along * np.sin(azimuth), rise])).tolist()
    # The point of the picture's middle: beside the thing, in the plane through it that faces the camera.
    reach = camera.off_centre(rng) * 2.0 * distance * np.tan(np.radians(fovy) / 2.0)
    turn = rng.uniform(0.0, 2 * np.pi)
    side = np.array([-np.sin(azimuth), np.cos(azimuth), 0.0]) * np.cos(turn) + np.array([0.0, 0.0, np.sin(turn)])
    tx, ty, tz = (focus + reach * side).tolist()
    return View((x, y, z), (tx, ty, tz), np.radians(camera.roll(rng)), fovy)


def viewing_distance(fovy: float, radius: float, fill: float) -> float:
    """The distance in metres at which a sphere of ``radius`` covers ``fill`` of half the image height."""
    return radius / float(np.sin(min(np.radians(fovy) / 2.0 * fill, 1.4)))


def standing_distance(fovy: float, size: float, apparent: float) -> float:
    """The distance in metres at which something of ``size`` covers ``apparent`` of the image height."""
    return size / (2.0 * apparent * float(np.tan(np.radians(fovy) / 2.0)))


def group(world: World) -> tuple[np.ndarray, float]:
    """Centre [3] and radius (metres) of what a camera should look at: the labelled things, or else all things."""
    points = [world.points(i) for i in _looked_at(world)]
    if not points:
        return np.zeros(3), 1.5 * world.scene.unit
    cloud = np.concatenate(points)
    center = (cloud.min(0) + cloud.max(0)) / 2.0
    return center, max(float(np.linalg.norm(cloud - center, axis=1).max()), 0.8 * world.scene.unit)


def _looked_at(world: World) -> Sequence[int]:
    things = world.scene.things
    return [i for i, thing in enumerate(things) if thing.label] or range(len(things))


def view_score(world: World, view: View, preset: Preset, viewer: Viewer) -> float:
    """How well a view keeps to the preset: 1 if every labelled thing is either well inside the image or outside it.

    Judged by projected boxes alone, so hidden parts count as visible; the share of things that keep to it.
    """
    labelled = [i for i, thing in enumerate(world.scene.things) if thing.label]
    good, seen = 0, 0
    for thing in labelled:
        uv, depth = viewer.project(view, world.points(thing))
        if depth.min() < 0.3 * world.scene.unit:
            good += bool(depth.max() < 0.0)
            continue
        low, high = uv.min(1), uv.max(1)
        inside = np.minimum(high, (viewer.width, viewer.height)) - np.maximum(low, 0.0)
        share = float(np.prod(np.maximum(inside, 0.0) / (high - low)))
        large = float(inside.max()) >= 1.1 * preset.labels.min_box_px
        seen += share > 0.0
        good += share == 0.0 or (share >= preset.camera.keep_in_view and large)
    if not labelled:
        return 1.0
    return good / len(labelled) if seen else 0.0
