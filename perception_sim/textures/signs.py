"""Patterns of sign faces and boards, drawn upright: colours are the field, the border, and the symbol."""

from __future__ import annotations

import cv2
import numpy as np

from .base import Pattern, Texture, noise
from .prints import print_text

BORDER, SYMBOL = 1.0, 2.0


def _ground(rng: np.random.Generator, size: int) -> np.ndarray:
    """A field with faint stains, float32 [size, size]."""
    return (0.06 * noise(rng, size, 3, 3)).astype(np.float32)


def _polygon(canvas: np.ndarray, points: np.ndarray, value: float) -> None:
    """Fill a polygon [P, 2] given in shares of the tile."""
    cv2.fillPoly(canvas, [np.round(points * len(canvas)).astype(np.int32)], value)


def _bar(canvas: np.ndarray, x: float, y: float, half_x: float, half_y: float, value: float = SYMBOL) -> None:
    signs = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]])
    _polygon(canvas, signs * [half_x, half_y] + [x, y], value)


def _arrow(canvas: np.ndarray, x: float, y: float, reach: float, angle: float) -> None:
    """An arrow about (x, y) that points along ``angle`` (radians from +u)."""
    outline = [[-1, -0.22], [0.1, -0.22], [0.1, -0.62], [1, 0], [0.1, 0.62], [0.1, 0.22], [-1, 0.22]]
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    _polygon(canvas, reach * np.array(outline) @ turn + [x, y], SYMBOL)


def _figure(canvas: np.ndarray, x: float, y: float, reach: float) -> None:
    """A walking person."""
    size = len(canvas)
    cv2.circle(
        canvas, (round(x * size), round((y + 0.8 * reach) * size)), max(1, round(0.2 * reach * size)), SYMBOL, -1
    )
    thick = max(1, round(0.22 * reach * size))
    joints = {
        "neck": (0.0, 0.55),
        "hip": (0.0, -0.1),
        "a": (0.45, -0.95),
        "b": (-0.45, -0.95),
        "c": (0.45, 0.1),
        "d": (-0.4, 0.05),
    }
    at = {k: (round((x + reach * p[0]) * size), round((y + reach * p[1]) * size)) for k, p in joints.items()}
    for a, b in (("neck", "hip"), ("hip", "a"), ("hip", "b"), ("neck", "c"), ("neck", "d")):
        cv2.line(canvas, at[a], at[b], SYMBOL, thick)


def _symbol(canvas: np.ndarray, rng: np.random.Generator, x: float, y: float, reach: float) -> None:
    """Something that a sign shows: an arrow, an exclamation mark, a person, figures, bars."""
    kind = int(rng.integers(5))
    if kind == 0:
        _arrow(canvas, x, y, reach, float(rng.integers(8)) * np.pi / 4)
    elif kind == 1:
        _polygon(canvas, np.array([[-0.22, 1.0], [0.22, 1.0], [0.12, -0.3], [-0.12, -0.3]]) * reach + [x, y], SYMBOL)
        cv2.circle(
            canvas,
            (round(x * len(canvas)), round((y - 0.7 * reach) * len(canvas))),
            round(0.2 * reach * len(canvas)),
            SYMBOL,
            -1,
        )
    elif kind == 2:
        _figure(canvas, x, y, reach)
    elif kind == 3:
        print_text(canvas, rng, x - 0.9 * reach, y - 0.5 * reach, 1.1 * reach, SYMBOL, str(rng.integers(10, 100)))
    else:
        for shift in (-0.5, 0.0, 0.5):
            _bar(canvas, x, y + shift * reach, reach * rng.uniform(0.5, 0.9), 0.14 * reach)


def _round(u: np.ndarray, v: np.ndarray, texture: Texture, rng: np.random.Generator) -> np.ndarray:
    """A round face: a ring about a symbol, or one broad bar."""
    size = texture.size
    canvas = _ground(rng, size)
    rim = rng.uniform(0.3, 0.49)
    axis = (np.arange(size, dtype=np.float32) + 0.5) / size - 0.5
    canvas[np.hypot(axis[None], axis[:, None]) > rim] = BORDER
    if rng.random() < 0.3:
        _bar(canvas, 0.5, 0.5, 0.36, 0.09)
    else:
        _symbol(canvas, rng, 0.5, 0.5, 0.55 * rim)
    return canvas


