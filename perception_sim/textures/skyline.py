"""The pattern ``skyline`` of `panorama`: sky and clouds over what stands far away outdoors."""

from __future__ import annotations

import cv2
import numpy as np

from .base import Color, Palette, Texture
from .fields import window
from .side import Side

ZENITH, PALE, LEAF, LEAF_LIT, WALL, WALL_LIT, DARK, ACCENT = range(8)
"""Colours of a skyline, in their order."""


def skyline(u: np.ndarray, v: np.ndarray, texture: Texture, rng: np.random.Generator) -> np.ndarray:
    """Sky and clouds, hills or a far wood, houses, trees, hedges, fences, poles; see the colours above."""
    side = Side(texture.size, rng)
    _sky(side)
    if rng.random() < 0.7:
        far = side.below(side.profile(rng.uniform(0.01, 0.07), rng.uniform(0.3, 1.2)))
        side.weight[far] = rng.uniform(1.3, 1.9) + 0.25 * side.fractal[far]
    town = rng.random()
    if town < 0.6:
        _houses(side)
    if rng.random() < 0.75:
        _trees(side, int(rng.integers(1, 10)))
    for _ in range(int(rng.integers(0, 4))):
        at = rng.random()
        side.block(at, at + rng.uniform(0.0, 0.012), rng.uniform(0.08, 0.4), DARK + rng.uniform(-0.5, 0.0))
    _low(side)
    return side.painted()


def _sky(side: Side) -> None:
    rng, size = side.rng, side.size
    height = np.abs(np.arange(size, dtype=np.float32) - side.horizon)[:, None] / side.horizon
    cover, hardness = rng.uniform(-0.5, 0.9), rng.uniform(1.0, 5.0)
    clouds = window("patches", size, rng) - 0.5 + 0.5 * side.fractal
    # Clouds are long and low near the horizon.
    bent = np.round(np.sqrt(height[:, 0]) * (size - 1)).astype(int)
    clouds = np.clip(hardness * clouds[bent] + cover, 0.0, 1.0)
    side.weight[:] = np.maximum(1.0 - height**0.6, clouds)


def _leaves(side: Side, where: np.ndarray) -> None:
    """Foliage: dark below and light above, in clumps."""
    clumps = window("stones12", side.size, side.rng) if side.rng.random() < 0.5 else 0.5 + side.fractal
    tone = side.rng.uniform(LEAF + 0.1, LEAF_LIT - 0.3)
    shade = tone + 0.9 * (clumps[where] - 0.5) + 0.5 * side.fractal[where]
    side.weight[where] = np.clip(shade, LEAF - 0.1, LEAF_LIT)


def _trees(side: Side, count: int) -> None:
    """A line of crowns, or single trees of clumps on stems."""
    rng, size = side.rng, side.size
    if rng.random() < 0.5:
        _leaves(side, side.below(side.profile(rng.uniform(0.05, 0.22), rng.uniform(0.4, 1.5))))
        return
    crowns = np.zeros((size, size), np.uint8)
    for _ in range(count):
        x, tall = rng.uniform(0.0, 1.0) * size, rng.uniform(0.06, 0.35) * size
        wide = tall * rng.uniform(0.2, 0.5)
        side.block(x / size - 0.004, x / size + 0.006, 0.6 * tall / size, DARK - 0.2)
        for _ in range(9):
            a, b = rng.normal(0.0, 0.4, 2)
            center = (round(x + a * wide), round(side.horizon - 0.68 * tall - b * 0.5 * tall * 0.6))
            cv2.circle(crowns, center, max(1, round(wide * rng.uniform(0.3, 0.6))), 255, -1)
    soft = cv2.GaussianBlur(crowns.astype(np.float32) / 255.0, (0, 0), 2.0)
    _leaves(side, (soft + 1.2 * side.fractal > 0.55) & (soft > 0.1))


def _houses(side: Side) -> None:
    rng = side.rng
    left = rng.uniform(-0.2, 0.5)
    for _ in range(int(rng.integers(1, 6))):
        width, height = rng.uniform(0.08, 0.45), rng.uniform(0.03, 0.25)
        _house(side, left, left + width, height)
        left += width + rng.choice((0.0, rng.uniform(0.0, 0.3)))
        if left > 1.0:
            break


