"""No name of rclpy is used that one of the distributions lacks, outside of the module that knows about it."""

from __future__ import annotations

import ast
import importlib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
COMPAT = "perception_common/ros/compat.py"
#: Looked up in the sources of Humble (rclpy 3.3), Jazzy (7.1) and Kilted (9.1). What is added is to be looked up too.
EVERYWHERE = {
    "rclpy.duration": {"Duration"},
    "rclpy.executors": {"ExternalShutdownException", "SingleThreadedExecutor"},
    "rclpy.lifecycle": {"LifecycleNode", "LifecycleState", "TransitionCallbackReturn"},
    "rclpy.logging": {"get_logger"},
    "rclpy.node": {"Node"},
    "rclpy.parameter": {"Parameter"},
    "rclpy.qos": {"DurabilityPolicy", "HistoryPolicy", "QoSProfile", "ReliabilityPolicy"},
    "rclpy.qos_overriding_options": {"QoSOverridingOptions"},
    "rclpy.signals": {"SignalHandlerOptions"},
    "rclpy.time": {"Time"},
    "rclpy.utilities": {"get_rmw_implementation_identifier", "remove_ros_args"},
}


def used() -> dict[str, set[str]]:
    """By module of rclpy, the names that are taken from it, and where."""
    found: dict[str, set[str]] = {}
    for path in sorted(ROOT.glob("perception_*/**/*.py")):
        if path == ROOT / COMPAT:
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.level == 0 and (node.module or "").split(".")[0] == "rclpy":
                found.setdefault(node.module or "", set()).update(name.name for name in node.names)
            elif isinstance(node, ast.Import):
                deep = {name.name for name in node.names if name.name.startswith("rclpy.")}
                found.update({name: {"*"} for name in deep})
    return found


def test_every_name_was_looked_up_in_all_distributions() -> None:
    assert used() == EVERYWHERE


@pytest.mark.parametrize("module", EVERYWHERE)
def test_here_too(module: str) -> None:
    pytest.importorskip("rclpy", reason="ROS 2 is not installed")
    found = importlib.import_module(module)
    assert [name for name in sorted(EVERYWHERE[module]) if not hasattr(found, name)] == []


def test_a_steady_clock_is_one() -> None:
    pytest.importorskip("rclpy", reason="ROS 2 is not installed")
    from perception_common.ros.compat import steady_clock

    assert steady_clock().clock_type.name == "STEADY_TIME"
