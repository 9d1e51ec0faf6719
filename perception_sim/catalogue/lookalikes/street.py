"""Look-alikes of traffic cones from the street: posts, drums, pyramids, barriers, vests."""

from __future__ import annotations

import dataclasses
import itertools

import numpy as np

from ... import shapes
from ...scene import Material
from ...shapes import Shape, Solid, forms, many
from ...shapes import bend as bends
from ...shapes import mesh as meshes
from ...shapes.turned import Profile, Turned, dome
from ...textures import Color
from .. import looks
from ..kinds import Kind

ORANGE: tuple[tuple[float, Color], ...] = (
    (0.7, (1.0, 0.34, 0.06)),
    (0.15, (0.9, 0.18, 0.08)),
    (0.15, (0.98, 0.48, 0.12)),
)
WHITE: Color = (0.92, 0.92, 0.91)
BLACK: Color = (0.08, 0.08, 0.08)


def weathered(color: Color, rng: np.random.Generator, gloss: tuple[float, float] = (0.0, 0.35)) -> Material:
    """Plastic of that colour that has been outdoors for a while, or not."""
    dirt = looks.mix(color, (0.22, 0.19, 0.16), rng.uniform(0.4, 0.9))
    scuff = looks.mix(color, (0.9, 0.9, 0.88), 0.6)
    return looks.material(
        rng, (color, dirt, scuff), "worn", contrast=rng.uniform(0.1, 0.9), gloss=gloss, emission=looks.glow(color, rng)
    )


def _sleeves(radius: float, low: float, high: float, count: int, proud: float) -> tuple[Profile, ...]:
    """``count`` bands around a tube between two heights, as wide as the gaps between them."""
    step = (high - low) / max(2 * count - 1, 1)
    r = radius + proud
    return tuple(
        ((radius, z), (r, z), (r, z + step), (radius, z + step))
        for z in low + 2 * step * np.arange(count).astype(float)
    )


def _post(size: float, rng: np.random.Generator) -> Turned:
    """A bollard or a flexible tube on a foot, with bands."""
    h = size * rng.uniform(0.9, 1.1)
    slim = rng.random() < 0.5
    r = h * (rng.uniform(0.035, 0.06) if slim else rng.uniform(0.07, 0.12))
    foot = h * (rng.uniform(0.14, 0.24) if slim else 1.1 * r / h)
    thick = h * rng.uniform(0.02, 0.06)
    top = (
        dome(r, h - r * rng.uniform(0.2, 1.0), h, 4)
        if rng.random() < 0.7
        else ((r, h - 0.02 * h), (0.9 * r, h), (0.0, h))
    )
    body = ((r, 0.0), (r, 0.5 * h), *top)
    base = ((0.0, 0.0), (foot, 0.0), (foot, 0.6 * thick), (0.85 * foot, thick), (r, 1.2 * thick))
    bands = _sleeves(r, h * rng.uniform(0.35, 0.6), h * rng.uniform(0.8, 0.93), int(rng.integers(1, 4)), 0.02 * r)
    return Turned(((body,), (base,), bands), (((r, 0.0), (r, h)), ((foot, 0.0), (foot, thick))), 20)


def _dress_post(shape: Shape, rng: np.random.Generator) -> tuple[Material, ...]:
    body, bands = looks.one_of(ORANGE, rng), looks.vary(WHITE, rng)
    fate = rng.random()
    if fate < 0.15:
        body, bands = looks.vary((0.95, 0.75, 0.08), rng), looks.vary(BLACK, rng)
    elif fate < 0.3:
        body, bands = bands, looks.vary((0.75, 0.08, 0.07), rng)
    elif fate < 0.4:
        body = looks.vary((0.3, 0.31, 0.32), rng)
    base = looks.vary(BLACK, rng) if rng.random() < 0.7 else body
    return weathered(body, rng), weathered(base, rng), weathered(bands, rng, (0.1, 0.6))


