"""Look-alikes of balls: balloons, globe lamps, melons, eggs, helmets, plates."""

from __future__ import annotations

import numpy as np

from ...scene import Material
from ...shapes import Shape
from ...shapes.turned import Profile, Turned, dome
from ...textures import Color
from .. import looks
from ..kinds import Kind

_BLACK: Color = (0.08, 0.08, 0.08)
_WHITE: Color = (0.93, 0.93, 0.91)
_BRIGHT: tuple[tuple[float, Color], ...] = (
    (0.2, (0.8, 0.1, 0.1)),
    (0.2, (0.95, 0.8, 0.1)),
    (0.15, (0.1, 0.3, 0.75)),
    (0.15, (0.1, 0.55, 0.25)),
    (0.15, (0.95, 0.45, 0.1)),
    (0.15, _WHITE),
)


def _oval(radius: float, low: float, high: float, egg: float, steps: int = 14) -> Profile:
    """An ellipse turned about its axis, wider below for ``egg`` above 0."""
    angle = np.linspace(-np.pi / 2, np.pi / 2, steps + 1)
    r = radius * np.cos(angle) * (1.0 - egg * np.sin(angle))
    z = (low + high) / 2 + (high - low) / 2 * np.sin(angle)
    return tuple((max(float(x), 0.0), float(y)) for x, y in zip(r, z, strict=True))


def _balloon(size: float, rng: np.random.Generator) -> Turned:
    """A drop with a knot below."""
    h = size * rng.uniform(0.9, 1.1)
    r = h * rng.uniform(0.34, 0.42)
    knot = 0.05 * h
    body = _oval(r, 0.6 * knot, h, -rng.uniform(0.12, 0.25))
    tail = ((0.0, 0.0), (0.6 * knot, 0.0), (0.25 * knot, 0.7 * knot), (0.4 * knot, 1.1 * knot))
    return Turned(((body, tail),), (body, ((0.6 * knot, 0.0), (0.4 * knot, knot))))


def _egg(size: float, rng: np.random.Generator) -> Turned:
    h = size * rng.uniform(0.85, 1.05)
    body = _oval(h * rng.uniform(0.35, 0.4), 0.0, h, rng.uniform(0.08, 0.2))
    return Turned(((body,),), (body,))


def _melon(size: float, rng: np.random.Generator) -> Turned:
    h = size * rng.uniform(0.8, 1.1)
    r = h * rng.uniform(0.38, 0.47)
    body = _oval(r, 0.0, h, rng.uniform(-0.05, 0.05))
    stalk = ((0.04 * h, 0.97 * h), (0.03 * h, 1.05 * h), (0.0, 1.06 * h))
    return Turned(((body,), (stalk,)), (body,))


def _lamp(size: float, rng: np.random.Generator) -> Turned:
    """A globe on a foot, a stem or a post."""
    h = size * rng.uniform(0.9, 1.1)
    stem = h * rng.choice((rng.uniform(0.1, 0.2), rng.uniform(0.35, 0.6)))
    r = (h - stem) / 2
    globe = _oval(r, stem, h, 0.0)
    foot, pole = r * rng.uniform(0.6, 0.9), r * rng.uniform(0.1, 0.25)
    stand: Profile = (
        (0.0, 0.0),
        (foot, 0.0),
        (foot, 0.03 * h),
        (pole, 0.05 * h),
        (pole, 0.9 * stem),
        (0.45 * r, 0.95 * stem),
        (0.45 * r, stem + 0.1 * r),
    )
    return Turned(((globe,), (stand,)), (globe, ((foot, 0.0), (foot, 0.04 * h)), ((pole, 0.03 * h), (pole, stem))))


