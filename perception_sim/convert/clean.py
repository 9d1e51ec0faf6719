"""Mends what meshes from elsewhere come with: unwelded corners, slivers, triangles that face the wrong way, shells."""

from __future__ import annotations

import dataclasses

import numpy as np

from perception_common.errors import UserError

from .libraries import need
from .soup import Soup, doubled_areas, joined

_WELD_DIGITS = 6
"""Corners nearer to each other than a millionth of the longest side are one."""
_LEAST_AREA = 1e-10
"""Twice the least area of a triangle, over the longest side squared."""


def centred(soup: Soup) -> tuple[Soup, float]:
    """The mesh about the middle of its bounding box, its longest side 1; and how long that was.

    Raises:
        UserError: all its corners are in one place.

    """
    points = soup.vertices[np.unique(soup.faces)]
    low, high = points.min(0), points.max(0)
    longest = float((high - low).max())
    # Far from the origin, coordinates of single precision no longer tell the corners apart.
    if longest <= 1e-7 * float(np.abs(points).max()) or longest <= 0.0:
        raise UserError("the mesh has no size: its corners are all in one place", fix="check the file in a viewer")
    return dataclasses.replace(soup, vertices=(soup.vertices - (low + high) / 2.0) / longest), longest


def welded(soup: Soup) -> Soup:
    """Corners in one place become one vertex; triangles that have no area then, or come twice, are dropped."""
    grouping = need("trimesh.grouping")
    used = np.unique(soup.faces)
    unique, inverse = grouping.unique_rows(soup.vertices[used], digits=_WELD_DIGITS)
    place = np.zeros(len(soup.vertices), np.int64)
    place[used] = inverse
    soup = dataclasses.replace(soup, vertices=soup.vertices[used][unique], faces=place[soup.faces])
    soup = soup.take(doubled_areas(soup.corners)[0] > _LEAST_AREA)
    if not len(soup.faces):
        raise UserError("the mesh has no surface: all its triangles are without area", fix="check it in a viewer")
    # Twice the same triangle with the same winding is one; the other way round it is the back of a thin sheet.
    start = soup.faces.argmin(1)
    rolled = np.take_along_axis(soup.faces, (start[:, None] + np.arange(3)) % 3, 1)
    return soup.take(np.sort(np.unique(rolled, axis=0, return_index=True)[1]))


def facing_out(soup: Soup) -> Soup:
    """Neighbouring triangles face the same way, and closed bodies outwards (by the sign of their volume).

    What is open keeps the side that most of its area showed.
    """
    label, flip = _consistent(soup)
    soup = soup.turned_over(flip)
    closed = ~open_parts(soup, label)
    corners = soup.corners
    volume = np.bincount(label, np.linalg.det(corners) / 6.0)
    inside = np.array([closed[part] and volume[part] < 0.0 for part in range(len(volume))])
    if inside.any() and not inside.all():
        inside &= ~_cavities(corners, label, closed & (volume > 0.0))
    return soup.turned_over(inside[label])


def two_sided(soup: Soup) -> Soup:
    """Open shells, of which one side would be invisible, get a back."""
    label, _ = _consistent(soup)
    back = soup.take(open_parts(soup, label)[label])
    return joined(soup, back.turned_over(np.ones(len(back.faces), bool))) if len(back.faces) else soup


def open_share(soup: Soup) -> float:
    """The share of the triangles that belong to open shells, 0..1."""
    label, _ = _consistent(soup)
    return float(open_parts(soup, label)[label].mean())


def open_parts(soup: Soup, label: np.ndarray) -> np.ndarray:
    """Which of the connected parts (``label`` [F]) have an edge that is not shared by two triangles, bool [parts]."""
    edges = np.sort(_edges(soup.faces), axis=1)
    _, inverse, count = np.unique(edges, axis=0, return_inverse=True, return_counts=True)
    bare = count[inverse.ravel()] != 2
    return np.bincount(np.repeat(label, 3), bare, minlength=int(label.max()) + 1) > 0


def _edges(faces: np.ndarray) -> np.ndarray:
    """The directed edges of triangles, [3F, 2], three for each in turn."""
    return faces[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2)


def _consistent(soup: Soup) -> tuple[np.ndarray, np.ndarray]:
    """The connected part [F] of every triangle, and which triangles [F] to turn over so that neighbours agree.

    Every triangle is two nodes, as it is and turned over; neighbours link the nodes that agree. The component
    that a node belongs to is then one way to orient a whole part, and its twin the other (in a Möbius strip
    they are one). Of the two, the one that turns less area over is taken.
    """
    sparse, csgraph = need("scipy.sparse"), need("scipy.sparse.csgraph")
    count = len(soup.faces)
    first, second, same_way = _neighbours(soup.faces)
    # Two triangles agree when they run along their common edge in opposite directions.
    rows = np.concatenate([first, first + count])
    columns = np.concatenate([second + count * same_way, second + count * ~same_way])
    graph = sparse.coo_matrix((np.ones(len(rows), bool), (rows, columns)), shape=(2 * count, 2 * count))
    _, side = csgraph.connected_components(graph, directed=False)
    as_is, turned = side[:count], side[count:]
    label = np.unique(np.minimum(as_is, turned), return_inverse=True)[1].ravel()
    area = doubled_areas(soup.corners)[0]
    chosen = as_is == np.minimum(as_is, turned)
    twin = np.bincount(label, np.where(chosen, 0.0, area)) > np.bincount(label, np.where(chosen, area, 0.0))
    return label, (chosen == twin[label]) & (as_is != turned)


def _neighbours(faces: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Pairs of triangles that alone share an edge, and whether both run along it in the same direction."""
    grouping = need("trimesh.grouping")
    edges = _edges(faces)
    pairs = grouping.group_rows(np.sort(edges, axis=1), require_count=2)
    first, second = pairs[:, 0], pairs[:, 1]
    return first // 3, second // 3, edges[first, 0] == edges[second, 0]


def _cavities(corners: np.ndarray, label: np.ndarray, solid: np.ndarray) -> np.ndarray:
    """Which parts lie within the bounding box of a ``solid`` [parts] one: their inside is meant to be outside."""
    count = len(solid)
    low, high = np.full((count, 3), np.inf), np.full((count, 3), -np.inf)
    np.minimum.at(low, label, corners.min(1))
    np.maximum.at(high, label, corners.max(1))
    within = (low[:, None] > low[None]).all(-1) & (high[:, None] < high[None]).all(-1)
    return (within & solid[None]).any(1)
