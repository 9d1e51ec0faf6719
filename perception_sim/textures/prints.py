"""Patterns of used and printed surfaces: wear, cardboard, labels, signs, planks.

`PRINTS` joins `textures.PATTERNS`. All are drawn upright whatever the texture's angle: the tile's first row is
texture coordinate v = 0, the bottom of an upright surface. Colours are the ground, ink (or dirt), paper (or
scuffs) and tape, in this order, as far as a pattern has them.
"""

from __future__ import annotations

import cv2
import numpy as np

from .base import Pattern, Texture, noise

INK, PAPER, TAPE = 1.0, 2.0, 3.0
_FONTS = (cv2.FONT_HERSHEY_SIMPLEX, cv2.FONT_HERSHEY_DUPLEX, cv2.FONT_HERSHEY_TRIPLEX)
_LETTERS = "ABCDEFGHIKLMNOPRSTUVXZ0123456789"


def _rows(size: int) -> np.ndarray:
    """Heights of the rows above the tile's bottom, 0..1, float32 [size, 1]."""
    return ((np.arange(size, dtype=np.float32) + 0.5) / size)[:, None]


def _scratches(canvas: np.ndarray, rng: np.random.Generator, count: int, value: float, length: float = 0.12) -> None:
    """Draw ``count`` thin strokes of about ``length`` of the tile into a canvas float32 [size, size]."""
    size = len(canvas)
    start = rng.random((count, 2)) * size
    step = rng.normal(size=(count, 2)) * length * size
    for (x, y), (dx, dy) in zip(start.astype(int), (start + step).astype(int), strict=True):
        cv2.line(canvas, (int(x), int(y)), (int(dx), int(dy)), value, 1)


def _rectangle(canvas: np.ndarray, x: float, y: float, width: float, height: float, value: float) -> None:
    """Fill a rectangle given by its lower left corner and size in shares of the tile."""
    size = len(canvas)
    canvas[round(y * size) : round((y + height) * size), round(x * size) : round((x + width) * size)] = value


def print_text(
    canvas: np.ndarray,
    rng: np.random.Generator,
    x: float,
    y: float,
    height: float,
    value: float,
    words: str | None = None,
) -> None:
    """Print ``words``, or some letters, from (x, y), their lower left corner, of that height, in shares of the tile."""
    size = len(canvas)
    words = words or "".join(rng.choice(list(_LETTERS), int(rng.integers(3, 9))))
    font = _FONTS[int(rng.integers(len(_FONTS)))]
    scale = height * size / 22.0
    thick = max(1, round(scale * rng.uniform(1.2, 3.5)))
    ink = np.zeros(canvas.shape, np.uint8)
    # OpenCV writes downwards, tiles are stored upwards.
    cv2.putText(ink, words, (round(x * size), round((1.0 - y) * size)), font, scale, 255, thick)
    canvas[ink[::-1] > 127] = value


def _barcode(canvas: np.ndarray, rng: np.random.Generator, x: float, y: float, width: float, height: float) -> None:
    """A white label with a barcode and some lines of print."""
    size = len(canvas)
    _rectangle(canvas, x, y, width, height, PAPER)
    left, right = round((x + 0.1 * width) * size), round((x + 0.9 * width) * size)
    low, high = round((y + 0.12 * height) * size), round((y + 0.45 * height) * size)
    canvas[low:high, left:right] = np.where(rng.random(max(right - left, 0)) < 0.5, INK, PAPER)
    for line in np.arange(0.55, 0.9, 0.13):
        _rectangle(canvas, x + 0.1 * width, y + line * height, width * rng.uniform(0.3, 0.8), 0.06 * height, INK)


def _up_arrows(canvas: np.ndarray, rng: np.random.Generator, x: float, y: float, height: float) -> None:
    """The two arrows of "this way up" over a line."""
    for shift in (0.0, 0.45 * height):
        points = np.array([[0.05, 0.45], [0.2, 1.0], [0.35, 0.45]]) * height + [x + shift, y]
        cv2.fillPoly(canvas, [np.round(points * len(canvas)).astype(np.int32)], INK)
        _rectangle(canvas, x + shift + 0.16 * height, y + 0.15 * height, 0.08 * height, 0.4 * height, INK)
    _rectangle(canvas, x, y, 0.85 * height, 0.07 * height, INK)


