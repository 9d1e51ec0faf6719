"""Distributions: small frozen objects that draw a value from the generator they are given.

Nothing here keeps state or a hidden source of randomness: the same generator in the same state gives
the same value.
"""

from __future__ import annotations

import colorsys
import dataclasses
from collections.abc import Sequence
from typing import Generic, TypeVar

import numpy as np

T = TypeVar("T")


@dataclasses.dataclass(frozen=True)
class Uniform:
    """A number between ``low`` and ``high``."""

    low: float
    high: float

    def __call__(self, rng: np.random.Generator) -> float:
        """Draw one."""
        return float(rng.uniform(self.low, self.high))


@dataclasses.dataclass(frozen=True)
class LogUniform:
    """A positive number between ``low`` and ``high`` whose logarithm is uniform."""

    low: float
    high: float

    def __call__(self, rng: np.random.Generator) -> float:
        """Draw one."""
        return float(np.exp(rng.uniform(np.log(self.low), np.log(self.high))))


@dataclasses.dataclass(frozen=True)
class Whole:
    """A whole number from ``low`` to ``high``, both included."""

    low: int
    high: int

    def __call__(self, rng: np.random.Generator) -> int:
        """Draw one."""
        return int(rng.integers(self.low, self.high + 1))


@dataclasses.dataclass(frozen=True)
class Chance:
    """True with probability ``share``."""

    share: float

    def __call__(self, rng: np.random.Generator) -> bool:
        """Draw one."""
        return bool(rng.random() < self.share)


@dataclasses.dataclass(frozen=True)
class Choice(Generic[T]):
    """One of ``options``, each as likely as any other."""

    options: Sequence[T]

    def __call__(self, rng: np.random.Generator) -> T:
        """Draw one."""
        return self.options[int(rng.integers(len(self.options)))]


@dataclasses.dataclass(frozen=True)
class Color:
    """An RGB colour in 0..1, uniform in hue; saturation and value between their bounds."""

    saturation: tuple[float, float] = (0.0, 1.0)
    value: tuple[float, float] = (0.0, 1.0)

    def __call__(self, rng: np.random.Generator) -> tuple[float, float, float]:
        """Draw one."""
        return colorsys.hsv_to_rgb(rng.random(), rng.uniform(*self.saturation), rng.uniform(*self.value))


@dataclasses.dataclass(frozen=True)
class Orientation:
    """A unit quaternion (w, x, y, z): turned about z only with probability ``upright``, else any rotation."""

    upright: float

    def __call__(self, rng: np.random.Generator) -> tuple[float, float, float, float]:
        """Draw one."""
        if rng.random() < self.upright:
            half = rng.uniform(0.0, np.pi)
            return (float(np.cos(half)), 0.0, 0.0, float(np.sin(half)))
        w, x, y, z = rng.normal(size=4)
        length = float(np.sqrt(w * w + x * x + y * y + z * z))
        return (float(w) / length, float(x) / length, float(y) / length, float(z) / length)
