"""One side of a panorama while it is drawn: 90 degrees around a scene, whose middle row is the horizon."""

from __future__ import annotations

import cv2
import numpy as np

from .fields import way_through, window

FOOT = 0.06
"""How far below the horizon things reach: the ground's far edge hides where they end."""
COLORS = 8
"""How many colours a panorama's palette has."""


class Side:
    """The picture of one side while it is drawn: weights, and helpers that measure in shares of it."""

    def __init__(self, size: int, rng: np.random.Generator) -> None:
        self.size, self.rng = size, rng
        self.weight = np.zeros((size, size), np.float32)
        self.horizon = size // 2
        self.foot = self.horizon + round(FOOT * size)
        self.fractal = window("fractal", size, rng) - 0.5

    def row(self, height: float) -> int:
        """The row at that height over the horizon."""
        return self.horizon - round(height * self.size)

    def block(self, left: float, right: float, height: float, value: float, low: float = -FOOT) -> None:
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

    def painted(self) -> np.ndarray:
        """The way of every pixel through the palette, as `textures.PATTERNS` give it."""
        return way_through(self.weight, COLORS)
