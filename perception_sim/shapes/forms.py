"""More mesh makers: lofted and rounded bodies, plates, patches.

Same conventions as `perception_sim.shapes.mesh`: metres, right-handed, faces counter-clockwise from outside.
"""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import ArrayLike

from .mesh import Mesh, merge, tidy
from .vectors import cross

_CREASE_COS = np.cos(np.radians(40.0))


def cloud(points: ArrayLike) -> Mesh:
    """Points [..., 3] as a mesh without faces, for a collider that is their hull."""
    vertices = np.asarray(points, float).reshape(-1, 3)
    return Mesh(vertices, np.zeros_like(vertices), vertices[:, :2], np.zeros((0, 3), int))


def rounded_polygon(sides: int, inradius: float, corner: float, arc: int = 3, side: int = 0) -> np.ndarray:
    """A regular polygon with rounded corners, float64 [sides · (arc + side), 2], counter-clockwise.

    A flat side looks towards +x. ``corner`` is the radius of the corners, less than ``inradius``; ``arc`` points
    make one corner, ``side`` more lie on each flat side.
    """
    turn = np.pi / sides
    middle = (np.arange(sides) + 0.5) * 2.0 * turn
    centre = (inradius - corner) / np.cos(turn) * np.stack([np.cos(middle), np.sin(middle)], 1)
    angle = middle[:, None] + (np.linspace(-turn, turn, arc) if arc > 1 else np.zeros(1))[None]
    reach = corner if arc > 1 else corner / np.cos(turn)
    corners = centre[:, None] + reach * np.stack([np.cos(angle), np.sin(angle)], -1)
    share = (np.arange(side) + 1.0)[:, None] / (side + 1.0)
    ends = np.roll(corners[:, :1], -1, 0)
    return np.concatenate([corners, corners[:, -1:] * (1 - share) + ends * share], 1).reshape(-1, 2)


def rounded_rectangle(half_x: float, half_y: float, corner: float, arc: int = 3) -> np.ndarray:
    """A rectangle with rounded corners, float64 [4 · arc, 2], counter-clockwise from the +x +y corner."""
    points = rounded_polygon(4, 1.0, 1.0, arc) * corner if arc > 1 else np.tile([corner, corner], (4, 1))
    if arc == 1:
        return np.array([[1.0, 1.0], [-1.0, 1.0], [-1.0, -1.0], [1.0, -1.0]]) * (half_x, half_y)
    signs = np.repeat(np.array([[1.0, 1.0], [-1.0, 1.0], [-1.0, -1.0], [1.0, -1.0]]), arc, 0)
    return points + signs * (half_x - corner, half_y - corner)


def circle(radius: float, count: int) -> np.ndarray:
    """A regular polygon on a circle, float64 [count, 2], counter-clockwise from +x."""
    angle = np.arange(count) * 2.0 * np.pi / count
    return radius * np.stack([np.cos(angle), np.sin(angle)], 1)


def ring(outline: np.ndarray, z: float, scale: float = 1.0) -> np.ndarray:
    """A plane outline [P, 2] as a ring [P, 3] at height ``z``."""
    return np.concatenate([scale * outline, np.full((len(outline), 1), z)], 1)


