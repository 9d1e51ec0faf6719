"""Where a run happened and with what: machine and software, for the summary."""

from __future__ import annotations

import os
import platform
from importlib import metadata
from pathlib import Path
from typing import Any

from perception_common import __version__
from perception_common.machine import cores, processor

_DISTRIBUTIONS = (
    "torch",
    "onnx",
    "onnxruntime",
    "numpy",
    "mujoco",
    "opencv-python-headless",
    "ros-rclpy",
    "vision-msgs",
)


def machine() -> dict[str, Any]:
    """Processor, cores this process may use, memory and system."""
    memory = [int(line.split()[1]) for line in _lines("/proc/meminfo") if line.startswith("MemTotal")]
    return {
        "cpu": processor(),
        "cpus": cores(),
        "memory_gib": round(memory[0] / 2**20, 1) if memory else None,
        "system": platform.platform(),
    }


def software() -> dict[str, str]:
    """Versions of the Python distributions that took part, and the ROS distribution where one is sourced."""
    versions = {"perception_suite": __version__, "python": platform.python_version()}
    for name in _DISTRIBUTIONS:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    if "ROS_DISTRO" in os.environ:
        versions["ROS_DISTRO"] = os.environ["ROS_DISTRO"]
    return versions


def _lines(path: str) -> list[str]:
    file = Path(path)
    return file.read_text().splitlines() if file.is_file() else []