def _drum(size: float, rng: np.random.Generator) -> Turned:
    """A channelising drum: stepped, narrowing upwards, banded, on a rubber ring."""
    h = size * rng.uniform(0.9, 1.05)
    low, high = h * rng.uniform(0.26, 0.31), h * rng.uniform(0.19, 0.24)
    count = int(rng.choice((4, 5)))
    edges = np.linspace(0.08, 0.93, count + 1) * h
    body, bands = [], []
    for step, (a, b) in enumerate(itertools.pairwise(edges.tolist())):
        r, above = (low + (high - low) * k / (count - 1) for k in (step, min(step + 1, count - 1)))
        edge = 0.012 * h
        profile = ((r - edge, float(a)), (r, float(a) + edge), (r, float(b) - edge), (above - edge, float(b)))
        (bands if step % 2 else body).append(profile)
    lid = ((high - 0.012 * h, float(edges[-1])), (0.9 * high, 0.96 * h), (0.0, 0.96 * h))
    grip = ((0.3 * high, 0.96 * h), (0.3 * high, h), (0.0, h))
    foot = h * rng.uniform(0.31, 0.38)
    ring = ((0.0, 0.0), (foot, 0.0), (foot, 0.05 * h), (0.9 * foot, 0.08 * h), (low - 0.012 * h, 0.08 * h))
    parts = ((*body, lid, grip), (ring,), tuple(bands))
    return Turned(parts, (((low, 0.05 * h), (high, 0.96 * h)), ((foot, 0.0), (foot, 0.08 * h))), 24)


def _dress_drum(shape: Shape, rng: np.random.Generator) -> tuple[Material, ...]:
    return weathered(looks.one_of(ORANGE, rng), rng), weathered(BLACK, rng), weathered(looks.vary(WHITE, rng), rng)


@dataclasses.dataclass(frozen=True)
class Pyramid:
    """A pyramid or a ridge tent of cloth or board; ``half`` is half its width at the foot, ``top`` the tip's share."""

    sides: int
    half: float
    height: float
    top: float
    ridge: float

    @classmethod
    def sample(cls, size: float, rng: np.random.Generator) -> Pyramid:
        """Draw one of a nominal ``size`` in metres."""
        ridge = rng.uniform(0.3, 1.0) if rng.random() < 0.4 else 0.0
        wide = rng.uniform(0.38, 0.52) * (0.72 if ridge else 1.0)
        sides = 4 if ridge else int(rng.choice((3, 4, 4, 5)))
        wide *= 0.75 if sides == 3 else 1.0
        # Broad and sharp: a tall one with a blunt tip would be a cone to most.
        return cls(sides, size * wide, size * rng.uniform(0.4, 0.75), 0.02, ridge)

    def build(self) -> Solid:
        """Make its surface and collider."""
        outline = forms.rounded_polygon(self.sides, self.half, 0.04 * self.half, 2)
        stretch = np.array([1.0 + self.ridge, 1.0])
        upper = outline * self.top
        upper[:, 0] += np.sign(upper[:, 0]) * self.ridge * self.half
        rings = [forms.ring(outline * 0.0, 0.0), forms.ring(outline * stretch, 0.0), forms.ring(upper, self.height)]
        surface = forms.loft([*rings, forms.ring(upper * [1.0, 0.01], self.height)])
        return shapes.solid([surface], [shapes.hull(forms.cloud(rings[1:]))])

    def dress(self, rng: np.random.Generator) -> tuple[Material, ...]:
        """A material for its surface."""
        return (weathered(looks.one_of(ORANGE, rng), rng),)