def loft(rings: ArrayLike, close: bool = True) -> Mesh:
    """Bands between successive ``rings`` [R, P, 3] (counter-clockwise seen from above, bottom ring first).

    Each band has its own normals, smooth around the ring except at corners sharper than 40 degrees; a ring that
    shrinks to a point makes a flat cap. ``close`` joins the last column to the first.
    """
    points = np.asarray(rings, float)
    if close:
        points = np.concatenate([points, points[:, :1]], 1)
    a, b, c, d = points[:-1, :-1], points[:-1, 1:], points[1:, 1:], points[1:, :-1]
    normals = cross(c - a, d - b)
    normals /= np.linalg.norm(normals, axis=-1, keepdims=True) + 1e-15
    left, right = normals.copy(), normals.copy()
    before = np.roll(normals, 1, 1)
    smooth = (before * normals).sum(-1) > _CREASE_COS
    if not close:
        smooth[:, 0] = False
    mean = before + normals
    mean /= np.linalg.norm(mean, axis=-1, keepdims=True) + 1e-15
    left[smooth] = mean[smooth]
    after, ahead = np.roll(smooth, -1, 1), np.roll(mean, -1, 1)
    right[after] = ahead[after]

    across = np.linalg.norm(np.diff(points, axis=1), axis=-1)
    widest = across[np.argmax(across.sum(1))]
    around = widest.sum() + 1e-15
    u = np.r_[0.0, np.cumsum(widest)] / around
    steps = np.linalg.norm(np.diff(points, axis=0), axis=-1).mean(1)
    v = np.r_[0.0, np.cumsum(steps)] / around
    rows, columns = a.shape[:2]
    u0, u1 = np.broadcast_to(u[:-1], (rows, columns)), np.broadcast_to(u[1:], (rows, columns))
    v0, v1 = (np.broadcast_to(side[:, None], (rows, columns)) for side in (v[:-1], v[1:]))
    uvs = np.stack([np.stack([u0, v0], -1), np.stack([u1, v0], -1), np.stack([u1, v1], -1), np.stack([u0, v1], -1)], 2)
    corners, shading = np.stack([a, b, c, d], 2), np.stack([left, right, right, left], 2)
    return _quads(corners.reshape(-1, 4, 3), shading.reshape(-1, 4, 3), uvs.reshape(-1, 4, 2))


def _quads(corners: np.ndarray, normals: np.ndarray, uvs: np.ndarray) -> Mesh:
    """A mesh of separate quadrilaterals [Q, 4, …] without the triangles that have no area."""
    first = np.arange(len(corners))[:, None] * 4
    faces = np.concatenate([first + np.array([0, 1, 2]), first + np.array([0, 2, 3])])
    return tidy(Mesh(corners.reshape(-1, 3), normals.reshape(-1, 3), uvs.reshape(-1, 2), faces))


def skin(points: ArrayLike, close: bool = True) -> Mesh:
    """A surface that is smooth everywhere through a grid of ``points`` [R, C, 3] (rings as for `loft`)."""
    grid = np.asarray(points, float)
    if close:
        grid = np.concatenate([grid, grid[:, :1]], 1)
        wide = np.concatenate([grid[:, -2:-1], grid, grid[:, 1:2]], 1)
        along = wide[:, 2:] - wide[:, :-2]
    else:
        along = np.gradient(grid, axis=1)
    normals = cross(along, np.gradient(grid, axis=0))
    length = np.linalg.norm(normals, axis=-1, keepdims=True)
    # Where a ring has shrunk to a point, the surface looks away from the ring beside it.
    for row, beside in ((0, 1), (-1, -2)):
        if length[row].max() < 1e-12:
            normals[row] = grid[row].mean(0) - grid[beside].mean(0)
            length[row] = np.linalg.norm(normals[row], axis=-1, keepdims=True)
    normals /= length + 1e-15
    rows, columns = grid.shape[:2]
    around = np.linalg.norm(np.diff(grid, axis=1), axis=-1).sum(1).max() + 1e-15
    v = np.r_[0.0, np.cumsum(np.linalg.norm(np.diff(grid, axis=0), axis=-1).mean(1))] / around
    uvs = np.stack(np.broadcast_arrays(np.linspace(0.0, 1.0, columns)[None], v[:, None]), -1)
    index = np.arange(rows * columns).reshape(rows, columns)
    a, b, c, d = (x.ravel() for x in (index[:-1, :-1], index[:-1, 1:], index[1:, 1:], index[1:, :-1]))
    faces = np.concatenate([np.stack([a, b, c], 1), np.stack([a, c, d], 1)])
    return tidy(Mesh(grid.reshape(-1, 3), normals.reshape(-1, 3), uvs.reshape(-1, 2), faces))


