"""Patterns that suit any surface; those of the other modules are for special ones."""

from __future__ import annotations

import cv2
import numpy as np

from .base import Pattern, Texture, noise


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


ANY_SURFACE: dict[str, Pattern] = {
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