@dataclasses.dataclass(frozen=True)
class Barrier:
    """A striped board on two feet, or a long moulded block, of half sizes ``half``."""

    moulded: bool
    half: tuple[float, float, float]
    board: float
    foot: float

    @classmethod
    def sample(cls, size: float, rng: np.random.Generator) -> Barrier:
        """Draw one of a nominal ``size`` in metres."""
        x = size * rng.uniform(0.45, 0.52)
        moulded = bool(rng.random() < 0.35)
        y = x * (rng.uniform(0.2, 0.3) if moulded else rng.uniform(0.018, 0.03))
        return cls(moulded, (x, y, x * rng.uniform(0.42, 0.8)), rng.uniform(0.1, 0.24), rng.uniform(0.22, 0.4))

    def build(self) -> Solid:
        """Make its surfaces (board or block, then feet) and colliders."""
        x, y, z = self.half
        if self.moulded:
            levels = ((1.0, 0.0), (1.0, 0.25), (0.72, 0.5), (0.45, 0.62), (0.38, 2.0))
            rings = [forms.ring(forms.rounded_rectangle(x, y * wide, 0.15 * y, 2), z * up) for wide, up in levels]
            rings = [rings[0] * [0.0, 0.0, 1.0], *rings, rings[-1] * [0.0, 0.0, 1.0]]
            block = forms.planar(forms.loft(rings), 0, 2, (-x, 0.0, x, 2 * z))
            plug = meshes.lathe([(0.2 * y, 2 * z), (0.2 * y, 2 * z + 0.1 * y), (0.0, 2 * z + 0.1 * y)], 12)
            lower, upper = (shapes.hull(forms.cloud(rings[a:b])) for a, b in ((1, 4), (3, 6)))
            return shapes.solid([block, plug], [lower, upper])
        tall = z * self.board * 2
        board = forms.planar(meshes.box((x, y, tall)).moved((0.0, 0.0, 2 * z - tall)), 0, 2)
        at, deep = 0.8 * x, x * self.foot
        legs = [((s * at, 0.0, z - 0.5 * tall), (0.04 * x, 0.9 * y, z - 0.5 * tall)) for s in (-1, 1)]
        legs += [((s * at, 0.0, 0.03 * x), (0.05 * x, deep, 0.03 * x)) for s in (-1, 1)]
        feet = many.boxes([at for at, _ in legs], [half for _, half in legs])
        colliders = [shapes.block((x, y, tall), (0.0, 0.0, 2 * z - tall))]
        return shapes.solid([board, feet], [*colliders, *(shapes.block(half, at) for at, half in legs)])

    def dress(self, rng: np.random.Generator) -> tuple[Material, ...]:
        """A material for each surface of the solid."""
        color = looks.one_of(ORANGE, rng) if rng.random() < 0.5 else looks.vary((0.75, 0.08, 0.07), rng)
        if self.moulded:
            return weathered(color if rng.random() < 0.7 else looks.vary(WHITE, rng), rng), weathered(BLACK, rng)
        angle = float(rng.choice((0.0, 0.785, -0.785)))
        scale = float(rng.integers(4, 9))
        board = looks.material(rng, (looks.vary(WHITE, rng), color), "stripes", contrast=1.0, scale=scale, angle=angle)
        return board, weathered(BLACK if rng.random() < 0.6 else color, rng)


def _vest(size: float, rng: np.random.Generator) -> Turned:
    """A heap of cloth with reflective strips."""
    r, h = size * rng.uniform(0.38, 0.5), size * rng.uniform(0.1, 0.32)
    a = np.linspace(0.0, 1.0, 10)
    radius, z = r * (1.0 - a**2.2) ** 0.6, h * np.sin(a * np.pi / 2)
    points = tuple(zip(radius.tolist(), z.tolist(), strict=True))
    cuts = sorted(rng.choice(np.arange(2, 8), 2, replace=False).tolist())
    strips = tuple(points[c : c + 2] for c in cuts)
    cloth = [((0.0, 0.0), points[0])]
    edges = [0, *(e for c in cuts for e in (c, c + 1)), len(points) - 1]
    cloth += [points[a : b + 1] for a, b in zip(edges[::2], edges[1::2], strict=True) if b > a]
    ripple = bends.Ripple.sample(0.4 * size, 0.12 * h + 0.028 * size, 9, rng)
    return Turned((tuple(cloth), strips), (points,), 26, (1.0, rng.uniform(0.5, 0.9)), (ripple,))


def _dress_vest(shape: Shape, rng: np.random.Generator) -> tuple[Material, ...]:
    color = looks.one_of(ORANGE, rng) if rng.random() < 0.75 else looks.vary((0.75, 0.95, 0.15), rng)
    cloth = looks.material(
        rng,
        (color, looks.mix(color, BLACK, 0.45)),
        "noise",
        scale=5.0,
        contrast=0.7,
        gloss=(0.0, 0.1),
        emission=looks.glow(color, rng),
    )
    return cloth, looks.material(rng, (looks.vary((0.75, 0.76, 0.78), rng),), gloss=(0.2, 0.7))


KINDS: dict[str, Kind] = {
    "barrier": Kind(
        Barrier.sample, (0.6, 1.6), Barrier.dress, upright=0.95, density=150.0, resembles=("traffic_cone",)
    ),
    "post": Kind(_post, (0.5, 1.1), _dress_post, upright=0.9, density=150.0, resembles=("traffic_cone",)),
    "pyramid": Kind(Pyramid.sample, (0.3, 1.2), Pyramid.dress, upright=0.9, density=80.0, resembles=("traffic_cone",)),
    "traffic_drum": Kind(
        _drum, (0.8, 1.1), _dress_drum, upright=0.92, density=80.0, also=("barrel",), resembles=("traffic_cone",)
    ),
    "vest": Kind(_vest, (0.3, 0.6), _dress_vest, upright=1.0, density=80.0, resembles=("traffic_cone",)),
}
