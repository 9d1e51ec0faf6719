"""Cups and mugs: of china, paper and glass."""

from __future__ import annotations

import dataclasses

import numpy as np

from .. import shapes
from ..scene import Material
from ..shapes import Shape, Solid
from ..shapes import mesh as meshes
from ..shapes.turned import Profile, Turned
from . import looks
from .kinds import Kind
from .packaging import BLACK, BRIGHT, WHITE, Packed, brand


@dataclasses.dataclass(frozen=True)
class Mug:
    """An open turned vessel with a handle: ``belly`` widens its middle, ``square`` below 1 gives the ear corners."""

    radius: float
    height: float
    wall: float
    taper: float
    reach: float
    grip: float
    belly: float
    square: float

    @classmethod
    def sample(cls, size: float, rng: np.random.Generator) -> Mug:
        """Draw one of a nominal ``size`` in metres."""
        radius, height = size * rng.uniform(0.34, 0.42), size * rng.uniform(0.74, 1.0)
        return cls(
            radius,
            height,
            radius * rng.uniform(0.07, 0.13),
            rng.uniform(0.78, 1.0),
            radius * rng.uniform(0.6, 0.85),
            radius * rng.uniform(0.11, 0.18),
            rng.choice((0.0, 0.0, rng.uniform(0.03, 0.12))),
            rng.uniform(1.0, 1.0) if rng.random() < 0.6 else rng.uniform(0.5, 0.8),
        )

    def build(self) -> Solid:
        """Make its surfaces (outside and handle, inside) and colliders."""
        r, h, w = self.radius, self.height, self.wall
        base = r * self.taper
        share = np.linspace(0.03, 1.0, 5)
        out = [(float(base + (r - base) * s + r * self.belly * np.sin(np.pi * s)), float(h * s)) for s in share]
        rim = (r - 0.5 * w, h + 0.2 * w)
        outside = meshes.lathe([(0, 0), (base * 0.94, 0), *out, rim], 26)
        inside = meshes.lathe([rim, (r - w, h), (base - w, 1.5 * w), (0, 1.5 * w)], 26)
        angle = np.linspace(-np.pi / 2, np.pi / 2, 11)
        bow, up = (np.sign(x) * np.abs(x) ** self.square for x in (np.cos(angle), np.sin(angle)))
        middle = h * (0.5 if self.belly else 0.52)
        side = (
            float(np.interp(middle, [z for _, z in out], [x for x, _ in out])) - 0.8 * w - 0.06 * r * (1.0 - self.taper)
        )
        path = np.stack([side + self.reach * bow, 0 * angle, middle + 0.3 * h * up], 1)
        handle = meshes.tube(path, self.grip, 9)
        colliders = [shapes.drum((r + base) / 2 + 0.5 * r * self.belly, 0, h), *shapes.rods(path[::2], self.grip)]
        return shapes.solid([meshes.merge([outside, handle]), inside], colliders)


def _dress_mug(shape: Shape, rng: np.random.Generator) -> tuple[Material, ...]:
    color = looks.one_of(((1.2, WHITE), *BRIGHT, (0.3, (0.55, 0.45, 0.35)), (0.2, (0.35, 0.42, 0.45))), rng)
    other = looks.one_of(BRIGHT, rng)
    pattern = str(
        rng.choice(("plain", "noise", "stripes", "dots", "shirt_print", "speckle"), p=(0.45, 0.1, 0.1, 0.08, 0.2, 0.07))
    )
    outside = looks.material(
        rng,
        (color, other, WHITE),
        pattern,
        contrast=rng.uniform(0.2, 1.0) if pattern != "plain" else 0.3,
        scale=float(rng.integers(2, 9)),
        gloss=(0.3, 1.0),
        size=96,
    )
    inner = color if rng.random() < 0.5 else looks.vary(WHITE, rng)
    coffee = rng.random() < 0.15
    return outside, looks.material(rng, ((0.2, 0.1, 0.05) if coffee else inner,), contrast=0.2, gloss=(0.3, 0.9))


