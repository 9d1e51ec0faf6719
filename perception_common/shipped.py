"""Files that come with the suite beside its Python code."""

from __future__ import annotations

import os
import sys
from pathlib import Path


def config_file(name: str) -> Path | None:
    """A file of ``config/``: in the source tree, or in the installed share directory; None where it is in neither."""
    source = Path(__file__).resolve().parents[1] / "config" / name
    if source.is_file():
        return source
    for prefix in (*os.environ.get("AMENT_PREFIX_PATH", "").split(os.pathsep), sys.prefix):
        installed = Path(prefix) / "share" / "perception_suite" / "config" / name
        if prefix and installed.is_file():
            return installed
    return None


def schema_file(name: str) -> str:
    """Path of the JSON Schema of a node's or a command's parameters (``infer_node``); empty where it is missing."""
    path = config_file(f"schemas/{name}.schema.json")
    return "" if path is None else str(path)
