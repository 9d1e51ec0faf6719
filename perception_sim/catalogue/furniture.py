"""Chairs: dining chairs, office chairs, stools, folding chairs, armchairs. They face +x."""

from __future__ import annotations

import numpy as np

from ..scene import Material
from ..shapes import Shape
from ..shapes.assembly import Assembly, Block, Disc, Part, Rod
from ..textures import Color
from . import looks
from .kinds import Kind


def _chair(size: float, rng: np.random.Generator) -> Assembly:
    """A chair whose nominal ``size`` (metres) is about its height."""
    makers = (_dining, _office, _stool, _folding, _armchair)
    make = makers[int(rng.choice(len(makers), p=(0.36, 0.24, 0.14, 0.13, 0.13)))]
    return make(size * rng.uniform(0.9, 1.1), rng)


def _dining(h: float, rng: np.random.Generator) -> Assembly:
    seat, wide, deep = h * rng.uniform(0.47, 0.54), h * rng.uniform(0.21, 0.26), h * rng.uniform(0.21, 0.25)
    leg, splay, rake = h * rng.uniform(0.015, 0.024), h * rng.uniform(0.0, 0.05), rng.uniform(0.05, 0.28)
    thick = h * rng.uniform(0.015, 0.035)
    square = bool(rng.random() < 0.5)
    frame: list[Part] = []
    for sx in (-1, 1):
        for sy in (-1, 1):
            x, y = sx * (deep - 1.5 * leg), sy * (wide - 1.5 * leg)
            if square:
                frame.append(Block((x, y, (seat - thick) / 2), (leg, leg, (seat - thick) / 2)))
            else:
                frame.append(Rod((x + sx * splay, y + sy * splay, 0.0), (x, y, seat - thick), 0.7 * leg, 1.4))
    back = h - seat
    lean = -rake

    def at(up: float, across: float) -> tuple[float, float, float]:
        return (-deep + leg - np.sin(rake) * up, across, seat + np.cos(rake) * up)

    tall = back / np.cos(rake) * 0.5
    design = str(rng.choice(("slats", "bars", "panel")))
    panel: list[Part] = []
    if design != "panel" or rng.random() < 0.5:
        for sy in (-1, 1):
            y = sy * (wide - 1.2 * leg)
            frame.append(
                Block(at(tall, y), (leg, leg, tall), (0.0, lean, 0.0))
                if square
                else Rod(at(-0.1 * tall, y), at(1.95 * tall, y), 0.9 * leg)
            )
    if design == "slats":
        count = int(rng.integers(2, 5))
        for level in np.linspace(0.5, 1.85, count):
            half = (0.6 * leg, wide - 2 * leg, tall * rng.uniform(0.08, 0.14))
            frame.append(Block(at(tall * float(level), 0.0), half, (0.0, lean, 0.0)))
    elif design == "bars":
        frame.append(Block(at(1.88 * tall, 0.0), (0.8 * leg, wide, 0.12 * tall), (0.0, lean, 0.0)))
        for y in np.linspace(-0.7, 0.7, int(rng.integers(3, 7))) * wide:
            frame.append(Rod(at(0.0, float(y)), at(1.85 * tall, float(y)), 0.45 * leg))
    else:
        low = rng.uniform(0.05, 0.5)
        half = (thick * 0.6, wide * 0.98, tall * (1.0 - low / 2))
        panel.append(Block(at(tall * (1.0 + low / 2), 0.0), half, (0.0, lean, 0.0), 0.5 * thick))
    if rng.random() < 0.4:
        low = seat * rng.uniform(0.2, 0.5)
        frame += [Block((0.0, sy * (wide - 1.5 * leg), low), (deep - leg, 0.5 * leg, 0.5 * leg)) for sy in (-1, 1)]
    seat_part = Block((0.0, 0.0, seat - thick), (deep, wide, thick), (0.0, 0.0, 0.0), 0.8 * thick)
    style = "wood" if square or rng.random() < 0.5 else "plastic"
    return Assembly((tuple(frame), (seat_part, *panel)), style)


