"""Patterns of what things stand on: concrete, asphalt, paving, bricks, planks, gravel, grass, cloth, carpet.

`GROUND` joins `textures.PATTERNS`. Grass may be blue: what is typical is up to the colours, and `TYPICAL` has them.
"""

from __future__ import annotations

import cv2
import numpy as np

from .base import Color, Pattern, Texture, noise


def _grain(size: int, rng: np.random.Generator, blur: float = 0.0) -> np.ndarray:
    """White noise in 0..1, float32 [size, size], softened by ``blur`` pixels but not in contrast."""
    grain = rng.random((size, size), np.float32)
    if blur > 0.0:
        grain = cv2.GaussianBlur(grain, (0, 0), blur, borderType=cv2.BORDER_REFLECT)
        grain = 0.5 + (grain - 0.5) * (0.29 / max(float(grain.std()), 1e-3))
    return np.clip(grain, 0.0, 1.0)


def _concrete(u: np.ndarray, v: np.ndarray, texture: Texture, rng: np.random.Generator) -> np.ndarray:
    size = texture.size
    stains = noise(rng, size, max(1, round(texture.scale / 2)), 5)
    pores = (_grain(size, rng) > 0.985).astype(np.float32)
    return 0.55 * stains + 0.3 * _grain(size, rng, 0.8) + 0.4 * pores


def _asphalt(u: np.ndarray, v: np.ndarray, texture: Texture, rng: np.random.Generator) -> np.ndarray:
    size = texture.size
    stones = _grain(size, rng, rng.uniform(0.4, 1.2))
    return 0.25 * noise(rng, size, 2, 4) + 0.75 * stones**2 + _cracks(size, rng, int(rng.integers(0, 3)))


def _cracks(size: int, rng: np.random.Generator, count: int) -> np.ndarray:
    """Thin wandering lines, -1 on them, float32 [size, size]."""
    canvas = np.zeros((size, size), np.float32)
    for _ in range(count):
        steps = rng.normal(0.0, 0.5, 24).cumsum() + rng.uniform(0.0, 2.0 * np.pi)
        path = np.stack([np.cos(steps), np.sin(steps)], 1).cumsum(0) * size / 16 + rng.random(2) * size
        cv2.polylines(canvas, [path.astype(np.int32).reshape(-1, 1, 2)], False, -1.0, 1)
    return canvas


def _cells(u: np.ndarray, v: np.ndarray, rows: int, ratio: float, shift: float, joint: float, rng: np.random.Generator,
           ) -> tuple[np.ndarray, np.ndarray]:  # fmt: skip
    """Rows of stones: a random value for each pixel's stone, and whether it lies in a joint."""
    row = np.floor(v * rows)
    across = u * rows / ratio + shift * row
    column = np.floor(across)
    inside = (np.mod(v * rows, 1.0) > joint) & (np.mod(across, 1.0) > joint / ratio)
    table = rng.random((64, 64), np.float32)
    return table[row.astype(int) % 64, column.astype(int) % 64], ~inside


def _paving(u: np.ndarray, v: np.ndarray, texture: Texture, rng: np.random.Generator) -> np.ndarray:
    value, joint = _cells(
        u, v, max(2, round(texture.scale)), rng.uniform(0.9, 2.2), rng.choice([0.0, 0.5]), rng.uniform(0.02, 0.08), rng
    )
    face = 0.35 * value + 0.25 * _grain(texture.size, rng, 0.7) + 0.2 * noise(rng, texture.size, 3, 3)
    return np.where(joint, rng.uniform(0.7, 1.0), face)


def _bricks(u: np.ndarray, v: np.ndarray, texture: Texture, rng: np.random.Generator) -> np.ndarray:
    value, joint = _cells(u, v, max(4, round(1.6 * texture.scale)), rng.uniform(2.0, 3.4), 0.5, 0.12, rng)
    return np.where(joint, 1.0, 0.4 * value + 0.2 * _grain(texture.size, rng, 0.6))


def _planks(u: np.ndarray, v: np.ndarray, texture: Texture, rng: np.random.Generator) -> np.ndarray:
    size = texture.size
    value, joint = _cells(u, v, max(3, round(texture.scale)), rng.uniform(4.0, 9.0), rng.uniform(0.2, 0.6), 0.03, rng)
    rows = cv2.GaussianBlur(rng.random((size, size), np.float32), (0, 0), 7.0, sigmaY=0.45)
    grain = np.clip(0.5 + (rows - 0.5) * 5.0, 0.0, 1.0)
    if abs(np.sin(texture.angle)) > 0.5:
        grain = grain.T
    return np.where(joint, 1.0, 0.45 * value + 0.4 * grain)


def _gravel(u: np.ndarray, v: np.ndarray, texture: Texture, rng: np.random.Generator) -> np.ndarray:
    size = texture.size
    stones = _grain(size, rng, rng.uniform(1.0, 3.0))
    edges = np.abs(stones - cv2.GaussianBlur(stones, (0, 0), 2.0))
    return np.clip(0.9 * stones - 2.0 * edges + 0.2 * noise(rng, size, 2, 2), 0.0, 1.0)


