"""Buckets, canisters, fire extinguishers, suitcases."""

from __future__ import annotations

import itertools

import numpy as np

from ..scene import Material
from ..shapes import Shape
from ..shapes.assembly import Assembly, Block, Disc, Part, Rod
from ..shapes.turned import Profile
from ..textures import Color
from . import looks
from .kinds import Kind

_BLACK: Color = (0.07, 0.07, 0.07)
_STEEL: Color = (0.68, 0.69, 0.7)


def _bucket(size: float, rng: np.random.Generator) -> Assembly:
    """A bucket with a wire handle, up or down."""
    h = size * rng.uniform(0.7, 0.9)
    high = h * rng.uniform(0.46, 0.58)
    low, wall = high * rng.uniform(0.68, 0.85), 0.02 * high
    rim = 0.04 * h
    outer: Profile = ((0.0, 0.0), (low, 0.0), (high, h - 2 * rim), (high + rim, h - 2 * rim), (high + rim, h))
    inner = ((high + rim, h), (high - wall, h), (low - wall, 2 * wall), (0.0, 2 * wall))
    swing = rng.choice((rng.uniform(-0.2, 0.2), rng.uniform(1.3, 1.75) * rng.choice((-1, 1))))
    angle = np.linspace(0.0, np.pi, 9)
    reach = high + 1.2 * rim
    arc = [
        (
            float(reach * np.sin(a) * np.sin(swing)),
            float(reach * np.cos(a)),
            float(h - rim + reach * np.sin(a) * np.cos(swing)),
        )
        for a in angle
    ]
    wire = tuple(Rod(a, b, 0.012 * h) for a, b in itertools.pairwise(arc))
    return Assembly(((Disc(outer, segments=26),), (Disc(inner, segments=26, solid=False),), wire), "bucket")


def _dress_bucket(shape: Shape, rng: np.random.Generator) -> tuple[Material, ...]:
    color = looks.one_of(_BRIGHT, rng)
    dirt = looks.mix(color, (0.4, 0.37, 0.33), 0.7)
    paper: Color = (0.92, 0.92, 0.9)
    pattern = "labelled" if rng.random() < 0.3 else "worn"
    wear = 1.0 if pattern == "labelled" else rng.uniform(0.1, 0.9)
    body = looks.material(rng, (color, dirt, paper), pattern, contrast=wear, gloss=(0.05, 0.5))
    inside = looks.material(rng, (looks.mix(color, _BLACK, 0.3), dirt), "noise", gloss=(0.0, 0.3))
    return body, inside, looks.material(rng, (looks.vary(_STEEL, rng),), gloss=(0.4, 0.9), metallic=0.8)


def _jerrycan(size: float, rng: np.random.Generator) -> Assembly:
    """A canister with three handles or one, and a spout."""
    h = size * rng.uniform(0.82, 0.95)
    x, y, edge = h * rng.uniform(0.32, 0.4), h * rng.uniform(0.14, 0.2), h * 0.04
    body: list[Part] = [Block((0.0, 0.0, 0.43 * h), (x, y, 0.43 * h), (0.0, 0.0, 0.0), edge)]
    # Pressed panels on the broad sides.
    body += [
        Block((0.0, s * y, 0.42 * h), (0.72 * x, 0.02 * h, 0.3 * h), (0.0, 0.0, 0.0), 0.018 * h, solid=False)
        for s in (-1, 1)
    ]
    rows = (-0.6, 0.0, 0.6) if rng.random() < 0.5 else (0.0,)
    for row in rows:
        at = row * y
        body.append(Rod((-0.5 * x, at, 0.96 * h), (0.45 * x, at, 0.96 * h), 0.02 * h))
        body += [Rod((s * 0.5 * x, at, 0.84 * h), (s * 0.47 * x, at, 0.96 * h), 0.018 * h) for s in (-1, 1)]
    cap = Rod((0.75 * x, 0.0, 0.84 * h), (0.8 * x, 0.0, 0.99 * h), 0.07 * h, 0.9)
    return Assembly((tuple(body), (cap,)), "jerrycan")


