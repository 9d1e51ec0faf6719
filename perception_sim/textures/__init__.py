"""Procedural textures: a texture is a few numbers, and `paint` turns them into pixels."""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Callable

import cv2
import numpy as np

from . import photographs
from . import picture as texture_image

Color = tuple[float, float, float]
Palette = tuple[Color, ...]
_BLEND_STEPS = 256
_ONE_THREAD = 1 << 17
"""Products of matrices of up to so many multiplications are OpenBLAS's to do in one thread."""


@dataclasses.dataclass(frozen=True)
class Texture:
    """What a surface looks like.

    ``pattern`` is a key of `PATTERNS`; ``colors`` are two or more RGB colours in 0..1; ``scale`` is how
    many times the pattern repeats over the tile; ``angle`` (radians) turns it; ``contrast`` in 0..1 fades
    the other colours into the first; ``seed`` fixes what is random in it; ``size`` is the tile in pixels.
    With a ``file`` the tile is a square of that photograph, and nothing else but ``seed`` and ``size`` counts;
    but with the pattern `texture_image.PATTERN` it is the whole file as it is laid out for a mesh, its hue
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


def paint(texture: Texture) -> np.ndarray:
    """The tile, uint8 RGB [size, size, 3]."""
    rng = np.random.default_rng(texture.seed)
    if texture.pattern == texture_image.PATTERN:
        return texture_image.paint(texture.file, texture.size, texture.colors[0], texture.angle)
    if texture.file:
        return photographs.tile(texture.file, texture.size, rng)
    axis = (np.arange(texture.size, dtype=np.float32) + 0.5) / texture.size
    x, y = axis[None], axis[:, None]
    cos, sin = np.cos(texture.angle), np.sin(texture.angle)
    u, v = (x * cos + y * sin).astype(np.float32), (y * cos - x * sin).astype(np.float32)
    weight = PATTERNS[texture.pattern](u, v, texture, rng)
    colors = np.asarray(texture.colors, np.float32)
    if weight.dtype == np.uint8:
        return _looked_up(colors, weight, texture.contrast)
    return _blend(colors, weight, texture.contrast)


def _blend(colors: np.ndarray, weight: np.ndarray, contrast: float) -> np.ndarray:
    """Pixels between neighbouring colours: weight 0 is the first, 1 the second, 2 the third, and so on."""
    faded = np.clip(colors[0] + (colors - colors[0]) * contrast, 0.0, 1.0) * 255.0
    last = len(colors) - 1
    # Looked up instead of computed for every pixel: finer than eight bits can tell.
    steps = np.linspace(0.0, last, last * _BLEND_STEPS + 1)
    table = np.stack([np.interp(steps, np.arange(last + 1), channel) for channel in faded.T], 1)
    place = np.clip(weight, 0.0, last) * np.float32(_BLEND_STEPS) + np.float32(0.5)
    return (table + 0.5).astype(np.uint8)[place.astype(np.uint16)]


def _looked_up(colors: np.ndarray, way: np.ndarray, contrast: float) -> np.ndarray:
    """Pixels by the way through all colours in 255ths, uint8 [H, W]: as `_blend`, at a tenth of the cost."""
    steps = np.linspace(0.0, len(colors) - 1.0, 256, dtype=np.float32)
    return cv2.LUT(cv2.merge([way] * 3), _blend(colors, steps, contrast)[None])


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


def _plain(u: np.ndarray, v: np.ndarray, texture: Texture, rng: np.random.Generator) -> np.ndarray:
    return 0.25 * noise(rng, texture.size, 2, 2)


def _noise(u: np.ndarray, v: np.ndarray, texture: Texture, rng: np.random.Generator) -> np.ndarray:
    return noise(rng, texture.size, max(1, round(texture.scale)))


def _speckle(u: np.ndarray, v: np.ndarray, texture: Texture, rng: np.random.Generator) -> np.ndarray:
    grain = rng.random((texture.size, texture.size), np.float32)
    return 0.6 * (cv2.GaussianBlur(grain, (3, 3), 0) > 0.6) + 0.4 * noise(rng, texture.size, 2, 2)


def _stripes(u: np.ndarray, v: np.ndarray, texture: Texture, rng: np.random.Generator) -> np.ndarray:
    share = rng.uniform(0.25, 0.75)
    phase = np.mod(u * texture.scale, 1.0)
    return np.clip((share / 2 - np.abs(phase - 0.5)) * 14.0 + 0.5, 0.0, 1.0)


def _checker(u: np.ndarray, v: np.ndarray, texture: Texture, rng: np.random.Generator) -> np.ndarray:
    return np.mod(np.floor(u * texture.scale) + np.floor(v * texture.scale), 2.0)


def _tiles(u: np.ndarray, v: np.ndarray, texture: Texture, rng: np.random.Generator) -> np.ndarray:
    joint = rng.uniform(0.03, 0.1)
    a, b = np.mod(u * texture.scale, 1.0), np.mod(v * texture.scale, 1.0)
    return np.where((a < joint) | (b < joint), 1.0, 0.35 * noise(rng, texture.size, 3, 3))


def _gradient(u: np.ndarray, v: np.ndarray, texture: Texture, rng: np.random.Generator) -> np.ndarray:
    # There and back again, so that the tile repeats without an edge when it is not turned.
    return np.abs(np.mod(u + rng.uniform(), 1.0) * 2.0 - 1.0)


def _wood(u: np.ndarray, v: np.ndarray, texture: Texture, rng: np.random.Generator) -> np.ndarray:
    bend = noise(rng, texture.size, 2, 3)
    grain = cv2.GaussianBlur(rng.random((texture.size, texture.size), np.float32), (0, 0), 0.4, sigmaY=6.0)
    rings = 0.5 + 0.5 * np.sin(2.0 * np.pi * (u * texture.scale + 1.4 * bend))
    return 0.7 * rings + 1.2 * (grain - 0.5) + 0.15


def _marble(u: np.ndarray, v: np.ndarray, texture: Texture, rng: np.random.Generator) -> np.ndarray:
    veins = np.sin(np.pi * (u * texture.scale + 4.0 * noise(rng, texture.size, 2, 5)))
    return (1.0 - np.abs(veins)) ** 2


def _dots(u: np.ndarray, v: np.ndarray, texture: Texture, rng: np.random.Generator) -> np.ndarray:
    radius = rng.uniform(0.2, 0.38)
    a, b = np.mod(u * texture.scale, 1.0) - 0.5, np.mod(v * texture.scale, 1.0) - 0.5
    return np.clip((radius - np.hypot(a, b)) * 12.0 + 0.5, 0.0, 1.0)


# A pattern gets u and v float32 [size, size] (turned by the angle, 0..1 over the tile), and returns how far each
# pixel is from the first colour towards the second (0..1), the third (1..2)…; or uint8, the way through all colours.
PATTERNS: dict[str, Callable[[np.ndarray, np.ndarray, Texture, np.random.Generator], np.ndarray]] = {
    "plain": _plain,
    "noise": _noise,
    "speckle": _speckle,
    "stripes": _stripes,
    "checker": _checker,
    "tiles": _tiles,
    "gradient": _gradient,
    "wood": _wood,
    "marble": _marble,
    "dots": _dots,
}

GENERAL = tuple(PATTERNS)
"""Patterns that suit any surface; what other modules add to `PATTERNS` is for special ones."""

# At the end, because each of them builds on what stands above, and adds its patterns to the table.
from . import balls, ground, organic, packs, panorama, prints, signs, terrain  # noqa: E402, F401
