"""Things made of plates and bent strips: cutlery, scissors, pliers, wrenches; given by numbers alone."""

from __future__ import annotations

import dataclasses
from itertools import pairwise
from typing import TypeAlias

import numpy as np

from .. import shapes
from ..scene import Point
from . import Collider, Solid, forms
from . import mesh as meshes
from .mesh import Mesh

_ROUND = 12


def round_ended(path: np.ndarray, radii: np.ndarray, sections: int) -> Mesh:
    """A tube along ``path`` [P, 3] as `mesh.tube` makes it, with round ends: P + 4 rings."""
    first, last = path[0] - path[1], path[-1] - path[-2]
    first, last = (0.6 * r * way / np.linalg.norm(way) for r, way in ((radii[0], first), (radii[-1], last)))
    ends = [path[0] + first, path[0] + 0.7 * first], [path[-1] + 0.7 * last, path[-1] + last]
    whole = np.concatenate([ends[0], path, ends[1]])
    return meshes.tube(whole, np.r_[1e-6, 0.7 * radii[0], radii, 0.7 * radii[-1], 1e-6], sections)


@dataclasses.dataclass(frozen=True)
class Strip:
    """A strip along ``path`` (metres; x rises), half as wide (along y) and thick as ``widths`` and ``depths`` say.

    ``dishes`` hollow it from above by so much in its middle. There is one at each of the ``places`` along y.
    """

    path: tuple[Point, ...]
    widths: tuple[float, ...]
    depths: tuple[float, ...]
    dishes: tuple[float, ...]
    places: tuple[float, ...] = (0.0,)

    def rings(self) -> np.ndarray:
        """Its cross-sections [P, 12, 3]."""
        angle = np.arange(_ROUND) * 2.0 * np.pi / _ROUND
        path, dish = np.array(self.path), np.array(self.dishes)[:, None]
        wide, thick = np.array(self.widths)[:, None], np.array(self.depths)[:, None]
        # Both faces run out at the ends.
        thick[[0, -1]] *= 0.1
        across, up = np.cos(angle)[None], np.sin(angle)[None]
        # Flatter than an ellipse: cutlery is stamped from sheet.
        rise = np.sign(up) * np.abs(up) ** 0.6
        y, z = path[:, 1:2] + wide * across, path[:, 2:] + thick * rise - dish * (1.0 - across**2)
        return np.stack([np.broadcast_to(path[:, :1], y.shape), y, z], -1)

    def mesh(self) -> Mesh:
        """Its surface: an upper and a lower face that meet in an edge."""
        rings = np.concatenate([self.rings(), self.rings()[:, :1]], 1)
        half = _ROUND // 2
        faces = [forms.skin(rings[:, : half + 1], close=False), forms.skin(rings[:, half:], close=False)]
        return meshes.merge([face.moved((0.0, y, 0.0)) for y in self.places for face in faces])

    def colliders(self) -> list[Collider]:
        """Hulls of its thirds, or one for each of several."""
        rings = self.rings()
        cuts = np.unique(np.linspace(0, len(rings) - 1, 4 if len(self.places) == 1 else 2).round().astype(int))
        pieces = [rings[a : b + 1] for a, b in pairwise(cuts)]
        return [shapes.hull(forms.cloud(piece + np.array([0.0, y, 0.0]))) for y in self.places for piece in pieces]


@dataclasses.dataclass(frozen=True)
class Plate:
    """A lying plate: a convex ``outline`` (x, y; counter-clockwise; metres) from z = ``low`` to ``high``."""

    outline: tuple[tuple[float, float], ...]
    low: float
    high: float
    bevel: float = 0.0

    def mesh(self) -> Mesh:
        """Its surface."""
        points = np.array(self.outline)
        middle = points.mean(0)
        return forms.slab(points - middle, self.low, self.high, self.bevel).moved((*middle, 0.0))

    def colliders(self) -> list[Collider]:
        """Its hull."""
        points = np.array(self.outline)
        return [shapes.hull(forms.cloud([forms.ring(points, z) for z in (self.low, self.high)]))]


@dataclasses.dataclass(frozen=True)
class Tube:
    """A round bar along ``path`` (metres), closed to a ring or with round ends; ``squash`` flattens it along z."""

    path: tuple[Point, ...]
    radii: tuple[float, ...]
    closed: bool = False
    squash: float = 1.0

    def mesh(self) -> Mesh:
        """Its surface."""
        path, radii = np.array(self.path), np.array(self.radii)
        tube = meshes.tube(path, radii, 9, True) if self.closed else round_ended(path, radii, 9)
        if self.squash == 1.0:
            return tube
        level = float(path[:, 2].mean())
        flat = forms.scaled(tube.moved((0.0, 0.0, -level)), (1.0, 1.0, self.squash))
        return flat.moved((0.0, 0.0, level))

    def colliders(self) -> list[Collider]:
        """Capsules, as thick as it is high."""
        path, radii = np.array(self.path), np.array(self.radii) * self.squash
        step = max(1, len(path) // 8)
        if not self.closed and (len(path) - 1) % step:
            step = 1
        return shapes.rods(path[::step], radii[::step], self.closed)


Part: TypeAlias = Strip | Plate | Tube


@dataclasses.dataclass(frozen=True)
class Flatware:
    """Surfaces of parts, lying on z = 0 or so; ``style`` is for whoever dresses it."""

    surfaces: tuple[tuple[Part, ...], ...]
    style: str

    def build(self) -> Solid:
        """Make its surfaces and colliders."""
        made = [meshes.merge([part.mesh() for part in parts]) for parts in self.surfaces]
        return shapes.solid(made, [c for parts in self.surfaces for part in parts for c in part.colliders()])
