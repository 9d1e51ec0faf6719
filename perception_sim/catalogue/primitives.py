"""Simple shapes that differ in form alone: they have no typical look, a preset draws their colours.

Each shape samples its proportions for a nominal ``size`` in metres.
"""

from __future__ import annotations

import dataclasses

import numpy as np

from .. import shapes
from ..shapes import Solid
from ..shapes import mesh as meshes
from .kinds import Kind


@dataclasses.dataclass(frozen=True)
class Box:
    """A rectangular box, no side much thinner than the others."""

    half: tuple[float, float, float]

    @classmethod
    def sample(cls, size: float, rng: np.random.Generator) -> Box:
        """Draw one of a nominal ``size`` in metres."""
        x, y, z = (size * 0.45 * rng.uniform(0.62, 1.0, 3)).tolist()
        return cls((x, y, z))

    def build(self) -> Solid:
        """Make its surfaces and colliders."""
        return shapes.solid([meshes.box(self.half)], [shapes.block(self.half)])


@dataclasses.dataclass(frozen=True)
class Cone:
    """A cone with a slightly blunt tip."""

    radius: float
    height: float

    @classmethod
    def sample(cls, size: float, rng: np.random.Generator) -> Cone:
        """Draw one of a nominal ``size`` in metres."""
        return cls(size * rng.uniform(0.38, 0.48), size * rng.uniform(0.9, 1.25))

    def build(self) -> Solid:
        """Make its surfaces and colliders."""
        tip = 0.06 * self.radius
        profile = [(0.0, 0.0), (self.radius, 0.0), (tip, self.height), (0.0, self.height)]
        surface = meshes.lathe(profile, 24)
        return shapes.solid([surface], [shapes.hull(surface)])


@dataclasses.dataclass(frozen=True)
class Ring:
    """A torus."""

    radius: float
    tube: float

    @classmethod
    def sample(cls, size: float, rng: np.random.Generator) -> Ring:
        """Draw one of a nominal ``size`` in metres."""
        radius = size * rng.uniform(0.4, 0.5)
        return cls(radius, radius * rng.uniform(0.2, 0.32))

    def build(self) -> Solid:
        """Make its surfaces and colliders."""
        angle = np.linspace(0, 2 * np.pi, 28, endpoint=False)
        path = self.radius * np.stack([np.cos(angle), np.sin(angle), 0 * angle], 1)
        return shapes.solid(
            [meshes.tube(path, self.tube, 12, closed=True)], shapes.rods(path[::2], self.tube, closed=True)
        )


KINDS: dict[str, Kind] = {
    "box": Kind(Box.sample, (0.05, 0.5), also=("carton",)),
    "cone": Kind(Cone.sample, (0.05, 0.6), also=("traffic_cone",)),
    "ring": Kind(Ring.sample, (0.05, 0.3)),
}
