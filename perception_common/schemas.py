"""JSON Schemas (draft 7, as editors know it) of files of parameters, from the dataclasses that declare them."""

from __future__ import annotations

from typing import Any

from .params import Spec, about, specs

_DRAFT = "http://json-schema.org/draft-07/schema#"
_KINDS: dict[type, str] = {bool: "boolean", int: "integer", float: "number", str: "string"}
#: What ROS itself declares on every node.
BUILT_IN = {"use_sim_time": {"type": "boolean"}, "start_type_description_service": {"type": "boolean"}}


def command_schema(cls: type) -> dict[str, Any]:
    """What a file for ``--config`` may hold."""
    return document(about(cls).rstrip("."), {name: value_schema(spec) for name, spec in specs(cls).items()})


def node_schema(cls: type, node: str) -> dict[str, Any]:
    """What a ROS parameter file may hold for a node of this name; what it says of others is not looked at."""
    values = {name: value_schema(spec) for name, spec in specs(cls).items()} | BUILT_IN
    # ROS takes names with dots both as they are and as mappings.
    qos = {"description": "quality of service of single topics"}
    parameters = mapping(values | {"qos_overrides": qos}) | {"patternProperties": {r"^qos_overrides\.": qos}}
    of_node = mapping({"ros__parameters": parameters})
    return {
        "$schema": _DRAFT,
        "title": about(cls).rstrip("."),
        "type": "object",
        "patternProperties": {f"(^|/){node}$": of_node},
    }


def document(title: str, properties: dict[str, Any]) -> dict[str, Any]:
    """A file that is one mapping."""
    return {"$schema": _DRAFT, "title": title} | mapping(properties)


def mapping(properties: dict[str, Any]) -> dict[str, Any]:
    """A mapping of these names, all of which may be left out, and of no others."""
    return {"type": "object", "additionalProperties": False, "properties": properties}


def value_schema(spec: Spec) -> dict[str, Any]:
    """What a parameter may be."""
    told = {"description": spec.doc, "default": list(spec.default) if spec.is_list else spec.default}
    one: dict[str, Any] = {"type": _KINDS[spec.type]}
    if spec.choices is not None:
        one["enum"] = list(spec.choices)
    if spec.minimum is not None:
        one["minimum"] = spec.minimum
    if spec.maximum is not None:
        one["maximum"] = spec.maximum
    if not spec.is_list:
        return told | one
    several = {"type": "array", "items": one}
    return told | ({"anyOf": [several, {"type": "string"}]} if spec.alone else several)
