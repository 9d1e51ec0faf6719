"""Look-alikes of balls: round fruit; and all look-alikes that grow or are sweet."""

from __future__ import annotations

import numpy as np

from ...scene import Material
from ...shapes import Shape
from ...shapes.grown import Grown, Relief, Stalk, oval
from .. import looks
from ..grown_looks import darker, new_seed, plain_skin
from ..kinds import Kind
from . import nuts, sweets


def _orange(size: float, rng: np.random.Generator) -> Grown:
    r = size * rng.uniform(0.44, 0.5)
    h = 2.0 * r * rng.uniform(0.88, 1.02)
    dot = 0.07 * r
    part = ((dot, 0.98 * h), (0.8 * dot, 1.012 * h), (0.0, 1.012 * h))
    return Grown(oval(r, 0.0, h, 18), (Relief(0.02, 3, 4),), new_seed(rng), parts=(part,), lying=False)


def _dress_orange(shape: Shape, rng: np.random.Generator) -> tuple[Material, ...]:
    peel = looks.one_of(
        ((4, (0.95, 0.5, 0.07)), (2, (0.95, 0.6, 0.1)), (1, (0.9, 0.38, 0.08)), (1, (0.93, 0.72, 0.25))), rng
    )
    dimple = looks.mix(darker(peel, 0.75), (0.6, 0.25, 0.0), 0.2)
    colors = dimple, peel, looks.mix(peel, (1.0, 0.9, 0.6), 0.4)
    skin = looks.material(rng, colors, "peel", contrast=1.0, scale=rng.uniform(8.0, 16.0), gloss=(0.1, 0.5), size=128)
    return skin, plain_skin(looks.vary((0.35, 0.4, 0.15), rng), rng)


def _apple(size: float, rng: np.random.Generator) -> Grown:
    """A ball hollowed at both ends, with a stalk."""
    r, fine = size * rng.uniform(0.43, 0.5), 22
    h = r * rng.uniform(0.85, 1.05)
    a = np.linspace(-np.pi / 2, np.pi / 2, fine)
    radius = r * np.cos(a).clip(0.0) ** 0.85 * (1.0 + rng.uniform(0.0, 0.12) * np.sin(a))
    radius[[0, -1]] = 0.0
    top, bottom = rng.uniform(0.2, 0.35) * h, rng.uniform(0.1, 0.22) * h
    z = h * np.sin(a) - np.where(a > 0, top, -bottom) * np.exp(-np.square(radius / (0.3 * r)))
    s = np.linspace(0.0, 1.0, 4)
    reach, lean = h * rng.uniform(0.15, 0.55), rng.uniform(-0.3, 0.3) * h
    stalk = Stalk(
        tuple((float(lean * x**2), 0.0, float(z[-1] + (reach + 0.0) * x)) for x in s),
        (0.05 * r, 0.04 * r, 0.04 * r, 0.06 * r),
    )
    profile = tuple((float(x), float(y)) for x, y in zip(radius, z, strict=True))
    return Grown(
        profile, (Relief(0.03, 2, 3),), new_seed(rng), ribs=(5, rng.uniform(0.0, 0.05)), stalks=(stalk,), lying=False
    )


def _dress_apple(shape: Shape, rng: np.random.Generator) -> tuple[Material, ...]:
    ground = looks.one_of(
        ((2, (0.75, 0.75, 0.25)), (2, (0.55, 0.68, 0.2)), (2, (0.85, 0.7, 0.3)), (1, (0.7, 0.12, 0.12))), rng
    )
    blush = looks.one_of(((4, (0.72, 0.1, 0.1)), (2, (0.8, 0.3, 0.15)), (1, (0.45, 0.06, 0.1)), (1, ground)), rng)
    hollow = looks.mix(ground, (0.5, 0.42, 0.2), 0.5)
    skin = looks.material(
        rng,
        (ground, blush, hollow),
        "streaked",
        contrast=1.0,
        scale=rng.uniform(12.0, 24.0),
        gloss=(0.2, 0.8),
        size=128,
    )
    return skin, plain_skin(looks.vary((0.3, 0.2, 0.1), rng), rng)