def _dress_jerrycan(shape: Shape, rng: np.random.Generator) -> tuple[Material, ...]:
    color = looks.one_of(
        (
            (0.3, (0.75, 0.08, 0.07)),
            (0.25, (0.25, 0.3, 0.16)),
            (0.2, (0.93, 0.93, 0.91)),
            (0.15, (0.1, 0.3, 0.65)),
            (0.1, _BLACK),
        ),
        rng,
    )
    dirt = looks.mix(color, (0.3, 0.26, 0.2), 0.6)
    paper: Color = (0.92, 0.92, 0.9)
    pattern = "labelled" if rng.random() < 0.3 else "worn"
    body = looks.material(rng, (color, dirt, paper), pattern, contrast=rng.uniform(0.3, 1.0), gloss=(0.05, 0.5))
    return body, looks.material(
        rng, (looks.one_of(((0.5, _BLACK), (0.3, color), (0.2, (0.8, 0.1, 0.08))), rng),), gloss=(0.1, 0.5)
    )


def _extinguisher(size: float, rng: np.random.Generator) -> Assembly:
    """A bottle with a valve, levers and a hose."""
    h = size * rng.uniform(0.92, 1.08)
    r, top = h * rng.uniform(0.13, 0.18), h * rng.uniform(0.76, 0.84)
    neck = 0.28 * r
    shoulder = [
        (neck + (r - neck) * float(np.cos(a)), top - 0.6 * r + 0.6 * r * float(np.sin(a)))
        for a in np.linspace(0, np.pi / 2, 5)
    ]
    body = Disc(((0.0, 0.01 * h), (0.85 * r, 0.0), (r, 0.02 * h), *shoulder, (neck, top + 0.02 * h)), segments=22)
    band = rng.uniform(0.35, 0.5) * h
    label = Disc(
        ((r, band), (1.012 * r, band), (1.012 * r, band + 0.2 * h), (r, band + 0.2 * h)), segments=22, solid=False
    )
    valve: list[Part] = [
        Rod((0, 0, top), (0, 0, top + 0.07 * h), 0.9 * neck),
        Rod((0, 0, top + 0.05 * h), (0.5 * r, 0, top + 0.05 * h), 0.5 * neck),
    ]
    valve += [Block((-0.5 * r, 0.0, top + 0.09 * h), (0.8 * r, 0.12 * r, 0.008 * h), (0.0, 0.25, 0.0)),
              Block((-0.5 * r, 0.0, top + 0.06 * h), (0.7 * r, 0.12 * r, 0.008 * h), (0.0, -0.1, 0.0))]  # fmt: skip
    bow, drop = r + 0.35 * r, rng.uniform(0.25, 0.6) * h
    hose = [
        (0.4 * r, 0.0, top + 0.05 * h),
        (bow, 0.0, top - 0.02 * h),
        (bow + 0.1 * r, 0.0, top - 0.12 * h),
        (1.16 * r, 0.0, top - drop),
    ]
    pipe: list[Part] = [Rod(a, b, 0.14 * r, solid=False) for a, b in itertools.pairwise(hose)]
    pipe.append(Rod(hose[-1], (1.16 * r, 0.0, top - drop - 0.12 * h), 0.16 * r, 1.6, solid=False))
    return Assembly(((body,), tuple(valve), tuple(pipe), (label,)), "extinguisher")


def _dress_extinguisher(shape: Shape, rng: np.random.Generator) -> tuple[Material, ...]:
    red = looks.one_of(((0.85, (0.8, 0.06, 0.06)), (0.08, _STEEL), (0.07, (0.85, 0.7, 0.1))), rng)
    dirt = looks.mix(red, _BLACK, 0.5)
    body = looks.material(rng, (red, dirt), "noise", contrast=rng.uniform(0.0, 0.4), gloss=(0.3, 0.9))
    valve = looks.material(
        rng, (looks.one_of(((0.5, _BLACK), (0.3, _STEEL), (0.2, (0.7, 0.55, 0.25))), rng),), gloss=(0.2, 0.8)
    )
    paper: Color = (0.94, 0.94, 0.92)
    label = looks.material(
        rng, (looks.mix(red, paper, rng.choice((0.0, 1.0))), _BLACK, paper), "labelled", contrast=1.0
    )
    return body, valve, looks.material(rng, (_BLACK,), gloss=(0.0, 0.4)), label


