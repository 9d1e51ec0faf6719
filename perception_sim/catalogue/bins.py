"""Waste bins: open, with a lid, on wheels."""

from __future__ import annotations

import numpy as np

from ..scene import Material
from ..shapes import Shape
from ..shapes.assembly import Assembly, Block, Disc, Part, Rod
from ..shapes.turned import Profile, Turned, dome
from ..textures import Color
from . import looks
from .kinds import Kind

_BLACK: Color = (0.07, 0.07, 0.07)
_STEEL: Color = (0.68, 0.69, 0.7)


def _bin(size: float, rng: np.random.Generator) -> Turned | Assembly:
    """A waste bin: open, with a swing or dome lid, or on wheels."""
    h = size * rng.uniform(0.9, 1.08)
    if rng.random() < 0.35:
        return _wheeled_bin(h, rng)
    low, high = h * rng.uniform(0.22, 0.3), h * rng.uniform(0.27, 0.36)
    style = str(rng.choice(("open", "dome", "flat"), p=(0.4, 0.35, 0.25)))
    lid = {"open": 0.0, "dome": rng.uniform(0.2, 0.32), "flat": 0.08}[style] * h
    top = h - lid
    rim = 0.05 * high
    body: Profile = (
        (low, 0.0),
        (low, 0.02 * h),
        (high, top - 2 * rim),
        (high + rim, top - 1.6 * rim),
        (high + rim, top),
    )
    core = ((low, 0.0), (high + rim, top))
    if style == "open":
        # The liner hangs over the rim of some.
        inside = ((high + rim, top), (high - 0.3 * rim, top), (0.93 * low, 0.03 * h), (0.0, 0.03 * h))
        return Turned(((((0.0, 0.0), *body),), (inside,)), (core,), 26, style=style)
    cover: Profile = ((high + 1.3 * rim, top - 0.8 * rim), (high + 1.3 * rim, top + rim))
    cover += dome(high, top + 1.2 * rim, h, 5) if style == "dome" else ((high, h), (0.0, h))
    under = ((high + rim, top - 0.8 * rim), (high + 1.3 * rim, top - 0.8 * rim))
    return Turned(((((0.0, 0.0), *body),), (cover, under)), (core, cover), 26, style=style)


def _wheeled_bin(h: float, rng: np.random.Generator) -> Assembly:
    """A two-wheeled bin with a sloping lid; its handle is at -x."""
    x, y, lid = h * rng.uniform(0.22, 0.28), h * rng.uniform(0.2, 0.26), h * rng.uniform(0.03, 0.05)
    taper, wheel = rng.uniform(0.06, 0.12), h * rng.uniform(0.07, 0.1)
    middle = (h - 2 * lid) / 2
    body: list[Part] = [
        Block(
            (0.0, 0.0, middle + 0.01 * h),
            (x * (1 - taper), y * (1 - taper), middle),
            (0.0, taper * 0.35, 0.0),
            0.03 * h,
        )
    ]
    body.append(Block((0.01 * h, 0.0, h - 3.2 * lid), (x, y, 0.8 * lid), (0.0, 0.0, 0.0), 0.5 * lid))
    tilt = rng.uniform(0.0, 0.12)
    top: list[Part] = [
        Block((0.01 * h, 0.0, h - 1.6 * lid), (1.03 * x, 1.03 * y, 0.9 * lid), (0.0, tilt, 0.0), 0.7 * lid)
    ]
    top.append(Rod((-1.15 * x, -0.7 * y, h - 2.2 * lid), (-1.15 * x, 0.7 * y, h - 2.2 * lid), 0.014 * h))
    top += [
        Rod((-0.9 * x, s * 0.6 * y, h - 2.2 * lid), (-1.15 * x, s * 0.6 * y, h - 2.2 * lid), 0.012 * h) for s in (-1, 1)
    ]
    wheels: list[Part] = [
        Disc(
            (
                (0.0, 0.0),
                (0.9 * wheel, 0.0),
                (wheel, 0.15 * wheel),
                (wheel, 0.4 * wheel),
                (0.9 * wheel, 0.5 * wheel),
                (0.4 * wheel, 0.5 * wheel),
                (0.35 * wheel, 0.35 * wheel),
                (0.0, 0.35 * wheel),
            ),
            (-0.9 * x, s * y * 0.9, wheel),
            (0.0, float(s), 0.0),
            16,
        )
        for s in (-1, 1)
    ]
    return Assembly((tuple(body), tuple(top), tuple(wheels)), "wheeled")


def _dress_bin(shape: Shape, rng: np.random.Generator) -> tuple[Material, ...]:
    assert isinstance(shape, Turned | Assembly)
    color, black = looks.one_of(_BINS, rng), looks.vary(_BLACK, rng)
    dirt = looks.mix(color, (0.25, 0.22, 0.18), 0.6)
    steel = abs(color[0] - color[2]) < 0.08 and color[0] > 0.5
    wear = rng.uniform(0.1, 0.9)
    pattern = "labelled" if rng.random() < 0.25 else "worn"
    paper: Color = (0.9, 0.9, 0.88)
    body = looks.material(
        rng,
        (color, dirt, paper),
        pattern,
        contrast=wear if pattern == "worn" else 1.0,
        gloss=(0.3, 0.9) if steel else (0.05, 0.4),
        metallic=0.8 * steel,
        size=96,
    )
    if shape.style == "open":
        liner = looks.one_of(((0.4, color), (0.4, black), (0.2, (0.85, 0.86, 0.88))), rng)
        return body, looks.material(rng, (looks.mix(liner, _BLACK, 0.35),), gloss=(0.0, 0.3))
    lid = looks.one_of(((0.5, color), (0.3, black), (0.2, (0.1, 0.3, 0.65))), rng)
    top = looks.material(rng, (lid, looks.mix(lid, dirt, 0.4)), "noise", gloss=(0.05, 0.5))
    return (body, top, looks.material(rng, (black,), gloss=(0.0, 0.2)))[: 3 if shape.style == "wheeled" else 2]


_BINS: tuple[tuple[float, Color], ...] = (
    (0.22, (0.25, 0.27, 0.28)),
    (0.2, (0.08, 0.3, 0.16)),
    (0.15, _STEEL),
    (0.13, (0.08, 0.25, 0.6)),
    (0.1, _BLACK),
    (0.1, (0.9, 0.75, 0.1)),
    (0.05, (0.45, 0.28, 0.16)),
    (0.05, (0.75, 0.15, 0.1)),
)
KINDS: dict[str, Kind] = {
    "bin": Kind(_bin, (0.3, 1.1), _dress_bin, upright=0.88, density=100.0),
}