def _lemon(size: float, rng: np.random.Generator) -> Grown:
    h = size * rng.uniform(0.9, 1.05)
    r, fine = h * rng.uniform(0.3, 0.37), 22
    t = np.linspace(0.0, 1.0, fine)
    z = h * (0.5 - 0.5 * np.cos(np.pi * t))
    body = np.sqrt(np.clip(1.0 - np.square((z - 0.49 * h) / (0.42 * h)), 0.0, 1.0))
    nipple = rng.uniform(0.16, 0.26) * np.sqrt(np.sin(np.pi * t).clip(0.0))
    radius = r * np.maximum(body, nipple)
    radius[[0, -1]] = 0.0
    profile = tuple((float(x), float(y)) for x, y in zip(radius, z, strict=True))
    dot = ((0.07 * r, 0.985 * h), (0.05 * r, 1.01 * h), (0.0, 1.01 * h))
    return Grown(profile, (Relief(0.03, 3, 4),), new_seed(rng), parts=(dot,))


def _dress_lemon(shape: Shape, rng: np.random.Generator) -> tuple[Material, ...]:
    peel = looks.one_of(((4, (0.95, 0.84, 0.15)), (1, (0.9, 0.9, 0.3)), (1.5, (0.42, 0.6, 0.15))), rng)
    colors = looks.mix(darker(peel, 0.75), (0.5, 0.4, 0.0), 0.2), peel, looks.mix(peel, (1.0, 1.0, 0.75), 0.4)
    skin = looks.material(rng, colors, "peel", contrast=1.0, scale=rng.uniform(8.0, 16.0), gloss=(0.1, 0.5), size=112)
    return skin, plain_skin(looks.vary((0.35, 0.35, 0.15), rng), rng)


def _tomato(size: float, rng: np.random.Generator) -> Grown:
    """A flattened ball, sometimes ribbed, with a green star and a stub of the stalk."""
    r, fine = size * rng.uniform(0.44, 0.5), 18
    h = r * rng.uniform(0.68, 0.98)
    a = np.linspace(-np.pi / 2, np.pi / 2, fine)
    radius = r * np.cos(a).clip(0.0) ** 0.9
    radius[[0, -1]] = 0.0
    z = h * np.sin(a) - np.where(a > 0, 0.18 * h, 0.0) * np.exp(-np.square(radius / (0.3 * r)))
    profile = tuple((float(x), float(y)) for x, y in zip(radius, z, strict=True))
    stalks = []
    top, leaf = float(z[-1]), r * rng.uniform(0.4, 0.75)
    turn, count = rng.uniform(0.0, 1.2), int(rng.integers(5, 7))
    if rng.random() < 0.85:
        for angle in turn + np.arange(count) * 2.0 * np.pi / count:
            c, s, up = np.cos(angle), np.sin(angle), rng.uniform(0.02, 0.3) * r
            path = [
                (0.0, 0.0, top),
                (0.45 * leaf * c, 0.45 * leaf * s, top + 0.2 * h),
                (leaf * c, leaf * s, top + 0.16 * h + up),
            ]
            stalks.append(
                Stalk(tuple((float(x), float(y), float(w)) for x, y, w in path), (0.05 * r, 0.07 * r, 0.01 * r))
            )
        stalks.append(Stalk(((0.0, 0.0, top), (0.05 * r, 0.0, top + rng.uniform(0.2, 0.5) * r)), (0.05 * r, 0.05 * r)))
    ribs = (int(rng.integers(5, 9)), rng.choice((0.0, 0.0, rng.uniform(0.03, 0.12))))
    return Grown(profile, (Relief(0.02, 2, 3),), new_seed(rng), ribs=ribs, stalks=tuple(stalks), lying=False)


def _dress_tomato(shape: Shape, rng: np.random.Generator) -> tuple[Material, ...]:
    assert isinstance(shape, Grown)
    skin = looks.one_of(
        ((5, (0.8, 0.09, 0.05)), (2, (0.85, 0.25, 0.07)), (1, (0.92, 0.6, 0.12)), (1, (0.45, 0.12, 0.1))), rng
    )
    other = looks.mix(skin, (0.9, 0.6, 0.15), rng.uniform(0.2, 0.7))
    body = looks.material(rng, (skin, other), "noise", contrast=rng.uniform(0.1, 0.6), scale=2.0, gloss=(0.5, 1.0))
    return (body, plain_skin(looks.vary((0.2, 0.4, 0.1), rng), rng))[: 1 + bool(shape.stalks)]


