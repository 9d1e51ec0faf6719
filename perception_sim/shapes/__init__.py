"""What an object is made of, before the renderer and the physics see it: surfaces and colliders."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike

from . import mesh as meshes
from .mesh import Mesh


@dataclasses.dataclass(frozen=True, eq=False)
class Collider:
    """A convex piece for the physics.

    ``kind`` is sphere (size = radius), capsule or cylinder (radius, half length along z), box or ellipsoid
    (three half sizes) or hull (of ``mesh``); ``rotation`` [3, 3] and ``position`` place it in the object's frame.
    """

    kind: str
    size: tuple[float, ...]
    position: np.ndarray
    rotation: np.ndarray
    mesh: Mesh | None = None


@dataclasses.dataclass(frozen=True, eq=False)
class Solid:
    """An object's surfaces (one per material) and colliders, in metres about the middle of its bounding box."""

    surfaces: tuple[Mesh, ...]
    colliders: tuple[Collider, ...]

    @property
    def points(self) -> np.ndarray:
        """All vertices, float64 [V, 3]."""
        return np.concatenate([surface.vertices for surface in self.surfaces])


class Shape(Protocol):
    """A frozen dataclass of the numbers that fix a shape."""

    def build(self) -> Solid:
        """The shape's surfaces and colliders."""
        ...


@functools.lru_cache(maxsize=128)
def built(shape: Shape) -> Solid:
    """``shape.build()``, remembered for a while: a shape is looked at before it is placed, and then compiled."""
    return shape.build()


def solid(surfaces: Sequence[Mesh], colliders: Sequence[Collider]) -> Solid:
    """A `Solid` whose bounding box is centred on the origin."""
    points = np.concatenate([surface.vertices for surface in surfaces])
    shift = -(points.min(0) + points.max(0)) / 2.0
    return Solid(
        tuple(surface.moved(shift) for surface in surfaces),
        tuple(dataclasses.replace(collider, position=collider.position + shift) for collider in colliders),
    )


def ball(radius: float, at: ArrayLike = (0, 0, 0)) -> Collider:
    """A spherical collider."""
    return Collider("sphere", (radius,), np.asarray(at, float), np.eye(3))


def block(half: ArrayLike, at: ArrayLike = (0, 0, 0), rotation: np.ndarray | None = None) -> Collider:
    """A box collider of half sizes ``half``."""
    return Collider(
        "box",
        tuple(np.asarray(half, float).tolist()),
        np.asarray(at, float),
        np.eye(3) if rotation is None else rotation,
    )


def egg(half: ArrayLike, at: ArrayLike = (0, 0, 0)) -> Collider:
    """An ellipsoid collider of half sizes ``half``."""
    return Collider("ellipsoid", tuple(np.asarray(half, float).tolist()), np.asarray(at, float), np.eye(3))


def drum(radius: float, low: float, high: float) -> Collider:
    """An upright cylinder collider from z = ``low`` to ``high``."""
    return Collider("cylinder", (radius, (high - low) / 2), np.array([0.0, 0.0, (low + high) / 2]), np.eye(3))


def rod(start: ArrayLike, end: ArrayLike, radius: float, kind: str = "capsule") -> Collider:
    """A capsule (or cylinder) collider between two points."""
    a, b = np.asarray(start, float), np.asarray(end, float)
    length = float(np.linalg.norm(b - a))
    return Collider(kind, (radius, length / 2), (a + b) / 2, meshes.rotation_between((0, 0, 1), b - a))


def rods(path: np.ndarray, radii: ArrayLike, closed: bool = False) -> list[Collider]:
    """Capsules along ``path`` [P, 3]."""
    radius = np.broadcast_to(np.asarray(radii, float), (len(path),))
    ends = np.roll(path, -1, 0) if closed else path[1:]
    return [rod(a, b, float(r)) for a, b, r in zip(path, ends, radius, strict=False)]


def hull(mesh: Mesh) -> Collider:
    """The convex hull of a mesh."""
    return Collider("hull", (), np.zeros(3), np.eye(3), mesh)
