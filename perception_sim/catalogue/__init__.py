"""The object classes: parametric kinds of which no two instances are alike.

One module per family holds the shapes and a table ``KINDS``; `KINDS` here joins them, and is the only
list there is. A new kind is a dataclass with ``sample`` and ``build`` and one line in its family's table.
"""

from __future__ import annotations

from . import (
    balls,
    barrels,
    bins,
    bottles,
    cartons,
    cones,
    crates,
    cups,
    cutlery,
    furniture,
    goods,
    household,
    nuts,
    pallets,
    people,
    plants,
    primitives,
    printed,
    shoes,
    street,
    tableware,
    tools,
    wheels,
)
from .kinds import Kind

_FAMILIES = (
    primitives,
    balls,
    nuts,
    barrels,
    bins,
    cartons,
    cones,
    crates,
    bottles,
    cups,
    furniture,
    goods,
    printed,
    shoes,
    household,
    pallets,
    people,
    plants,
    street,
    tableware,
    cutlery,
    tools,
    wheels,
)

KINDS: dict[str, Kind] = {name: kind for family in _FAMILIES for name, kind in family.KINDS.items()}
"""Every kind that can be a class."""