def _house(side: Side, left: float, right: float, height: float) -> None:
    """A front with rows of windows, under a roof on some."""
    rng, size = side.rng, side.size
    face = rng.uniform(WALL, WALL_LIT)
    side.block(left, right, height, face)
    if rng.random() < 0.5:
        a, b, top = round(left * size), round(right * size), side.row(height)
        peak, inset = round(rng.uniform(0.02, 0.08) * size), round(rng.uniform(0.0, 0.5) * (b - a))
        roof = np.array([(a - 2, top), (b + 2, top), (b - inset, top - peak), (a + inset, top - peak)], np.int32)
        cv2.fillPoly(side.weight, [roof], DARK - rng.uniform(0.2, 0.8))
    rows, columns = int(rng.integers(1, 6)), int(rng.integers(2, 9))
    glass = rng.choice((DARK, DARK - 0.3, PALE + 0.0))
    cell, storey = (right - left) / columns, height / rows
    for row in range(rows):
        for column in range(columns):
            x, low = left + (column + 0.3) * cell, height - (row + 0.75) * storey
            side.block(x, x + 0.4 * cell, low + 0.5 * storey, glass, low)


def _low(side: Side) -> None:
    """What stands at the edge of the ground: a hedge, a wall, a fence, vehicles; or the ground going on."""
    rng, size = side.rng, side.size
    tone = rng.choice((LEAF + 0.5, WALL + 0.3, DARK - 0.7))
    ground = side.below(side.profile(0.003, 1.0))
    side.weight[ground] = tone + 0.4 * side.fractal[ground]
    for _ in range(int(rng.integers(0, 4))):
        if rng.random() < 0.5:
            _vehicle(side, rng.uniform(-0.1, 1.0), rng.uniform(0.03, 0.16))
    kind = rng.random()
    if kind < 0.35:
        _leaves(side, side.below(side.profile(rng.uniform(0.01, 0.09), rng.uniform(0.05, 0.6))))
    elif kind < 0.5:
        wall = side.below(np.full(size, rng.uniform(0.01, 0.12) * size))
        side.weight[wall] = rng.uniform(WALL, WALL_LIT) + 0.5 * side.fractal[wall]
    elif kind < 0.7:
        boards = np.mod(np.arange(size), int(rng.integers(3, 14))) < rng.integers(1, 10)
        fence = side.below(np.full(size, rng.uniform(0.02, 0.1) * size)) & boards[None]
        side.weight[fence] = rng.uniform(WALL - 0.2, DARK)


def _vehicle(side: Side, left: float, length: float) -> None:
    """A car, a van or a container: a body, windows, wheels."""
    rng = side.rng
    paint, tall = rng.choice((ACCENT, WALL_LIT, DARK - 0.4, PALE, WALL)), length * rng.uniform(0.25, 0.5)
    side.block(left, left + length, 0.55 * tall, paint)
    side.block(left + 0.18 * length, left + 0.8 * length, tall, paint, 0.5 * tall)
    side.block(left + 0.24 * length, left + 0.74 * length, 0.9 * tall, DARK, 0.6 * tall)
    for share in (0.2, 0.75):
        side.block(left + (share - 0.07) * length, left + (share + 0.07) * length, 0.12 * tall, DARK)


_SKIES: tuple[tuple[Color, Color], ...] = (
    ((0.25, 0.48, 0.82), (0.86, 0.91, 0.96)),
    ((0.42, 0.6, 0.86), (0.93, 0.94, 0.95)),
    ((0.55, 0.6, 0.66), (0.84, 0.85, 0.86)),
    ((0.72, 0.74, 0.76), (0.9, 0.9, 0.9)),
    ((0.34, 0.42, 0.6), (0.95, 0.78, 0.6)),
)
_LEAVES: tuple[tuple[Color, Color], ...] = (
    ((0.07, 0.12, 0.04), (0.33, 0.45, 0.16)),
    ((0.08, 0.11, 0.06), (0.26, 0.33, 0.16)),
    ((0.18, 0.14, 0.08), (0.58, 0.42, 0.18)),
    ((0.14, 0.12, 0.1), (0.42, 0.38, 0.34)),
)
_HOUSES: tuple[Palette, ...] = (
    ((0.42, 0.24, 0.18), (0.66, 0.46, 0.36), (0.16, 0.15, 0.16)),
    ((0.56, 0.53, 0.48), (0.86, 0.84, 0.78), (0.3, 0.18, 0.14)),
    ((0.4, 0.42, 0.44), (0.7, 0.71, 0.72), (0.12, 0.14, 0.17)),
)
PALETTES: tuple[Palette, ...] = tuple(
    (*sky, *leaves, *house, accent)
    for sky in _SKIES
    for leaves in _LEAVES
    for house, accent in zip(_HOUSES, ((0.1, 0.2, 0.5), (0.6, 0.1, 0.1), (0.85, 0.84, 0.82)), strict=True)
)
"""Colours that a skyline usually has."""
