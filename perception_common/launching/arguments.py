"""Arguments of launch files: what they are, and how their texts are read.

Functions take the launch configurations, texts by name, as ``given``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import yaml

COMPRESSED = "/compressed"

#: Arguments that hold for every node that a launch file starts.
SHARED = {
    "namespace": "namespace of the nodes; none when empty",
    "log_level": "least level of what is logged; ROS decides when empty",
    "use_sim_time": "true to take the time from /clock",
    "autostart": "false: infer_node and train_node stay unconfigured until they are told otherwise, as by a lifecycle "
    "manager; true where empty",
    "respawn": "true to start a node again whenever it ends, unless all is shut down",
    "respawn_delay": "seconds before it is started again; launch decides when empty",
}
#: Of launch files that start several nodes.
OF_SEVERAL = {
    "enclaves": "SROS2: where the nodes' enclaves are, such as /perception; each takes the one of its own name there "
    "(/perception/infer_node); the root's when empty",
}
#: Arguments of each node; in a launch file of several, its name stands before them.
OF_EACH = {
    "params_file": "ROS parameter file of {}; start from a copy of one in config/",
    "parameters": 'parameters of {} as YAML, stronger than the file: "{{name: value}}"',
    "remappings": 'names to remap in {} as YAML: "{{name: other}}"',
    "enclave": "SROS2 enclave of {}; the root's when empty",
    "prefix": "words before the command of {}, such as nice -n 10, or gdb -ex run --args",
}
BOOLEAN = ("", "true", "false", "True", "False")
CHOICES = {
    "log_level": ("", "debug", "info", "warn", "error", "fatal"),
    **dict.fromkeys(("use_sim_time", "autostart", "respawn"), BOOLEAN),
}


def declare(
    described: Mapping[str, str],
    choices: Mapping[str, Sequence[str]] = CHOICES,
    required: bool = False,
) -> list[Any]:
    """Launch arguments, by name what they are; empty unless given, so that no default stands twice."""
    from launch.actions import DeclareLaunchArgument

    default: dict[str, str] = {} if required else {"default_value": ""}
    return [
        DeclareLaunchArgument(
            name, description=text, choices=list(choices[name]) if name in choices else None, **default
        )
        for name, text in described.items()
    ]


def of_each(roles: Mapping[str, str]) -> dict[str, str]:
    """Arguments of the nodes of a launch file that starts several: by role, such as ``infer``, the node's name."""
    return {f"{role}_{name}": text.format(node) for role, node in roles.items() for name, text in OF_EACH.items()}


def truth(name: str, given: Mapping[str, str]) -> bool:
    """A launch argument that is true or false; false when empty."""
    value = yaml.safe_load(given.get(name) or "false")
    if not isinstance(value, bool):
        raise RuntimeError(f"launch argument '{name}' is {given[name]!r}, and has to be true or false")
    return value


def mapping(name: str, text: str) -> dict[str, Any]:
    """A launch argument that is a YAML mapping."""
    try:
        value = yaml.safe_load(text or "{}")
    except yaml.YAMLError:
        value = None
    if not isinstance(value, dict):
        raise RuntimeError(f"launch argument '{name}' is {text!r}, and has to be \"{{name: value, ...}}\"")
    return value


def number(name: str, given: Mapping[str, str], unit: str) -> float | None:
    """A launch argument that is a number of something, 0 or more; None when empty."""
    text = given.get(name)
    if not text:
        return None
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0.0 <= value < float("inf"):
        raise RuntimeError(f"launch argument '{name}' is {text!r}, and has to be a number of {unit}, 0 or more")
    return value


def whole(name: str, given: Mapping[str, str]) -> int:
    """A launch argument that is a number of pixels or the like, 1 or more."""
    text = given[name]
    if not text.isdecimal() or int(text) < 1:
        raise RuntimeError(f"launch argument '{name}' is {text!r}, and has to be a whole number, 1 or more")
    return int(text)


def image_topic(topic: str) -> tuple[str, bool]:
    """An image topic as the nodes call it, and whether its images are compressed."""
    return topic.removesuffix(COMPRESSED), topic.endswith(COMPRESSED)


def joined(namespace: str, name: str) -> str:
    """A name below a namespace, which may be empty."""
    return f"{namespace.rstrip('/')}/{name}" if namespace else name
