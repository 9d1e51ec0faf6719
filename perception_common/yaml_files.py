"""YAML that people write and read: files of parameters, checked line by line, and the reference of all parameters."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from .errors import UserError
from .params import Spec, about, specs

#: Editors that know the YAML language server check and complete a file by the schema that such a line names.
MODELINE = "# yaml-language-server: $schema="
# Numbers as YAML 1.2 and editors understand them. PyYAML follows 1.1, for which 1e-3 is a text.
_FLOAT = re.compile(r"[-+]?(?:[0-9][0-9_]*\.?[0-9_]*|\.[0-9][0-9_]*)[eE][-+]?[0-9]+$")


class _Loader(yaml.SafeLoader):
    """PyYAML's safe loader, for which a name that stands twice is an error."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode) and key.value != "<<":
                if key.value in seen:
                    raise yaml.MarkedYAMLError(problem=f"'{key.value}' stands twice", problem_mark=key.start_mark)
                seen.add(key.value)
        return super().construct_mapping(node, deep)


_Loader.add_implicit_resolver("tag:yaml.org,2002:float", _FLOAT, list("-+.0123456789"))


def load_yaml(path: Path) -> dict[str, Any]:
    """The mapping in a YAML file.

    Raises:
        UserError: the file is missing, is not YAML, says a name twice, or holds no mapping.
    """
    try:
        # Ours is a SafeLoader.
        content = yaml.load(path.read_text(encoding="utf-8"), _Loader)  # noqa: S506
    except OSError as error:
        raise UserError(f"cannot read the file: {error.strerror}", where=path, fix="check the path") from error
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
        raise UserError(f"not valid YAML: {error}", where=path) from error
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise UserError("the file must hold 'name: value' lines", where=path)
    return content


def reference_yaml(
    cls: type, node: str | None = None, values: Mapping[str, Any] | None = None, schema: str = ""
) -> str:
    """A commented YAML file of every parameter (a ROS parameter file when ``node`` is given).

    Args:
        cls: the dataclass that declares them.
        node: name of the node.
        values: what to write in the place of defaults, by name.
        schema: path of the JSON Schema that editors check the file by.
    """
    lines = [f"{MODELINE}{schema}"] if schema else []
    lines.append("# " + about(cls))
    if values is None:
        lines.append("# Generated from the code (`make config`): edit a copy, not this file.")
    indent = ""
    if node is not None:
        lines += ["/**/" + node + ":", "  ros__parameters:"]
        indent = "    "
    for spec in specs(cls).values():
        lines.append(f"{indent}# {spec.doc} ({'; '.join(_facts(spec))})")
        value = spec.default if values is None or spec.name not in values else values[spec.name]
        if spec.is_list and not value and node is not None:
            # An empty list has no type in a ROS parameter file.
            lines.append(f"{indent}# {spec.name}: []")
            continue
        lines.append(f"{indent}{spec.name}: {one_line(list(value) if spec.is_list else value)}")
    return "\n".join(lines) + "\n"


def one_line(value: Any) -> str:
    """A value as YAML in one line."""
    return yaml.safe_dump(value, default_flow_style=True, width=10_000).removesuffix("...\n").strip()


def _facts(spec: Spec) -> list[str]:
    return [spec.type_name] + ([spec.allowed] if spec.allowed else []) + (["live"] if spec.live else [])
