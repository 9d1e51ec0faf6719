"""Spoons, forks and knives."""

from __future__ import annotations

import dataclasses

import numpy as np

from ..scene import Material
from ..shapes import Shape
from ..shapes.flatware import Flatware, Strip
from ..textures import Color
from . import looks
from .kinds import Kind
from .packaging import BLACK, BRIGHT, STEEL

_WOOD: Color = (0.62, 0.42, 0.24)


def _strip(
    length: float,
    x: np.ndarray,
    z: np.ndarray,
    wide: np.ndarray,
    thick: np.ndarray,
    dish: np.ndarray | float = 0.0,
    y: np.ndarray | float = 0.0,
) -> Strip:
    """A strip of these shares of ``length``."""
    columns = np.broadcast_arrays(x, y, z, wide, thick, dish)
    px, py, pz, w, t, d = (np.asarray(column, float) * length for column in columns)
    points = tuple((float(a), float(b), float(c)) for a, b, c in zip(px, py, pz, strict=True))
    return Strip(points, tuple(w.tolist()), tuple(t.tolist()), tuple(d.tolist()))


def _handle(rng: np.random.Generator, start: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Places, half widths and half depths of a handle from 0 to ``start``, in shares of the length."""
    x = np.linspace(0.0, start, 8)
    end, neck = rng.uniform(0.045, 0.065), rng.uniform(0.018, 0.028)
    wide = neck + (end - neck) * (1.0 - x / start) ** rng.uniform(0.7, 1.6)
    wide[0] *= 0.55
    thick = np.full(8, rng.uniform(0.007, 0.012))
    return x, wide, thick


def _spoon(size: float, rng: np.random.Generator) -> Flatware:
    """A spoon from handle to bowl along x, arched."""
    length = size * rng.uniform(0.92, 1.05)
    hx, hw, ht = _handle(rng, 0.66)
    t = np.linspace(0.06, 1.0, 9)
    x, wide = (
        np.r_[hx, 0.68 + 0.32 * t],
        np.r_[hw, rng.uniform(0.1, 0.14) * np.sqrt(np.sin(np.pi * np.clip(t, 0, 0.985)))],
    )
    thick = np.r_[ht, np.full(9, 0.006)]
    dish = np.r_[np.zeros(8), rng.uniform(0.04, 0.065) * np.sin(np.pi * np.clip(t, 0, 0.985))]
    z = 0.065 + rng.uniform(0.02, 0.06) * np.sin(np.pi * x**1.5) - 0.015 * (1.0 - x)
    return Flatware(((_strip(length, x, z, wide, thick, dish),),), "spoon")


def _fork(size: float, rng: np.random.Generator) -> Flatware:
    """A fork: a handle, a palm, three or four tines."""
    length = size * rng.uniform(0.92, 1.05)
    hx, hw, ht = _handle(rng, 0.62)
    palm, start = rng.uniform(0.055, 0.07), rng.uniform(0.76, 0.8)
    x = np.r_[hx, 0.66, 0.7, start, start + 0.015]
    wide = np.r_[hw, 0.6 * palm, 0.92 * palm, palm, 0.98 * palm]
    arch, tilt = rng.uniform(0.02, 0.05), rng.uniform(0.02, 0.05)

    def level(x: np.ndarray) -> np.ndarray:
        return (
            0.02
            + arch * np.sin(np.pi * x**1.5)
            - tilt * np.clip((x - 0.62) / 0.2, 0, 1)
            + 0.03 * np.clip((x - 0.8) / 0.2, 0, 1) ** 2
        )

    count = int(rng.choice((3, 4, 4)))
    tine = palm / count * 0.62
    tx = np.linspace(start, 1.0, 5)
    palm_strip = _strip(length, x, level(x), wide, np.r_[ht, np.full(4, 0.007)])
    taper = np.array([1.0, 1.0, 0.95, 0.85, 0.4]) * tine
    places = (np.arange(count) - (count - 1) / 2) * 2.0 * (palm - tine) / (count - 1) * length
    tines = dataclasses.replace(_strip(length, tx, level(tx), taper, np.full(5, 0.007)), places=tuple(places.tolist()))
    return Flatware(((palm_strip, tines),), "fork")


def _knife(size: float, rng: np.random.Generator) -> Flatware:
    """A table or a kitchen knife: surfaces are the blade and the handle."""
    length = size * rng.uniform(0.92, 1.05)
    kitchen = rng.random() < 0.45
    cut, grip = rng.uniform(0.36, 0.46), rng.uniform(0.03, 0.045)
    hx = np.linspace(0.0, cut, 6)
    handle_w = grip * np.array([0.6, 1.0, 0.95, 0.85, 0.85, 0.8])
    handle = _strip(length, hx, 0 * hx + 0.02, handle_w, np.full(6, 0.018 if kitchen else 0.012))
    t = np.linspace(0.0, 1.0, 9)
    deep = rng.uniform(0.045, 0.085) if kitchen else rng.uniform(0.03, 0.042)
    wide = deep * np.sqrt(np.clip(1.0 - t ** rng.uniform(2.5, 6.0), 0.0, 1.0)) + 0.002
    back = wide - deep if kitchen else 0.5 * (wide - deep)
    blade = _strip(
        length, cut - 0.01 + (1.01 - cut) * t, 0 * t + 0.02, wide, np.full(9, 0.004), y=back + (deep - grip) * 0.6
    )
    return Flatware(((blade,), (handle,)), "kitchen" if kitchen else "table")


def _steel(rng: np.random.Generator) -> Material:
    metal = looks.one_of(((6, STEEL), (1, (0.8, 0.65, 0.35)), (0.5, (0.25, 0.25, 0.27))), rng)
    return looks.material(
        rng,
        (metal, looks.mix(metal, BLACK, 0.55)),
        "gradient",
        contrast=rng.uniform(0.2, 0.8),
        scale=2.0,
        gloss=(0.6, 1.0),
        metallic=0.95,
    )


def _dress_cutlery(shape: Shape, rng: np.random.Generator) -> tuple[Material, ...]:
    assert isinstance(shape, Flatware)
    fate = rng.random()
    first = _steel(rng)
    if len(shape.surfaces) == 1:
        if fate < 0.12:
            return (
                looks.material(rng, (looks.vary(_WOOD, rng), looks.mix(_WOOD, BLACK, 0.3)), "wood", gloss=(0.0, 0.2)),
            )
        return (
            (looks.material(rng, (looks.one_of(BRIGHT, rng),), contrast=0.3, gloss=(0.2, 0.7)),)
            if fate < 0.25
            else (first,)
        )
    if shape.style == "table" and fate < 0.6:
        return first, first
    grip = looks.one_of(((4, BLACK), (2, _WOOD), *BRIGHT), rng)
    return first, looks.material(
        rng, (grip, looks.mix(grip, BLACK, 0.4)), "wood" if rng.random() < 0.4 else "plain", gloss=(0.1, 0.5)
    )


KINDS: dict[str, Kind] = {
    "fork": Kind(_fork, (0.14, 0.21), _dress_cutlery, upright=0.8, density=2000.0),
    "knife": Kind(_knife, (0.18, 0.32), _dress_cutlery, upright=0.8, density=2000.0),
    "spoon": Kind(_spoon, (0.12, 0.3), _dress_cutlery, upright=0.8, density=2000.0),
}
