"""Distributions: small frozen objects that draw a value from the generator they are given.

Nothing here keeps state or a hidden source of randomness: the same generator in the same state gives
the same value. `number` and `shares` read them from what YAML can say:

    0.3                                  always 0.3
    [0.1, 0.5]                           uniform between the two (whole numbers: both included)
    {uniform: [0.1, 0.5]}                the same
    {log_uniform: [0.1, 10]}             uniform in the logarithm
    {normal: [0.0, 2.0]}                 mean and standard deviation, at most 3 of them away
    {choice: [1, 2, 5]}                  one of these
    {mixture: {0.8: 0, 0.2: [1, 4]}}     with these shares, one of these distributions
    [wood, tiles]                        names, each as likely as any other
    {wood: 3, tiles: 1}                  names with their weights
"""

from __future__ import annotations

import colorsys
import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, Generic, Protocol, TypeVar

import numpy as np

T = TypeVar("T")


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
class Uniform:
    """A number between ``low`` and ``high``."""

    low: float
    high: float

    def __call__(self, rng: np.random.Generator) -> float:
        """Draw one."""
        return float(rng.uniform(self.low, self.high))

    @property
    def bounds(self) -> tuple[float, float]:
        """Low and high."""
        return self.low, self.high

    @property
    def spec(self) -> Any:
        """What it is read from."""
        return [self.low, self.high]


@dataclasses.dataclass(frozen=True)
class LogUniform:
    """A positive number between ``low`` and ``high`` whose logarithm is uniform."""

    low: float
    high: float

    def __call__(self, rng: np.random.Generator) -> float:
        """Draw one."""
        return float(np.exp(rng.uniform(np.log(self.low), np.log(self.high))))

    @property
    def bounds(self) -> tuple[float, float]:
        """Low and high."""
        return self.low, self.high

    @property
    def spec(self) -> Any:
        """What it is read from."""
        return {"log_uniform": [self.low, self.high]}


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
class Whole:
    """A whole number from ``low`` to ``high``, both included."""

    low: int
    high: int

    def __call__(self, rng: np.random.Generator) -> int:
        """Draw one."""
        return int(rng.integers(self.low, self.high + 1))

    @property
    def bounds(self) -> tuple[float, float]:
        """Low and high."""
        return self.low, self.high

    @property
    def spec(self) -> Any:
        """What it is read from."""
        return [self.low, self.high]


@dataclasses.dataclass(frozen=True)
class Mixture:
    """One of several distributions, with these weights (constants make it a choice of values)."""

    weights: tuple[float, ...]
    parts: tuple[Number, ...]

    def __call__(self, rng: np.random.Generator) -> float:
        """Draw one."""
        return self.parts[_index(self.weights, rng)](rng)

    @property
    def bounds(self) -> tuple[float, float]:
        """Over all parts."""
        return min(part.bounds[0] for part in self.parts), max(part.bounds[1] for part in self.parts)

    @property
    def spec(self) -> Any:
        """What it is read from."""
        # A list of pairs: two parts may have the same weight.
        return {"mixture": [[weight, part.spec] for weight, part in zip(self.weights, self.parts, strict=True)]}


@dataclasses.dataclass(frozen=True)
class Shares:
    """One of ``names``, with these weights."""

    names: tuple[str, ...]
    weights: tuple[float, ...]

    def __call__(self, rng: np.random.Generator) -> str:
        """Draw one."""
        return self.names[_index(self.weights, rng)]

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


def number(value: Any, whole: bool = False) -> Number:
    """The distribution that YAML's ``value`` describes (see above).

    Raises:
        ValueError: it describes none; the message says what is wrong.

    """
    if isinstance(value, bool) or value is None:
        raise ValueError(f"{value!r} is no number")
    if isinstance(value, (int, float)):
        return Constant(_finite(value, whole))
    if isinstance(value, (list, tuple)):
        low, high = _pair(value, whole)
        return Whole(int(low), int(high)) if whole else Uniform(low, high)
    if not isinstance(value, Mapping) or len(value) != 1:
        raise ValueError(f"{value!r} is neither a number, nor [low, high], nor one of {', '.join(_FORMS)}")
    ((form, inner),) = value.items()
    if form == "uniform":
        return number(inner, whole)
    if form == "log_uniform":
        low, high = _pair(inner, False)
        if low <= 0.0:
            raise ValueError("log_uniform needs numbers above 0")
        return LogUniform(low, high)
    if form == "normal":
        if not isinstance(inner, (list, tuple)) or len(inner) != 2:
            raise ValueError("normal needs [mean, standard deviation]")
        return Normal(_finite(inner[0], False), abs(_finite(inner[1], False)))
    if form == "choice":
        if not isinstance(inner, (list, tuple)) or not inner:
            raise ValueError("choice needs a list of numbers")
        return Mixture((1.0,) * len(inner), tuple(Constant(_finite(one, whole)) for one in inner))
    if form == "mixture":
        return _mixture(inner, whole)
    raise ValueError(f"'{form}' is none of {', '.join(_FORMS)}")


def shares(value: Any) -> Shares:
    """Names with weights, from a list of names or a mapping of name to weight.

    Raises:
        ValueError: it is neither, names one twice, or no weight is above 0.

    """
    if isinstance(value, str):
        return Shares((value,), (1.0,))
    if isinstance(value, Mapping):
        names, weights = tuple(map(str, value)), tuple(_finite(weight, False) for weight in value.values())
    elif isinstance(value, (list, tuple)) and all(isinstance(name, str) for name in value):
        names, weights = tuple(value), (1.0,) * len(value)
    else:
        raise ValueError(f"{value!r} is neither a list of names nor 'name: weight' lines")
    if not names or len(set(names)) != len(names):
        raise ValueError("there must be at least one name, and none twice")
    if min(weights) < 0.0 or sum(weights) <= 0.0:
        raise ValueError("weights must not be negative, and one at least above 0")
    # In the order of the names: draws must not hang on how a file's lines are ordered.
    pairs = sorted(zip(names, weights, strict=True))
    return Shares(tuple(name for name, _ in pairs), tuple(weight for _, weight in pairs))


_FORMS = ("uniform", "log_uniform", "normal", "choice", "mixture")


def _mixture(inner: Any, whole: bool) -> Mixture:
    pairs = list(inner.items()) if isinstance(inner, Mapping) else inner
    if not isinstance(pairs, list) or not pairs or any(not isinstance(p, (list, tuple)) or len(p) != 2 for p in pairs):
        raise ValueError("mixture needs 'weight: distribution' lines")
    weights = tuple(_finite(weight, False) for weight, _ in pairs)
    if min(weights) < 0.0 or sum(weights) <= 0.0:
        raise ValueError("weights must not be negative, and one at least above 0")
    return Mixture(weights, tuple(number(part, whole) for _, part in pairs))


def _pair(value: Any, whole: bool) -> tuple[float, float]:
    if not isinstance(value, (list, tuple)) or len(value) != 2:
        raise ValueError(f"{value!r} is not [low, high]")
    low, high = (_finite(one, whole) for one in value)
    if low > high:
        raise ValueError(f"[{low:g}, {high:g}] is not [low, high] with low <= high")
    return low, high


def _finite(value: Any, whole: bool) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not np.isfinite(value):
        raise ValueError(f"{value!r} is no number")
    if whole and value != int(value):
        raise ValueError(f"{value!r} is no whole number")
    return int(value) if whole else float(value)


def _index(weights: tuple[float, ...], rng: np.random.Generator) -> int:
    edges = np.cumsum(weights)
    return min(int(np.searchsorted(edges, rng.random() * edges[-1], side="right")), len(weights) - 1)
