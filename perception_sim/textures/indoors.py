"""The pattern ``indoors`` of `panorama`: the far side of a room or hall."""

from __future__ import annotations

import numpy as np

from .base import Palette, Texture
from .fields import window
from .side import FOOT, Side

ROOM, ROOM_LIT, GOODS, GOODS_LIT, CEILING, LAMP, FRAME, BRIGHT = range(8)
"""Colours of a room, in their order."""


def indoors(u: np.ndarray, v: np.ndarray, texture: Texture, rng: np.random.Generator) -> np.ndarray:
    """A wall with what stands and hangs there, under a ceiling: home, office, gym or hall; see the colours above."""
    side = Side(texture.size, rng)
    size, high = side.size, rng.uniform(0.1, 0.48)
    side.weight[:] = rng.uniform(ROOM + 0.2, ROOM_LIT - 0.2)
    side.weight += 0.3 * side.fractal + 0.5 * (window("patches", size, rng) - 0.5)
    if rng.random() < 0.3:
        part = rng.uniform(0.03, 0.6 * high)
        side.block(0.0, 1.0, part, rng.uniform(ROOM, GOODS + 0.2))
    if rng.random() < 0.3:
        bricks = np.mod(np.arange(size), int(rng.integers(6, 60))) < 1
        side.weight[:, bricks] -= 0.4
    side.weight = np.clip(side.weight, ROOM, ROOM_LIT)
    _ceiling(side, high)
    for _ in range(int(rng.integers(0, 4))):
        left, width = rng.uniform(-0.1, 1.0), rng.uniform(0.04, 0.25)
        low = rng.choice((-FOOT, rng.uniform(0.02, 0.6 * high)))
        _panel(side, left, left + width, low, rng.uniform(low + 0.03, max(0.95 * high, low + 0.04)))
    for _ in range(int(rng.integers(0, 6))):
        left, width = rng.uniform(-0.15, 1.0), rng.uniform(0.03, 0.4)
        if rng.random() < 0.4:
            _shelf(side, left, left + width, rng.uniform(0.05, 0.95 * high))
        else:
            _piece(side, left, left + width, rng.uniform(0.01, 0.5 * high))
    skirting = rng.choice((FRAME, ROOM_LIT, CEILING)) + 0.0
    if rng.random() < 0.5:
        side.block(0.0, 1.0, rng.uniform(0.0, 0.012), skirting)
    return side.painted()


def _ceiling(side: Side, high: float) -> None:
    rng, size = side.rng, side.size
    top = side.row(high)
    side.weight[:top] = CEILING + rng.uniform(-0.2, 0.1) + 0.2 * side.fractal[:top]
    for _ in range(int(rng.integers(0, 7))):
        left, row, wide = rng.uniform(0.0, 1.0), rng.uniform(high, 0.5), rng.uniform(0.02, 0.25)
        side.block(left, left + wide, row, LAMP, row - rng.uniform(0.005, 0.02))
    side.weight[side.foot + round(0.2 * size) :] = CEILING


def _panel(side: Side, left: float, right: float, low: float, high: float) -> None:
    """A window, a door, a poster, a board: a frame and what it holds."""
    rng = side.rng
    rim, held = rng.uniform(0.002, 0.012), rng.choice((LAMP, BRIGHT, FRAME, GOODS_LIT, ROOM_LIT, GOODS))
    side.block(left, right, high, rng.choice((FRAME, CEILING, GOODS)) + 0.0, low)
    side.block(left + rim, right - rim, high - rim, held + 0.0, low + (rim if low > 0.0 else 0.0))
    if rng.random() < 0.4:
        middle = 0.5 * (left + right)
        side.block(middle, middle + 0.5 * rim, high, FRAME, low)


def _shelf(side: Side, left: float, right: float, high: float) -> None:
    """A rack or a bookcase: boards, posts, and goods of all heights."""
    rng = side.rng
    side.block(left, right, high, FRAME - rng.uniform(0.0, 0.4))
    storeys = int(rng.integers(2, 6))
    step = high / storeys
    for storey in range(storeys):
        x, width = left + 0.004, (right - left) * rng.uniform(0.03, 0.3)
        while x + width < right:
            tall = rng.uniform(0.3, 0.9) * step
            what = rng.choice((rng.uniform(GOODS, GOODS_LIT), rng.uniform(GOODS, GOODS_LIT), BRIGHT, ROOM_LIT))
            if rng.random() < 0.85:
                side.block(x, x + 0.92 * width, storey * step + tall, what, storey * step)
            x += width
        side.block(left, right, (storey + 1) * step, GOODS_LIT, (storey + 1) * step - 0.008)


def _piece(side: Side, left: float, right: float, high: float) -> None:
    """A piece of furniture, a machine, a bench: a body, on legs on some, with a lighter top or a back."""
    rng = side.rng
    tone = rng.choice((rng.uniform(GOODS, GOODS_LIT), FRAME - 0.3, BRIGHT, ROOM_LIT + 0.3))
    legs = rng.choice((-FOOT, rng.uniform(0.2, 0.8) * high))
    side.block(left, right, high, tone, legs)
    if legs > 0.0:
        for at in (left, right - 0.01):
            side.block(at, at + 0.008, legs, FRAME)
    if rng.random() < 0.4:
        side.block(left, right, 0.25 * high, tone - 0.4, legs)


PALETTES: tuple[Palette, ...] = (
    (
        (0.7, 0.68, 0.64), (0.92, 0.91, 0.88), (0.3, 0.2, 0.13), (0.66, 0.5, 0.34),
        (0.9, 0.9, 0.89), (1.0, 0.99, 0.95), (0.14, 0.13, 0.13), (0.2, 0.32, 0.5),
    ),
    (
        (0.56, 0.6, 0.62), (0.8, 0.83, 0.84), (0.2, 0.22, 0.25), (0.62, 0.64, 0.66),
        (0.8, 0.81, 0.8), (0.98, 1.0, 1.0), (0.1, 0.1, 0.12), (0.6, 0.14, 0.12),
    ),
    (
        (0.36, 0.36, 0.35), (0.62, 0.61, 0.59), (0.42, 0.29, 0.17), (0.74, 0.57, 0.38),
        (0.3, 0.3, 0.3), (1.0, 0.98, 0.9), (0.16, 0.22, 0.4), (0.85, 0.42, 0.1),
    ),
    (
        (0.6, 0.46, 0.34), (0.84, 0.72, 0.58), (0.16, 0.2, 0.17), (0.46, 0.5, 0.4),
        (0.78, 0.75, 0.7), (1.0, 0.97, 0.88), (0.2, 0.14, 0.1), (0.75, 0.68, 0.3),
    ),
)  # fmt: skip
"""Colours that a room usually has."""