def _helmet(size: float, rng: np.random.Generator) -> Turned:
    """A hard hat or a bowl-like helmet: a hollow dome with a brim."""
    r = size * rng.uniform(0.36, 0.44)
    h = r * rng.uniform(0.85, 1.2)
    brim = r * rng.uniform(1.02, 1.25)
    crown = dome(r, 0.08 * h, h, 7)
    outer = ((brim, 0.0), (brim, 0.03 * h), *crown)
    inner = tuple((0.95 * x, 0.95 * z) for x, z in reversed(crown))
    inside = (*inner, (0.95 * r, 0.0), (brim, 0.0))
    return Turned(((outer,), (inside,)), (((brim, 0.0), (brim, 0.03 * h)), crown), 24, (1.0, rng.uniform(0.75, 0.92)))


def _plain(shape: Shape, rng: np.random.Generator) -> tuple[Material, ...]:
    color = looks.one_of(_BRIGHT, rng)
    return (looks.material(rng, (color,), gloss=(0.3, 0.9)),)


def _dress_egg(shape: Shape, rng: np.random.Generator) -> tuple[Material, ...]:
    color = looks.one_of(((0.5, (0.86, 0.68, 0.5)), (0.4, (0.95, 0.93, 0.88)), (0.1, (0.7, 0.8, 0.78))), rng)
    return (
        looks.material(
            rng, (color, looks.mix(color, (0.4, 0.25, 0.15), 0.5)), "speckle", contrast=0.2, gloss=(0.0, 0.3)
        ),
    )


def _dress_melon(shape: Shape, rng: np.random.Generator) -> tuple[Material, ...]:
    green = looks.one_of(((0.5, (0.2, 0.38, 0.12)), (0.3, (0.75, 0.68, 0.4)), (0.2, (0.9, 0.8, 0.15))), rng)
    pale = looks.mix(green, (0.8, 0.85, 0.55), 0.6)
    pattern = "stripes" if rng.random() < 0.5 else "marble"
    rind = looks.material(rng, (green, pale), pattern, scale=float(rng.integers(6, 11)), contrast=0.7, gloss=(0.1, 0.5))
    return rind, looks.material(rng, ((0.4, 0.32, 0.18),))


def _dress_lamp(shape: Shape, rng: np.random.Generator) -> tuple[Material, ...]:
    glass = looks.one_of(((0.7, (0.97, 0.95, 0.9)), (0.2, (0.98, 0.85, 0.55)), (0.1, (0.95, 0.5, 0.15))), rng)
    metal = looks.one_of(((0.5, _BLACK), (0.3, (0.7, 0.7, 0.7)), (0.2, (0.65, 0.5, 0.25))), rng)
    stand = looks.material(rng, (metal,), gloss=(0.2, 0.9), metallic=0.6)
    return looks.material(rng, (glass,), gloss=(0.2, 0.8)), stand


def _dress_helmet(shape: Shape, rng: np.random.Generator) -> tuple[Material, ...]:
    color = looks.one_of((*_BRIGHT, (0.2, _BLACK)), rng)
    scuff = looks.mix(color, (0.3, 0.3, 0.3), 0.5)
    shell = looks.material(rng, (color, scuff, scuff), "worn", contrast=rng.uniform(0.0, 0.7), gloss=(0.2, 0.8))
    return shell, looks.material(rng, (looks.mix(color, _BLACK, rng.uniform(0.3, 0.8)),), gloss=(0.0, 0.1))


KINDS: dict[str, Kind] = {
    "balloon": Kind(_balloon, (0.15, 0.4), _plain, upright=0.3, density=20.0, resembles=("ball",)),
    "egg": Kind(_egg, (0.05, 0.08), _dress_egg, upright=0.1, density=1000.0, resembles=("ball",)),
    "globe_lamp": Kind(_lamp, (0.2, 0.6), _dress_lamp, upright=0.9, resembles=("ball",)),
    "helmet": Kind(_helmet, (0.25, 0.35), _dress_helmet, upright=0.7, density=120.0, resembles=("ball",)),
    "melon": Kind(_melon, (0.15, 0.35), _dress_melon, upright=0.1, density=900.0, resembles=("ball",)),
}
