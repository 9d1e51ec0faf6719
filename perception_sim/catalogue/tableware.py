"""Bowls and plates."""

from __future__ import annotations

import dataclasses

import numpy as np

from .. import shapes
from ..scene import Material
from ..shapes import Shape, Solid
from ..shapes import mesh as meshes
from ..shapes.turned import Profile, Turned
from ..textures import Color
from . import looks
from .kinds import Kind
from .packaging import BLACK, BRIGHT, STEEL, WHITE

_CHINA = ((3.0, WHITE), *BRIGHT, (0.3, (0.55, 0.6, 0.62)), (0.3, (0.75, 0.62, 0.48)), (0.2, (0.2, 0.3, 0.35)))
_WOOD: Color = (0.62, 0.42, 0.24)


@dataclasses.dataclass(frozen=True)
class Bowl:
    """An open bowl on a small foot, round or steep; hollow for the physics too."""

    radius: float
    depth: float
    foot: float
    wall: float
    steep: float
    lip: float

    @classmethod
    def sample(cls, size: float, rng: np.random.Generator) -> Bowl:
        """Draw one of a nominal ``size`` in metres."""
        radius = size * rng.uniform(0.46, 0.55)
        return cls(
            radius,
            radius * rng.uniform(0.5, 0.85),
            radius * rng.uniform(0.35, 0.6),
            radius * rng.uniform(0.04, 0.08),
            rng.uniform(0.75, 1.5),
            radius * rng.choice((0.0, 0.0, rng.uniform(0.03, 0.12))),
        )

    def build(self) -> Solid:
        """Make its surfaces (outside, inside) and colliders."""
        r, f, w = self.radius, self.foot, self.wall
        bend = np.linspace(0, np.pi / 2, 8)
        out = f + (r - f) * np.sin(bend) ** self.steep
        up = self.depth * (1 - np.cos(bend))
        outer = [(float(a), float(b)) for a, b in zip(out, up, strict=True)]
        inner = [
            (max(float(a) - w, 0.0), w + (self.depth - w) * float(b) / self.depth) for a, b in zip(out, up, strict=True)
        ]
        rim = [(r + self.lip, self.depth + 0.3 * self.lip)] if self.lip else []
        outside = meshes.lathe([(0, 0.3 * w), (0.85 * f, 0.3 * w), (0.9 * f, 0.0), *outer, *rim], 28)
        edge = rim[0] if rim else outer[-1]
        inside = meshes.lathe([edge, *inner[::-1], (0, w)], 28)
        colliders = [shapes.drum(f, 0, 2 * w)]
        for a, b in zip(outer[:-1:2], outer[2::2], strict=False):
            colliders += _staves(a, b, w, 10)
        colliders += _staves(outer[-2], outer[-1], w, 10)
        return shapes.solid([outside, inside], colliders)


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


def _dress_bowl(shape: Shape, rng: np.random.Generator) -> tuple[Material, ...]:
    fate = rng.random()
    if fate < 0.12:
        dark = looks.mix(_WOOD, BLACK, 0.4)
        wood = looks.material(rng, (looks.vary(_WOOD, rng), dark), "wood", contrast=0.7, gloss=(0.1, 0.5))
        return wood, wood
    if fate < 0.24:
        steel = looks.material(rng, (looks.vary(STEEL, rng),), contrast=0.5, gloss=(0.6, 1.0), metallic=0.95)
        return steel, steel
    color, other = looks.one_of(_CHINA, rng), looks.one_of(BRIGHT, rng)
    pattern = str(rng.choice(("plain", "stripes", "dots", "noise", "speckle"), p=(0.6, 0.12, 0.06, 0.1, 0.12)))
    outside = looks.material(
        rng,
        (color, other),
        pattern,
        contrast=rng.uniform(0.2, 0.9),
        scale=float(rng.integers(3, 12)),
        angle=float(rng.choice((0.0, np.pi / 2))),
        gloss=(0.3, 1.0),
    )
    inner = color if rng.random() < 0.6 else looks.vary(WHITE, rng)
    return outside, looks.material(rng, (inner,), contrast=0.2, gloss=(0.3, 1.0))


def _plate(size: float, rng: np.random.Generator) -> Turned:
    """A flat or a deep plate: surfaces are the underside and the face with its rim."""
    r = size * rng.uniform(0.46, 0.52)
    h = r * rng.uniform(0.1, 0.26)
    foot, wall = r * rng.uniform(0.5, 0.68), 0.02 * r + 0.001
    knee = rng.uniform(0.3, 0.75) * h
    well = min(foot + rng.uniform(0.02, 0.12) * r, 0.9 * r)
    under: Profile = (
        (0.0, 0.03 * h),
        (0.9 * foot, 0.03 * h),
        (0.93 * foot, 0.0),
        (foot, 0.0),
        (well, knee),
        (r, h - 0.5 * wall),
    )
    face: Profile = ((r, h - 0.5 * wall), (0.99 * r, h), (0.99 * well, knee + wall), (0.96 * foot, wall), (0.0, wall))
    return Turned(((under,), (face,)), (((foot, 0.0), (well, knee), (r, h)),), 30)


def _dress_plate(shape: Shape, rng: np.random.Generator) -> tuple[Material, ...]:
    color, other = looks.one_of(_CHINA, rng), looks.one_of(BRIGHT, rng)
    if rng.random() < 0.08:
        color = looks.vary(_WOOD, rng)
    # The texture's v is the height above the table: rings of another colour come for free.
    pattern = str(rng.choice(("plain", "rings", "noise", "dots"), p=(0.6, 0.2, 0.12, 0.08)))
    contrast, scale, angle = rng.uniform(0.3, 0.9), float(rng.integers(2, 9)), 0.0
    if pattern == "rings":
        scale, angle, pattern = 0.5 * scale, np.pi / 2, "stripes"
    face = looks.material(rng, (color, other), pattern, contrast=contrast, scale=scale, angle=angle, gloss=(0.3, 1.0))
    return looks.material(rng, (color,), contrast=0.2, gloss=(0.3, 1.0)), face


KINDS: dict[str, Kind] = {
    "bowl": Kind(Bowl.sample, (0.1, 0.28), _dress_bowl, upright=0.85, density=500.0),
    "plate": Kind(_plate, (0.14, 0.3), _dress_plate, upright=0.9, density=700.0, resembles=("ball",)),
}
