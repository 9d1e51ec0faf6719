"""Parameters declared once: a frozen dataclass whose fields are made with `param`.

ROS parameters (`perception_common.ros.parameters`), command-line flags (`perception_common.cli`) and
the YAML reference under ``config/`` are all derived from the same dataclass, so that a name, type,
range, default and description stand in exactly one place.
"""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from .errors import UserError, did_you_mean

T = TypeVar("T")
_KEY = "param"
_TYPES: dict[Any, str] = {bool: "bool", int: "int", float: "float", str: "str"}


@dataclasses.dataclass(frozen=True)
class Spec:
    """One parameter: its type, default, description and what values it allows."""

    name: str
    type: type
    is_list: bool
    default: Any
    doc: str
    minimum: float | None
    maximum: float | None
    choices: tuple[Any, ...] | None
    live: bool
    alone: bool = False

    @property
    def allowed(self) -> str:
        """What values are allowed, in words (``""`` when any value of the type is)."""
        if self.choices is not None:
            return "one of " + ", ".join(repr(choice) for choice in self.choices)
        if self.minimum is not None and self.maximum is not None:
            return f"{_number(self.minimum)} to {_number(self.maximum)}"
        if self.minimum is not None:
            return f"at least {_number(self.minimum)}"
        return "" if self.maximum is None else f"at most {_number(self.maximum)}"

    @property
    def type_name(self) -> str:
        """The type in words, such as ``int`` or ``list of str``."""
        return ("list of " if self.is_list else "") + _TYPES[self.type]


def param(
    default: Any,
    doc: str,
    *,
    minimum: float | None = None,
    maximum: float | None = None,
    choices: Sequence[Any] | None = None,
    live: bool = False,
    alone: bool = False,
) -> Any:
    """A dataclass field that is a parameter.

    Types are bool, int, float, str, or ``tuple[X, ...]`` of one of them. ``minimum`` and ``maximum``
    are inclusive and hold for each element of a list. ``live`` parameters may change while a node runs.
    In a list of ``str`` that may stand ``alone``, a text stands for a list of one, and ``""`` for the empty list.
    """
    options = None if choices is None else tuple(choices)
    limits = dict(minimum=minimum, maximum=maximum, choices=options)
    return dataclasses.field(
        default=default, metadata={_KEY: dict(doc=" ".join(doc.split()), **limits, live=live, alone=alone)}
    )


def redeclared(cls: type, name: str, default: Any, doc: str = "", **limits: Any) -> Any:
    """A field for a subclass of ``cls``: its parameter of this name with another default, and ``doc`` or limits."""
    field = next(field for field in dataclasses.fields(cls) if field.name == name)
    told = dict(field.metadata[_KEY]) | ({"doc": doc} if doc else {}) | limits
    return dataclasses.field(default=default, metadata={_KEY: told})


def about(cls: type) -> str:
    """What the parameters of a dataclass are for, in a line: how its docstring begins."""
    return " ".join((cls.__doc__ or cls.__name__).split("\n\n")[0].split())


def specs(cls: type) -> dict[str, Spec]:
    """The parameters of a dataclass, by name, in order of declaration."""
    hints = typing.get_type_hints(cls)
    found: dict[str, Spec] = {}
    for field in dataclasses.fields(cls):
        if _KEY not in field.metadata:
            continue
        kind, is_list = hints[field.name], False
        if typing.get_origin(kind) is tuple:
            kind, is_list = typing.get_args(kind)[0], True
        if kind not in _TYPES or isinstance(kind, types.UnionType):
            raise TypeError(f"{cls.__name__}.{field.name}: unsupported parameter type {kind}")
        found[field.name] = Spec(field.name, kind, is_list, field.default, **field.metadata[_KEY])
    return found


def check(spec: Spec, value: Any, where: object = None) -> Any:
    """``value`` converted to the parameter's type, or a `UserError` that says what is allowed."""
    if spec.is_list:
        if spec.alone and isinstance(value, str):
            value = (value,) if value else ()
        if isinstance(value, (str, bytes)) or not isinstance(value, Sequence):
            raise _refusal(spec, value, where)
        return tuple(_check_one(spec, element, where) for element in value)
    return _check_one(spec, value, where)


def build(cls: type[T], values: Mapping[str, Any], where: object = None) -> T:
    """An instance of ``cls`` from a mapping of names to values; what is absent takes its default.

    Raises:
        UserError: a name is unknown, or a value has the wrong type or is out of range.
    """
    known = specs(cls)
    for name in values:
        if name not in known:
            raise UserError(f"unknown parameter '{name}'", where=where, fix=did_you_mean(str(name), known))
    return cls(**{name: check(known[name], value, where) for name, value in values.items()})


def _check_one(spec: Spec, value: Any, where: object) -> Any:
    if spec.type is float and isinstance(value, int) and not isinstance(value, bool):
        value = float(value)
    kind = type(value)  # a name of its own: mypy would narrow `value` to object
    if kind is not spec.type:
        raise _refusal(spec, value, where)
    if spec.type is float and value != value:
        raise _refusal(spec, value, where)
    too_low = spec.minimum is not None and value < spec.minimum
    too_high = spec.maximum is not None and value > spec.maximum
    if too_low or too_high or (spec.choices is not None and value not in spec.choices):
        raise _refusal(spec, value, where)
    return value


def _number(value: float) -> str:
    """A limit in digits: whole numbers with all of theirs."""
    return str(int(value)) if float(value).is_integer() and abs(value) < 1e15 else f"{value:g}"


def _refusal(spec: Spec, value: Any, where: object) -> UserError:
    allowed = f", {spec.allowed}" if spec.allowed else ""
    return UserError(
        f"parameter '{spec.name}' cannot be {value!r}", where=where, fix=f"allowed is {spec.type_name}{allowed}"
    )
