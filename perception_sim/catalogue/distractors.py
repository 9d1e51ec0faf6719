"""Objects of no class: shapes that none of the classes could be taken for."""

from __future__ import annotations

import dataclasses

import numpy as np

from .. import shapes
from ..shapes import Solid
from ..shapes import mesh as meshes
from .kinds import Kind


@dataclasses.dataclass(frozen=True)
class Star:
    """A star-shaped slab."""

    points: int
    outer: float
    inner: float
    height: float

    @classmethod
    def sample(cls, size: float, rng: np.random.Generator) -> Star:
        """Draw one of a nominal ``size`` in metres."""
        outer = size * rng.uniform(0.45, 0.6)
        return cls(int(rng.integers(4, 7)), outer, outer * rng.uniform(0.35, 0.5), size * rng.uniform(0.2, 0.35))

    def build(self) -> Solid:
        """Make its surfaces and colliders."""
        angle = np.arange(2 * self.points) * np.pi / self.points
        reach = np.where(np.arange(2 * self.points) % 2 == 0, self.outer, self.inner)
        surface = meshes.prism(np.stack([reach * np.cos(angle), reach * np.sin(angle)], 1), self.height)
        rays = []
        for a in angle[::2]:
            turn = np.array([[np.cos(a), -np.sin(a), 0], [np.sin(a), np.cos(a), 0], [0, 0, 1.0]])
            half = (self.outer * 0.42, self.inner * 0.35, self.height / 2)
            rays.append(shapes.block(half, turn @ np.array([self.outer * 0.42, 0, 0]), turn))
        return shapes.solid([surface], rays)


@dataclasses.dataclass(frozen=True)
class Beams:
    """Boxes joined into a bracket, a cross or stairs: centres and half sizes, in metres."""

    centres: tuple[tuple[float, float, float], ...]
    halves: tuple[tuple[float, float, float], ...]

    @classmethod
    def bracket(cls, size: float, rng: np.random.Generator) -> Beams:
        """Draw one of a nominal ``size`` in metres."""
        a, b = size * rng.uniform(0.4, 0.55, 2)
        t, w = size * rng.uniform(0.07, 0.11), size * rng.uniform(0.15, 0.3)
        return cls(((a, 0.0, t), (t, 0.0, b)), ((a, w, t), (t, 0.98 * w, b)))

    @classmethod
    def cross(cls, size: float, rng: np.random.Generator) -> Beams:
        """Draw one of a nominal ``size`` in metres."""
        a, t, h = size * rng.uniform(0.42, 0.55), size * rng.uniform(0.09, 0.14), size * rng.uniform(0.1, 0.16)
        return cls(((0.0, 0.0, 0.0), (0.0, 0.0, 0.0)), ((a, t, h), (t, a * rng.uniform(0.7, 1.0), 0.97 * h)))

    @classmethod
    def stairs(cls, size: float, rng: np.random.Generator) -> Beams:
        """Draw one of a nominal ``size`` in metres."""
        step, w = size * rng.uniform(0.13, 0.17), size * rng.uniform(0.2, 0.35)
        centres = tuple((step * (2 * i - 2), 0.0, step * (i + 1) * 0.9) for i in range(3))
        return cls(centres, tuple((step, w, step * (i + 1) * 0.9) for i in range(3)))

    def build(self) -> Solid:
        """Make its surfaces and colliders."""
        surface = meshes.merge(
            [meshes.box(half).moved(centre) for centre, half in zip(self.centres, self.halves, strict=True)]
        )
        return shapes.solid(
            [surface], [shapes.block(half, centre) for centre, half in zip(self.centres, self.halves, strict=True)]
        )


@dataclasses.dataclass(frozen=True)
class Jack:
    """Three thin rods crossing at right angles."""

    reach: tuple[float, float, float]
    radius: float

    @classmethod
    def sample(cls, size: float, rng: np.random.Generator) -> Jack:
        """Draw one of a nominal ``size`` in metres."""
        x, y, z = (size * rng.uniform(0.35, 0.55, 3)).tolist()
        return cls((x, y, z), size * rng.uniform(0.05, 0.08))

    def build(self) -> Solid:
        """Make its surfaces and colliders."""
        ends = np.diag(self.reach)
        surface = meshes.merge([meshes.capsule(-end, end, self.radius, 10) for end in ends])
        return shapes.solid([surface], [shapes.rod(-end, end, self.radius) for end in ends])


@dataclasses.dataclass(frozen=True)
class Rock:
    """A flat-faced lump, irregular enough to be neither ball nor box."""

    radii: tuple[float, float, float]
    seed: int

    @classmethod
    def sample(cls, size: float, rng: np.random.Generator) -> Rock:
        """Draw one of a nominal ``size`` in metres."""
        x, y, z = (size * rng.uniform(0.25, 0.55, 3)).tolist()
        return cls((x, y, z), int(rng.integers(1 << 31)))

    def build(self) -> Solid:
        """Make its surfaces and colliders."""
        rng = np.random.default_rng(self.seed)
        lump = meshes.sphere(1.0, 7, 5)
        # A planar cut flattens whatever sticks out beyond it; the same for coincident vertices, so it stays closed.
        points = lump.vertices
        for direction in rng.normal(size=(7, 3)):
            normal = direction / np.linalg.norm(direction)
            depth = points @ normal
            points = points - np.outer(np.maximum(depth - rng.uniform(0.45, 0.8), 0.0), normal)
        lump = dataclasses.replace(lump, vertices=points * np.asarray(self.radii)).flat()
        return shapes.solid([lump], [shapes.hull(lump)])


@dataclasses.dataclass(frozen=True)
class Spring:
    """A coil of wire."""

    radius: float
    wire: float
    height: float
    turns: float

    @classmethod
    def sample(cls, size: float, rng: np.random.Generator) -> Spring:
        """Draw one of a nominal ``size`` in metres."""
        radius = size * rng.uniform(0.18, 0.26)
        return cls(radius, radius * rng.uniform(0.13, 0.2), size * rng.uniform(0.6, 0.9), rng.uniform(4.0, 6.0))

    def build(self) -> Solid:
        """Make its surfaces and colliders."""
        t = np.linspace(0, 1, int(14 * self.turns))
        angle = 2 * np.pi * self.turns * t
        path = np.stack([self.radius * np.cos(angle), self.radius * np.sin(angle), self.height * t], 1)
        radii = np.full(len(t), self.wire)
        radii[[0, -1]] = 1e-4
        outer = self.radius + self.wire
        return shapes.solid([meshes.tube(path, radii, 8)], [shapes.drum(outer, -self.wire, self.height + self.wire)])


_SIZES = (0.05, 0.5)

DISTRACTORS: dict[str, Kind] = {
    "bracket": Kind(Beams.bracket, _SIZES),
    "cross": Kind(Beams.cross, _SIZES),
    "jack": Kind(Jack.sample, _SIZES),
    "rock": Kind(Rock.sample, _SIZES),
    "spring": Kind(Spring.sample, _SIZES),
    "stairs": Kind(Beams.stairs, _SIZES),
    "star": Kind(Star.sample, _SIZES),
}
"""Every abstract distractor, by its name."""