def _logo(canvas: np.ndarray, rng: np.random.Generator, x: float, y: float, reach: float) -> None:
    """A disc, a ring, bars or a triangle."""
    size = len(canvas)
    centre, radius = (round(x * size), round(y * size)), max(2, round(reach * size))
    kind = rng.integers(4)
    if kind == 0:
        cv2.circle(canvas, centre, radius, INK, -1)
    elif kind == 1:
        cv2.circle(canvas, centre, radius, INK, max(1, radius // 4))
    elif kind == 2:
        for step in range(3):
            _rectangle(canvas, x - reach, y - reach + 0.7 * reach * step, 2 * reach, 0.35 * reach, INK)
    else:
        turn = rng.uniform(0, 2 * np.pi) + np.arange(3) * 2 * np.pi / 3
        points = np.stack([np.cos(turn), np.sin(turn)], 1) * reach + [x, y]
        cv2.fillPoly(canvas, [np.round(points * size).astype(np.int32)], INK)


def _worn(u: np.ndarray, v: np.ndarray, texture: Texture, rng: np.random.Generator) -> np.ndarray:
    """Outdoor wear: blotches, dirt that gathers at the bottom (second colour), scuffs (third colour)."""
    size = texture.size
    low = 1.0 - _rows(size)
    blotch = noise(rng, size, max(1, round(texture.scale)), 4)
    climb = rng.uniform(2.0, 6.0)
    dirt = 0.3 * blotch + low**climb * (0.3 + 0.9 * blotch)
    streaks = cv2.resize(rng.random((3, size), np.float32), (size, size), interpolation=cv2.INTER_LINEAR)
    dirt += rng.uniform(0.0, 0.35) * (streaks - 0.5)
    canvas = np.clip(dirt, 0.0, 1.0).astype(np.float32)
    _scratches(canvas, rng, int(rng.integers(0, 5)), 1.0)
    _scratches(canvas, rng, int(rng.integers(0, 6)), 2.0)
    return canvas


def _card(rng: np.random.Generator, size: int) -> np.ndarray:
    """Bare cardboard: faint flutes and stains, float32 [size, size]."""
    flutes = np.sin(2 * np.pi * _rows(size) * rng.integers(14, 30))
    return (0.22 * noise(rng, size, 3, 4) + 0.03 * flutes).astype(np.float32)


def _carton_side(u: np.ndarray, v: np.ndarray, texture: Texture, rng: np.random.Generator) -> np.ndarray:
    """A printed side of a carton: arrows, letters, a logo, a label with a barcode; any of them may be missing."""
    canvas = _card(rng, texture.size)
    if rng.random() < 0.45:
        _logo(canvas, rng, rng.uniform(0.25, 0.75), rng.uniform(0.4, 0.7), rng.uniform(0.08, 0.2))
    for _ in range(int(rng.integers(0, 3))):
        print_text(canvas, rng, rng.uniform(0.05, 0.4), rng.uniform(0.1, 0.8), rng.uniform(0.06, 0.18), INK)
    if rng.random() < 0.4:
        _up_arrows(canvas, rng, rng.choice((0.06, 0.74)), rng.uniform(0.06, 0.7), rng.uniform(0.14, 0.22))
    if rng.random() < 0.55:
        width = rng.uniform(0.2, 0.4)
        place = rng.uniform(0.05, 0.9 - width), rng.uniform(0.05, 0.6)
        _barcode(canvas, rng, *place, width, width * rng.uniform(0.5, 0.9))
    if rng.random() < 0.5:
        # Tape that comes over the edge from the top and ends in the side.
        width, length = rng.uniform(0.07, 0.14), rng.uniform(0.08, 0.2)
        _rectangle(canvas, 0.5 - width / 2, 1.0 - length, width, length, TAPE)
    _scratches(canvas, rng, int(rng.integers(0, 5)), 0.6)
    return canvas


def _carton_top(u: np.ndarray, v: np.ndarray, texture: Texture, rng: np.random.Generator) -> np.ndarray:
    """The closed flaps of a carton: a seam along u, taped over, now and then with a label."""
    canvas = _card(rng, texture.size)
    _rectangle(canvas, 0.0, 0.495, 1.0, 0.02, INK)
    if rng.random() < 0.85:
        width = rng.uniform(0.1, 0.2)
        _rectangle(canvas, 0.0, 0.5 - width / 2, 1.0, width, TAPE)
    if rng.random() < 0.4:
        width = rng.uniform(0.2, 0.4)
        _barcode(canvas, rng, rng.uniform(0.05, 0.6), rng.uniform(0.05, 0.6), width, 0.7 * width)
    _scratches(canvas, rng, int(rng.integers(0, 4)), 0.6)
    return canvas


def _planks(u: np.ndarray, v: np.ndarray, texture: Texture, rng: np.random.Generator) -> np.ndarray:
    """Boards side by side, ``scale`` of them across u, their grain along v, each of another shade."""
    size = texture.size
    count = max(1, round(texture.scale))
    column = (np.arange(size) * count // size).astype(np.intp)
    shade = rng.uniform(0.0, 0.45, count).astype(np.float32)[column]
    grain = cv2.resize(rng.random((max(4, size // 16), size), np.float32), (size, size), interpolation=cv2.INTER_LINEAR)
    canvas = shade[None] + 0.4 * (grain - 0.5) + 0.2 * noise(rng, size, 2, 3)
    gap = np.mod(np.arange(size) * count / size, 1.0) < count * 1.01 / size
    canvas[:, gap] = 1.0
    return np.clip(canvas, 0.0, 1.0).astype(np.float32)


def _labelled(u: np.ndarray, v: np.ndarray, texture: Texture, rng: np.random.Generator) -> np.ndarray:
    """A worn surface with one or two paper labels and some stencilled letters."""
    canvas = np.minimum(_worn(u, v, texture, rng), INK)
    for _ in range(int(rng.integers(1, 3))):
        width = rng.uniform(0.14, 0.3)
        _barcode(canvas, rng, rng.uniform(0.0, 0.7), rng.uniform(0.2, 0.65), width, width * rng.uniform(0.6, 1.2))
    if rng.random() < 0.6:
        print_text(
            canvas, rng, rng.uniform(0.0, 0.5), rng.uniform(0.2, 0.8), rng.uniform(0.06, 0.12), rng.choice((INK, PAPER))
        )
    return canvas


def _vest(u: np.ndarray, v: np.ndarray, texture: Texture, rng: np.random.Generator) -> np.ndarray:
    """A high-visibility vest: two strips around (third colour), one over each shoulder, a zip in front (u = 0)."""
    size = texture.size
    canvas = (0.35 * noise(rng, size, 4, 3)).astype(np.float32)
    for x in (0.1, 0.36, 0.6, 0.86):
        _rectangle(canvas, x, 0.5, 0.05, 0.5, PAPER)
    for y in rng.uniform(-0.05, 0.05) + np.array([0.15, 0.45]):
        _rectangle(canvas, 0.0, y, 1.0, 0.11, PAPER)
    canvas[:, [0, -1]] = INK
    return canvas


def _shirt_print(u: np.ndarray, v: np.ndarray, texture: Texture, rng: np.random.Generator) -> np.ndarray:
    """Letters or a logo on the chest (u = 0) and back (u = 0.5)."""
    size = texture.size
    canvas = (0.2 * noise(rng, size, 4, 3)).astype(np.float32)
    _logo(canvas, rng, 0.5, 0.6, rng.uniform(0.05, 0.12))
    print_text(canvas, rng, 0.38, rng.uniform(0.35, 0.7), rng.uniform(0.06, 0.12), INK)
    return np.roll(canvas, size // 2 if rng.random() < 0.6 else 0, 1)


def _stencilled(u: np.ndarray, v: np.ndarray, texture: Texture, rng: np.random.Generator) -> np.ndarray:
    """A worn surface with letters in the third colour, once or twice around."""
    canvas = _worn(u, v, texture, rng)
    height = rng.uniform(0.06, 0.12)
    y = rng.uniform(0.12, 0.5)
    for x in (0.05, 0.55)[: int(rng.integers(1, 3))]:
        print_text(canvas, rng, x, y, height, PAPER)
    return canvas


PRINTS: dict[str, Pattern] = {
    "worn": _worn,
    "carton_side": _carton_side,
    "carton_top": _carton_top,
    "labelled": _labelled,
    "stencilled": _stencilled,
    "planks": _planks,
    "vest": _vest,
    "shirt_print": _shirt_print,
}