def _paper_cup(size: float, rng: np.random.Generator, lid: bool) -> Packed:
    h = size * rng.uniform(0.9, 1.05)
    r = h * rng.uniform(0.34, 0.46)
    body = h * 0.9 if lid else h
    low, lip = r * rng.uniform(0.66, 0.8), 0.03 * r
    outer: Profile = (
        (0.0, 0.03 * h),
        (0.92 * low, 0.03 * h),
        (0.94 * low, 0.0),
        (low, 0.0),
        (r, 0.97 * body),
        (r + lip, 0.98 * body),
        (r + lip, body),
        (r - lip, body),
    )
    parts: list[tuple[Profile, ...]] = [(outer,)]
    if lid:
        w = 1.05 * r
        parts.append(
            (
                (
                    (0.9 * w, body - 0.03 * h),
                    (w, body - 0.03 * h),
                    (w, body + 0.01 * h),
                    (0.88 * w, body + 0.03 * h),
                    (0.85 * w, h),
                    (0.74 * w, h),
                    (0.7 * w, h - 0.035 * h),
                    (0.0, h - 0.035 * h),
                ),
            )
        )
    else:
        deep = 0.04 * h
        parts.append((((r - lip, body), (r - 0.05 * r, 0.96 * body), (0.95 * low, deep), (0.0, deep)),))
    if rng.random() < 0.4:
        a, b = sorted((rng.uniform(0.2, 0.35), rng.uniform(0.6, 0.72)))
        at = [low + (r - low) * s / 0.97 + 0.012 * r for s in (a, b)]
        parts.append(
            (((at[0] - 0.02 * r, a * body), (at[0], a * body), (at[1], b * body), (at[1] - 0.02 * r, b * body)),)
        )
    return Packed(
        tuple(parts),
        (((low, 0.0), (r, body)), ((r, body), (0.86 * r, h)))[: 1 + lid],
        26,
        style="lid" if lid else "paper",
    )


def _tumbler(size: float, rng: np.random.Generator) -> Packed:
    h = size * rng.uniform(0.9, 1.05)
    r = h * rng.uniform(0.3, 0.45)
    low, wall = r * rng.uniform(0.72, 1.0), 0.06 * r
    outer: Profile = ((0.0, 0.0), (0.9 * low, 0.0), (low, 0.02 * h), (r, h - 0.5 * wall), (r - 0.5 * wall, h))
    inner: Profile = ((r - 0.5 * wall, h), (r - wall, h - 0.5 * wall), (low - wall, 0.08 * h), (0.0, 0.08 * h))
    return Packed(((outer,), (inner,)), (((low, 0.0), (r, h)),), 26, style="tumbler")


def _cup(size: float, rng: np.random.Generator) -> Shape:
    """A paper cup with or without lid and sleeve, a small cup with an ear, or a tumbler."""
    fate = rng.random()
    if fate < 0.55:
        return _paper_cup(size, rng, rng.random() < 0.5)
    if fate < 0.78:
        return _tumbler(size, rng)
    small = Mug.sample(size, rng)
    return dataclasses.replace(
        small, taper=rng.uniform(0.5, 0.75), height=small.height * rng.uniform(0.7, 0.9), grip=0.7 * small.grip
    )


def _dress_cup(shape: Shape, rng: np.random.Generator) -> tuple[Material, ...]:
    if isinstance(shape, Mug):
        return _dress_mug(shape, rng)
    assert isinstance(shape, Turned)
    if shape.style == "tumbler":
        glass = looks.one_of(((3, (0.85, 0.9, 0.92)), *BRIGHT), rng)
        alpha = rng.uniform(0.3, 0.6) if rng.random() < 0.6 else 1.0
        wall = looks.material(rng, (glass,), contrast=0.3, gloss=(0.5, 1.0), alpha=alpha)
        inside = looks.material(rng, (looks.mix(glass, BLACK, 0.15),), contrast=0.3, gloss=(0.3, 0.9), alpha=alpha)
        return wall, inside
    fate = rng.random()
    if fate < 0.35:
        outer = brand(rng, gloss=(0.0, 0.4))
    else:
        paper = looks.one_of(
            ((3, WHITE), (2, (0.62, 0.45, 0.3)), (2, (0.75, 0.1, 0.1)), (1, (0.1, 0.35, 0.2)), (1, BLACK)), rng
        )
        pattern = "shirt_print" if fate < 0.65 else "plain"
        outer = looks.material(
            rng,
            (paper, looks.one_of(BRIGHT, rng)),
            pattern,
            contrast=0.9 if fate < 0.65 else 0.3,
            gloss=(0.0, 0.3),
            size=96,
        )
    lid_color = (
        looks.one_of(((3, WHITE), (2, BLACK), (0.7, (0.4, 0.25, 0.15))), rng)
        if shape.style == "lid"
        else looks.vary(WHITE, rng)
    )
    lid = looks.material(rng, (lid_color,), contrast=0.3, gloss=(0.1, 0.6))
    card = looks.one_of(((3, (0.6, 0.42, 0.26)), (1, WHITE), (1, BLACK)), rng)
    sleeve = looks.material(
        rng,
        (card, looks.one_of(BRIGHT, rng)),
        "stripes" if rng.random() < 0.4 else "shirt_print",
        contrast=0.5,
        scale=24.0,
        gloss=(0.0, 0.1),
    )
    return (outer, lid, sleeve)[: len(shape.parts)]


KINDS: dict[str, Kind] = {
    "cup": Kind(_cup, (0.06, 0.16), _dress_cup, upright=0.8, density=200.0, also=("mug",)),
    "mug": Kind(Mug.sample, (0.08, 0.13), _dress_mug, upright=0.8, density=350.0, also=("cup",)),
}
