"""The reference pages of the site, made from the code: commands, nodes, topics, presets, files.

Each function gives Markdown. `pages` is what the site takes (scripts/site_hooks.py); nothing of it is kept in git.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from make_config import NODES, PROGRAMS
from topic_tables import cell, escaped, every_topic

from perception_common.cli import Command
from perception_common.params import Spec, about, specs
from perception_common.yaml_files import one_line
from perception_infer.contract.manifest import json_schema as manifest_schema
from perception_infer.replay.schema import json_schema as replay_schema
from perception_sim.axes import describe
from perception_sim.sections import SECTIONS

_GENERATED = "*Made from the code when this site was built.*"
_EVERYWHERE = """
Every command also takes `--help`, `--config FILE` (YAML; flags win over it), `--print-config` (what would hold, as such
a file) and `--json FILE` (the result; `-` is stdout). Exit status: 0 success, 2 a mistake that one line tells, 1 a
failure of ours, 130 interrupted. [More on configuration](configuration.md).
"""


def pages() -> dict[str, str]:
    """Every page: its path below docs/, and its Markdown."""
    return {
        **{f"reference/{program}.md": commands(program, known) for program, known in PROGRAMS.items()},
        "reference/nodes.md": nodes(),
        "reference/topics.md": f"# Topics\n\n{_GENERATED}\n\n{every_topic()}",
        "reference/presets.md": presets(),
        "reference/manifest.md": schema_page(
            "manifest.json", manifest_schema(), "What a [model bundle](../architecture.md) says of itself.", "manifest"
        ),
        "reference/replay.md": schema_page(
            "replay.json", replay_schema(), "What [`perception-infer replay`](../replay.md) writes.", "replay"
        ),
    }


def commands(program: str, known: Iterable[Command]) -> str:
    """A program with all its commands and flags."""
    parts = [f"# {program}", _GENERATED, _EVERYWHERE.strip()]
    for command in known:
        parts += [f"## {program} {command.name}", _sentence(command.help)]
        parts += _grouped(command.params, lambda spec, command=command: _flag(command, spec))
        parts.append(f"As YAML: [{program}-{command.name}.yaml](../../config/{program}-{command.name}.yaml)")
    return _text(parts)


def nodes() -> str:
    """The parameters of all nodes."""
    parts = [
        "# Parameters of the nodes",
        _GENERATED,
        (
            "Those marked *live* may be changed while a node runs (`ros2 param set`), the others before it is "
            "configured. An unknown name or a value out of range ends the node with one line. `--print-config` prints "
            "what is in force; see [configuration](configuration.md), and [nodes and topics](../nodes.md) for what it "
            "all means."
        ),
    ]
    for node, params in NODES.items():
        parts += [f"## {node}", _sentence(about(params))]
        parts += _grouped(params, lambda spec, node=node: _parameter(node, spec))
        parts.append(f"As a parameter file: [{node}.yaml](../../config/{node}.yaml)")
    return _text(parts)


def presets() -> str:
    """Every key of a preset."""
    parts = [
        "# Presets",
        _GENERATED,
        (
            "Sections and keys of a world of `perception-sim`; how distributions are written stands in "
            "[the synthetic world](../world.md#distributions). As YAML: [preset.yaml](../../config/preset.yaml)"
        ),
    ]
    for name, cls in SECTIONS.items():
        parts += [f"## {name}", _sentence(" ".join((cls.__doc__ or "").split()))]
        parts += [
            f"`{key}`{{ #{name}-{key} }}\n:   {escaped(doc)}  \n    *default* `{_short(default)}`"
            for key, default, doc in describe(cls)
        ]
    return _text(parts)


def schema_page(title: str, schema: dict[str, Any], text: str, file: str) -> str:
    """A JSON file by its schema: a section for the whole and for every part of it."""
    parts = [f"# {title}", _GENERATED, f"{text} JSON Schema: [{file}.schema.json](../../config/{file}.schema.json)"]
    for name, part in {"": schema, **schema["$defs"]}.items():
        parts += [f"## {name}"] if name else []
        parts += [_sentence(escaped(part["description"].replace("``", "`")))] if "description" in part else []
        required = set(part.get("required", ()))
        rows = ["| key | type | what |", "| --- | --- | --- |"]
        for key, told in part.get("properties", {}).items():
            optional = "" if key in required else "may be left out"
            what = "; ".join(filter(None, (cell(told.get("description", "")), optional)))
            rows.append(f"| `{key}` | {_json_type(told)} | {what} |")
        parts += ["\n".join(rows)] if len(rows) > 2 else []
    return _text(parts)


def _grouped(cls: type, shown: Callable[[Spec], str]) -> list[str]:
    """Every parameter of a dataclass, its own first, and those of each class that it inherits from under a heading."""
    left, parts = specs(cls), []
    for source in cls.__mro__:
        own = [left.pop(name) for name in list(left) if name in vars(source).get("__annotations__", ())]
        if own and source is not cls:
            parts.append(f"### {' '.join((source.__doc__ or '').split(chr(10) * 2)[0].split()).rstrip('.')}")
        parts += [shown(spec) for spec in own]
    return parts


def _flag(command: Command, spec: Spec) -> str:
    flag = "--" + spec.name.replace("_", "-")
    off = f", `--no-{flag[2:]}`" if spec.type is bool else ""
    return _definition(f"`{flag}`{{ #{command.name}-{flag[2:]} }}{off}", spec, "")


def _parameter(node: str, spec: Spec) -> str:
    return _definition(
        f"`{spec.name}`{{ #{node}-{spec.name.replace('_', '-')} }}", spec, " · *live*" if spec.live else ""
    )


def _definition(term: str, spec: Spec, more: str) -> str:
    default = list(spec.default) if spec.is_list else spec.default
    shown = f"default `{one_line(default)}`" if default not in ("", []) else "default: none"
    facts = " · ".join(filter(None, (spec.type_name, escaped(spec.allowed), shown)))
    return f"{term}\n:   {escaped(_sentence(spec.doc))}  \n    *{facts}*{more}"


def _json_type(told: dict[str, Any]) -> str:
    if "$ref" in told:
        name = told["$ref"].rpartition("/")[2]
        return f"[{name}](#{name.lower()})"
    if "anyOf" in told:
        return " or ".join(_json_type(one) for one in told["anyOf"])
    if "enum" in told:
        return ", ".join(f"`{value}`" for value in told["enum"])
    kind = told.get("type")
    if kind == "array":
        return f"list of {_json_type(told.get('items', {}))}"
    if kind == "object":
        inner = told.get("additionalProperties")
        return f"mapping to {_json_type(inner)}" if isinstance(inner, dict) else "mapping"
    return str(kind or "anything")


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:] + ("" if text.endswith((".", ":")) else ".")


def _short(value: Any) -> str:
    text = one_line(value)
    return text if len(text) <= 80 else text[:78].rpartition(",")[0] + ", …]"


def _text(parts: Iterable[str]) -> str:
    return "\n\n".join(parts) + "\n"
