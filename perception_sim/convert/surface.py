"""From triangles to surfaces as the world has them: a mesh for each material, with normals and texture coordinates."""

from __future__ import annotations

import dataclasses

import cv2
import numpy as np

from ..shapes.mesh import Mesh
from .libraries import need
from .soup import Paint, Soup, doubled_areas

_CREASE_COS = np.cos(np.radians(40.0))
"""Edges that bend by more stay sharp where the file has no normals of its own."""
_LEAST_FACING = 0.05
_PALETTE = 16
"""Colours along each side of a palette."""
_CELL_PX = 8


def surfaces(soup: Soup) -> tuple[tuple[Mesh, Paint], ...]:
    """A mesh and what it wears for every material that has triangles."""
    soup = dataclasses.replace(soup, normals=_normals(soup), uvs=_coordinates(soup))
    return tuple(
        (_mesh(soup.take(soup.paint == number)), soup.paints[number]) for number in np.unique(soup.paint).tolist()
    )


def colored(soup: Soup) -> Soup:
    """Colours of vertices or faces become a texture with a patch for each of (at most) 256 colours."""
    rows = np.isfinite(soup.colors).all(1)
    rows &= np.array([paint.image is None for paint in soup.paints])[soup.paint]
    if not rows.any():
        return soup
    return _on_palette(soup, rows, soup.colors[rows], Paint("vertex colours"))


def capped(soup: Soup, most: int) -> tuple[Soup, int]:
    """At most ``most`` materials, and how many there were; those of the least area share a texture of plain colours."""
    area = np.bincount(soup.paint, doubled_areas(soup.corners)[0], minlength=len(soup.paints))
    present = np.flatnonzero(np.bincount(soup.paint, minlength=len(soup.paints)))
    if len(present) <= most:
        return soup, len(present)
    rest = present[np.argsort(-area[present], kind="stable")][most - 1 :]
    rows = np.isin(soup.paint, rest)
    colors = np.array([paint.color or (0.5, 0.5, 0.5) for paint in soup.paints])[soup.paint[rows]]
    heaviest = soup.paints[int(rest[0])]
    shared = Paint("other materials", roughness=heaviest.roughness, metallic=heaviest.metallic)
    return _on_palette(soup, rows, colors, shared), len(present)


def _on_palette(soup: Soup, rows: np.ndarray, colors: np.ndarray, paint: Paint) -> Soup:
    """The triangles of ``rows`` (bool [F]) in plain ``colors`` [rows, 3] of a common texture."""
    palette, place = _quantised(np.clip(colors, 0.0, 1.0))
    count = _PALETTE * _PALETTE
    cells = np.resize(palette, (count, 3)).reshape(_PALETTE, _PALETTE, 3)
    image = np.kron(np.rint(cells * 255.0), np.ones((_CELL_PX, _CELL_PX, 1))).astype(np.uint8)
    column, row = place % _PALETTE, place // _PALETTE
    # In the middle of a patch; the image's rows run from the top, texture coordinates from the bottom.
    middle = np.stack([(column + 0.5) / _PALETTE, 1.0 - (row + 0.5) / _PALETTE], 1)
    uvs, paints, numbers = soup.uvs.copy(), (*soup.paints, None), soup.paint.copy()
    uvs[rows] = middle[:, None]
    numbers[rows] = len(soup.paints)
    red, green, blue = np.clip(colors, 0.0, 1.0).mean(0).tolist()
    made = dataclasses.replace(paint, color=(red, green, blue), image=image)
    return dataclasses.replace(soup, uvs=uvs, paint=numbers, paints=(*paints[:-1], made))


