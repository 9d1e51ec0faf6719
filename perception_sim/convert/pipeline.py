"""From a file of triangles to surfaces and colliders: read, mended, thinned out, decomposed, dressed."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import numpy as np

from ..shapes.mesh import Mesh
from . import clean, hulls, simplify, source, surface
from .soup import Paint, Soup

Tell = Callable[[str], None]


@dataclasses.dataclass(frozen=True)
class Limits:
    """How fine the result may be: triangles, materials (surfaces) and convex pieces at most.

    ``concavity`` is how far a convex piece may bridge a hollow, over the longest side.
    """

    triangles: int = 10_000
    materials: int = 8
    hulls: int = 16
    concavity: float = 0.04


@dataclasses.dataclass(frozen=True, eq=False)
class Converted:
    """A mesh about the middle of its bounding box, longest side 1, z up.

    ``surfaces`` are meshes and what they wear; ``pieces`` the corners float64 [P, 3] of the convex colliders.
    ``longest`` is the longest side in the unit of the file, ``source_triangles`` how many triangles that had.
    """

    surfaces: tuple[tuple[Mesh, Paint], ...]
    pieces: tuple[np.ndarray, ...]
    longest: float
    source_triangles: int

    @property
    def extents(self) -> tuple[float, float, float]:
        """The sides of the bounding box, of which the longest is 1."""
        points = np.concatenate([mesh.vertices for mesh, _ in self.surfaces])
        x, y, z = np.ptp(points, axis=0).tolist()
        return x, y, z

    @property
    def triangles(self) -> int:
        """How many triangles all surfaces have."""
        return sum(len(mesh.faces) for mesh, _ in self.surfaces)


def read_centred(path: Path, up: str, warn: Tell) -> tuple[Soup, float]:
    """A file's triangles about the middle, longest side 1, and how long that is in the file's unit.

    Raises:
        UserError: see `source.read` and `clean.centred`.

    """
    return clean.centred(source.read(path, up, warn))


def convert(soup: Soup, longest: float, limits: Limits, tell: Tell, warn: Tell) -> Converted:
    """Mend, thin out and decompose what `read_centred` returned; ``tell`` hears of what takes long.

    Raises:
        UserError: the mesh has no surface, or a library is missing.

    """
    count = len(soup.faces)
    tell(f"mending {count:,} triangles")
    body = clean.facing_out(clean.welded(soup))
    body = _thinned(body, limits.triangles, tell)
    tell(f"looking for at most {limits.hulls} convex pieces")
    pieces = hulls.convex_pieces(body.vertices, body.faces, limits.hulls, limits.concavity, warn)
    dressed, materials = surface.capped(surface.colored(body), limits.materials)
    if materials > limits.materials:
        warn(f"{materials} materials: the {materials - limits.materials + 1} smallest became one of plain colours")
    made = surface.surfaces(clean.two_sided(dressed))
    return Converted(made, pieces, longest, count)


def _thinned(soup: Soup, most: int, tell: Tell) -> Soup:
    """The mesh with so few triangles that there are at most ``most`` of them when its open shells have got a back."""
    for _ in range(3):
        allowed = int(most / (1.0 + clean.open_share(soup)))
        if len(soup.faces) <= allowed:
            break
        tell(f"decimating {len(soup.faces):,} triangles to {allowed:,}")
        soup = clean.facing_out(clean.welded(simplify.decimated(soup, allowed)))
    return soup
