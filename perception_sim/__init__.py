"""A synthetic world in MuJoCo: randomised scenes, renders, exact labels, and a simulated camera.

Imports neither `perception_infer` nor `perception_train`, and no torch. Only `ros` and `camera_node` need ROS.
"""

from __future__ import annotations

from perception_common import __version__

__all__ = ["__version__"]