def _quantised(colors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """At most 256 colours [K, 3] that stand for ``colors`` [N, 3], and which one stands for each [N]."""
    exact, place = np.unique(np.rint(colors * 255.0), axis=0, return_inverse=True)
    if len(exact) <= _PALETTE**2:
        return exact / 255.0, place.ravel()
    cv2.setRNGSeed(0)
    criteria = (cv2.TERM_CRITERIA_EPS + cv2.TERM_CRITERIA_MAX_ITER, 12, 0.5)
    _, label, centres = cv2.kmeans(exact.astype(np.float32), _PALETTE**2, None, criteria, 1, cv2.KMEANS_PP_CENTERS)
    return centres.astype(float) / 255.0, label.ravel()[place.ravel()]


def _normals(soup: Soup) -> np.ndarray:
    """Unit normals at the corners [F, 3, 3]: the file's, or smooth ones; none looks away from its triangle's front."""
    area, flat = doubled_areas(soup.corners)
    length = np.linalg.norm(soup.normals, axis=-1)
    given = np.isfinite(length) & (length > 1e-6)
    normals = soup.normals / np.where(given, length, 1.0)[..., None]
    if not given.all():
        normals = np.where(given[..., None], normals, _smooth(soup.faces, area, flat))
    away = (normals * flat[:, None]).sum(-1) < _LEAST_FACING
    return np.where(away[..., None], flat[:, None], normals)


def _smooth(faces: np.ndarray, area: np.ndarray, flat: np.ndarray) -> np.ndarray:
    """Normals at the corners [F, 3, 3]: of all triangles around a vertex that bend little from this one, by area."""
    sparse = need("scipy.sparse")
    count, corners = len(faces), faces.size
    owner = np.repeat(np.arange(count), 3)
    at = sparse.csr_matrix((np.ones(corners), (np.arange(corners), faces.ravel())))
    around = sparse.csr_matrix((np.ones(corners), (faces.ravel(), owner)), shape=(at.shape[1], count))
    pairs = (at @ around).tocoo()
    near = (flat[owner[pairs.row]] * flat[pairs.col]).sum(1) > _CREASE_COS
    row, column = pairs.row[near], pairs.col[near]
    weighted = flat[column] * area[column, None]
    total = np.stack([np.bincount(row, weighted[:, axis], minlength=corners) for axis in range(3)], 1)
    total /= np.maximum(np.linalg.norm(total, axis=1), 1e-300)[:, None]
    return total.reshape(count, 3, 3)


def _coordinates(soup: Soup) -> np.ndarray:
    """Texture coordinates at the corners [F, 3, 2]: the file's, or where it has none, a projection.

    Projected along the axis that a triangle faces most: the tile is as long as the longest side of the object.
    """
    missing = ~np.isfinite(soup.uvs).all((1, 2))
    if not missing.any():
        return soup.uvs
    corners = soup.corners[missing]
    _, flat = doubled_areas(corners)
    axis = np.abs(flat).argmax(1)
    sign = np.sign(flat[np.arange(len(axis)), axis])
    # What is to the right and above as seen from outside, with z up on the sides.
    right, above = np.array([1, 0, 0])[axis], np.array([2, 2, 1])[axis]
    turn = np.where(axis == 1, -sign, sign)
    u = np.take_along_axis(corners, right[:, None, None], 2)[..., 0] * turn[:, None]
    v = np.take_along_axis(corners, above[:, None, None], 2)[..., 0]
    made = soup.uvs.copy()
    made[missing] = np.stack([u, v], -1) + 0.5
    return made


def _mesh(soup: Soup) -> Mesh:
    """A mesh whose vertices are the different corners of the triangles; v runs downwards, as images are stored."""
    grouping = need("trimesh.grouping")
    corner = np.concatenate([soup.faces[..., None], np.rint(soup.normals * 2e3), np.rint(soup.uvs * 1e5)], 2)
    unique, inverse = grouping.unique_rows(corner.reshape(-1, 6).astype(np.int64))
    uvs = soup.uvs.reshape(-1, 2)[unique] * (1.0, -1.0) + (0.0, 1.0)
    return Mesh(soup.corners.reshape(-1, 3)[unique], soup.normals.reshape(-1, 3)[unique], uvs, inverse.reshape(-1, 3))