def _office(h: float, rng: np.random.Generator) -> Assembly:
    seat, wide, deep = h * rng.uniform(0.44, 0.5), h * rng.uniform(0.21, 0.26), h * rng.uniform(0.21, 0.25)
    reach, wheel, cushion = h * rng.uniform(0.27, 0.32), h * 0.026, h * rng.uniform(0.03, 0.05)
    frame: list[Part] = []
    for angle in np.arange(5) * 2 * np.pi / 5 + rng.uniform(0, 1.2):
        x, y = float(reach * np.cos(angle)), float(reach * np.sin(angle))
        frame.append(Rod((0.0, 0.0, 3.4 * wheel), (x, y, 2.3 * wheel), 0.024 * h, 0.6))
        axle = (float(-np.sin(angle)) * 0.02 * h, float(np.cos(angle)) * 0.02 * h, 0.0)
        frame.append(Rod((x - axle[0], y - axle[1], wheel), (x + axle[0], y + axle[1], wheel), wheel))
    frame += [
        Rod((0, 0, 2.5 * wheel), (0, 0, 0.6 * seat), 0.03 * h),
        Rod((0, 0, 0.6 * seat), (0, 0, seat - cushion), 0.017 * h),
    ]
    rake, low = rng.uniform(0.05, 0.25), rng.uniform(0.05, 0.3)
    tall = (h - seat) / 2 / np.cos(rake)
    half = tall * (1.0 - low / 2)
    middle = tall * (1.0 + low / 2)
    back = Block(
        (-deep - np.sin(rake) * middle, 0.0, seat + np.cos(rake) * middle),
        (0.6 * cushion, wide * rng.uniform(0.8, 1.0), half),
        (0.0, -rake, 0.0),
        0.55 * cushion,
    )
    spine = -deep - 0.8 * cushion
    frame += [
        Rod((-0.5 * deep, 0.0, seat - 1.5 * cushion), (spine, 0.0, seat - 0.5 * cushion), 0.018 * h),
        Rod(
            (spine, 0.0, seat - 0.5 * cushion),
            (spine - np.sin(rake) * middle, 0.0, seat + np.cos(rake) * middle),
            0.018 * h,
        ),
    ]
    if rng.random() < 0.65:
        top = seat + h * rng.uniform(0.16, 0.22)
        for sy in (-1, 1):
            y = sy * (wide + 0.03 * h)
            frame.append(Block((-0.1 * deep, y, top), (0.5 * deep, 0.025 * h, 0.012 * h), (0.0, 0.0, 0.0), 0.01 * h))
            frame.append(Rod((-0.1 * deep, y, seat - cushion), (-0.1 * deep, y, top), 0.014 * h))
            frame.append(Rod((-0.1 * deep, 0.0, seat - cushion), (-0.1 * deep, y, seat - cushion), 0.012 * h))
    pad = Block((0.0, 0.0, seat - cushion), (deep, wide, cushion), (0.0, 0.0, 0.0), 0.9 * cushion)
    return Assembly((tuple(frame), (pad, back)), "office")


def _stool(h: float, rng: np.random.Generator) -> Assembly:
    h = h * rng.uniform(0.6, 0.95)
    r, thick = h * rng.uniform(0.22, 0.3), h * rng.uniform(0.02, 0.05)
    leg, splay, count = h * rng.uniform(0.02, 0.03), rng.uniform(1.0, 1.35), int(rng.choice((3, 4, 4)))
    angle = np.arange(count) * 2 * np.pi / count + 0.4
    frame: list[Part] = []
    feet = [(float(np.cos(a)), float(np.sin(a))) for a in angle]
    inner, outer = 0.75 * r, 0.75 * r * splay
    frame += [Rod((outer * x, outer * y, 0.0), (inner * x, inner * y, h - thick), leg, 1.1) for x, y in feet]
    low = rng.uniform(0.25, 0.5)
    between = outer + (inner - outer) * low
    for (x, y), (nx, ny) in zip(feet, feet[1:] + feet[:1], strict=True):
        frame.append(Rod((between * x, between * y, low * h), (between * nx, between * ny, low * h), 0.6 * leg))
    seat = Disc(
        ((0.0, -thick), (0.93 * r, -thick), (r, -0.6 * thick), (r, 0.6 * thick), (0.94 * r, thick), (0.0, 0.9 * thick)),
        (0.0, 0.0, h - thick),
        segments=24,
    )
    return Assembly((tuple(frame), (seat,)), "wood")


def _folding(h: float, rng: np.random.Generator) -> Assembly:
    seat, wide, tube = h * rng.uniform(0.5, 0.56), h * rng.uniform(0.22, 0.27), h * rng.uniform(0.011, 0.015)
    front, rear = h * rng.uniform(0.24, 0.3), h * rng.uniform(0.2, 0.26)
    top = -h * rng.uniform(0.24, 0.32)
    frame: list[Part] = []
    for sy in (-1, 1):
        y = sy * wide
        frame += [
            Rod((front, y, tube), (top, y, h), tube),
            Rod((-rear, 0.9 * y, tube), (0.6 * front, 0.9 * y, seat), tube),
        ]
    for x, z, y in ((front, tube, wide), (-rear, tube, 0.9 * wide), (top, h, wide)):
        frame.append(Rod((x, -y, z), (x, y, z), tube))
    rake = np.arctan2(front - top, h)
    up = rng.uniform(0.72, 0.8)
    tall = h * rng.uniform(0.1, 0.2)
    back = Block(
        (front + (top - front) * up, 0.0, h * up + 0.2 * tall),
        (0.6 * tube, wide, tall * 0.7),
        (0.0, -float(rake), 0.0),
        0.5 * tube,
    )
    pad = Block((0.05 * h, 0.0, seat), (h * 0.2, wide * 0.9, 1.2 * tube), (0.0, 0.0, 0.0), tube)
    return Assembly((tuple(frame), (pad, back)), "metal")


