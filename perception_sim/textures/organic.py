"""Patterns of what grows and of foil: wrinkled, ribbed, dusty, veined, streaked and porous skins, crumpled metal.

`ORGANIC` joins `textures.PATTERNS`. All are drawn for a body of revolution, u around it and v along its axis, and
tile in both. Relief is drawn as if lit, because a small object's mesh is too coarse for it: colours are
those of its dark, middle and bright sides, in this order, unless a pattern says otherwise.
"""

from __future__ import annotations

import cv2
import numpy as np

from .base import Pattern, Texture, noise

MIDDLE, BRIGHT = 1.0, 2.0


def drawn_out(rng: np.random.Generator, size: int, around: int, along: int, octaves: int = 3) -> np.ndarray:
    """Smooth noise that tiles, float32 [size, size] in 0..1, with other numbers of bumps along u than along v."""
    total, amplitude, weight = np.zeros((size, size), np.float32), 1.0, 0.0
    for octave in range(octaves):
        columns, rows = min(around << octave, size // 2), min(along << octave, size // 2)
        grid = np.pad(rng.random((rows, columns), np.float32), 2, mode="wrap")
        width, height = round((columns + 4) * size / columns), round((rows + 4) * size / rows)
        wide = cv2.resize(grid, (width, height), interpolation=cv2.INTER_CUBIC)
        x, y = round(2 * size / columns), round(2 * size / rows)
        total += amplitude * wide[y : y + size, x : x + size]
        weight += amplitude
        amplitude *= 0.5
    return np.clip((total / weight - 0.5) * 1.8 + 0.5, 0.0, 1.0)


def _lit(height: np.ndarray, angle: float) -> np.ndarray:
    """How much a relief that tiles faces a light from ``angle``, about -1..1, float32 [size, size]."""
    across = np.roll(height, -1, 1) - np.roll(height, 1, 1)
    up = np.roll(height, -1, 0) - np.roll(height, 1, 0)
    slope = across * np.float32(np.cos(angle)) + up * np.float32(np.sin(angle))
    return slope / (2.0 * float(slope.std()) + 1e-6)


def _wrinkled(u: np.ndarray, v: np.ndarray, texture: Texture, rng: np.random.Generator) -> np.ndarray:
    """Folds that wander along the body, smooth in places; ``scale`` of them around it."""
    size = texture.size
    around = max(3, round(texture.scale))
    along = max(2, round(around * rng.uniform(0.35, 0.8)))
    fold = 1.0 - np.abs(2.0 * drawn_out(rng, size, around, along, 2) - 1.0)
    finer = 1.0 - np.abs(2.0 * drawn_out(rng, size, 2 * around, 2 * along, 1) - 1.0)
    fold = fold * fold + rng.uniform(0.1, 0.4) * finer
    smooth = np.clip(2.2 * noise(rng, size, 2, 2) - rng.uniform(0.0, 0.6), 0.2, 1.0)
    shade = _lit(fold, rng.uniform(0.0, 2.0 * np.pi)) * smooth
    return MIDDLE + 0.9 * shade + 0.5 * (noise(rng, size, 2, 3) - 0.5)


def _ribbed(u: np.ndarray, v: np.ndarray, texture: Texture, rng: np.random.Generator) -> np.ndarray:
    """Ribs along the body that wander and part, ``scale`` of them, with pale backs in places, over blotches."""
    size = texture.size
    axis = (np.arange(size, dtype=np.float32) + 0.5) / size
    wander = drawn_out(rng, size, max(2, round(texture.scale / 3)), 3, 3) - 0.5
    phase = axis[None] * max(3, round(texture.scale)) + rng.uniform(0.8, 2.6) * wander
    back = 0.5 + 0.5 * np.cos(2.0 * np.pi * phase)
    crumple = 1.0 - np.abs(2.0 * noise(rng, size, 9, 2) - 1.0)
    shade = _lit(back + rng.uniform(0.4, 1.6) * crumple, rng.choice((0.0, np.pi)) + rng.uniform(-0.6, 0.6))
    rubbed = np.clip(3.0 * (noise(rng, size, 2, 3) - rng.uniform(0.4, 0.75)), 0.0, 1.0) * back**4
    blotch = noise(rng, size, 2, 3) - 0.5
    return MIDDLE + 0.5 * shade + rng.uniform(0.4, 1.2) * blotch + rng.uniform(0.3, 1.1) * rubbed


def _dusted(u: np.ndarray, v: np.ndarray, texture: Texture, rng: np.random.Generator) -> np.ndarray:
    """Streaks along the body, ``scale`` of them (first colour), on a shell (second) with torn patches of dust (third).

    Dust gathers at the lower end.
    """
    size = texture.size
    rows = ((np.arange(size, dtype=np.float32) + 0.5) / size)[:, None]
    around = max(6, round(texture.scale))
    streak = drawn_out(rng, size, around, 1, 3)
    weight = MIDDLE - rng.uniform(0.2, 1.1) * np.clip(streak - 0.5, 0.0, 1.0) + 0.3 * (noise(rng, size, 2, 3) - 0.5)
    lack = rng.uniform(0.5, 1.05)
    torn = 0.5 * drawn_out(rng, size, 2 * around, 4, 2) + 0.25 * rng.random((size, size), np.float32)
    patch = 0.5 * noise(rng, size, 2, 2) + torn + rng.uniform(0.0, 0.35) * (1.0 - rows) ** 2
    dust = np.clip(5.0 * (patch - lack), 0.0, 1.0) * rng.uniform(0.4, 1.0)
    return weight + dust * (BRIGHT - weight)


def _veined(u: np.ndarray, v: np.ndarray, texture: Texture, rng: np.random.Generator) -> np.ndarray:
    """Fine lines from pole to pole, about ``scale`` of them in the first colour, on skin and its sheen."""
    size = texture.size
    line = drawn_out(rng, size, max(6, round(texture.scale)), 1, 3)
    return 1.25 - 2.2 * np.clip(line - 0.5, 0.0, 1.0) + 0.7 * (noise(rng, size, 2, 3) - 0.5)


def _streaked(u: np.ndarray, v: np.ndarray, texture: Texture, rng: np.random.Generator) -> np.ndarray:
    """An apple's skin: ground colour, blushed in streaks by the second, with pale spots and hollows in the third."""
    size = texture.size
    rows = ((np.arange(size, dtype=np.float32) + 0.5) / size)[:, None]
    side = 0.5 + 0.5 * np.cos(2.0 * np.pi * ((np.arange(size, dtype=np.float32) / size)[None] + rng.uniform()))
    streak = drawn_out(rng, size, max(8, round(texture.scale)), 2, 3)
    blush = np.clip(rng.uniform(-0.4, 1.1) + 0.7 * side + 0.9 * (streak - 0.5), 0.0, 1.0)
    spots = cv2.GaussianBlur((rng.random((size, size), np.float32) > 0.985).astype(np.float32), (3, 3), 0.6)
    hollow = np.clip(1.0 - 14.0 * np.minimum(rows, 1.0 - rows) + 0.6 * (streak - 0.5), 0.0, 1.0)
    blush *= 1.0 - 0.7 * spots
    return blush + hollow * (BRIGHT - blush)


def _peel(u: np.ndarray, v: np.ndarray, texture: Texture, rng: np.random.Generator) -> np.ndarray:
    """A peel with pores, finer with ``scale``; the third colour lies around the poles."""
    size = texture.size
    rows = ((np.arange(size, dtype=np.float32) + 0.5) / size)[:, None]
    pores = cv2.GaussianBlur(rng.random((size, size), np.float32), (0, 0), 8.0 / max(texture.scale, 1.0) + 0.5)
    shade = np.clip(_lit(pores, rng.uniform(0.0, 2.0 * np.pi)), -1.0, 1.0)
    pole = np.clip(1.0 - 16.0 * np.minimum(rows, 1.0 - rows), 0.0, 1.0) * rng.uniform(0.3, 1.0)
    return 0.7 * MIDDLE + 0.28 * shade + 0.35 * (noise(rng, size, 2, 3) - 0.5) + pole


def _foil(u: np.ndarray, v: np.ndarray, texture: Texture, rng: np.random.Generator) -> np.ndarray:
    """Metal foil: what a smooth body mirrors in bands, broken up by crumpled facets, finer with ``scale``."""
    size = texture.size
    axis = (np.arange(size, dtype=np.float32) + 0.5) / size
    x, y = np.meshgrid(axis, axis)
    warp = noise(rng, size, 2, 2)
    band = np.cos(2.0 * np.pi * (rng.integers(1, 3) * x + rng.uniform(-0.6, 0.6) * y + 0.5 * warp + rng.uniform()))
    count = max(4, round(texture.scale**2))
    seeds = np.full((size, size), 255, np.uint8)
    seeds[rng.integers(0, size, count), rng.integers(0, size, count)] = 0
    edge, cell = cv2.distanceTransformWithLabels(seeds, cv2.DIST_L2, 3, labelType=cv2.DIST_LABEL_PIXEL)
    slope = rng.normal(size=(3, count + 1)).astype(np.float32)[:, cell]
    facet = 0.6 * slope[0] + 1.5 * (slope[1] * (x - 0.5) + slope[2] * (y - 0.5)) * np.clip(
        3.0 / texture.scale, 0.1, 1.0
    )
    crumpled = np.clip(2.0 * warp - rng.uniform(0.0, 0.8), 0.3, 1.1)
    shade = 0.7 * band + facet * crumpled - 0.03 * edge / size * texture.scale
    glare = np.clip(2.5 * (shade - 0.9), 0.0, 1.0)
    return MIDDLE - 0.1 + 0.6 * shade + 0.4 * glare


ORGANIC: dict[str, Pattern] = {
    "wrinkled": _wrinkled,
    "ribbed": _ribbed,
    "dusted": _dusted,
    "veined": _veined,
    "streaked": _streaked,
    "peel": _peel,
    "foil": _foil,
}
