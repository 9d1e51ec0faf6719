"""Distributions from what YAML says."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from .numbers import Constant, LogUniform, Mixture, Normal, Number, Uniform, Whole
from .things import Shares

_FORMS = ("uniform", "log_uniform", "normal", "choice", "mixture")


def number(value: Any, whole: bool = False) -> Number:
    """The distribution that YAML's ``value`` describes (see `randomize`).

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
    _check_weights(weights)
    # In the order of the names: draws must not hang on how a file's lines are ordered.
    pairs = sorted(zip(names, weights, strict=True))
    return Shares(tuple(name for name, _ in pairs), tuple(weight for _, weight in pairs))


def _mixture(inner: Any, whole: bool) -> Mixture:
    pairs = list(inner.items()) if isinstance(inner, Mapping) else inner
    if not isinstance(pairs, list) or not pairs or any(not isinstance(p, (list, tuple)) or len(p) != 2 for p in pairs):
        raise ValueError("mixture needs 'weight: distribution' lines")
    weights = tuple(_finite(weight, False) for weight, _ in pairs)
    _check_weights(weights)
    return Mixture(weights, tuple(number(part, whole) for _, part in pairs))


def _check_weights(weights: tuple[float, ...]) -> None:
    if min(weights) < 0.0 or sum(weights) <= 0.0:
        raise ValueError("weights must not be negative, and one at least above 0")


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
