"""Patterns of packages and books: brand prints, labels, covers, page edges, keys and screens.

`PACKS` joins `textures.PATTERNS`. All are drawn upright whatever the texture's angle, the tile's first row below.
Colours are the ground, the second colour, the ink and the third colour, in this order, as far as a pattern has them.
"""

from __future__ import annotations

import cv2
import numpy as np

from .base import Pattern, Texture
from .prints import print_text

SECOND, INK, THIRD = 1.0, 2.0, 3.0


def _fill(canvas: np.ndarray, low: tuple[float, float], high: tuple[float, float], value: float) -> None:
    """Fill a rectangle between two corners (x, y) in shares of the tile."""
    (x0, y0), (x1, y1) = (np.round(np.array(corner) * len(canvas)).astype(int).clip(0) for corner in (low, high))
    canvas[y0:y1, x0:x1] = value


def _swoosh(canvas: np.ndarray, rng: np.random.Generator, value: float) -> None:
    """Fill what lies below a wave (or above it)."""
    size = len(canvas)
    axis = (np.arange(size) + 0.5) / size
    turns, reach = int(rng.integers(1, 4)), rng.uniform(0.03, 0.2)
    edge = rng.uniform(0.25, 0.75) + reach * np.sin(2 * np.pi * (turns * axis + rng.uniform()))
    below = axis[:, None] < edge[None]
    canvas[below if rng.random() < 0.6 else ~below] = value


def _picture(canvas: np.ndarray, rng: np.random.Generator, x: float, y: float, reach: float) -> None:
    """A cluster of discs and rays: fruit, a sun, a flower, whatever one makes of it."""
    size = len(canvas)
    for _ in range(int(rng.integers(2, 6))):
        centre = (round((x + rng.normal() * 0.5 * reach) * size), round((y + rng.normal() * 0.5 * reach) * size))
        value = float(rng.choice((SECOND, INK, THIRD)))
        axes = (
            max(1, round(reach * size * rng.uniform(0.3, 0.9))),
            max(1, round(reach * size * rng.uniform(0.3, 0.9))),
        )
        cv2.ellipse(canvas, centre, axes, float(rng.uniform(0, 180)), 0, 360, value, -1)


def _small_print(canvas: np.ndarray, rng: np.random.Generator, x: float, y: float, width: float, lines: int) -> None:
    """Lines too small to read."""
    step = 2.4 / len(canvas)
    for line in range(lines):
        _fill(
            canvas, (x, y + step * line), (x + width * rng.uniform(0.6, 1.0), y + step * line + 1.0 / len(canvas)), INK
        )


def _brand(u: np.ndarray, v: np.ndarray, texture: Texture, rng: np.random.Generator) -> np.ndarray:
    """A product's print around a can, a bottle or a box: bands, a wave, a picture, a name on two sides."""
    canvas = np.zeros((texture.size, texture.size), np.float32)
    if rng.random() < 0.5:
        _swoosh(canvas, rng, SECOND)
    for _ in range(int(rng.integers(0, 3))):
        low = rng.uniform(0.0, 0.9)
        _fill(canvas, (0.0, low), (1.0, low + rng.uniform(0.02, 0.14)), float(rng.choice((SECOND, INK, THIRD))))
    name = "".join(rng.choice(list("ABCDEFGHIKLMNOPRSTUVZaeiou"), int(rng.integers(3, 7))))
    tall, up, where = rng.uniform(0.14, 0.34), rng.uniform(0.3, 0.6), rng.uniform(0.4, 0.75)
    pictured, ink = rng.random() < 0.7, float(rng.choice((INK, INK, THIRD)))
    for side in (0.0, 0.5):
        if pictured:
            _picture(canvas, rng, side + 0.22, where, rng.uniform(0.08, 0.16))
        print_text(canvas, rng, side + rng.uniform(0.01, 0.08), up, tall, ink, name)
        _small_print(canvas, rng, side + rng.uniform(0.05, 0.3), rng.uniform(0.05, 0.25), 0.18, int(rng.integers(1, 6)))
    if rng.random() < 0.5:
        x, y = rng.uniform(0.4, 0.46), rng.uniform(0.1, 0.6)
        _fill(canvas, (x, y), (x + 0.1, y + 0.18), INK)
        bars = rng.random((1, max(1, round(0.08 * texture.size)))) < 0.5
        row, column = round((y + 0.03) * texture.size), round((x + 0.01) * texture.size)
        canvas[row : row + round(0.12 * texture.size), column : column + bars.shape[1]] = np.where(bars, SECOND, INK)
    return canvas


