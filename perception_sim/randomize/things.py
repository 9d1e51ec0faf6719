"""Distributions of what is no number: names, choices, colours, orientations."""

from __future__ import annotations

import colorsys
import dataclasses
from collections.abc import Sequence
from typing import Any, Generic, TypeVar

import numpy as np

from .numbers import weighted

T = TypeVar("T")


@dataclasses.dataclass(frozen=True)
class Shares:
    """One of ``names``, with these weights."""

    names: tuple[str, ...]
    weights: tuple[float, ...]

    def __call__(self, rng: np.random.Generator) -> str:
        """Draw one."""
        return self.names[weighted(self.weights, rng)]

    def share(self, name: str) -> float:
        """The probability of ``name``."""
        total = sum(self.weights)
        return sum(w for n, w in zip(self.names, self.weights, strict=True) if n == name) / total

    @property
    def spec(self) -> Any:
        """What it is read from."""
        return dict(zip(self.names, self.weights, strict=True))


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
