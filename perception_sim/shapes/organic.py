"""Grown bodies: turned about an axis, then ribbed, wrinkled and bent. Conventions as in `mesh`."""

from __future__ import annotations

import cv2
import numpy as np

from .mesh import Mesh
from .vectors import cross


def body(radius: np.ndarray, along: np.ndarray, segments: int, relief: np.ndarray | None = None) -> Mesh:
    """A closed body about z whose normals follow its relief.

    Args:
        radius: float [R], the radius of each ring, 0 at both ends.
        along: float [R], the height z of each ring, rising.
        segments: how many vertices a ring has.
        relief: float [R, segments], factor on the radius, 1 where it is absent.

    """
    factor = np.ones((len(radius), segments)) if relief is None else relief
    angle = np.arange(segments) * 2.0 * np.pi / segments
    reach = np.asarray(radius)[:, None] * factor
    height = np.broadcast_to(np.asarray(along, float)[:, None], reach.shape)
    points = np.stack([reach * np.cos(angle), reach * np.sin(angle), height], -1)
    return skin(points)


def skin(points: np.ndarray) -> Mesh:
    """A mesh over rings of points [R, S, 3] that are closed around, with smooth normals; u goes around, v along."""
    wrapped = np.concatenate([points, points[:, :1]], 1)
    rows, columns = wrapped.shape[:2]
    around = np.roll(points, -1, 1) - np.roll(points, 1, 1)
    up = np.gradient(points, axis=0)
    normals = cross(around, up)
    length = np.linalg.norm(normals, axis=-1, keepdims=True)
    # At a pole the ring is a point: its normal is that of the axis.
    poles = np.sign(np.linspace(-1.0, 1.0, rows))[:, None, None] * np.array([0.0, 0.0, 1.0])
    normals = np.where(length > 1e-14, normals / np.maximum(length, 1e-14), poles)
    normals = np.concatenate([normals, normals[:, :1]], 1)
    u, v = np.meshgrid(np.linspace(0.0, 1.0, columns), np.linspace(0.0, 1.0, rows))
    index = np.arange(rows * columns).reshape(rows, columns)
    a, b, c, d = index[:-1, :-1], index[:-1, 1:], index[1:, :-1], index[1:, 1:]
    faces = np.concatenate([np.stack([a, b, d], -1).reshape(-1, 3), np.stack([a, d, c], -1).reshape(-1, 3)])
    vertices = wrapped.reshape(-1, 3)
    corners = vertices[faces]
    area = np.linalg.norm(cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1)
    return Mesh(vertices, normals.reshape(-1, 3), np.stack([u, v], -1).reshape(-1, 2), faces[area > 1e-7 * area.max()])


def bumps(rng: np.random.Generator, rings: int, segments: int, cells: tuple[int, int]) -> np.ndarray:
    """Smooth noise in -1..1 over a body, float [rings, segments]: ``cells`` bumps along and around; joins around."""
    along, around = cells
    grid = rng.uniform(-1.0, 1.0, (along + 1, around))
    grid = np.concatenate([grid[:, -2:], grid, grid[:, :2]], 1)
    step = segments / around
    wide = cv2.resize(grid, (round((around + 4) * step), rings), interpolation=cv2.INTER_CUBIC)
    start = round(2 * step)
    return wide[:, start : start + segments]


def creases(rng: np.random.Generator, rings: int, segments: int, cells: tuple[int, int]) -> np.ndarray:
    """Narrow folds in 0..1 (1 is their bottom) where smooth noise changes its sign, float [rings, segments]."""
    return np.clip(1.0 - 3.0 * np.abs(bumps(rng, rings, segments, cells)), 0.0, 1.0)


def bent(mesh: Mesh, curve: float) -> Mesh:
    """The mesh bent in x by ``curve`` times z² (per metre); normals turn with it."""
    x, y, z = mesh.vertices.T
    slope = 2.0 * curve * z
    nx, ny, nz = mesh.normals.T
    normals = np.stack([nx, ny, nz - slope * nx], 1)
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    return Mesh(np.stack([x + curve * z**2, y, z], 1), normals, mesh.uvs, mesh.faces)
