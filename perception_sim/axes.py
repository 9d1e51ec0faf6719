"""Axes of randomisation, declared once: dataclass fields whose values are distributions read from YAML.

A section of a preset is a frozen dataclass whose fields are made with `axis` (numbers), `mix` (names with
weights) or `perception_common.params.param` (plain values).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from perception_common.errors import UserError, did_you_mean
from perception_common.params import check, specs
from perception_common.yaml_files import one_line

from .randomize import Number, Shares, number, shares

T = TypeVar("T")
_KEY = "axis"
NATURAL = "natural"


@dataclasses.dataclass(frozen=True)
class Axis:
    """What a field may hold: a distribution of numbers within limits, or names with weights (``is_mix``)."""

    doc: str
    whole: bool = False
    minimum: float = -float("inf")
    maximum: float = float("inf")
    natural: bool = False
    names: tuple[str, ...] | None = None
    is_mix: bool = False

    def read(self, value: Any) -> Number | Shares | None:
        if self.natural and value == NATURAL:
            return None
        if self.is_mix:
            return self._mix(value)
        drawn = number(value, self.whole)
        low, high = drawn.bounds
        if low < self.minimum or high > self.maximum:
            raise ValueError(f"{low:g} to {high:g} leaves what is allowed, {self.minimum:g} to {self.maximum:g}")
        return drawn

    def _mix(self, value: Any) -> Shares:
        drawn = shares(value)
        for name in drawn.names if self.names is not None else ():
            if name not in self.names:
                raise ValueError(f"unknown name '{name}'; {did_you_mean(name, self.names)}")
        return drawn


def axis(
    default: Any,
    doc: str,
    *,
    whole: bool = False,
    minimum: float = -float("inf"),
    maximum: float = float("inf"),
    natural: bool = False,
) -> Any:
    """A field that holds a distribution of numbers (`randomize.Number`); ``default`` is written as in YAML.

    With ``natural`` the word "natural" is allowed too and gives None: what is natural for each object.
    """
    made = Axis(doc, whole, minimum, maximum, natural)
    return dataclasses.field(default=made.read(default), metadata={_KEY: made})


def mix(default: Any, doc: str, names: Sequence[str] | None = None) -> Any:
    """A field that holds names with weights (`randomize.Shares`), of ``names`` if they are given."""
    made = Axis(doc, names=None if names is None else tuple(names), is_mix=True)
    return dataclasses.field(default=made.read(default), metadata={_KEY: made})


def read(cls: type[T], values: Any, where: str) -> T:
    """A section from a mapping of names to what YAML says; what is absent takes its default.

    Raises:
        UserError: an unknown name, or a value that is no such distribution or leaves its range.

    """
    if not isinstance(values, Mapping):
        raise UserError("a section must hold 'name: value' lines", where=where)
    fields = {field.name: field for field in dataclasses.fields(cls)}  # type: ignore[arg-type]
    plain = specs(cls)
    made: dict[str, Any] = {}
    for name, value in values.items():
        if name not in fields:
            raise UserError(f"unknown parameter '{name}'", where=where, fix=did_you_mean(str(name), fields))
        if name in plain:
            made[name] = check(plain[name], value, where)
            continue
        try:
            made[name] = fields[name].metadata[_KEY].read(value)
        except ValueError as error:
            raise UserError(f"'{name}': {error}", where=where, fix=fields[name].metadata[_KEY].doc) from error
    return cls(**made)


def dump(section: Any) -> dict[str, Any]:
    """A section as JSON values that `read` takes."""
    found = {}
    for field in dataclasses.fields(section):
        value = getattr(section, field.name)
        if _KEY in field.metadata:
            value = NATURAL if value is None else value.spec
        found[field.name] = list(value) if isinstance(value, tuple) else value
    return found


def reference(sections: Mapping[str, type]) -> str:
    """Every field of the sections at its default as commented YAML."""
    lines = []
    for name, cls in sections.items():
        lines += ["", f"# {' '.join((cls.__doc__ or name).split())}", f"{name}:"]
        for field, default, doc in describe(cls):
            lines += [f"  # {doc}", f"  {field}: {one_line(default)}"]
    return "\n".join(lines[1:]) + "\n"


def describe(cls: type) -> list[tuple[str, Any, str]]:
    """Name, default as in YAML, and description of every field of a section."""
    blank = dump(cls())
    plain = specs(cls)
    return [
        (f.name, blank[f.name], f.metadata[_KEY].doc if _KEY in f.metadata else plain[f.name].doc)
        for f in dataclasses.fields(cls)
    ]


def limits(cls: type) -> dict[str, Axis]:
    """What the fields of a section may hold that are distributions, by name."""
    return {f.name: f.metadata[_KEY] for f in dataclasses.fields(cls) if _KEY in f.metadata}
