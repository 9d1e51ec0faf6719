"""Many simple bodies in one mesh, made at once: boxes, rods, limbs. Much faster than one mesh after the other."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from .mesh import Mesh, tidy
from .vectors import cross


def limbs(paths: ArrayLike, radii: ArrayLike, sections: int = 8) -> Mesh:
    """Tubes along ``paths`` [N, R, 3] with ``radii`` [N, R] in one mesh; no path may run along y.

    Much faster than so many calls of `mesh.tube`; ends are open, texture as there.
    """
    lines, size = np.asarray(paths, float), np.asarray(radii, float)
    tangents = np.gradient(lines, axis=1)
    tangents /= np.linalg.norm(tangents, axis=-1, keepdims=True)
    # Across a path: y × tangent, written out.
    side = np.stack([tangents[..., 2], np.zeros_like(size), -tangents[..., 0]], -1)
    side /= np.linalg.norm(side, axis=-1, keepdims=True)
    other = cross(tangents, side)
    angle = np.linspace(0.0, 2.0 * np.pi, sections + 1)[:, None]
    out = np.cos(angle) * side[:, :, None] + np.sin(angle) * other[:, :, None]
    vertices = lines[:, :, None] + size[:, :, None, None] * out
    reach = np.linalg.norm(np.diff(lines, axis=1), axis=-1).cumsum(1)
    reach = np.concatenate([np.zeros((len(lines), 1)), reach], 1)
    # Where a limb tapers, its surface looks forwards a little; at a tip, wholly.
    slope = np.gradient(size, axis=1) / np.gradient(reach, axis=1)
    normals = out - (slope[..., None] * tangents)[:, :, None]
    normals /= np.linalg.norm(normals, axis=-1, keepdims=True)
    v = reach / (2 * np.pi * size.max())
    uvs = np.stack(np.broadcast_arrays(angle[:, 0] / (2 * np.pi), v[..., None]), -1)
    index = np.arange(vertices[..., 0].size).reshape(vertices.shape[:3])
    a, b, c, d = (x.ravel() for x in (index[:, :-1, :-1], index[:, :-1, 1:], index[:, 1:, 1:], index[:, 1:, :-1]))
    faces = np.concatenate([np.stack([a, b, c], 1), np.stack([a, c, d], 1)])
    return tidy(Mesh(vertices.reshape(-1, 3), normals.reshape(-1, 3), uvs.reshape(-1, 2), faces))


def rods(starts: ArrayLike, ends: ArrayLike, radii: ArrayLike, sections: int = 10) -> Mesh:
    """Round rods with flat ends from ``starts`` to ``ends`` [N, 3]; ``radii`` [N] or [N, 2] (start, end)."""
    a, b = np.asarray(starts, float), np.asarray(ends, float)
    size = np.asarray(radii, float)
    size = np.stack([size, size], 1) if size.ndim == 1 else size
    way = b - a
    length = np.linalg.norm(way, axis=1, keepdims=True)
    way = way / length
    aside = np.where(np.abs(way[:, 2:]) < 0.9, [0.0, 0.0, 1.0], [1.0, 0.0, 0.0])
    side = cross(aside, way)
    side /= np.linalg.norm(side, axis=1, keepdims=True)
    other = cross(way, side)
    angle = np.linspace(0.0, 2.0 * np.pi, sections + 1)[:, None]
    out = np.cos(angle) * side[:, None] + np.sin(angle) * other[:, None]
    low, high = a[:, None] + size[:, :1, None] * out, b[:, None] + size[:, 1:, None] * out
    cap = np.broadcast_to(way[:, None], out.shape)
    # Two rings for the side, and a ring and a middle for either end.
    vertices = np.concatenate([low, high, low, high, a[:, None], b[:, None]], 1)
    normals = np.concatenate([out, out, -cap, cap, -cap[:, :1], cap[:, :1]], 1)
    n, count = sections + 1, len(a)
    u = np.broadcast_to(angle[:, 0] / (2 * np.pi), (count, n))
    v = np.broadcast_to(length / length.max(), (count, n))
    round_ = 0.5 + 0.4 * np.stack([np.cos(angle[:, 0]), np.sin(angle[:, 0])], -1)
    ends_uv = np.broadcast_to(round_, (count, n, 2))
    middle = np.full((count, 2, 2), 0.5)
    uvs = np.concatenate([np.stack([u, 0 * v], -1), np.stack([u, v], -1), ends_uv, ends_uv, middle], 1)
    i = np.arange(sections)
    faces = np.concatenate(
        [
            np.stack([i, i + 1, n + i + 1], 1),
            np.stack([i, n + i + 1, n + i], 1),
            np.stack([2 * n + i + 1, 2 * n + i, np.full(sections, 4 * n)], 1),
            np.stack([3 * n + i, 3 * n + i + 1, np.full(sections, 4 * n + 1)], 1),
        ]
    )
    every = (faces[None] + vertices.shape[1] * np.arange(count)[:, None, None]).reshape(-1, 3)
    return tidy(Mesh(vertices.reshape(-1, 3), normals.reshape(-1, 3), uvs.reshape(-1, 2), every))


def blades(paths: ArrayLike, widths: ArrayLike, thickness: float) -> Mesh:
    """Flat leaves along ``paths`` [N, R, 3], ``widths`` [N, R] wide, seen from both sides; none may run straight up."""
    lines, half = np.asarray(paths, float), np.asarray(widths, float)[..., None] / 2.0
    tangents = np.gradient(lines, axis=1)
    side = np.stack([-tangents[..., 1], tangents[..., 0], np.zeros(lines.shape[:2])], -1)
    side /= np.linalg.norm(side, axis=-1, keepdims=True) + 1e-12
    normals = cross(tangents, side)
    normals /= np.linalg.norm(normals, axis=-1, keepdims=True) + 1e-12
    edges = np.stack([lines - half * side, lines + half * side], 2)
    up = np.broadcast_to(normals[:, :, None], edges.shape)
    v = np.linspace(0.0, 1.0, lines.shape[1])
    uvs = np.broadcast_to(np.stack(np.broadcast_arrays(np.array([0.0, 1.0]), v[:, None]), -1), (*edges.shape[:3], 2))
    index = np.arange(edges[..., 0].size).reshape(edges.shape[:3])
    a, b, c, d = (x.ravel() for x in (index[:, :-1, 0], index[:, 1:, 0], index[:, 1:, 1], index[:, :-1, 1]))
    faces = np.concatenate([np.stack([a, b, c], 1), np.stack([a, c, d], 1)])
    top = (edges + thickness / 2 * up).reshape(-1, 3)
    bottom = (edges - thickness / 2 * up).reshape(-1, 3)
    upward = up.reshape(-1, 3)
    return tidy(
        Mesh(
            np.concatenate([top, bottom]),
            np.concatenate([upward, -upward]),
            np.tile(uvs.reshape(-1, 2), (2, 1)),
            np.concatenate([faces, faces[:, ::-1] + len(top)]),
        )
    )


def boxes(
    centres: ArrayLike, halves: ArrayLike, turns: np.ndarray | None = None, rng: np.random.Generator | None = None
) -> Mesh:
    """Many boxes [N, 3] in one mesh, each turned by ``turns`` [N, 3, 3] about its own centre.

    The texture's v runs along each box's longest side, as the grain of a board does, 1 over the longest of all;
    ``rng`` shifts it for each box, so that no two boards look alike.
    """
    middle, half = np.asarray(centres, float), np.asarray(halves, float)
    count = len(middle)
    local = half[:, None] * _CORNERS
    normals = np.broadcast_to(_CORNER_NORMALS, local.shape)
    order = np.argsort(-half, axis=1, kind="stable")
    faces_axis = np.repeat(np.arange(6) // 2, 4)
    along = np.where(order[:, :1] == faces_axis, order[:, 1:2], order[:, :1])
    across = 3 - faces_axis - along
    uvs = np.stack([np.take_along_axis(local, axis[..., None], 2)[..., 0] for axis in (across, along)], -1)
    uvs = uvs / (2.0 * half.max()) + (0.5 if rng is None else rng.random((count, 1, 2)))
    if turns is not None:
        local, normals = local @ turns.transpose(0, 2, 1), normals @ turns.transpose(0, 2, 1)
    faces = (_CORNER_FACES[None] + 24 * np.arange(count)[:, None, None]).reshape(-1, 3)
    vertices = (local + middle[:, None]).reshape(-1, 3)
    return Mesh(vertices, normals.reshape(-1, 3).copy(), uvs.reshape(-1, 2), faces)


def _unit_box() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Corners and normals [24, 3] (faces -x, +x, -y…) and faces [12, 3] of a box of half sizes 1."""
    corners, normals = [], []
    for axis in range(3):
        first, second = np.eye(3)[(axis + 1) % 3], np.eye(3)[(axis + 2) % 3]
        for sign in (-1.0, 1.0):
            out = sign * np.eye(3)[axis]
            corners += [out + a * first + sign * b * second for a, b in ((-1, -1), (1, -1), (1, 1), (-1, 1))]
            normals += [out] * 4
    first = np.arange(6)[:, None] * 4
    faces = np.stack([first + np.array([0, 1, 2]), first + np.array([0, 2, 3])], 1).reshape(-1, 3)
    return np.array(corners), np.array(normals), faces


_CORNERS, _CORNER_NORMALS, _CORNER_FACES = _unit_box()
