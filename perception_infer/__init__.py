"""What runs on the robot: the bundle contract, backends, predictor, evaluation and ROS nodes. Never imports torch."""

from __future__ import annotations

from importlib.util import find_spec

import perception_common as perception_common  # before OpenCV: see its `limits`

if find_spec("msgspec") is None:
    # The only thing that nothing works without and that apt does not have; colcon does not install it.
    raise ImportError("perception_suite needs msgspec: python3 -m pip install msgspec")
