"""The program of the training node. It imports nothing itself, see `perception_common.cli.start`."""

from __future__ import annotations

from perception_common.cli import start


def train_node() -> int:
    """Training that announces its bundles."""
    return start("train_node", "perception_train.ros.train_node")
