"""What runs on the robot: the bundle contract, backends, predictor, evaluation and ROS nodes. Never imports torch."""

from __future__ import annotations

import perception_common as perception_common  # before OpenCV: see its `limits`