def _suitcase(size: float, rng: np.random.Generator) -> Assembly:
    """A trolley case, upright on its wheels, its handle drawn out or not; ribs or a pocket in front."""
    h = size * rng.uniform(0.85, 1.05)
    out = h * rng.choice((0.0, 0.0, rng.uniform(0.2, 0.35)))
    h -= 0.5 * out
    y, x, wheel = h * rng.uniform(0.3, 0.36), h * rng.uniform(0.17, 0.23), h * rng.uniform(0.025, 0.04)
    low, top = 1.8 * wheel, h - out * 0.5
    middle, half = (low + top) / 2, (top - low) / 2
    shell: list[Part] = [Block((0.0, 0.0, middle), (x, y, half), (0.0, 0.0, 0.0), 0.3 * x)]
    if rng.random() < 0.55:
        count = int(rng.integers(4, 8))
        for at in np.linspace(-0.75, 0.75, count) * y:
            shell.append(
                Block(
                    (0.0, float(at), middle),
                    (x * 1.03, 0.25 * y / count, 0.86 * half),
                    (0.0, 0.0, 0.0),
                    0.2 * y / count,
                    solid=False,
                )
            )
    else:
        shell.append(Block((x, 0.0, middle - 0.3 * half), (0.14 * x, 0.8 * y, 0.5 * half), (0.0, 0.0, 0.0), 0.12 * x))
    trim: list[Part] = [
        Rod((sx * 0.7 * x, sy * 0.8 * y - 0.5 * wheel, wheel), (sx * 0.7 * x, sy * 0.8 * y + 0.5 * wheel, wheel), wheel)
        for sx in (-1, 1) for sy in (-1, 1)
    ]  # fmt: skip
    trim += [Block((0.0, 0.0, top + 0.012 * h), (0.15 * x, 0.3 * y, 0.012 * h), (0.0, 0.0, 0.0), 0.01 * h)]
    trim.append(Block((0.0, 0.0, middle), (0.03 * x, 1.01 * y, 1.005 * half), (0.0, 0.0, 0.0)))
    if out:
        trim += [
            Rod((-0.8 * x, s * 0.35 * y, top - 0.05 * h), (-0.8 * x, s * 0.35 * y, top + out), 0.012 * h)
            for s in (-1, 1)
        ]
        trim.append(Block((-0.8 * x, 0.0, top + out), (0.02 * h, 0.42 * y, 0.016 * h), (0.0, 0.0, 0.0), 0.012 * h))
    return Assembly((tuple(shell), tuple(trim)), "suitcase")


def _dress_suitcase(shape: Shape, rng: np.random.Generator) -> tuple[Material, ...]:
    color = looks.one_of(_CASES, rng)
    hard = rng.random() < 0.6
    shell = looks.material(
        rng, (color, looks.mix(color, _BLACK, 0.4)), "noise", contrast=0.4, gloss=(0.2, 0.8) if hard else (0.0, 0.1)
    )
    return shell, looks.material(rng, (looks.one_of(((0.7, _BLACK), (0.3, (0.6, 0.6, 0.62))), rng),), gloss=(0.1, 0.6))


_BRIGHT: tuple[tuple[float, Color], ...] = (
    (0.2, (0.12, 0.3, 0.7)),
    (0.2, (0.92, 0.92, 0.9)),
    (0.15, (0.75, 0.1, 0.1)),
    (0.15, (1.0, 0.38, 0.06)),
    (0.15, _BLACK),
    (0.1, (0.9, 0.75, 0.1)),
    (0.05, (0.15, 0.5, 0.25)),
)
_CASES: tuple[tuple[float, Color], ...] = (
    (0.3, _BLACK),
    (0.18, (0.15, 0.2, 0.4)),
    (0.15, (0.55, 0.1, 0.12)),
    (0.12, (0.6, 0.61, 0.62)),
    (0.1, (0.2, 0.45, 0.45)),
    (0.08, (0.85, 0.5, 0.55)),
    (0.07, (0.85, 0.6, 0.1)),
)

KINDS: dict[str, Kind] = {
    "bucket": Kind(_bucket, (0.25, 0.42), _dress_bucket, upright=0.75, density=100.0, resembles=("traffic_cone",)),
    "fire_extinguisher": Kind(_extinguisher, (0.35, 0.65), _dress_extinguisher, upright=0.85, density=700.0),
    "jerrycan": Kind(_jerrycan, (0.28, 0.48), _dress_jerrycan, upright=0.8, density=300.0),
    "suitcase": Kind(_suitcase, (0.5, 1.0), _dress_suitcase, upright=0.75, density=150.0),
}