def rounded_box(half: ArrayLike, radius: float, arc: int = 1) -> Mesh:
    """A box of half sizes ``half`` with edges and corners of that ``radius``; ``arc`` steps make half an edge."""
    size = np.asarray(half, float)
    core = np.maximum(size - radius, 1e-6)
    bend = radius * np.tan(np.linspace(0.0, np.pi / 4, arc + 1))
    scale = 0.5 / size.max()
    parts = []
    for axis in range(3):
        first, second = (axis + 1) % 3, (axis + 2) % 3
        lines = [np.concatenate([-core[k] - bend[::-1], core[k] + bend]) for k in (first, second)]
        for sign in (-1.0, 1.0):
            grid = np.empty((len(lines[1]), len(lines[0]), 3))
            grid[..., first], grid[..., second] = np.meshgrid(*lines)
            grid[..., axis] = sign * (core[axis] + radius)
            uvs = grid[..., [first, second]] * scale + 0.5
            inner = np.clip(grid, -core, core)
            normals = grid - inner
            normals /= np.linalg.norm(normals, axis=-1, keepdims=True)
            index = np.arange(grid[..., 0].size).reshape(grid.shape[:2])
            a, b, c, d = (x.ravel() for x in (index[:-1, :-1], index[:-1, 1:], index[1:, 1:], index[1:, :-1]))
            faces = np.concatenate([np.stack([a, b, c], 1), np.stack([a, c, d], 1)])
            outside = (inner + radius * normals).reshape(-1, 3)
            parts.append(
                Mesh(outside, normals.reshape(-1, 3), uvs.reshape(-1, 2), faces if sign > 0 else faces[:, ::-1])
            )
    return merge(parts)


def slab(outline: np.ndarray, low: float, high: float, bevel: float = 0.0) -> Mesh:
    """A plate with a plane, star-shaped ``outline`` [P, 2] from z = ``low`` to ``high``; texture: 1 over its box.

    The rim of both faces is bevelled by ``bevel``.
    """
    points = np.asarray(outline, float)
    shrink = 1.0 - bevel / np.abs(points).max()
    rings = [ring(points * 0.0, low), ring(points, low, shrink)]
    rings += [ring(points, low + bevel), ring(points, high - bevel)] if bevel else [ring(points, high)]
    rings += [ring(points, high, shrink)] if bevel else []
    return planar(loft([*rings, ring(points * 0.0, high)]))


def patch(corners: ArrayLike, columns: int = 1, rows: int = 1) -> Mesh:
    """A four-cornered surface [4, 3] (counter-clockwise from its lower left), finely divided; texture 0..1."""
    a, b, c, d = np.asarray(corners, float)
    s, t = np.meshgrid(np.linspace(0, 1, columns + 1), np.linspace(0, 1, rows + 1))
    s, t = s[..., None], t[..., None]
    grid = a * (1 - s) * (1 - t) + b * s * (1 - t) + c * s * t + d * (1 - s) * t
    mesh = skin(grid, close=False)
    return dataclasses.replace(mesh, uvs=np.concatenate([s, t], -1).reshape(-1, 2))


def planar(mesh: Mesh, u: int = 0, v: int = 1, box: tuple[float, float, float, float] | None = None) -> Mesh:
    """The mesh with its texture projected along an axis: 0..1 over ``box`` (low u, low v, high u, high v).

    ``u`` and ``v`` are the axes of the projection; without a box it is the larger side of the mesh's own, squared.
    """
    points = mesh.vertices[:, [u, v]]
    if box is None:
        low, high = points.min(0), points.max(0)
        side = float((high - low).max()) + 1e-12
        return dataclasses.replace(mesh, uvs=(points - (low + high) / 2) / side + 0.5)
    low, high = np.asarray(box[:2]), np.asarray(box[2:])
    return dataclasses.replace(mesh, uvs=(points - low) / (high - low))


def lined(mesh: Mesh, thickness: float) -> Mesh:
    """The inner face of a thin wall: the surface turned inside out, ``thickness`` inside of it."""
    return Mesh(mesh.vertices - thickness * mesh.normals, -mesh.normals, mesh.uvs, mesh.faces[:, ::-1])


def scaled(mesh: Mesh, factors: ArrayLike) -> Mesh:
    """The mesh stretched by positive ``factors`` [3] along the axes."""
    factor = np.asarray(factors, float)
    normals = mesh.normals / factor
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    return dataclasses.replace(mesh, vertices=mesh.vertices * factor, normals=normals)