def _cover(u: np.ndarray, v: np.ndarray, texture: Texture, rng: np.random.Generator) -> np.ndarray:
    """A book's cover: a title, an author, a picture or a frame."""
    canvas = np.zeros((texture.size, texture.size), np.float32)
    if rng.random() < 0.35:
        low = rng.uniform(0.0, 0.7)
        _fill(canvas, (0.0, low), (1.0, low + rng.uniform(0.15, 0.4)), SECOND)
    if rng.random() < 0.3:
        edge = rng.uniform(0.04, 0.1)
        _fill(canvas, (edge, edge), (1 - edge, 1 - edge), SECOND)
        _fill(canvas, (edge + 0.02, edge + 0.02), (0.98 - edge, 0.98 - edge), 0.0)
    if rng.random() < 0.65:
        _picture(canvas, rng, 0.5, rng.uniform(0.3, 0.6), rng.uniform(0.1, 0.28))
    for line in range(int(rng.integers(1, 4))):
        print_text(canvas, rng, rng.uniform(0.06, 0.2), 0.82 - 0.15 * line, rng.uniform(0.09, 0.16), INK)
    _small_print(canvas, rng, rng.uniform(0.1, 0.4), rng.uniform(0.06, 0.14), 0.4, 2)
    return canvas


def _pages(u: np.ndarray, v: np.ndarray, texture: Texture, rng: np.random.Generator) -> np.ndarray:
    """The edges of many sheets that lie on each other along v."""
    rows = rng.random((texture.size, 1), np.float32)
    return np.broadcast_to(0.8 * rows, (texture.size, texture.size)) + 0.1 * rng.random(
        (texture.size, texture.size), np.float32
    )


def _keys(u: np.ndarray, v: np.ndarray, texture: Texture, rng: np.random.Generator) -> np.ndarray:
    """A remote control's front: rows of keys, some of them coloured, a ring of arrows; ``scale`` rows."""
    size = texture.size
    canvas = np.zeros((size, size), np.float32)
    rows, columns = max(5, round(texture.scale)), int(rng.integers(3, 5))
    reach = 0.3 / max(columns, rows)
    around = int(rng.integers(rows // 2, rows - 1)) if rng.random() < 0.7 else -9
    for row in range(rows):
        if abs(row - around) < 1.5:
            continue
        value = THIRD if rng.random() < 0.12 else SECOND
        for column in range(columns):
            if rng.random() < 0.06:
                continue
            x, y = (column + 0.75) / (columns + 0.5), (row + 0.75) / (rows + 0.5)
            _fill(canvas, (x - 1.3 * reach, y - reach), (x + 1.3 * reach, y + reach), value)
            if rng.random() < 0.7:
                _fill(canvas, (x - 0.4 * reach, y - 0.3 * reach), (x + 0.4 * reach, y + 0.3 * reach), INK)
    if around > 0:
        centre = (size // 2, round((around + 0.75) / (rows + 0.5) * size))
        axes = round(0.32 * size), round(1.2 / rows * size)
        cv2.ellipse(canvas, centre, axes, 0, 0, 360, SECOND, -1)
        cv2.ellipse(canvas, centre, (axes[0] // 2, axes[1] // 2), 0, 0, 360, INK, 1)
    return canvas


def _screen(u: np.ndarray, v: np.ndarray, texture: Texture, rng: np.random.Generator) -> np.ndarray:
    """A telephone's front: dark, or a background with icons; a dark frame and a camera."""
    size = texture.size
    canvas = np.zeros((size, size), np.float32)
    if rng.random() < 0.6:
        _fill(canvas, (0.04, 0.03), (0.96, 0.97), SECOND)
        if rng.random() < 0.5:
            _picture(canvas, rng, 0.5, 0.5, 0.3)
        for y in np.arange(0.1, rng.uniform(0.2, 0.85), 0.13):
            for x in (0.14, 0.36, 0.58, 0.8):
                _fill(canvas, (x, y), (x + 0.12, y + 0.06), float(rng.choice((INK, THIRD))))
        print_text(canvas, rng, 0.25, 0.84, 0.1, INK, f"{rng.integers(10, 24)}:{rng.integers(10, 60)}")
    else:
        axis = (np.arange(size, dtype=np.float32) + 0.5) / size
        canvas += 0.25 * np.clip(1.0 - 3.0 * np.abs(axis[None] + axis[:, None] - rng.uniform(0.5, 1.5)), 0.0, 1.0)
    return canvas


PACKS: dict[str, Pattern] = {
    "brand": _brand,
    "cover": _cover,
    "pages": _pages,
    "keys": _keys,
    "screen": _screen,
}
