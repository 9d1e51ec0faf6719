"""Patterns of balls, drawn over longitude (u) and latitude (v); the tile covers the whole sphere once.

`BALLS` joins `textures.PATTERNS`. The texture's ``scale`` is a number of panels where a pattern has one.
"""

from __future__ import annotations

import functools

import numpy as np

from .base import Pattern, Texture, noise

_PENTAGON, _HEXAGON = 2.327, 2.267
"""Distances of a truncated icosahedron's faces from its middle, for edges of length 1."""


@functools.lru_cache(maxsize=4)
def _directions(size: int) -> np.ndarray:
    """The unit vector of each pixel, float32 [size, size, 3]."""
    turn = (np.arange(size, dtype=np.float32) + 0.5) / size
    longitude, latitude = np.meshgrid(2.0 * np.pi * turn, np.pi * (turn - 0.5))
    flat = np.cos(latitude)
    return np.stack([flat * np.cos(longitude), flat * np.sin(longitude), np.sin(latitude)], -1)


def _turned(texture: Texture, rng: np.random.Generator) -> np.ndarray:
    """Directions in a randomly turned frame, so that poles of the tile and of the pattern differ."""
    turn, _ = np.linalg.qr(rng.normal(size=(3, 3)))
    return _directions(texture.size) @ turn.astype(np.float32)


@functools.lru_cache(maxsize=1)
def _football_faces() -> tuple[np.ndarray, np.ndarray]:
    """Face normals of a truncated icosahedron: 12 pentagons, 20 hexagons."""
    golden = (1.0 + 5.0**0.5) / 2.0
    signs = [(a, b) for a in (-1.0, 1.0) for b in (-golden, golden)]
    corners = np.array([np.roll((0.0, a, b), shift) for shift in range(3) for a, b in signs])
    corners /= np.linalg.norm(corners[0])
    near = corners @ corners.T > 0.4
    faces = [
        corners[i] + corners[j] + corners[k]
        for i in range(12) for j in range(i) for k in range(j) if near[i, j] and near[j, k] and near[i, k]
    ]  # fmt: skip
    hexagons = np.array(faces)
    return corners.astype(np.float32), (hexagons / np.linalg.norm(hexagons[0])).astype(np.float32)


def _football(u: np.ndarray, v: np.ndarray, texture: Texture, rng: np.random.Generator) -> np.ndarray:
    pentagons, hexagons = _football_faces()
    d = _turned(texture, rng)
    five, six = np.sort(d @ pentagons.T / _PENTAGON, -1), np.sort(d @ hexagons.T / _HEXAGON, -1)
    gap = np.minimum(np.abs(five[..., -1] - six[..., -1]), six[..., -1] - six[..., -2])
    black = np.clip((five[..., -1] - six[..., -1]) * 200.0 + 0.5, 0.0, 1.0)
    return np.maximum(black, np.where(gap < 0.008, 0.6, 0.0))


def _panels(u: np.ndarray, v: np.ndarray, texture: Texture, rng: np.random.Generator) -> np.ndarray:
    """Irregular patches of the colours, with a seam in the last one between them."""
    count = max(4, round(2.0 * texture.scale))
    centres = rng.normal(size=(count, 3))
    centres /= np.linalg.norm(centres, axis=1, keepdims=True)
    near = _directions(texture.size) @ centres.T.astype(np.float32)
    order = np.sort(near, -1)
    colors = rng.integers(0, max(len(texture.colors) - 1, 1), count)
    patch = colors[near.argmax(-1)].astype(np.float32)
    return np.where(order[..., -1] - order[..., -2] < 0.025, len(texture.colors) - 1.0, patch)


def _basketball(u: np.ndarray, v: np.ndarray, texture: Texture, rng: np.random.Generator) -> np.ndarray:
    x, _, z = np.moveaxis(_turned(texture, rng), -1, 0)
    curve = np.abs(np.abs(x) - 0.42 - 0.22 * z**2)
    line = np.minimum(np.minimum(np.abs(x), np.abs(z)), curve)
    return np.maximum(np.clip((0.035 - line) * 60.0, 0.0, 1.0), 0.25 * noise(rng, texture.size, 24, 2))


def _tennis(u: np.ndarray, v: np.ndarray, texture: Texture, rng: np.random.Generator) -> np.ndarray:
    t = np.linspace(0.0, 2.0 * np.pi, 90, dtype=np.float32)
    curve = np.stack(
        [0.72 * np.cos(t) + 0.28 * np.cos(3 * t), 0.72 * np.sin(t) - 0.28 * np.sin(3 * t), 0.9 * np.sin(2 * t)]
    )
    curve /= np.linalg.norm(curve, axis=0)
    near = (_turned(texture, rng) @ curve).max(-1)
    fuzz = 0.25 * rng.random(near.shape, np.float32)
    return np.where(near > np.cos(0.07), 1.0, fuzz)


def _sectors(u: np.ndarray, v: np.ndarray, texture: Texture, rng: np.random.Generator) -> np.ndarray:
    """Beach ball: sectors of the colours in turn, and caps of the first."""
    d = _turned(texture, rng)
    turn = np.arctan2(d[..., 1], d[..., 0]) / (2.0 * np.pi) + 0.5
    sector = np.floor(turn * max(2, round(texture.scale)) * len(texture.colors) * 0.5) % len(texture.colors)
    return np.where(np.abs(d[..., 2]) > rng.uniform(0.93, 0.99), 0.0, sector).astype(np.float32)


def _volleyball(u: np.ndarray, v: np.ndarray, texture: Texture, rng: np.random.Generator) -> np.ndarray:
    d = _turned(texture, rng)
    face = np.abs(d).argmax(-1)
    across = np.take_along_axis(d, ((face + 1) % 3)[..., None], -1)[..., 0]
    depth = np.maximum(np.abs(d).max(-1), 1e-6)
    place = across / depth * 1.5
    strip = (np.floor(place + 1.5) + face) % max(len(texture.colors) - 1, 1)
    seam = np.minimum(np.abs(place - np.round(place - 0.5) - 0.5), 1.0 - np.abs(across / depth)) < 0.03
    return np.where(seam, len(texture.colors) - 1.0, strip).astype(np.float32)


def _belt(u: np.ndarray, v: np.ndarray, texture: Texture, rng: np.random.Generator) -> np.ndarray:
    """A band around the ball, or a round patch such as a logo."""
    z = _turned(texture, rng)[..., 2]
    low = rng.uniform(-0.2, 0.9)
    return np.clip(np.minimum(z - low, low + rng.uniform(0.1, 0.5) - z) * 40.0, 0.0, 1.0)


BALLS: dict[str, Pattern] = {
    "football": _football,
    "panels": _panels,
    "basketball": _basketball,
    "tennis": _tennis,
    "sectors": _sectors,
    "volleyball": _volleyball,
    "belt": _belt,
}
