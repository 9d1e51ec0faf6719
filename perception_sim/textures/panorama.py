"""What is around a scene, as a sky box shows it on each side: a skyline under clouds, or the far side of a room.

A side covers 90 degrees; its middle row is the horizon. Nothing below is seen but a narrow strip: the ground hides
the rest. Overhead is the sky or ceiling of the topmost rows (`lid`).
Patterns are ``skyline`` and ``indoors``, members of `textures.PATTERNS`.
"""

from __future__ import annotations

import cv2
import numpy as np

from . import PATTERNS, Color, Texture
from .fields import way_through, window
from .ground import Pattern

Palette = tuple[Color, ...]
ZENITH, PALE, LEAF, LEAF_LIT, WALL, WALL_LIT, DARK, ACCENT = range(8)
"""Colours of a skyline, in their order."""
ROOM, ROOM_LIT, GOODS, GOODS_LIT, CEILING, LAMP, FRAME, BRIGHT = range(8)
"""Colours of a room, in their order."""
_COLORS = 8
_LID_OF_SIDE = 16
_FOOT = 0.06
"""How far below the horizon things reach: the ground's far edge hides where they end."""


def lid(texture: Texture, around: np.ndarray) -> np.ndarray:
    """What is overhead where ``around``, uint8 RGB [size, size, 3], is on every side: sky or ceiling alone."""
    if texture.file or texture.pattern not in PANORAMAS:
        return around
    size = len(around)
    return cv2.resize(around[: size // _LID_OF_SIDE], (size, size), interpolation=cv2.INTER_LINEAR)


class _Side:
    """The picture of one side while it is drawn: weights, and helpers that measure in shares of it."""

    def __init__(self, size: int, rng: np.random.Generator) -> None:
        self.size, self.rng = size, rng
        self.weight = np.zeros((size, size), np.float32)
        self.horizon = size // 2
        self.foot = self.horizon + round(_FOOT * size)
        self.fractal = window("fractal", size, rng) - 0.5

    def row(self, height: float) -> int:
        """The row at that height over the horizon."""
        return self.horizon - round(height * self.size)

    def block(self, left: float, right: float, height: float, value: float, low: float = -_FOOT) -> None:
        """A rectangle from ``low`` to ``height`` over the horizon."""
        a, b = round(left * self.size), round(right * self.size)
        self.weight[self.row(height) : self.row(low) + 1, max(a, 0) : max(b, a + 1)] = value

    def profile(self, height: float, rough: float) -> np.ndarray:
        """Heights that go up and down, float32 [size], about ``height`` by a share of ``rough``; in pixels."""
        line = window("fractal", self.size, self.rng)[0]
        line = cv2.GaussianBlur(line[None], (0, 0), self.rng.uniform(0.6, 6.0))[0]
        return np.maximum(height * (1.0 + rough * 2.0 * (line - 0.5)), 0.0) * self.size

    def below(self, profile: np.ndarray) -> np.ndarray:
        """What is under a profile and above the feet of things, bool [size, size]."""
        rows = np.arange(self.size)[:, None]
        return (rows >= self.horizon - profile[None]) & (rows <= self.foot)


def _skyline(u: np.ndarray, v: np.ndarray, texture: Texture, rng: np.random.Generator) -> np.ndarray:
    """Sky and clouds, hills or a far wood, houses, trees, hedges, fences, poles; see the colours above."""
    side = _Side(texture.size, rng)
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
    return way_through(side.weight, _COLORS)


def _sky(side: _Side) -> None:
    rng, size = side.rng, side.size
    height = np.abs(np.arange(size, dtype=np.float32) - side.horizon)[:, None] / side.horizon
    cover, hardness = rng.uniform(-0.5, 0.9), rng.uniform(1.0, 5.0)
    clouds = window("patches", size, rng) - 0.5 + 0.5 * side.fractal
    # Clouds are long and low near the horizon.
    bent = np.round(np.sqrt(height[:, 0]) * (size - 1)).astype(int)
    clouds = np.clip(hardness * clouds[bent] + cover, 0.0, 1.0)
    side.weight[:] = np.maximum(1.0 - height**0.6, clouds)


def _leaves(side: _Side, where: np.ndarray) -> None:
    """Foliage: dark below and light above, in clumps."""
    clumps = window("stones12", side.size, side.rng) if side.rng.random() < 0.5 else 0.5 + side.fractal
    tone = side.rng.uniform(LEAF + 0.1, LEAF_LIT - 0.3)
    shade = tone + 0.9 * (clumps[where] - 0.5) + 0.5 * side.fractal[where]
    side.weight[where] = np.clip(shade, LEAF - 0.1, LEAF_LIT)


def _trees(side: _Side, count: int) -> None:
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


def _houses(side: _Side) -> None:
    rng = side.rng
    left = rng.uniform(-0.2, 0.5)
    for _ in range(int(rng.integers(1, 6))):
        width, height = rng.uniform(0.08, 0.45), rng.uniform(0.03, 0.25)
        _house(side, left, left + width, height)
        left += width + rng.choice((0.0, rng.uniform(0.0, 0.3)))
        if left > 1.0:
            break


def _house(side: _Side, left: float, right: float, height: float) -> None:
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


def _low(side: _Side) -> None:
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


def _vehicle(side: _Side, left: float, length: float) -> None:
    """A car, a van or a container: a body, windows, wheels."""
    rng = side.rng
    paint, tall = rng.choice((ACCENT, WALL_LIT, DARK - 0.4, PALE, WALL)), length * rng.uniform(0.25, 0.5)
    side.block(left, left + length, 0.55 * tall, paint)
    side.block(left + 0.18 * length, left + 0.8 * length, tall, paint, 0.5 * tall)
    side.block(left + 0.24 * length, left + 0.74 * length, 0.9 * tall, DARK, 0.6 * tall)
    for share in (0.2, 0.75):
        side.block(left + (share - 0.07) * length, left + (share + 0.07) * length, 0.12 * tall, DARK)


def _indoors(u: np.ndarray, v: np.ndarray, texture: Texture, rng: np.random.Generator) -> np.ndarray:
    """A wall with what stands and hangs there, under a ceiling: home, office, gym or hall; see the colours above."""
    side = _Side(texture.size, rng)
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
        low = rng.choice((-_FOOT, rng.uniform(0.02, 0.6 * high)))
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
    return way_through(side.weight, _COLORS)


def _ceiling(side: _Side, high: float) -> None:
    rng, size = side.rng, side.size
    top = side.row(high)
    side.weight[:top] = CEILING + rng.uniform(-0.2, 0.1) + 0.2 * side.fractal[:top]
    for _ in range(int(rng.integers(0, 7))):
        left, row, wide = rng.uniform(0.0, 1.0), rng.uniform(high, 0.5), rng.uniform(0.02, 0.25)
        side.block(left, left + wide, row, LAMP, row - rng.uniform(0.005, 0.02))
    side.weight[side.foot + round(0.2 * size) :] = CEILING


def _panel(side: _Side, left: float, right: float, low: float, high: float) -> None:
    """A window, a door, a poster, a board: a frame and what it holds."""
    rng = side.rng
    rim, held = rng.uniform(0.002, 0.012), rng.choice((LAMP, BRIGHT, FRAME, GOODS_LIT, ROOM_LIT, GOODS))
    side.block(left, right, high, rng.choice((FRAME, CEILING, GOODS)) + 0.0, low)
    side.block(left + rim, right - rim, high - rim, held + 0.0, low + (rim if low > 0.0 else 0.0))
    if rng.random() < 0.4:
        middle = 0.5 * (left + right)
        side.block(middle, middle + 0.5 * rim, high, FRAME, low)


def _shelf(side: _Side, left: float, right: float, high: float) -> None:
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


def _piece(side: _Side, left: float, right: float, high: float) -> None:
    """A piece of furniture, a machine, a bench: a body, on legs on some, with a lighter top or a back."""
    rng = side.rng
    tone = rng.choice((rng.uniform(GOODS, GOODS_LIT), FRAME - 0.3, BRIGHT, ROOM_LIT + 0.3))
    legs = rng.choice((-_FOOT, rng.uniform(0.2, 0.8) * high))
    side.block(left, right, high, tone, legs)
    if legs > 0.0:
        for at in (left, right - 0.01):
            side.block(at, at + 0.008, legs, FRAME)
    if rng.random() < 0.4:
        side.block(left, right, 0.25 * high, tone - 0.4, legs)


PANORAMAS: dict[str, Pattern] = {"indoors": _indoors, "skyline": _skyline}
PATTERNS.update(PANORAMAS)

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
PALETTES: dict[str, tuple[Palette, ...]] = {
    "skyline": tuple(
        (*sky, *leaves, *house, accent)
        for sky in _SKIES
        for leaves in _LEAVES
        for house, accent in zip(_HOUSES, ((0.1, 0.2, 0.5), (0.6, 0.1, 0.1), (0.85, 0.84, 0.82)), strict=True)
    ),
    "indoors": (
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
    ),
}  # fmt: skip
"""Colours that each of them usually has."""
