"""The object classes: parametric shapes of which no two instances are alike.

Classes differ in shape alone: colours and textures come from elsewhere and are drawn from the same
distribution for every class. Each shape samples its proportions for a nominal ``size`` in metres.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np

from . import mesh as meshes
from . import shapes
from .shapes import Shape, Solid


@dataclasses.dataclass(frozen=True)
class Ball:
    """A sphere."""

    radius: float

    @classmethod
    def sample(cls, size: float, rng: np.random.Generator) -> Ball:
        """Draw one of a nominal ``size`` in metres."""
        return cls(size * rng.uniform(0.38, 0.5))

    def build(self) -> Solid:
        """Make its surfaces and colliders."""
        return shapes.solid([meshes.sphere(self.radius)], [shapes.ball(self.radius)])


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
class Can:
    """A drinks can: a cylinder with bevelled ends, a raised rim and a sunken lid."""

    radius: float
    height: float
    bevel: float

    @classmethod
    def sample(cls, size: float, rng: np.random.Generator) -> Can:
        """Draw one of a nominal ``size`` in metres."""
        return cls(size * rng.uniform(0.29, 0.35), size * rng.uniform(0.95, 1.15), rng.uniform(0.1, 0.2))

    def build(self) -> Solid:
        """Make its surfaces and colliders."""
        r, h, b = self.radius, self.height, self.bevel * self.radius
        lid = r - 1.6 * b
        body = meshes.lathe([(r - b, 0), (r, 1.2 * b), (r, h - 1.5 * b), (r - b, h)], 28)
        ends = meshes.lathe([(0, 0.4 * b), (lid, 0.4 * b), (lid + 0.2 * b, 0), (r - b, 0)], 28)
        top = meshes.lathe([(r - b, h), (lid + 0.2 * b, h), (lid, h - 0.6 * b), (0, h - 0.6 * b)], 28)
        return shapes.solid([body, meshes.merge([ends, top])], [shapes.drum(r, 0, h)])


@dataclasses.dataclass(frozen=True)
class Mug:
    """An open cylinder with a handle."""

    radius: float
    height: float
    wall: float
    taper: float
    reach: float
    grip: float

    @classmethod
    def sample(cls, size: float, rng: np.random.Generator) -> Mug:
        """Draw one of a nominal ``size`` in metres."""
        radius, height = size * rng.uniform(0.34, 0.42), size * rng.uniform(0.78, 1.0)
        return cls(
            radius,
            height,
            radius * rng.uniform(0.09, 0.14),
            rng.uniform(0.82, 1.0),
            radius * rng.uniform(0.65, 0.85),
            radius * rng.uniform(0.13, 0.18),
        )

    def build(self) -> Solid:
        """Make its surfaces and colliders."""
        r, h, w = self.radius, self.height, self.wall
        base = r * self.taper
        profile = [(0, 0), (base * 0.94, 0), (base, 0.03 * h), (r, h), (r - w, h), (base - w, 1.5 * w), (0, 1.5 * w)]
        angle = np.linspace(-np.pi / 2, np.pi / 2, 11)
        side = r * (1 + self.taper) / 2 - 0.5 * w
        path = np.stack([side + self.reach * np.cos(angle), 0 * angle, h * (0.52 + 0.32 * np.sin(angle))], 1)
        surface = meshes.merge([meshes.lathe(profile), meshes.tube(path, self.grip, 10)])
        return shapes.solid([surface], [shapes.drum((r + base) / 2, 0, h), *shapes.rods(path[::2], self.grip)])


@dataclasses.dataclass(frozen=True)
class Bottle:
    """A turned bottle: body, shoulder, neck, and a cap of its own material."""

    radius: float
    body: float
    shoulder: float
    neck_radius: float
    neck: float

    @classmethod
    def sample(cls, size: float, rng: np.random.Generator) -> Bottle:
        """Draw one of a nominal ``size`` in metres."""
        radius = size * rng.uniform(0.24, 0.3)
        return cls(
            radius,
            size * rng.uniform(0.55, 0.75),
            size * rng.uniform(0.15, 0.25),
            radius * rng.uniform(0.3, 0.42),
            size * rng.uniform(0.22, 0.34),
        )

    def build(self) -> Solid:
        """Make its surfaces and colliders."""
        r, n = self.radius, self.neck_radius
        low, high = self.body, self.body + self.shoulder
        turn = np.linspace(0, np.pi, 8)
        curve = [(n + (r - n) * (1 + np.cos(a)) / 2, low + self.shoulder * a / np.pi) for a in turn]
        top, cap = high + self.neck, high + 0.55 * self.neck
        glass = meshes.lathe([(0, 0), (0.9 * r, 0), (r, 0.1 * r), *curve, (n, top)], 24)
        lid = meshes.lathe([(n, cap), (1.25 * n, cap), (1.25 * n, top), (0, top)], 20)
        middle = (r + n) / 2
        return shapes.solid(
            [glass, lid],
            [shapes.drum(r, 0, low), shapes.drum(middle, low, (low + high) / 2), shapes.drum(1.1 * n, low, top)],
        )


@dataclasses.dataclass(frozen=True)
class Bowl:
    """An open bowl on a small foot; hollow for the physics too."""

    radius: float
    depth: float
    foot: float
    wall: float

    @classmethod
    def sample(cls, size: float, rng: np.random.Generator) -> Bowl:
        """Draw one of a nominal ``size`` in metres."""
        radius = size * rng.uniform(0.52, 0.62)
        return cls(
            radius, radius * rng.uniform(0.55, 0.75), radius * rng.uniform(0.4, 0.55), radius * rng.uniform(0.05, 0.09)
        )

    def build(self) -> Solid:
        """Make its surfaces and colliders."""
        r, f, w = self.radius, self.foot, self.wall
        bend = np.linspace(0, np.pi / 2, 9)
        outer = [(f + (r - f) * np.sin(a), self.depth * (1 - np.cos(a))) for a in bend]
        inner = [(max(f - w + (r - f) * np.sin(a), 0.0), w + (self.depth - w) * (1 - np.cos(a))) for a in bend[::-1]]
        surface = meshes.lathe([(0, 0), *outer, *inner, (0, w)], 32)
        colliders = [shapes.drum(f, 0, 2 * w)]
        for a, b in zip(outer[:-1:2], outer[2::2], strict=True):
            colliders += _staves(a, b, w, 10)
        return shapes.solid([surface], colliders)


def _staves(low: tuple[float, float], high: tuple[float, float], wall: float, count: int) -> list[shapes.Collider]:
    """Boxes around the z axis that stand in for a band of a turned wall from ``low`` to ``high`` (radius, z)."""
    (r0, z0), (r1, z1) = low, high
    slant = float(np.hypot(r1 - r0, z1 - z0))
    out = np.array([z1 - z0, 0.0, r0 - r1]) / slant
    up = np.array([r1 - r0, 0.0, z1 - z0]) / slant
    local = np.stack([out, np.cross(up, out), up], 1)
    # Half a wall inside the outer surface, so that nothing rests on thin air.
    middle = np.array([(r0 + r1) / 2, 0.0, (z0 + z1) / 2]) - out * wall / 2
    half = (wall / 2, (r0 + r1) / 2 * np.tan(np.pi / count), slant / 2)
    staves = []
    for angle in np.arange(count) * 2 * np.pi / count:
        c, s = np.cos(angle), np.sin(angle)
        turn = np.array([[c, -s, 0], [s, c, 0], [0, 0, 1.0]])
        staves.append(shapes.block(half, turn @ middle, turn @ local))
    return staves


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


@dataclasses.dataclass(frozen=True)
class Hammer:
    """A handle through a stout head, round or square, of another material."""

    length: float
    grip: float
    head: float
    thickness: float
    square: bool

    @classmethod
    def sample(cls, size: float, rng: np.random.Generator) -> Hammer:
        """Draw one of a nominal ``size`` in metres."""
        length = size * rng.uniform(1.25, 1.5)
        return cls(
            length,
            length * rng.uniform(0.055, 0.075),
            length * rng.uniform(0.26, 0.34),
            length * rng.uniform(0.1, 0.14),
            bool(rng.random() < 0.5),
        )

    def build(self) -> Solid:
        """Make its surfaces and colliders."""
        top = self.length - self.thickness
        handle = meshes.capsule((0, 0, 0), (0, 0, top + 0.8 * self.thickness), self.grip)
        colliders = [shapes.rod((0, 0, 0), (0, 0, top), self.grip)]
        if self.square:
            half = (self.head, 0.85 * self.thickness, 0.85 * self.thickness)
            head = meshes.box(half).moved((0, 0, top))
            colliders.append(shapes.block(half, (0, 0, top)))
        else:
            t, h = self.thickness, self.head
            profile = [(0, -h), (0.9 * t, -h), (t, -0.9 * h), (t, -0.6 * h), (0.75 * t, -0.5 * h), (0.75 * t, 0.5 * h),
                       (t, 0.6 * h), (t, 0.9 * h), (0.9 * t, h), (0, h)]  # fmt: skip
            head = meshes.lathe(profile, 20).moved((0, 0, top), meshes.rotation_between((0, 0, 1), (1, 0, 0)))
            colliders.append(shapes.rod((-h, 0, top), (h, 0, top), t, "cylinder"))
        # Laid down: a hammer balanced on the end of its handle is not a resting pose.
        down = meshes.rotation_between((0, 0, 1), (0, 1, 0))
        turned = [dataclasses.replace(c, position=down @ c.position, rotation=down @ c.rotation) for c in colliders]
        return shapes.solid([handle.moved(rotation=down), head.moved(rotation=down)], turned)


@dataclasses.dataclass(frozen=True)
class Banana:
    """A bent, tapering tube with a stalk."""

    bend: float
    arc: float
    thickness: float

    @classmethod
    def sample(cls, size: float, rng: np.random.Generator) -> Banana:
        """Draw one of a nominal ``size`` in metres."""
        arc = rng.uniform(1.5, 2.3)
        bend = 1.45 * size / arc
        return cls(bend, arc, size * rng.uniform(0.15, 0.2))

    def build(self) -> Solid:
        """Make its surfaces and colliders."""
        t = np.linspace(0, 1, 17)
        angle = (t - 0.5) * self.arc
        path = self.bend * np.stack([np.sin(angle), np.cos(angle), 0 * angle], 1)
        radii = self.thickness * np.minimum(np.sin(np.pi * np.clip(t, 0.0, 0.86) / 0.9) ** 0.6, 1.0)
        radii[t > 0.86] = 0.25 * self.thickness
        radii[[0, -1]] = 1e-4
        middle = slice(2, 15, 2)
        return shapes.solid([meshes.tube(path, radii, 10)], shapes.rods(path[middle], 0.95 * radii[middle]))


CLASSES: dict[str, Callable[[float, np.random.Generator], Shape]] = {
    "ball": Ball.sample,
    "banana": Banana.sample,
    "bottle": Bottle.sample,
    "bowl": Bowl.sample,
    "box": Box.sample,
    "can": Can.sample,
    "cone": Cone.sample,
    "hammer": Hammer.sample,
    "mug": Mug.sample,
    "ring": Ring.sample,
}
"""Every class there is: its name, and how to sample an instance of a nominal size."""
