"""The program sim_camera_node; the node itself is `perception_sim.ros.camera_node`."""

from __future__ import annotations

import sys

from perception_common.cli import guard

_NAME = "sim_camera_node"


def main() -> int:
    """Run the node until it is stopped or has published ``max_frames``."""
    return guard(_run, _NAME)


def _run() -> int:
    # Imported here, so that whoever stops it meanwhile, or lacks OpenGL, gets one line too.
    from perception_common.ros.node import run

    from .params import SimCameraParams
    from .ros.camera_node import SimCameraNode
    from .ros.ends import SIM_CAMERA

    return run(
        SimCameraNode,
        _NAME,
        SimCameraParams,
        done=lambda node: isinstance(node, SimCameraNode) and node.finished,
        interface=SIM_CAMERA,
    )


if __name__ == "__main__":
    sys.exit(main())