def _triangle(u: np.ndarray, v: np.ndarray, texture: Texture, rng: np.random.Generator) -> np.ndarray:
    """A triangle on its base with a border and a symbol."""
    canvas = np.full((texture.size, texture.size), BORDER, np.float32)
    centre, inner = np.array([0.5, 0.34]), rng.uniform(0.62, 0.8)
    field = centre + inner * (np.array([[0.0, 0.0], [1.0, 0.0], [0.5, 1.0]]) - centre)
    mask = np.zeros_like(canvas)
    _polygon(mask, field, 1.0)
    canvas = np.where(mask > 0, _ground(rng, texture.size), canvas).astype(np.float32)
    _symbol(canvas, rng, 0.5, 0.36, 0.2)
    return canvas


def _panel(u: np.ndarray, v: np.ndarray, texture: Texture, rng: np.random.Generator) -> np.ndarray:
    """A rectangular or polygonal face: a thin border, letters, symbols."""
    size = texture.size
    canvas = _ground(rng, size)
    if rng.random() < 0.7:
        inset, wide = rng.uniform(0.02, 0.06), rng.uniform(0.015, 0.05)
        edge = np.minimum(np.arange(size), np.arange(size)[::-1]) / size
        near = np.minimum(edge[None], edge[:, None])
        canvas[(near > inset) & (near < inset + wide)] = BORDER
    if rng.random() < 0.45:
        print_text(canvas, rng, rng.uniform(0.08, 0.2), 0.42, rng.uniform(0.16, 0.24), SYMBOL)
    else:
        _symbol(canvas, rng, 0.5, rng.uniform(0.45, 0.6), rng.uniform(0.2, 0.3))
    for _ in range(int(rng.integers(0, 3))):
        print_text(canvas, rng, rng.uniform(0.1, 0.3), rng.choice((0.1, 0.22, 0.82)), rng.uniform(0.06, 0.1), SYMBOL)
    return canvas


def _emblem(u: np.ndarray, v: np.ndarray, texture: Texture, rng: np.random.Generator) -> np.ndarray:
    """A symbol or a word on a field that may have any outline."""
    canvas = _ground(rng, texture.size)
    if rng.random() < 0.4:
        print_text(canvas, rng, 0.22, 0.42, rng.uniform(0.15, 0.2), SYMBOL, "STOP" if rng.random() < 0.5 else None)
    else:
        _symbol(canvas, rng, 0.5, 0.5, rng.uniform(0.2, 0.3))
    return canvas


def _warning(u: np.ndarray, v: np.ndarray, texture: Texture, rng: np.random.Generator) -> np.ndarray:
    """A caution board: letters above, a triangle with a slipping person or a mark, letters below."""
    canvas = _ground(rng, texture.size)
    print_text(canvas, rng, 0.16, rng.uniform(0.78, 0.84), 0.1, SYMBOL, "CAUTION" if rng.random() < 0.6 else None)
    y = rng.uniform(0.3, 0.36)
    _polygon(canvas, np.array([[0.12, y - 0.02], [0.88, y - 0.02], [0.5, y + 0.44]]), SYMBOL)
    inner = np.array([[0.22, y + 0.03], [0.78, y + 0.03], [0.5, y + 0.36]])
    _polygon(canvas, inner, 0.0 if rng.random() < 0.6 else BORDER)
    _figure(canvas, 0.5, y + 0.14, 0.11) if rng.random() < 0.5 else _bar(canvas, 0.5, y + 0.14, 0.03, 0.1)
    for line in (0.2, 0.08):
        if rng.random() < 0.7:
            print_text(canvas, rng, rng.uniform(0.08, 0.2), line, 0.09, SYMBOL)
    return canvas


SIGNS: dict[str, Pattern] = {
    "sign_round": _round,
    "sign_triangle": _triangle,
    "sign_emblem": _emblem,
    "sign_panel": _panel,
    "sign_warning": _warning,
}
