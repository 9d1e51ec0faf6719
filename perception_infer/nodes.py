"""The programs of the robot's nodes. They import nothing themselves, see `perception_common.cli.start`."""

from __future__ import annotations

from perception_common.cli import start


def infer_node() -> int:
    """Detections or masks of camera images."""
    return start("infer_node", "perception_infer.ros.infer_node")


def evaluate_node() -> int:
    """Scores of live results against ground truth."""
    return start("evaluate_node", "perception_infer.ros.evaluate_node")
