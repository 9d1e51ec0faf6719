"""What sim_camera_node publishes; it listens to nothing."""

from __future__ import annotations

from perception_common import topics
from perception_common.ros import qos
from perception_common.ros.diagnostics import DIAGNOSTICS
from perception_common.ros.ends import Publication
from perception_common.ros.policy import Interface

_DEPTH = "depth is not none"

IMAGE = Publication(topics.IMAGE, qos.SENSOR, per_camera=True)
CAMERA_INFO = Publication(topics.CAMERA_INFO, qos.SENSOR, per_camera=True)
GROUND_TRUTH = Publication(topics.GROUND_TRUTH, qos.RESULTS, per_camera=True)
GROUND_TRUTH_3D = Publication(topics.GROUND_TRUTH_3D, qos.RESULTS, per_camera=True)
GROUND_TRUTH_MASK = Publication(topics.GROUND_TRUTH_MASK, qos.RESULTS, per_camera=True)
GROUND_TRUTH_INSTANCES = Publication(topics.GROUND_TRUTH_INSTANCES, qos.RESULTS, per_camera=True)
GROUND_TRUTH_LABELS = Publication(topics.GROUND_TRUTH_LABELS, qos.LATCHED, per_camera=True)
CAMERA_POSE = Publication(topics.CAMERA_POSE, qos.RESULTS, per_camera=True)
DEPTH = Publication(topics.DEPTH, qos.SENSOR, _DEPTH, per_camera=True)
DEPTH_INFO = Publication(topics.DEPTH_INFO, qos.SENSOR, _DEPTH, per_camera=True)
TRANSFORMS = Publication(topics.TRANSFORMS, qos.TRANSFORMS, "publish_tf is true and tf2_msgs is installed")
RATE = Publication(topics.RATE, qos.RESULTS)
CLOCK = Publication(topics.CLOCK, qos.CLOCK, "publish_clock is true")

SIM_CAMERA_NODE = (
    *(IMAGE, CAMERA_INFO, GROUND_TRUTH, GROUND_TRUTH_3D, GROUND_TRUTH_MASK, GROUND_TRUTH_INSTANCES),
    *(GROUND_TRUTH_LABELS, CAMERA_POSE, DEPTH, DEPTH_INFO, TRANSFORMS, RATE, CLOCK, DIAGNOSTICS),
)

SIM_CAMERA = Interface(SIM_CAMERA_NODE)