def _onion(size: float, rng: np.random.Generator) -> Grown:
    """A ball drawn out to a dry tip, with a tuft of roots below."""
    h = size * rng.uniform(0.9, 1.05)
    r, fine = h * rng.uniform(0.36, 0.46), 24
    t = np.linspace(0.0, 1.0, fine)
    z = h * (0.5 - 0.5 * np.cos(np.pi * t))
    middle, up = 0.42 * h, rng.uniform(0.3, 0.36) * h
    body = np.sqrt(np.clip(1.0 - np.square((z - middle) / np.where(z < middle, 0.42 * h, up)), 0.0, 1.0))
    tip = rng.uniform(0.1, 0.16) * np.where(z > middle, 1.0 + 0.5 * (z / h - 0.8), 0.0)
    radius = r * np.maximum(body, tip)
    radius[[0, -1]] = 0.0
    profile = tuple((float(x), float(y)) for x, y in zip(radius, z, strict=True))
    roots = ((0.0, -0.02 * h), (0.12 * r, -0.03 * h), (0.16 * r, 0.015 * h))
    return Grown(profile, (Relief(0.03, 2, 4), Relief(0.015, 2, 9)), new_seed(rng), parts=(roots,))


def _dress_onion(shape: Shape, rng: np.random.Generator) -> tuple[Material, ...]:
    skin = looks.one_of(((4, (0.75, 0.48, 0.2)), (1.5, (0.45, 0.1, 0.22)), (1, (0.9, 0.86, 0.76))), rng)
    colors = darker(skin, 0.65), skin, looks.mix(skin, (0.95, 0.85, 0.7), 0.5)
    body = looks.material(
        rng, colors, "veined", contrast=1.0, scale=rng.uniform(22.0, 40.0), gloss=(0.2, 0.7), size=112
    )
    return body, plain_skin(looks.vary((0.6, 0.5, 0.35), rng), rng)


def _peach(size: float, rng: np.random.Generator) -> Grown:
    """A peach, an apricot or a plum: a ball with a groove."""
    r = size * rng.uniform(0.44, 0.5)
    h = r * rng.uniform(1.75, 2.1)
    profile = oval(r, 0.0, h, 18, rng.uniform(-0.05, 0.05))
    return Grown(profile, (Relief(0.02, 2, 3),), new_seed(rng), furrow=rng.uniform(0.03, 0.09), segments=28)


def _dress_peach(shape: Shape, rng: np.random.Generator) -> tuple[Material, ...]:
    ground = looks.one_of(((2, (0.93, 0.65, 0.3)), (1, (0.95, 0.75, 0.5)), (1, (0.3, 0.15, 0.3))), rng)
    blush = looks.mix(ground, looks.vary((0.7, 0.15, 0.15), rng), rng.uniform(0.2, 0.9))
    hollow = looks.mix(ground, (0.6, 0.5, 0.2), 0.5)
    return (
        looks.material(rng, (ground, blush, hollow), "streaked", contrast=1.0, scale=8.0, gloss=(0.0, 0.2), size=96),
    )


def _potato(size: float, rng: np.random.Generator) -> Grown:
    h = size * rng.uniform(0.85, 1.05)
    profile = oval(h * rng.uniform(0.3, 0.42), 0.0, h, 18, rng.uniform(-0.15, 0.15), rng.uniform(0.7, 0.9))
    return Grown(profile, (Relief(0.1, 2, 4), Relief(0.03, 5, 8)), new_seed(rng), pressed=rng.uniform(0.0, 0.12))


def _dress_potato(shape: Shape, rng: np.random.Generator) -> tuple[Material, ...]:
    skin = looks.one_of(((3, (0.72, 0.56, 0.34)), (1, (0.55, 0.4, 0.25)), (1, (0.6, 0.25, 0.25))), rng)
    return (
        looks.material(
            rng, (skin, darker(skin, 0.55)), "speckle", contrast=rng.uniform(0.3, 0.7), gloss=(0.0, 0.15), size=96
        ),
    )


KINDS: dict[str, Kind] = {
    **sweets.KINDS,
    **nuts.KINDS,
    "orange": Kind(_orange, (0.05, 0.1), _dress_orange, density=900.0, resembles=("ball",)),
    "apple": Kind(_apple, (0.055, 0.095), _dress_apple, density=800.0, resembles=("ball",)),
    "lemon": Kind(_lemon, (0.05, 0.11), _dress_lemon, density=900.0, resembles=("ball",)),
    "tomato": Kind(_tomato, (0.03, 0.1), _dress_tomato, density=1000.0, resembles=("ball",)),
    "onion": Kind(_onion, (0.05, 0.11), _dress_onion, density=900.0, resembles=("ball",)),
    "peach": Kind(_peach, (0.04, 0.085), _dress_peach, density=950.0, resembles=("ball",)),
    "potato": Kind(_potato, (0.05, 0.13), _dress_potato, density=1000.0, resembles=("ball",)),
}
