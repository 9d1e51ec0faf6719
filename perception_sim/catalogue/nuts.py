"""Dried fruit and nuts: dates and jujubes, figs, hazelnuts and acorns (see any market stall)."""

from __future__ import annotations

import numpy as np

from ..scene import Material
from ..shapes import Shape
from ..shapes.grown import Grown, Relief, Stalk, oval
from ..textures import Color
from . import looks
from .grown_looks import new_seed
from .kinds import Kind
from .looks import Palette

_RINGS, _SEGMENTS = 26, 34
_TEXTURE_PX = 112

_DATES: Palette = (
    (4, (0.36, 0.11, 0.09)),
    (2, (0.45, 0.15, 0.11)),
    (2, (0.27, 0.07, 0.08)),
    (1, (0.4, 0.2, 0.1)),
    (0.6, (0.22, 0.13, 0.09)),
)
_FIGS: Palette = (
    (3, (0.28, 0.24, 0.15)),
    (2, (0.22, 0.19, 0.15)),
    (2, (0.22, 0.18, 0.2)),
    (2, (0.36, 0.25, 0.13)),
    (1.5, (0.4, 0.4, 0.2)),
    (1, (0.55, 0.44, 0.27)),
)
_SHELLS: Palette = (
    (3, (0.52, 0.31, 0.17)),
    (2, (0.4, 0.22, 0.15)),
    (2, (0.47, 0.27, 0.2)),
    (1.5, (0.62, 0.41, 0.23)),
    (1, (0.3, 0.18, 0.12)),
)


def _date(size: float, rng: np.random.Generator) -> Grown:
    """An egg to a long oval, one end often drawn out like a pear's, with deep wrinkles."""
    length = size * rng.uniform(0.9, 1.05)
    radius = length * rng.uniform(0.27, 0.38)
    outline = np.array(oval(radius, 0.0, length, _RINGS, rng.uniform(-0.05, 0.28), rng.uniform(0.6, 0.84)))
    # A waist before the narrow end.
    waist = rng.uniform(0.0, 0.14) * np.exp(-np.square((np.linspace(0.0, 1.0, _RINGS) - rng.uniform(0.6, 0.75)) / 0.12))
    outline[:, 0] *= 1.0 - waist
    depth = rng.uniform(0.025, 0.06)
    reliefs = (
        Relief(rng.uniform(0.04, 0.1), 3, 4),
        Relief(depth, 3, 8, True),
        Relief(depth, 5, 11, True),
        Relief(0.8 * depth, 8, 16, True),
    )
    return Grown(
        tuple((float(r), float(z)) for r, z in outline), reliefs, new_seed(rng), pressed=rng.uniform(0.0, 0.1),
        bend=rng.uniform(0.0, 0.5) / length, segments=_SEGMENTS,
    )  # fmt: skip


def _fig(size: float, rng: np.random.Generator) -> Grown:
    """A drop or a squashed ball with ribs, an eye at its broad end, and mostly a bent stalk with knots."""
    radius = size * rng.uniform(0.28, 0.38)
    height = radius * rng.uniform(1.5, 2.4)
    t = np.linspace(0.0, 1.0, _RINGS)
    z = height * (0.5 - 0.5 * np.cos(np.pi * t))
    narrow = 1.0 - (1.0 - rng.uniform(0.12, 0.55)) * np.clip((t - 0.42) / 0.58, 0.0, 1.0) ** rng.uniform(0.7, 1.3)
    r = radius * np.minimum(np.sin(np.pi * t) ** rng.uniform(0.7, 0.95) * narrow * 1.05, 1.0)
    r[[0, -1]] = 0.0
    reliefs = (
        Relief(rng.uniform(0.08, 0.2), 2, 3),
        Relief(rng.uniform(0.02, 0.07), 4, 7),
        Relief(rng.uniform(0.02, 0.06), 5, 11, True),
    )
    length = size * (rng.uniform(0.12, 0.45) if rng.random() < 0.75 else 0.05)
    top = 0.97 * height
    lean, turn = rng.uniform(-1.0, 1.0), rng.uniform(-0.4, 0.4)
    s = np.linspace(0.0, 1.0, 8)
    path = tuple(
        (
            float(lean * length * a**2),
            float(turn * length * a**3),
            float(top - 0.1 * height + (length + 0.1 * height) * a),
        )
        for a in s
    )
    thin = radius * (rng.uniform(0.1, 0.16) - 0.05 * s + 0.14 * np.exp(-s / 0.15))
    thin[int(rng.integers(4, 7))] *= rng.uniform(1.2, 1.8)
    thin[-1] *= 1.3
    eye = radius * rng.uniform(0.12, 0.24)
    # A low ring around a hole: the eye.
    ring = (
        (0.0, 0.012 * height),
        (0.45 * eye, 0.0),
        (0.8 * eye, -0.012 * height),
        (eye, 0.01 * height),
        (eye, 0.06 * height),
    )
    return Grown(
        tuple((float(a), float(b)) for a, b in zip(r, z, strict=True)), reliefs, new_seed(rng),
        ribs=(int(rng.integers(7, 13)), rng.uniform(0.02, 0.08)), pressed=rng.uniform(0.0, 0.14),
        stalks=(Stalk(path, tuple(thin.tolist())),), parts=(ring,), segments=_SEGMENTS - 2,
    )  # fmt: skip


