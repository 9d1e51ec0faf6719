"""Where a live camera is at any time: on a smooth way around the scene, or mounted rigidly beside another one."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from perception_common.errors import UserError

from ..camera import View, orbit
from ..sampling import Optics, group, standing_distance, viewing_distance
from ..sections import Camera
from ..world import World


@dataclasses.dataclass(frozen=True)
class Path:
    """A smooth way of the camera around ``center``: an orbit whose height and distance sway.

    Angles are in radians, times in seconds; elevation and fill sway between their two bounds; the group of
    objects of ``radius`` metres fills ``fill`` of half the image height. The camera comes no farther from the
    centre's plumb line than ``reach`` metres.
    """

    center: tuple[float, float, float]
    radius: float
    optics: Optics
    roll: float
    azimuth: float
    turn: float
    elevation: tuple[float, float]
    fill: tuple[float, float]
    period: float
    phase: float
    reach: float = float("inf")

    def view(self, seconds: float) -> View:
        """Where the camera is after that time."""
        sway = 0.5 + 0.5 * np.sin(2.0 * np.pi * seconds / self.period + self.phase)
        swing = 0.5 + 0.5 * np.sin(2.0 * np.pi * seconds / (1.7 * self.period) + 2.0 * self.phase)
        elevation = self.elevation[0] + (self.elevation[1] - self.elevation[0]) * sway
        fill = self.fill[0] + (self.fill[1] - self.fill[0]) * swing
        distance = viewing_distance(self.optics.fovy, self.radius, fill)
        distance = min(distance, self.reach / float(np.cos(elevation)))
        position = orbit(np.asarray(self.center), distance, self.azimuth + self.turn * seconds, elevation)
        return View(position, self.center, self.roll * float(2.0 * swing - 1.0), self.optics.fovy, self.optics.lens)


def sample_path(camera: Camera, optics: Optics, world: World, rng: np.random.Generator) -> Path:
    """A way around the group of objects within the preset's bounds of elevation and distance."""
    center, radius = group(world)
    elevation, fill = tuple(np.radians(camera.elevation.bounds)), camera.fill.bounds
    if camera.mode(rng) == "robot":
        distance = max(standing_distance(optics.fovy, world.scene.unit, camera.apparent(rng)), 1.2 * radius)
        low, high = (float(np.arcsin(np.clip(height / distance, 0.02, 0.95))) for height in camera.height.bounds)
        share = float(np.arcsin(np.clip(radius / distance, 0.0, 1.0)) / (np.radians(optics.fovy) / 2.0))
        elevation, fill = (low, high), (0.85 * share, 1.15 * share)
    aim = rng.normal(size=3) * [1.0, 1.0, 0.5]
    aim *= camera.aim * radius * rng.uniform() / np.linalg.norm(aim)
    x, y, z = (np.asarray(center) + aim).tolist()
    return Path(
        center=(x, y, z),
        radius=radius,
        optics=optics,
        roll=np.radians(camera.roll(rng)),
        azimuth=rng.uniform(0.0, 2.0 * np.pi),
        turn=np.radians(rng.uniform(8.0, 25.0)) * (1.0 if rng.random() < 0.5 else -1.0),
        elevation=_within(elevation, 0.35, rng),
        fill=_within(fill, 0.3, rng),
        period=rng.uniform(6.0, 12.0),
        phase=rng.uniform(0.0, 2.0 * np.pi),
        reach=_room(world, (x, y)),
    )


@dataclasses.dataclass(frozen=True)
class Mount:
    """Where a camera sits on a rig, in the optical frame of the rig's first camera (REP 103).

    ``right``, ``down`` and ``forward`` in metres; it is turned to the right by ``yaw`` radians about the first
    camera's downward axis.
    """

    right: float = 0.0
    down: float = 0.0
    forward: float = 0.0
    yaw: float = 0.0

    @property
    def sideways(self) -> bool:
        """Whether the two cameras are a rectified stereo pair: parallel, and side by side."""
        return self.right != 0.0 and self.down == self.forward == self.yaw == 0.0

    def view(self, first: View) -> View:
        """What the camera sees when the rig's first one has that view; its optics are the same."""
        right, _, forward = first.axes
        position = np.asarray(first.position) + np.array([self.right, self.down, self.forward]) @ first.axes
        cos, sin = np.cos(self.yaw), np.sin(self.yaw)
        right, forward = cos * right - sin * forward, cos * forward + sin * right
        (x, y, z), (a, b, c) = position.tolist(), (position + forward).tolist()
        level = View((x, y, z), (a, b, c), 0.0, first.fovy, first.lens)
        # A view's axes come from its target and the tilt against the horizon.
        roll = float(np.arctan2(right @ level.axes[1], right @ level.axes[0]))
        return dataclasses.replace(level, roll=roll)


def read_mounts(numbers: Sequence[float]) -> tuple[Mount, ...]:
    """Mounts from ``right, down, forward`` in metres and ``yaw`` in degrees of each, one after the other.

    Raises:
        UserError: not four numbers for each.

    """
    if len(numbers) % 4:
        raise UserError(
            f"{len(numbers)} numbers are no whole mounts",
            where="mounts",
            fix="give four for each camera after the first: metres to the right, down and forward, degrees of yaw",
        )
    rows = np.reshape(np.asarray(numbers, float), (-1, 4)).tolist()
    return tuple(Mount(right, down, forward, float(np.radians(yaw))) for right, down, forward, yaw in rows)


def _room(world: World, center: tuple[float, float]) -> float:
    """How far a camera may go from ``center`` without coming close to the walls, metres."""
    walls = world.scene.stage.walls
    if walls is None:
        return float("inf")
    return max(0.8 * walls.distance - float(np.hypot(*center)), 0.1 * walls.distance)


def _within(bounds: tuple[float, ...], share: float, rng: np.random.Generator) -> tuple[float, float]:
    """A part of the range ``bounds``, that share of it wide."""
    low, high = bounds
    start = rng.uniform(low, high - share * (high - low))
    return float(start), float(start + share * (high - low))
