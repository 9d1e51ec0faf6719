"""What turns a plain mesh into a used one: smooth fields that bend, dent and squeeze it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence

import numpy as np

from .mesh import Mesh
from .vectors import cross

_PROBE = 1e-5
Field = Callable[[np.ndarray], np.ndarray]
"""Points [N, 3] to points [N, 3]."""


def displaced(mesh: Mesh, field: Field) -> Mesh:
    """The mesh moved by a smooth ``field`` (points [N, 3] to points [N, 3]), its normals along with it.

    Normals follow the cofactors of the field's Jacobian, taken by differences, so that sharp edges stay sharp.
    """
    points = mesh.vertices
    probes = np.concatenate([points, *(points + _PROBE * np.eye(3)[axis] for axis in range(3))])
    moved, x, y, z = np.split(field(probes), 4)
    x, y, z = (x - moved) / _PROBE, (y - moved) / _PROBE, (z - moved) / _PROBE
    n = mesh.normals
    normals = cross(y, z) * n[:, :1] + cross(z, x) * n[:, 1:2] + cross(x, y) * n[:, 2:]
    normals /= np.linalg.norm(normals, axis=1, keepdims=True) + 1e-15
    return dataclasses.replace(mesh, vertices=moved, normals=normals)


def reshaded(mesh: Mesh) -> Mesh:
    """The mesh with smooth normals taken from its triangles, for surfaces with folds as small as they are."""
    corners = mesh.vertices[mesh.faces]
    area = cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    scale = np.abs(mesh.vertices).max() * 1e-6
    _, same = np.unique(np.round(mesh.vertices / scale).astype(np.int64), axis=0, return_inverse=True)
    same = same.reshape(-1)
    normals = np.zeros_like(mesh.vertices)
    np.add.at(normals, same[mesh.faces.ravel()], np.repeat(area, 3, axis=0))
    normals = normals[same]
    length = np.linalg.norm(normals, axis=1, keepdims=True)
    return dataclasses.replace(mesh, normals=np.where(length > 0.0, normals / (length + 1e-300), mesh.normals))


@dataclasses.dataclass(frozen=True)
class Dent:
    """A push into a surface: a bell of ``radius`` about ``centre`` that moves points by ``push`` (all metres)."""

    centre: tuple[float, float, float]
    push: tuple[float, float, float]
    radius: float

    def __call__(self, points: np.ndarray) -> np.ndarray:
        """The points after the push."""
        near = np.exp(-np.square((points - self.centre) / self.radius).sum(1))
        return points + near[:, None] * np.asarray(self.push)


@dataclasses.dataclass(frozen=True)
class Bend:
    """An upright body bent towards ``azimuth`` by ``angle`` (radians) along an arc from ``start`` over ``length``."""

    start: float
    length: float
    azimuth: float
    angle: float

    def __call__(self, points: np.ndarray) -> np.ndarray:
        """The points after the bend."""
        if abs(self.angle) < 1e-6:
            return points
        out = np.array([np.cos(self.azimuth), np.sin(self.azimuth)])
        side = points[:, :2] @ out
        rest = points[:, :2] - side[:, None] * out
        above = points[:, 2] - self.start
        within = np.clip(above, 0.0, self.length)
        turn = within / self.length * self.angle
        radius = self.length / self.angle
        cos, sin, beyond = np.cos(turn), np.sin(turn), above - within
        along = radius * (1.0 - cos) + side * cos + beyond * sin
        up = self.start + radius * sin - side * sin + beyond * cos
        return np.concatenate([rest + along[:, None] * out, up[:, None]], 1)


@dataclasses.dataclass(frozen=True)
class Squeeze:
    """A cross-section flattened towards ``azimuth`` by a share ``amount``, most at height ``at``, within ``reach``."""

    at: float
    reach: float
    azimuth: float
    amount: float

    def __call__(self, points: np.ndarray) -> np.ndarray:
        """The points after the squeeze."""
        share = self.amount * np.exp(-np.square((points[:, 2] - self.at) / self.reach))
        out = np.array([np.cos(self.azimuth), np.sin(self.azimuth)])
        side = points[:, :2] @ out
        rest = points[:, :2] - side[:, None] * out
        flat = rest * (1.0 + 0.5 * share)[:, None] + (side * (1.0 - share))[:, None] * out
        return np.concatenate([flat, points[:, 2:]], 1)


def chain(fields: Sequence[Field]) -> Field:
    """The fields one after another."""

    def apply(points: np.ndarray) -> np.ndarray:
        for field in fields:
            points = field(points)
        return points

    return apply


@dataclasses.dataclass(frozen=True)
class Ripple:
    """Folds and lumps: a sum of sine waves (``waves`` in radians per metre, their phases, shifts in metres)."""

    waves: tuple[tuple[float, float, float], ...]
    phases: tuple[float, ...]
    shifts: tuple[tuple[float, float, float], ...]

    @classmethod
    def sample(cls, length: float, depth: float, count: int, rng: np.random.Generator) -> Ripple:
        """``count`` waves about ``length`` long that move points by about ``depth`` in all (metres)."""
        directions = rng.normal(size=(count, 3))
        directions /= np.linalg.norm(directions, axis=1, keepdims=True)
        waves = directions * (2 * np.pi / length) * rng.uniform(0.6, 1.6, (count, 1))
        shifts = rng.normal(size=(count, 3)) * depth / np.sqrt(3.0 * count)
        return cls(
            tuple(map(tuple, waves.tolist())),
            tuple(rng.uniform(0, 2 * np.pi, count).tolist()),
            tuple(map(tuple, shifts.tolist())),
        )

    def __call__(self, points: np.ndarray) -> np.ndarray:
        """The points after it."""
        return points + np.sin(points @ np.array(self.waves).T + self.phases) @ np.array(self.shifts)