def _hazelnut(size: float, rng: np.random.Generator) -> Grown:
    """A barrel or an egg, cut flat at the scar, with a small tip at the other end."""
    radius = size * rng.uniform(0.36, 0.45)
    height = radius * rng.uniform(1.9, 2.75)
    cut = radius * rng.uniform(0.5, 0.8)
    t = np.linspace(0.0, 1.0, 20)
    start = np.arcsin((cut / radius) ** (1.0 / 0.72)) / np.pi
    angle = np.pi * (start + (1.0 - start) * t)
    r = radius * np.sin(angle).clip(0.0) ** 0.72 * (1.0 - rng.uniform(-0.06, 0.1) * np.cos(angle))
    z = -np.cos(angle)
    z = height * (z - z[0]) / (z[-1] - z[0])
    r[-1] = 0.0
    r[-2] = min(r[-2], 0.22 * radius)
    z[-1] += rng.uniform(0.0, 0.05) * height
    rim = (float(r[0]), float(z[0]))
    bulge = rng.uniform(0.005, 0.05) * height
    bottom = (0.0, 0.01 * height), (0.9 * rim[0], 0.01 * height)
    scar = ((0.0, -bulge), (0.6 * rim[0], -0.7 * bulge), (0.93 * rim[0], 0.0), (0.97 * rim[0], 0.02 * height))
    tip = radius * rng.uniform(0.05, 0.11)
    peak = float(z[-1])
    point = (
        (1.6 * tip, peak - 0.06 * height),
        (tip, peak),
        (0.5 * tip, peak + rng.uniform(0.2, 1.2) * tip),
        (0.0, peak + 1.3 * tip),
    )
    return Grown(
        (*bottom, *((float(a), float(b)) for a, b in zip(r, z, strict=True))), (Relief(rng.uniform(0.0, 0.03), 3, 5),),
        new_seed(rng), pressed=rng.uniform(0.0, 0.06), parts=(scar, point), segments=26,
    )  # fmt: skip


def _shades(color: Color, dark: float) -> Color:
    return (dark * color[0], 0.9 * dark * color[1], 0.9 * dark * color[2])


def _dress_date(shape: Shape, rng: np.random.Generator) -> tuple[Material, ...]:
    skin = looks.one_of(_DATES, rng)
    fold = _shades(skin, rng.uniform(0.35, 0.65))
    sheen = looks.mix(looks.mix(skin, (0.75, 0.3, 0.25), 0.4), (0.8, 0.62, 0.62), rng.uniform(0.15, 0.6))
    return (
        looks.material(rng, (fold, skin, sheen), "wrinkled", contrast=1.0, scale=rng.uniform(6.0, 14.0),
                       gloss=(0.35, 0.9), size=_TEXTURE_PX),
    )  # fmt: skip


def _dress_fig(shape: Shape, rng: np.random.Generator) -> tuple[Material, ...]:
    skin = looks.one_of(_FIGS, rng)
    fold = looks.mix(_shades(skin, rng.uniform(0.3, 0.6)), (0.16, 0.1, 0.16), rng.uniform(0.0, 0.5))
    ridge = looks.mix(skin, looks.vary((0.66, 0.58, 0.38), rng), rng.uniform(0.4, 0.9))
    pattern = "ribbed" if rng.random() < 0.75 else "wrinkled"
    body = looks.material(rng, (fold, skin, ridge), pattern, contrast=1.0, scale=rng.uniform(10.0, 20.0),
                          gloss=(0.0, 0.2), size=_TEXTURE_PX)  # fmt: skip
    wood = looks.mix(looks.vary((0.42, 0.33, 0.22), rng), fold, rng.uniform(0.0, 0.7))
    return body, looks.material(rng, (wood, _shades(wood, 0.5)), "noise", contrast=0.8, scale=5.0, gloss=(0.0, 0.15))


def _dress_hazelnut(shape: Shape, rng: np.random.Generator) -> tuple[Material, ...]:
    shell = looks.one_of(_SHELLS, rng)
    dust = looks.mix(shell, looks.vary((0.82, 0.75, 0.68), rng), rng.uniform(0.4, 1.0))
    body = looks.material(rng, (_shades(shell, rng.uniform(0.4, 0.75)), shell, dust), "dusted", contrast=1.0,
                          scale=rng.uniform(10.0, 24.0), gloss=(0.15, 0.75), size=_TEXTURE_PX)  # fmt: skip
    scar = looks.mix(looks.vary((0.74, 0.62, 0.48), rng), shell, rng.uniform(0.0, 0.6))
    return body, looks.material(rng, (scar, _shades(scar, 0.6)), "noise", contrast=0.7, scale=5.0, gloss=(0.0, 0.1))


KINDS: dict[str, Kind] = {
    "date": Kind(_date, (0.025, 0.05), _dress_date, density=900.0),
    "fig": Kind(_fig, (0.025, 0.05), _dress_fig, density=900.0),
    "hazelnut": Kind(_hazelnut, (0.016, 0.028), _dress_hazelnut, density=800.0),
}
