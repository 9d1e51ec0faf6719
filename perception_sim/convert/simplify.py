"""Fewer triangles: quadric decimation (Garland and Heckbert 1997, by fast-simplification) that keeps the looks.

Decimation knows positions alone. Everything else is fetched from the original surface afterwards: a new
triangle takes the material of the original one nearest to it, and its corners what lies nearest to them on
the same patch of texture, so that nothing is smeared across the seams of a texture atlas.
"""

from __future__ import annotations

import dataclasses

import numpy as np

from .libraries import need
from .soup import Soup, doubled_areas

_NEAR, _OPPOSITE = 12, 0.25
"""How many triangles are looked at, and how much farther away (longest sides) one that faces the other way counts."""

_BROKEN = 2.0
"""Texture coordinates that are farther off than that many times the triangle's own size lie across a seam."""


def decimated(soup: Soup, most: int) -> Soup:
    """The mesh with at most ``most`` triangles, or as few as can be had without tearing it."""
    if len(soup.faces) <= most:
        return soup
    simplify = need("fast_simplification").simplify
    points, faces = soup.vertices, soup.faces
    for aggressive in (4.0, 7.0, 10.0, 14.0):
        target = max(1.0 - most / len(faces), 0.0)
        points, faces = simplify(points, faces.astype(np.int32), target, agg=aggressive)
        faces = faces.astype(np.int64)
        if len(faces) <= most:
            break
    return _dressed(soup, np.asarray(points, float), faces)


def _dressed(soup: Soup, points: np.ndarray, faces: np.ndarray) -> Soup:
    """The triangles ``faces`` of ``points`` with what ``soup`` has in their places."""
    corners = points[faces]
    patch = _patches(soup)
    source = _nearest(soup, np.arange(len(soup.faces)), corners.mean(1), doubled_areas(corners)[1])
    at = np.zeros((len(faces), 3), np.int64)
    normals = doubled_areas(corners)[1]
    whole = dict(_groups(patch))
    for number, members in _groups(patch[source]):
        asked = corners[members].reshape(-1, 3)
        at[members] = _nearest(soup, whole[number], asked, np.repeat(normals[members], 3, 0)).reshape(-1, 3)
    share = _barycentric(soup.vertices[soup.faces[at.ravel()]], corners.reshape(-1, 3))
    uvs = (share[..., None] * soup.uvs[at.ravel()]).sum(1).reshape(-1, 3, 2)
    uvs = _unbroken(uvs, soup, source, corners)
    smooth = (share[..., None] * soup.normals[at.ravel()]).sum(1).reshape(-1, 3, 3)
    return dataclasses.replace(
        soup,
        vertices=points,
        faces=faces,
        paint=soup.paint[source],
        uvs=uvs,
        normals=smooth,
        colors=soup.colors[source],
    )


def _unbroken(uvs: np.ndarray, soup: Soup, source: np.ndarray, corners: np.ndarray) -> np.ndarray:
    """Texture coordinates [F, 3, 2] in which no triangle reaches over a seam within a patch (a sphere's from 1 to 0).

    A corner that is far from where the original triangle ``source`` [F] under the middle would put it takes that place.
    """
    origin = soup.vertices[soup.faces[source]]
    share = np.linalg.solve(_frames(origin), (corners - origin[:, :1]).transpose(0, 2, 1)).transpose(0, 2, 1)[..., :2]
    own = soup.uvs[source]
    reached = own[:, :1] + share @ (own[:, 1:] - own[:, :1])
    reach = np.linalg.norm(reached - reached.mean(1, keepdims=True), axis=-1).max(1)
    off = np.linalg.norm(uvs - reached, axis=-1) > np.maximum(_BROKEN * reach, 0.01)[:, None]
    return np.where(off[..., None], reached, uvs)


def _frames(corners: np.ndarray) -> np.ndarray:
    """Two edges and the normal of triangles [F, 3, 3] as the columns of matrices [F, 3, 3]."""
    edges = corners[:, 1:] - corners[:, :1]
    return np.concatenate([edges, doubled_areas(corners)[1][:, None]], 1).transpose(0, 2, 1)


def _groups(values: np.ndarray) -> list[tuple[int, np.ndarray]]:
    """Every value that occurs, and where."""
    order = np.argsort(values, kind="stable")
    unique, starts = np.unique(values[order], return_index=True)
    return list(zip(unique.tolist(), np.split(order, starts[1:]), strict=True))


def _patches(soup: Soup) -> np.ndarray:
    """A number for every triangle [F]: equal for those of one material whose texture coordinates hang together."""
    grouping, graph = need("trimesh.grouping"), need("trimesh.graph")
    known = np.nan_to_num(soup.uvs, nan=0.0)
    rows = np.concatenate(
        [soup.faces[..., None], np.rint(known * 1e5), np.tile(soup.paint[:, None, None], (1, 3, 1))], 2
    )
    _, inverse = grouping.unique_rows(rows.reshape(-1, 4).astype(np.int64))
    corner = inverse.reshape(-1, 3)
    label = graph.connected_component_labels(corner[:, [0, 1, 1, 2]].reshape(-1, 2), node_count=int(corner.max()) + 1)
    return np.asarray(label)[corner[:, 0]]


def _nearest(soup: Soup, among: np.ndarray, points: np.ndarray, facing: np.ndarray) -> np.ndarray:
    """For each of ``points`` [P, 3] the nearest of the triangles ``among`` [N] that faces the same way, [P]."""
    spatial, triangles = need("scipy.spatial"), need("trimesh.triangles")
    corners = soup.vertices[soup.faces[among]]
    near = min(_NEAR, len(among))
    _, found = spatial.cKDTree(corners.mean(1)).query(points, k=near)
    found = np.asarray(found).reshape(len(points), near)
    asked = np.repeat(points, near, 0)
    closest = triangles.closest_point(corners[found.ravel()], asked)
    distance = np.linalg.norm(closest - asked, axis=1).reshape(found.shape)
    turned = (doubled_areas(corners)[1][found] * facing[:, None]).sum(-1) < 0.0
    best = (distance + _OPPOSITE * turned).argmin(1)
    return among[found[np.arange(len(points)), best]]


def _barycentric(corners: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Weights [P, 3] of the corners [P, 3, 3] at the points of the triangles that are nearest to ``points`` [P, 3]."""
    triangles = need("trimesh.triangles")
    closest = triangles.closest_point(corners, points)
    share = np.asarray(triangles.points_to_barycentric(corners, closest))
    # Slivers have no certain weights: their first corner stands for them.
    share[~np.isfinite(share).all(1)] = (1.0, 0.0, 0.0)
    share = np.clip(share, 0.0, 1.0)
    return share / share.sum(1, keepdims=True)
