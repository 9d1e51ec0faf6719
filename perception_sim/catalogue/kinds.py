"""What there is to know about a kind of object, besides the numbers of one instance."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np

from ..scene import Material
from ..shapes import Shape

Sampler: TypeAlias = Callable[[float, np.random.Generator], Shape]
Dresser: TypeAlias = Callable[[Any, np.random.Generator], tuple[Material, ...]]


@dataclasses.dataclass(frozen=True)
class Kind:
    """A kind of object: a class of the catalogue, a look-alike, or a distractor.

    ``sample`` draws the shape of one instance for a nominal size (about its longest side) in metres;
    ``size`` is the range of sizes that it has in reality, drawn log-uniformly.

    ``dress`` draws what such a thing typically looks like: one `Material` for each surface of its solid,
    in order. Without it the kind has no typical look, and a preset's colours and patterns are drawn.

    ``upright`` is the share of instances that stand as modelled (z up) before physics; the others tumble.
    ``density`` is in kg/m³ of its colliders. ``also`` names classes of which every instance is a member as
    well (a mug is a cup), so that it never serves as a distractor for them; ``resembles`` names classes
    for which it is a hard look-alike.
    """

    sample: Sampler
    size: tuple[float, float]
    dress: Dresser | None = None
    upright: float = 0.5
    density: float = 350.0
    also: tuple[str, ...] = ()
    resembles: tuple[str, ...] = ()
