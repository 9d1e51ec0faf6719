"""Distributions of numbers."""

from __future__ import annotations

import dataclasses
from typing import Any, Protocol

import numpy as np


class Number(Protocol):
    """A distribution of numbers."""

    def __call__(self, rng: np.random.Generator) -> float:
        """Draw one."""
        ...

    @property
    def bounds(self) -> tuple[float, float]:
        """The least and the greatest that can be drawn."""
        ...

    @property
    def spec(self) -> Any:
        """What `number` reads it from, as JSON values."""
        ...


@dataclasses.dataclass(frozen=True)
class Constant:
    """Always ``value``."""

    value: float

    def __call__(self, rng: np.random.Generator) -> float:
        """Draw it; nothing is taken from ``rng``."""
        return self.value

    @property
    def bounds(self) -> tuple[float, float]:
        """The value, twice."""
        return self.value, self.value

    @property
    def spec(self) -> Any:
        """What it is read from."""
        return self.value


@dataclasses.dataclass(frozen=True)
class _Range:
    """What is drawn between ``low`` and ``high``."""

    low: float
    high: float

    @property
    def bounds(self) -> tuple[float, float]:
        """Low and high."""
        return self.low, self.high

    @property
    def spec(self) -> Any:
        """What it is read from."""
        return [self.low, self.high]


@dataclasses.dataclass(frozen=True)
class Uniform(_Range):
    """A number between ``low`` and ``high``."""

    def __call__(self, rng: np.random.Generator) -> float:
        """Draw one."""
        return float(rng.uniform(self.low, self.high))


@dataclasses.dataclass(frozen=True)
class LogUniform(_Range):
    """A positive number between ``low`` and ``high`` whose logarithm is uniform."""

    def __call__(self, rng: np.random.Generator) -> float:
        """Draw one."""
        return float(np.exp(rng.uniform(np.log(self.low), np.log(self.high))))

    @property
    def spec(self) -> Any:
        """What it is read from."""
        return {"log_uniform": [self.low, self.high]}


@dataclasses.dataclass(frozen=True)
class Whole(_Range):
    """A whole number from ``low`` to ``high``, both included."""

    low: int
    high: int

    def __call__(self, rng: np.random.Generator) -> int:
        """Draw one."""
        return int(rng.integers(self.low, self.high + 1))


@dataclasses.dataclass(frozen=True)
class Normal:
    """A normally distributed number, drawn again when it is more than three deviations off."""

    mean: float
    deviation: float

    def __call__(self, rng: np.random.Generator) -> float:
        """Draw one."""
        value = rng.standard_normal()
        while abs(value) > 3.0:
            value = rng.standard_normal()
        return float(self.mean + self.deviation * value)

    @property
    def bounds(self) -> tuple[float, float]:
        """Three deviations to either side."""
        return self.mean - 3.0 * self.deviation, self.mean + 3.0 * self.deviation

    @property
    def spec(self) -> Any:
        """What it is read from."""
        return {"normal": [self.mean, self.deviation]}


@dataclasses.dataclass(frozen=True)
class Mixture:
    """One of several distributions, with these weights (constants make it a choice of values)."""

    weights: tuple[float, ...]
    parts: tuple[Number, ...]

    def __call__(self, rng: np.random.Generator) -> float:
        """Draw one."""
        return self.parts[weighted(self.weights, rng)](rng)

    @property
    def bounds(self) -> tuple[float, float]:
        """Over all parts."""
        return min(part.bounds[0] for part in self.parts), max(part.bounds[1] for part in self.parts)

    @property
    def spec(self) -> Any:
        """What it is read from."""
        # A list of pairs: two parts may have the same weight.
        return {"mixture": [[weight, part.spec] for weight, part in zip(self.weights, self.parts, strict=True)]}


def weighted(weights: tuple[float, ...], rng: np.random.Generator) -> int:
    """The index of one of ``weights``, each as likely as it is heavy."""
    edges = np.cumsum(weights)
    return min(int(np.searchsorted(edges, rng.random() * edges[-1], side="right")), len(weights) - 1)
