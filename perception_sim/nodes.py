"""The program of the simulated camera. It imports nothing itself, see `perception_common.cli.start`."""

from __future__ import annotations

from perception_common.cli import start


def sim_camera_node() -> int:
    """A moving camera in the synthetic world."""
    return start("sim_camera_node", "perception_sim.ros.camera_node")
