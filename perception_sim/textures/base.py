"""What a texture is, what a pattern has to give, and the noise that most patterns are made of."""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Callable

import cv2
import numpy as np

Color = tuple[float, float, float]
Palette = tuple[Color, ...]
_ONE_THREAD = 1 << 17
"""Products of matrices of up to so many multiplications are OpenBLAS's to do in one thread."""


@dataclasses.dataclass(frozen=True)
class Texture:
    """What a surface looks like.

    ``pattern`` is a key of `textures.PATTERNS`; ``colors`` are two or more RGB colours in 0..1; ``scale`` is how
    many times the pattern repeats over the tile; ``angle`` (radians) turns it; ``contrast`` in 0..1 fades
    the other colours into the first; ``seed`` fixes what is random in it; ``size`` is the tile in pixels.
    With a ``file`` the tile is a square of that photograph, and nothing else but ``seed`` and ``size`` counts;
    but with the pattern `textures.picture.PATTERN` it is the whole file as it is laid out for a mesh, its hue
    turned by ``angle`` and its channels times the one of ``colors``.
    """

    pattern: str
    colors: tuple[Color, ...]
    scale: float
    angle: float
    contrast: float
    seed: int
    size: int
    file: str = ""


# A pattern gets u and v float32 [size, size] (turned by the angle, 0..1 over the tile), and returns how far each
# pixel is from the first colour towards the second (0..1), the third (1..2)…; or uint8, the way through all colours.
Pattern = Callable[[np.ndarray, np.ndarray, Texture, np.random.Generator], np.ndarray]


def _enlarged(grid: np.ndarray, size: int) -> np.ndarray:
    """A grid that tiles, float32 [n, n], as [size, size]: a fraction of the time of a resize with its borders."""
    count = len(grid)
    between = _between(size, count)
    # In strips for which BLAS calls no threads together: where other processes are at work, that takes far longer.
    rows = math.gcd(size, 1 << max(int(math.log2(_ONE_THREAD / (count * size))), 0))
    return ((between.reshape(-1, rows, count) @ grid) @ between.T).reshape(size, size)


@functools.lru_cache(maxsize=64)
def _between(size: int, count: int) -> np.ndarray:
    """Cubic interpolation between ``count`` values on a circle, as a matrix float32 [size, count]."""
    step = size / count
    unit = np.pad(np.eye(count, dtype=np.float32), ((2, 2), (0, 0)), mode="wrap")
    wide = cv2.resize(unit, (count, round(size + 4 * step)), interpolation=cv2.INTER_CUBIC)
    start = round(2 * step)
    matrix = np.ascontiguousarray(wide[start : start + size])
    matrix.flags.writeable = False
    return matrix


def noise(rng: np.random.Generator, size: int, cells: int, octaves: int = 4) -> np.ndarray:
    """Smooth noise that tiles, float32 [size, size] in about 0..1, ``cells`` bumps across in its lowest octave."""
    total, amplitude, weight = np.zeros((size, size), np.float32), 1.0, 0.0
    for octave in range(octaves):
        count = min(cells << octave, size)
        total += amplitude * _enlarged(rng.random((count, count), np.float32), size)
        weight += amplitude
        amplitude *= 0.55
    total /= weight
    return np.clip((total - 0.5) * 1.8 + 0.5, 0.0, 1.0)
