"""Triangle meshes made from formulas: boxes, turned (lathe) and swept surfaces, prisms.

Every surface carries its own normals (sharp edges stay sharp) and texture coordinates, so that one
mesh per material is all the renderer needs. Metres; right-handed; faces counter-clockwise from outside.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from .vectors import cross

_CREASE_COS = np.cos(np.radians(35.0))


@dataclasses.dataclass(frozen=True, eq=False)
class Mesh:
    """A surface: ``vertices`` and ``normals`` float64 [V, 3], ``uvs`` float64 [V, 2], ``faces`` int [F, 3]."""

    vertices: np.ndarray
    normals: np.ndarray
    uvs: np.ndarray
    faces: np.ndarray

    def moved(self, position: ArrayLike = (0.0, 0.0, 0.0), rotation: np.ndarray | None = None) -> Mesh:
        """The mesh turned by ``rotation`` [3, 3], then shifted by ``position``."""
        turn = np.eye(3) if rotation is None else rotation
        vertices = self.vertices @ turn.T + np.asarray(position, float)
        return Mesh(vertices, self.normals @ turn.T, self.uvs, self.faces)

    def flat(self) -> Mesh:
        """The same surface with one normal per triangle."""
        corners = self.vertices[self.faces]
        normals = cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
        normals /= np.linalg.norm(normals, axis=1, keepdims=True) + 1e-12
        count = 3 * len(self.faces)
        faces = np.arange(count).reshape(-1, 3)
        return Mesh(
            corners.reshape(count, 3), np.repeat(normals, 3, axis=0), self.uvs[self.faces].reshape(count, 2), faces
        )


def merge(meshes: Sequence[Mesh]) -> Mesh:
    """One mesh of several (they share a material)."""
    starts = np.cumsum([0] + [len(mesh.vertices) for mesh in meshes[:-1]])
    return Mesh(
        np.concatenate([mesh.vertices for mesh in meshes]),
        np.concatenate([mesh.normals for mesh in meshes]),
        np.concatenate([mesh.uvs for mesh in meshes]),
        np.concatenate([mesh.faces + start for mesh, start in zip(meshes, starts, strict=True)]),
    )


def rotation_between(source: ArrayLike, target: ArrayLike) -> np.ndarray:
    """A rotation matrix [3, 3] that turns the direction ``source`` into ``target``."""
    a = np.asarray(source, float) / np.linalg.norm(np.asarray(source, float))
    b = np.asarray(target, float) / np.linalg.norm(np.asarray(target, float))
    turn, cos = cross(a, b), float(a @ b)
    if cos < -0.999999:
        axis = cross(a, [1.0, 0.0, 0.0] if abs(a[0]) < 0.9 else [0.0, 1.0, 0.0])
        axis /= np.linalg.norm(axis)
        return 2.0 * np.outer(axis, axis) - np.eye(3)
    skew = np.array([[0, -turn[2], turn[1]], [turn[2], 0, -turn[0]], [-turn[1], turn[0], 0]])
    return np.eye(3) + skew + skew @ skew / (1.0 + cos)


def box(half: ArrayLike) -> Mesh:
    """A box of half sizes ``half`` about the origin; texture scale is equal on all faces."""
    parts = []
    size = np.asarray(half, float)
    scale = 0.5 / size.max()
    for axis in range(3):
        for sign in (-1.0, 1.0):
            normal = np.zeros(3)
            normal[axis] = sign
            first = np.roll(np.array([0.0, 1.0, 0.0]), axis)
            second = cross(normal, first)
            u, v = first @ np.diag(size) @ first, abs(second) @ size
            corners = np.array([a * u * first + b * v * second for a, b in ((-1, -1), (1, -1), (1, 1), (-1, 1))])
            uvs = np.array([[-u, -v], [u, -v], [u, v], [-u, v]]) * scale + 0.5
            faces = np.array([[0, 1, 2], [0, 2, 3]])
            parts.append(Mesh(corners + normal * size, np.tile(normal, (4, 1)), uvs, faces))
    return merge(parts)


def lathe(profile: Sequence[tuple[float, float]], segments: int = 28) -> Mesh:
    """The surface swept by turning ``profile`` about z.

    ``profile`` holds (radius, z) from the outer bottom upwards; a profile that turns over a rim and
    comes down again makes the inside of a vessel. Corners sharper than 35 degrees stay sharp.
    """
    points = np.asarray(profile, float)
    steps = np.diff(points, axis=0)
    lengths = np.linalg.norm(steps, axis=1)
    points, steps, lengths = points[np.r_[True, lengths > 1e-9]], steps[lengths > 1e-9], lengths[lengths > 1e-9]
    flat = np.stack([steps[:, 1], -steps[:, 0]], 1) / lengths[:, None]
    start, end = flat.copy(), flat.copy()
    smooth = (flat[:-1] * flat[1:]).sum(1) > _CREASE_COS
    mean = flat[:-1] + flat[1:]
    mean /= np.linalg.norm(mean, axis=1, keepdims=True) + 1e-12
    end[:-1][smooth], start[1:][smooth] = mean[smooth], mean[smooth]

    # Two rings for each segment of the profile: rings are not shared, so that normals may differ.
    rings = np.stack([points[:-1], points[1:]], 1).reshape(-1, 2)
    slopes = np.stack([start, end], 1).reshape(-1, 2)
    heights = np.r_[0.0, np.cumsum(lengths)] / (2.0 * np.pi * points[:, 0].max())
    v = np.stack([heights[:-1], heights[1:]], 1).reshape(-1)
    angle = np.linspace(0.0, 2.0 * np.pi, segments + 1)
    cos, sin = np.cos(angle), np.sin(angle)
    vertices = np.stack(
        [np.outer(rings[:, 0], cos), np.outer(rings[:, 0], sin), np.outer(rings[:, 1], np.ones_like(cos))], -1
    )
    normals = np.stack(
        [np.outer(slopes[:, 0], cos), np.outer(slopes[:, 0], sin), np.outer(slopes[:, 1], np.ones_like(cos))], -1
    )
    uvs = np.stack(np.broadcast_arrays(angle[None, :] / (2.0 * np.pi), v[:, None]), -1)
    return tidy(
        Mesh(vertices.reshape(-1, 3), normals.reshape(-1, 3), uvs.reshape(-1, 2), _grid(len(rings), segments + 1, 2))
    )


def sphere(radius: float, segments: int = 24, rings: int = 14) -> Mesh:
    """A ball about the origin."""
    angle = np.linspace(-np.pi / 2, np.pi / 2, rings + 1)
    return lathe(list(zip(radius * np.maximum(np.cos(angle), 0.0), radius * np.sin(angle), strict=True)), segments)


def tube(path: np.ndarray, radii: ArrayLike, sections: int = 12, closed: bool = False) -> Mesh:
    """A tube of circular section along ``path`` [P, 3] with a radius per point; its ends are left open.

    The frame is carried along without twist; close an end by letting the radius run to zero.
    """
    points = np.asarray(path, float)
    count = len(points)
    radius = np.broadcast_to(np.asarray(radii, float), (count,))
    tangents = np.roll(points, -1, 0) - np.roll(points, 1, 0) if closed else np.gradient(points, axis=0)
    tangents /= np.linalg.norm(tangents, axis=1, keepdims=True)
    sides = np.empty((count, 3))
    side = cross(tangents[0], [0.0, 0.0, 1.0] if abs(tangents[0][2]) < 0.9 else [1.0, 0.0, 0.0])
    for i, tangent in enumerate(tangents):
        side = side - (side @ tangent) * tangent
        side = side / np.sqrt(side @ side)
        sides[i] = side
    angle = np.linspace(0.0, 2.0 * np.pi, sections + 1)[None, :, None]
    normals = np.cos(angle) * sides[:, None] + np.sin(angle) * cross(tangents, sides)[:, None]
    vertices = points[:, None] + radius[:, None, None] * normals
    reach = np.r_[0.0, np.cumsum(np.linalg.norm(np.diff(points, axis=0), axis=1))]
    uvs = np.stack(np.broadcast_arrays(angle[..., 0] / (2 * np.pi), (reach / (2 * np.pi * radius.max()))[:, None]), -1)
    if closed:
        vertices, normals, uvs = (np.concatenate([x, x[:1]]) for x in (vertices, normals, uvs))
    faces = _grid(len(vertices), sections + 1, 1)
    return tidy(Mesh(vertices.reshape(-1, 3), normals.reshape(-1, 3), uvs.reshape(-1, 2), faces))


def capsule(start: ArrayLike, end: ArrayLike, radius: float, sections: int = 12) -> Mesh:
    """A rod with round ends between two points."""
    a, b = np.asarray(start, float), np.asarray(end, float)
    length = float(np.linalg.norm(b - a))
    bend = np.linspace(0.0, np.pi / 2, 5)
    bottom = [(radius * np.sin(x), -radius * np.cos(x)) for x in bend]
    top = [(radius * np.cos(x), length + radius * np.sin(x)) for x in bend]
    return lathe(bottom + top, sections).moved(a, rotation_between((0, 0, 1), b - a))


def prism(outline: np.ndarray, height: float) -> Mesh:
    """A polygon [P, 2] (counter-clockwise, all of it visible from its mean) drawn out to ``height``, centred on z."""
    points = np.asarray(outline, float)
    count, half = len(points), height / 2.0
    scale = 0.5 / np.abs(points).max()
    parts = []
    for i in range(count):
        a, b = points[i], points[(i + 1) % count]
        corners = np.array([[*a, -half], [*b, -half], [*b, half], [*a, half]])
        normal = np.array([b[1] - a[1], a[0] - b[0], 0.0]) / np.linalg.norm(b - a)
        width = float(np.linalg.norm(b - a))
        uvs = np.array([[0, 0], [width, 0], [width, height], [0, height]]) * scale
        parts.append(Mesh(corners, np.tile(normal, (4, 1)), uvs, np.array([[0, 1, 2], [0, 2, 3]])))
    rim = np.concatenate([points, points.mean(0, keepdims=True)])
    fan = np.array([[i, (i + 1) % count, count] for i in range(count)])
    for sign in (1.0, -1.0):
        vertices = np.concatenate([rim, np.full((count + 1, 1), sign * half)], 1)
        faces = fan if sign > 0 else fan[:, ::-1]
        parts.append(Mesh(vertices, np.tile([0.0, 0.0, sign], (count + 1, 1)), rim * scale + 0.5, faces))
    return merge(parts)


def _grid(rows: int, columns: int, stride: int) -> np.ndarray:
    """Triangles between ring i and i + 1 for every ``stride``-th i, as indices into [rows, columns] vertices."""
    index = np.arange(rows * columns).reshape(rows, columns)
    low, high = (index[0::2], index[1::2]) if stride == 2 else (index[:-1], index[1:])
    a, b, c, d = low[:, :-1], low[:, 1:], high[:, :-1], high[:, 1:]
    return np.concatenate([np.stack([a, b, d], -1).reshape(-1, 3), np.stack([a, d, c], -1).reshape(-1, 3)])


def tidy(mesh: Mesh) -> Mesh:
    """The mesh without the triangles that have no area (at poles)."""
    corners = mesh.vertices[mesh.faces]
    area = np.linalg.norm(cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1)
    return dataclasses.replace(mesh, faces=mesh.faces[area > 1e-12])