def _armchair(h: float, rng: np.random.Generator) -> Assembly:
    wide, deep, seat = h * rng.uniform(0.4, 0.62), h * rng.uniform(0.4, 0.5), h * rng.uniform(0.42, 0.5)
    arm, foot, edge = h * rng.uniform(0.07, 0.11), h * rng.uniform(0.04, 0.12), h * 0.04
    base = Block(
        (0.0, 0.0, (seat + foot) / 2 - 0.05 * h), (deep, wide - arm, (seat - foot) / 2 - 0.05 * h), (0, 0, 0), edge
    )
    pad = Block((0.03 * h, 0.0, seat - 0.05 * h), (deep - 0.03 * h, wide - 2 * arm, 0.06 * h), (0, 0, 0), 0.8 * edge)
    back = Block(
        (-deep + arm, 0.0, (h + foot) / 2),
        (arm, wide - 0.5 * arm, (h - foot) / 2),
        (0.0, -rng.uniform(0.0, 0.15), 0.0),
        edge,
    )
    top = seat + h * rng.uniform(0.1, 0.25)
    arms = [
        Block((0.0, sy * (wide - arm), (top + foot) / 2), (deep, arm, (top - foot) / 2), (0, 0, 0), edge)
        for sy in (-1, 1)
    ]
    legs = [
        Rod((sx * 0.8 * deep, sy * 0.85 * wide, 0.0), (sx * 0.8 * deep, sy * 0.85 * wide, foot + 0.02 * h), 0.02 * h)
        for sx in (-1, 1)
        for sy in (-1, 1)
    ]
    return Assembly((tuple(legs), (base, pad, back, *arms)), "soft")


def _dress(shape: Shape, rng: np.random.Generator) -> tuple[Material, ...]:
    assert isinstance(shape, Assembly)
    wood = looks.one_of(_WOOD, rng)
    grain = looks.mix(wood, (0.1, 0.06, 0.03), 0.5)
    timber = looks.material(rng, (wood, grain), "wood", contrast=0.6, gloss=(0.0, 0.5))
    metal = looks.material(rng, (looks.one_of(_METAL, rng),), gloss=(0.2, 0.9), metallic=0.7)
    cloth = looks.one_of(_CLOTH, rng)
    pattern = "noise" if rng.random() < 0.8 else str(rng.choice(("stripes", "checker", "dots")))
    scale = float(rng.integers(3, 9))
    pad = looks.material(
        rng, (cloth, looks.mix(cloth, (0, 0, 0), 0.35)), pattern, contrast=0.6, scale=scale, gloss=(0.0, 0.15)
    )
    shell = looks.material(rng, (looks.one_of(_SHELL, rng),), gloss=(0.1, 0.6))
    if shape.style == "wood":
        return timber, timber if rng.random() < 0.6 else pad
    if shape.style == "plastic":
        return (metal if rng.random() < 0.6 else timber), shell
    if shape.style == "metal":
        return metal, shell if rng.random() < 0.6 else pad
    if shape.style == "soft":
        return timber, pad
    dark = looks.material(rng, (looks.vary((0.07, 0.07, 0.07), rng),), gloss=(0.0, 0.5))
    return (dark if rng.random() < 0.7 else metal), pad


_WOOD: tuple[tuple[float, Color], ...] = (
    (0.35, (0.7, 0.5, 0.3)),
    (0.3, (0.42, 0.26, 0.14)),
    (0.15, (0.2, 0.12, 0.07)),
    (0.2, (0.88, 0.87, 0.84)),
)
_METAL: tuple[tuple[float, Color], ...] = (
    (0.5, (0.68, 0.69, 0.7)),
    (0.35, (0.1, 0.1, 0.1)),
    (0.15, (0.85, 0.85, 0.84)),
)
_CLOTH: tuple[tuple[float, Color], ...] = (
    (0.35, (0.1, 0.1, 0.11)),
    (0.2, (0.35, 0.36, 0.38)),
    (0.15, (0.15, 0.22, 0.42)),
    (0.1, (0.5, 0.12, 0.12)),
    (0.1, (0.2, 0.35, 0.25)),
    (0.1, (0.65, 0.55, 0.42)),
)
_SHELL: tuple[tuple[float, Color], ...] = (
    (0.3, (0.9, 0.9, 0.89)),
    (0.25, (0.1, 0.1, 0.11)),
    (0.15, (0.75, 0.15, 0.12)),
    (0.12, (0.15, 0.35, 0.6)),
    (0.1, (0.95, 0.45, 0.12)),
    (0.08, (0.3, 0.5, 0.3)),
)

KINDS: dict[str, Kind] = {
    "chair": Kind(_chair, (0.7, 1.1), _dress, upright=0.93, density=150.0),
}