def _grass(u: np.ndarray, v: np.ndarray, texture: Texture, rng: np.random.Generator) -> np.ndarray:
    """Blades: short strokes in all directions, light over dark."""
    size = texture.size
    canvas = 0.35 * noise(rng, size, 4, 4)
    count = size * 10
    start = rng.random((count, 2)) * size
    angle = rng.uniform(0.0, np.pi, count)
    reach = rng.uniform(2.0, 0.035 * size + 3.0, count)
    end = start + reach[:, None] * np.stack([np.cos(angle), np.sin(angle)], 1)
    value = rng.random(count)
    strokes = np.stack([start, end], 1).astype(np.int32)
    for level in range(10):
        chosen = strokes[(value * 10).astype(int) == level]
        cv2.polylines(canvas, list(chosen.reshape(-1, 2, 1, 2)), False, 0.1 + 0.09 * level, 1)
    return canvas


def _cloth(u: np.ndarray, v: np.ndarray, texture: Texture, rng: np.random.Generator) -> np.ndarray:
    """A weave with soft folds."""
    size = texture.size
    threads = rng.uniform(0.12, 0.45) * size
    weave = 0.5 + 0.25 * np.sin(2 * np.pi * threads * u) + 0.25 * np.sin(2 * np.pi * threads * v)
    folds = noise(rng, size, max(1, round(texture.scale / 2)), 3)
    return 0.35 * weave + 0.2 * _grain(size, rng) + 0.55 * folds


def _carpet(u: np.ndarray, v: np.ndarray, texture: Texture, rng: np.random.Generator) -> np.ndarray:
    size = texture.size
    loops = _grain(size, rng, rng.uniform(0.8, 2.2))
    ribs = 0.5 + 0.5 * np.sin(2 * np.pi * u * rng.uniform(10.0, 40.0))
    return 0.6 * loops + rng.choice([0.0, 0.35]) * ribs + 0.2 * noise(rng, size, 3, 2)


def _terrazzo(u: np.ndarray, v: np.ndarray, texture: Texture, rng: np.random.Generator) -> np.ndarray:
    size = texture.size
    chips = _grain(size, rng, rng.uniform(1.2, 3.0))
    return np.where(chips > 0.78, chips, 0.1 * noise(rng, size, 3, 3)) + np.where(chips < 0.2, 0.45, 0.0)


GROUND: dict[str, Pattern] = {
    "asphalt": _asphalt,
    "bricks": _bricks,
    "carpet": _carpet,
    "cloth": _cloth,
    "concrete": _concrete,
    "grass": _grass,
    "gravel": _gravel,
    "paving": _paving,
    "planks": _planks,
    "terrazzo": _terrazzo,
}

TYPICAL: dict[str, tuple[tuple[Color, Color], ...]] = {
    "asphalt": (((0.22, 0.22, 0.23), (0.45, 0.44, 0.43)), ((0.38, 0.37, 0.36), (0.6, 0.58, 0.56))),
    "bricks": (((0.48, 0.22, 0.16), (0.68, 0.64, 0.58)), ((0.62, 0.42, 0.3), (0.8, 0.78, 0.72))),
    "carpet": (((0.32, 0.33, 0.36), (0.5, 0.5, 0.52)), ((0.55, 0.48, 0.38), (0.75, 0.68, 0.58))),
    "cloth": (((0.8, 0.79, 0.76), (0.62, 0.61, 0.6)), ((0.2, 0.45, 0.5), (0.35, 0.62, 0.68))),
    "concrete": (((0.5, 0.49, 0.47), (0.72, 0.7, 0.67)), ((0.62, 0.61, 0.58), (0.82, 0.8, 0.77))),
    "grass": (((0.12, 0.22, 0.06), (0.45, 0.58, 0.22)), ((0.25, 0.25, 0.1), (0.68, 0.64, 0.38))),
    "gravel": (((0.3, 0.29, 0.27), (0.66, 0.64, 0.6)), ((0.42, 0.36, 0.28), (0.74, 0.68, 0.58))),
    "paving": (((0.52, 0.5, 0.47), (0.36, 0.34, 0.32)), ((0.6, 0.48, 0.42), (0.4, 0.36, 0.33))),
    "planks": (((0.62, 0.44, 0.28), (0.34, 0.21, 0.12)), ((0.78, 0.62, 0.44), (0.5, 0.36, 0.24))),
    "terrazzo": (((0.74, 0.72, 0.68), (0.42, 0.4, 0.38)), ((0.5, 0.5, 0.5), (0.85, 0.84, 0.82))),
    "tiles": (((0.86, 0.85, 0.82), (0.6, 0.59, 0.57)), ((0.55, 0.4, 0.32), (0.75, 0.7, 0.65))),
    "wood": (((0.66, 0.46, 0.28), (0.4, 0.25, 0.14)), ((0.35, 0.22, 0.14), (0.2, 0.12, 0.08))),
    "plain": (((0.85, 0.84, 0.81), (0.7, 0.69, 0.67)), ((0.6, 0.66, 0.7), (0.45, 0.5, 0.54))),
}
"""Colours that patterns usually have; for those that are not here any will do."""
