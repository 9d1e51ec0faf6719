"""Noise that is drawn once and then shown from ever other sides: ready fields that tile, for large textures.

Drawing noise costs more than all else about a texture. A field is fixed for its kind and size; what a texture gets is a
window of it at a random place, turned and mirrored at random, and a texture that joins three or four of them is as good
as new. Fields are kept as uint8, so that no rounding of a processor's shows in them.
"""

from __future__ import annotations

import functools
from collections.abc import Callable

import cv2
import numpy as np

from .base import noise

_SEED = 20_191
_MOST_KEPT = 48


def window(kind: str, size: int, rng: np.random.Generator) -> np.ndarray:
    """A field of that kind, float32 [size, size] in 0..1, from a random side; it tiles.

    ``kind`` is ``grain`` (every pixel for itself), ``fractal`` (as strong at every scale, to a quarter of the tile),
    ``patches`` (large and soft), ``blades`` (strokes in all directions, light over dark), ``strands`` (streaks
    along x: never turned), or ``stones4``, ``stones12``, ``stones40`` (a value for each stone of about so many
    512ths of the tile, dark between them).
    """
    field = _field(kind, size)
    top, left = int(rng.integers(size)), int(rng.integers(size))
    part = field[top : top + size, left : left + size]
    turns = int(rng.integers(8))
    if turns & 1:
        part = part[::-1]
    if turns & 2:
        part = part[:, ::-1]
    if turns & 4 and kind != "strands":
        part = part.T
    return part.astype(np.float32) * np.float32(1.0 / 255.0)


def way_through(weight: np.ndarray, colors: int) -> np.ndarray:
    """A weight of 0 for the first colour, 1 for the second and so on, as the way through them in 255ths, uint8."""
    return np.clip(weight * (255.0 / (colors - 1)) + 0.5, 0.0, 255.0).astype(np.uint8)


@functools.lru_cache(maxsize=_MOST_KEPT)
def _field(kind: str, size: int) -> np.ndarray:
    """The field, uint8 [2 size, 2 size]: four times the tile, of which any window tiles again."""
    rng = np.random.default_rng(_SEED + sum(map(ord, kind)))
    made = _stones(size, rng, int(kind[6:])) if kind.startswith("stones") else _KINDS[kind](size, rng)
    levels = np.clip(made * 255.0 + 0.5, 0.0, 255.0).astype(np.uint8)
    levels.flags.writeable = False
    return np.tile(levels, (2, 2))


def _even(field: np.ndarray, deviation: float = 0.2) -> np.ndarray:
    """The field with a mean of a half and that standard deviation."""
    return 0.5 + (field - field.mean()) * (deviation / max(float(field.std()), 1e-6))


def _blurred(field: np.ndarray, across: float, up: float) -> np.ndarray:
    """Blurred so that it still tiles."""
    rim = field.shape[0] // 4
    wide = cv2.GaussianBlur(np.pad(field, rim, mode="wrap"), (0, 0), across, sigmaY=up)
    return wide[rim:-rim, rim:-rim]


def _grain(size: int, rng: np.random.Generator) -> np.ndarray:
    fine = rng.random((size, size), np.float32)
    return _even(0.6 * _even(fine) + 0.6 * _even(_blurred(fine, 0.8, 0.8)))


def _fractal(size: int, rng: np.random.Generator) -> np.ndarray:
    octaves, cells = [], 4
    while cells < size:
        octaves.append(_even(noise(rng, size, cells, 1)) * 0.85 ** len(octaves))
        cells *= 2
    return _even(np.sum(octaves, axis=0))


def _patches(size: int, rng: np.random.Generator) -> np.ndarray:
    return _even(noise(rng, size, 3, 4))


def _blades(size: int, rng: np.random.Generator) -> np.ndarray:
    return _strokes(size, rng, rng.uniform(0.0, np.pi, size * 28))


def _strands(size: int, rng: np.random.Generator) -> np.ndarray:
    lines = rng.random((size, size), np.float32)
    return _even(0.7 * _even(_blurred(lines, 14.0, 0.5)) + 0.5 * _even(_blurred(lines.T, 40.0, 2.5)))


def _strokes(size: int, rng: np.random.Generator, angle: np.ndarray) -> np.ndarray:
    """Short bent lines, the lighter ones above; those that leave the tile come back in on its other side."""
    start = rng.random((len(angle), 2)) * size
    reach = rng.uniform(2.0, 0.02 * size + 4.0, len(angle))[:, None]
    way = np.stack([np.cos(angle), np.sin(angle)], 1)
    bend = rng.normal(0.0, 0.25, (len(angle), 1)) * way[:, ::-1] * (1.0, -1.0)
    paths = np.stack([start, start + 0.5 * reach * way, start + reach * (way + bend)], 1)
    value, canvas = rng.random(len(angle)), np.full((size, size), 0.05, np.float32)
    for level in range(12):
        chosen = paths[(value * 12).astype(int) == level]
        for shift in ((0, 0), (-size, 0), (0, -size)):
            lines = np.round(chosen + shift).astype(np.int32).reshape(-1, 3, 1, 2)
            cv2.polylines(canvas, list(lines), False, 0.08 + 0.08 * level, 1)
    return _even(canvas, 0.22)


def _stones(size: int, rng: np.random.Generator, length: int) -> np.ndarray:
    """A jittered grid's nearest points: a value for each, darker towards the gaps between them."""
    count = max(2, round(size / max(length * size / 512.0, 3.0)))
    step = size / count
    grid = np.stack(np.meshgrid(np.arange(count), np.arange(count), indexing="ij"), -1)
    points = (grid + rng.uniform(0.1, 0.9, grid.shape)) * step
    values = rng.uniform(0.35, 1.0, (count, count)).astype(np.float32)
    mask = np.full((2 * size, 2 * size), 255, np.uint8)
    shade = np.zeros((2 * size, 2 * size), np.float32)
    for down in (0, size):
        for right in (0, size):
            y, x = (points[..., 0] + down).astype(int), (points[..., 1] + right).astype(int)
            mask[y, x], shade[y, x] = 0, values
    far, label = cv2.distanceTransformWithLabels(mask, cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL)
    table = np.zeros(label.max() + 1, np.float32)
    table[label[mask == 0]] = shade[mask == 0]
    made = table[label] * np.clip(1.25 - (far / (0.75 * step)) ** 2, 0.0, 1.0)
    half = size // 2
    return np.roll(made[half : half + size, half : half + size], (half, half), (0, 1))


_KINDS: dict[str, Callable[[int, np.random.Generator], np.ndarray]] = {
    "grain": _grain,
    "fractal": _fractal,
    "patches": _patches,
    "blades": _blades,
    "strands": _strands,
}
