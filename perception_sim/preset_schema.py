"""JSON Schema of presets, for editors, from the declarations in `sections`."""

from __future__ import annotations

import math
from typing import Any

from perception_common.params import specs
from perception_common.schemas import document, mapping, value_schema

from .axes import NATURAL, describe, limits
from .presets import preset_names
from .sections import SECTIONS


def preset_schema() -> dict[str, Any]:
    """What a preset may hold. Of distributions, the bounds of plain numbers and pairs are checked."""
    head: dict[str, Any] = {
        "base": {"description": "preset whose values hold where this file says nothing", "examples": preset_names()},
        "description": {"type": "string", "description": "what this world is, in a sentence"},
    }
    sections = {name: _section(cls) for name, cls in SECTIONS.items()}
    return document("A preset of perception-sim", head | sections) | {"definitions": _definitions()}


def _section(cls: type) -> dict[str, Any]:
    plain, drawn = specs(cls), limits(cls)
    values = {}
    for name, default, doc in describe(cls):
        told = {"description": doc, "default": default}
        values[name] = value_schema(plain[name]) if name in plain else told | _drawn(drawn[name])
    text = " ".join((cls.__doc__ or "").split())
    return mapping(values) | {"description": text, "type": ["object", "null"]}


def _drawn(axis: Any) -> dict[str, Any]:
    if axis.is_mix:
        name: dict[str, Any] = {"type": "string"} if axis.names is None else {"enum": list(axis.names)}
        weights = {"type": "object", "propertyNames": name, "additionalProperties": {"type": "number", "minimum": 0}}
        return {"anyOf": [name, {"type": "array", "items": name, "minItems": 1}, weights]}
    number: dict[str, Any] = {"type": "integer" if axis.whole else "number"}
    for key, bound in (("minimum", axis.minimum), ("maximum", axis.maximum)):
        if math.isfinite(bound):
            number[key] = bound
    forms: list[dict[str, Any]] = [number, _pair(number), {"$ref": "#/definitions/distribution"}]
    return {"anyOf": [*forms, {"const": NATURAL}] if axis.natural else forms}


def _pair(number: dict[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": number, "minItems": 2, "maxItems": 2}


def _definitions() -> dict[str, Any]:
    number = {"type": "number"}
    anything = {"anyOf": [number, _pair(number), {"$ref": "#/definitions/distribution"}]}
    shares = {"type": "array", "items": {"type": "array", "items": [number, anything], "minItems": 2, "maxItems": 2}}
    by_weight = {"type": "object", "additionalProperties": anything}
    forms = {
        "uniform": {"anyOf": [number, _pair(number)]},
        "log_uniform": _pair({"type": "number", "exclusiveMinimum": 0}),
        "normal": _pair(number),
        "choice": {"type": "array", "items": number, "minItems": 1},
        "mixture": {"anyOf": [shares, by_weight]},
    }
    one = mapping(forms) | {"minProperties": 1, "maxProperties": 1, "description": "how the value is drawn"}
    return {"distribution": one}
