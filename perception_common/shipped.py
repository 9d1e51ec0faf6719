"""Files that come with the suite beside its Python code."""

from __future__ import annotations

import os
import sys
from pathlib import Path


def config_file(name: str) -> Path | None:
    """A file of ``config/``: in the source tree, or in the installed share directory; None where it is in neither."""
    source = Path(__file__).resolve().parents[1] / "config" / name
    installed = (share / "perception_suite" / "config" / name for share in share_folders())
    return next((path for path in (source, *installed) if path.is_file()), None)


def schema_file(name: str) -> str:
    """Path of the JSON Schema of a node's or a command's parameters (``infer_node``); empty where it is missing."""
    path = config_file(f"schemas/{name}.schema.json")
    return "" if path is None else str(path)


def share_folders() -> list[Path]:
    """Where packages put what is no code: of the ROS installations that are sourced, then of this Python."""
    prefixes = (*os.environ.get("AMENT_PREFIX_PATH", "").split(os.pathsep), sys.prefix)
    return [Path(prefix) / "share" for prefix in prefixes if prefix]
