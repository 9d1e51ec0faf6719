"""A mesh on its way into the world: triangles with everything else kept at their corners.

Files say what belongs to a corner (texture coordinates, normals) in many ways, and welding, decimation and
mending change which vertices there are. With one value per corner all of that is picking rows.
"""

from __future__ import annotations

import dataclasses

import numpy as np


@dataclasses.dataclass(frozen=True, eq=False)
class Paint:
    """How a material of the file looks.

    ``color`` is sRGB in 0..1, None where the file says nothing; ``image`` uint8 RGB [H, W, 3], rows from the top.
    ``roughness``, ``metallic`` and ``alpha`` are those of glTF 2.0, in 0..1.
    """

    name: str
    color: tuple[float, float, float] | None = None
    image: np.ndarray | None = None
    roughness: float = 0.7
    metallic: float = 0.0
    alpha: float = 1.0


@dataclasses.dataclass(frozen=True, eq=False)
class Soup:
    """Triangles, right-handed, z up.

    ``vertices`` float64 [V, 3], ``faces`` int64 [F, 3], ``paint`` int64 [F] (an index into ``paints``).
    At the corners: ``uvs`` float64 [F, 3, 2] (origin at the image's lower left) and ``normals`` float64 [F, 3, 3],
    NaN where the file has none. ``colors`` float64 [F, 3] are the faces' own sRGB colours, NaN where there are none.
    """

    vertices: np.ndarray
    faces: np.ndarray
    paint: np.ndarray
    uvs: np.ndarray
    normals: np.ndarray
    colors: np.ndarray
    paints: tuple[Paint, ...]

    @property
    def corners(self) -> np.ndarray:
        """Where the corners are, float64 [F, 3, 3]."""
        return self.vertices[self.faces]

    @property
    def extents(self) -> np.ndarray:
        """The bounding box's sides, float64 [3]."""
        return np.ptp(self.vertices[np.unique(self.faces)], axis=0)

    def take(self, rows: np.ndarray) -> Soup:
        """The triangles of ``rows`` (indices, or bool [F]) alone."""
        chosen = {name: getattr(self, name)[rows] for name in ("faces", "paint", "uvs", "normals", "colors")}
        return dataclasses.replace(self, **chosen)

    def turned_over(self, rows: np.ndarray) -> Soup:
        """The same with the triangles of ``rows`` (bool [F]) facing the other way, normals and all."""
        made = {name: getattr(self, name).copy() for name in ("faces", "uvs", "normals")}
        for values in made.values():
            values[rows] = values[rows][:, ::-1]
        made["normals"][rows] *= -1.0
        return dataclasses.replace(self, **made)


def joined(first: Soup, second: Soup) -> Soup:
    """Two sets of triangles over the same vertices and paints."""
    names = ("faces", "paint", "uvs", "normals", "colors")
    both = {name: np.concatenate([getattr(first, name), getattr(second, name)]) for name in names}
    return dataclasses.replace(first, **both)


def doubled_areas(corners: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Twice the areas [F] of triangles with ``corners`` [F, 3, 3], and their unit normals [F, 3] (0 without area)."""
    cross = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    size = np.linalg.norm(cross, axis=1)
    return size, cross / np.maximum(size, 1e-300)[:, None]
