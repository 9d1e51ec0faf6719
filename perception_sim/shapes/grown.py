"""Bodies that grew: turned, then lumpy, wrinkled, ribbed, pressed and bent, with a stalk; given by numbers alone."""

from __future__ import annotations

import dataclasses

import numpy as np

from .. import shapes
from ..scene import Point
from . import Collider, Solid, forms, organic
from . import mesh as meshes
from .flatware import round_ended
from .mesh import Mesh
from .turned import Profile


@dataclasses.dataclass(frozen=True)
class Relief:
    """Lumps (or narrow folds) of ``depth``, a share of the radius; ``along`` and ``around`` are how many there are."""

    depth: float
    along: int
    around: int
    folds: bool = False


@dataclasses.dataclass(frozen=True)
class Stalk:
    """A tube along points in metres with a radius at each; its ends are closed."""

    path: tuple[Point, ...]
    radii: tuple[float, ...]

    def build(self, sections: int = 8) -> Mesh:
        """Its surface."""
        return round_ended(np.array(self.path), np.array(self.radii), sections)


@dataclasses.dataclass(frozen=True)
class Grown:
    """A closed body turned about z: ``profile`` holds (radius, z) in metres from the lower pole to the upper one.

    ``ribs`` are their number and depth (a share of the radius); ``pressed`` widens one direction across by that
    share and narrows the other; ``furrow`` is the depth of a groove from pole to pole and ``flat`` cuts off that share
    of the radius beside it (both on the side of +x); ``stretch`` scales x and y; ``bend`` is in 1 / metre.
    ``stalks`` and turned ``parts`` are the second surface, where there are any. ``lying`` ones are
    laid on their side: so they rest by themselves.
    """

    profile: Profile
    reliefs: tuple[Relief, ...]
    seed: int
    ribs: tuple[int, float] = (0, 0.0)
    pressed: float = 0.0
    furrow: float = 0.0
    flat: float = 0.0
    stretch: tuple[float, float] = (1.0, 1.0)
    bend: float = 0.0
    stalks: tuple[Stalk, ...] = ()
    parts: tuple[Profile, ...] = ()
    segments: int = 24
    lying: bool = True
    style: str = ""

    def build(self) -> Solid:
        """Make its surfaces and colliders."""
        rng = np.random.default_rng(self.seed)
        radius, z = np.array(self.profile).T
        skin = organic.body(np.maximum(radius, 0.0), z, self.segments, self._relief(rng, len(z)))
        others = [stalk.build() for stalk in self.stalks]
        others += [meshes.lathe(part, 14) for part in self.parts]
        surfaces = [skin, meshes.merge(others)] if others else [skin]
        if self.stretch != (1.0, 1.0):
            surfaces = [forms.scaled(surface, (*self.stretch, 1.0)) for surface in surfaces]
        if self.bend:
            surfaces = [organic.bent(surface, self.bend) for surface in surfaces]
        if self.lying:
            down = meshes.rotation_between((0, 0, 1), (0, 1, 0))
            surfaces = [surface.moved(rotation=down) for surface in surfaces]
        return shapes.solid(surfaces, self._colliders(surfaces))

    def _relief(self, rng: np.random.Generator, rings: int) -> np.ndarray:
        angle = np.arange(self.segments) * 2.0 * np.pi / self.segments
        factor = np.ones((rings, self.segments))
        for relief in self.reliefs:
            if relief.folds:
                factor -= relief.depth * organic.creases(rng, rings, self.segments, (relief.along, relief.around))
            else:
                factor += relief.depth * organic.bumps(rng, rings, self.segments, (relief.along, relief.around))
        count, depth = self.ribs
        if count:
            wander = 0.5 * organic.bumps(rng, rings, self.segments, (2, 6)) / max(count / 6.0, 1.0)
            factor -= depth * (1.0 - np.abs(np.sin(0.5 * count * (angle[None] + wander)))) ** 2
        if self.flat:
            factor = np.minimum(
                factor, (1.0 - self.flat) / np.maximum(np.cos(angle), 1e-3)[None] + (np.cos(angle) <= 0.0)
            )
        if self.furrow:
            near = np.minimum(angle, 2.0 * np.pi - angle)
            factor -= self.furrow * np.exp(-np.square(near / 0.3))[None]
        if self.pressed:
            factor *= (1.0 + self.pressed * np.cos(2.0 * (angle + rng.uniform(0.0, np.pi))))[None]
        return factor

    def _colliders(self, surfaces: list[Mesh]) -> list[Collider]:
        rings = len(self.profile)
        grid = surfaces[0].vertices.reshape(rings, self.segments + 1, 3)[:, :-1]
        skip = max(1, self.segments // 10)
        thinned = grid[np.unique(np.linspace(0, rings - 1, min(rings, 10)).round().astype(int)), ::skip]
        colliders = [shapes.hull(forms.cloud(thinned))]
        for stalk, tube in zip(self.stalks, self._tubes(surfaces), strict=True):
            points = tube.mean(1)[2:-2]
            colliders.append(shapes.rod(points[0], points[-1], float(np.mean(stalk.radii))))
        # Cups and the like carry the body; scars and tips are too small to matter.
        widest = max(r for r, _ in self.profile)
        if any(max(r for r, _ in part) > 0.8 * widest for part in self.parts):
            colliders.append(shapes.hull(forms.cloud(surfaces[1].vertices)))
        return colliders

    def _tubes(self, surfaces: list[Mesh]) -> list[np.ndarray]:
        """The rings [R, 8, 3] of the stalks as they lie in the second surface."""
        rings, start = [], 0
        for stalk in self.stalks:
            count = (len(stalk.path) + 4) * 9
            rings.append(surfaces[1].vertices[start : start + count].reshape(-1, 9, 3)[:, :-1])
            start += count
        return rings


def oval(radius: float, low: float, high: float, rings: int, egg: float = 0.0, blunt: float = 1.0) -> Profile:
    """A closed oval: wider below for ``egg`` above 0, with blunter ends for ``blunt`` below 1."""
    t = np.linspace(0.0, 1.0, rings)
    r = radius * np.sin(np.pi * t).clip(0.0) ** blunt * (1.0 + egg * np.cos(np.pi * t))
    z = (low + high) / 2.0 - (high - low) / 2.0 * np.cos(np.pi * t)
    r[[0, -1]] = 0.0
    return tuple((float(a), float(b)) for a, b in zip(r, z, strict=True))
