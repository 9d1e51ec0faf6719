"""What infer_node and evaluate_node publish and listen to."""

from __future__ import annotations

from perception_common import topics
from perception_common.ros import qos
from perception_common.ros.diagnostics import DIAGNOSTICS
from perception_common.ros.ends import Publication, Subscription
from perception_common.ros.policy import Interface

from .transport_params import COMPRESSED

_IN_SPACE, _DEPTH = "detections_3d is not off", "detections_3d is depth"
_SAMPLES = "output is set and samples is above 0"
_AS_COMPRESSED = f"image_transport is {COMPRESSED}"

IMAGE = Subscription(topics.IMAGE, qos.NEWEST, per_camera=True, variants=((f"/{COMPRESSED}", _AS_COMPRESSED),))
CHECKPOINT = Subscription(topics.CHECKPOINT, qos.LATCHED)
CAMERA_INFO = Subscription(topics.CAMERA_INFO, qos.SENSOR, _IN_SPACE, per_camera=True)
DEPTH = Subscription(topics.DEPTH, qos.SENSOR, _DEPTH, per_camera=True)
DETECTIONS = Publication(topics.DETECTIONS, qos.RESULTS, per_camera=True)
DETECTIONS_3D = Publication(topics.DETECTIONS_3D, qos.RESULTS, _IN_SPACE, per_camera=True)
OBSTACLES = Publication(topics.OBSTACLES, qos.RESULTS, _IN_SPACE, per_camera=True)
OVERLAY = Publication(topics.OVERLAY, qos.PICTURE, per_camera=True)
MASK = Publication(topics.MASK, qos.PICTURE, per_camera=True)
MASK_COLOR = Publication(topics.MASK_COLOR, qos.PICTURE, per_camera=True)
LABEL_INFO = Publication(topics.LABEL_INFO, qos.LATCHED)
MODEL_STATUS = Publication(topics.MODEL_STATUS, qos.LATCHED)

INFER_NODE = (
    *(IMAGE, CHECKPOINT, CAMERA_INFO, DEPTH),
    *(DETECTIONS, DETECTIONS_3D, OBSTACLES, OVERLAY, MASK, MASK_COLOR, LABEL_INFO, MODEL_STATUS, DIAGNOSTICS),
)

HEARD_TRUTH = Subscription(topics.GROUND_TRUTH, qos.RESULTS)
HEARD_DETECTIONS = Subscription(topics.DETECTIONS, qos.RESULTS)
HEARD_STATUS = Subscription(topics.MODEL_STATUS, qos.LATCHED)
HEARD_DIAGNOSTICS = Subscription(topics.DIAGNOSTICS, qos.REPORTS)
SEEN_IMAGE = Subscription(
    topics.IMAGE, qos.NEWEST, _SAMPLES, variants=((f"/{COMPRESSED}", f"{_SAMPLES}, and {_AS_COMPRESSED}"),)
)
LIVE_MAP50 = Publication(topics.LIVE_MAP50, qos.RESULTS)

EVALUATE_NODE = (
    *(HEARD_TRUTH, HEARD_DETECTIONS, HEARD_STATUS, HEARD_DIAGNOSTICS, SEEN_IMAGE),
    *(LIVE_MAP50, DIAGNOSTICS),
)

INFER = Interface(INFER_NODE, lifecycle=True)
EVALUATE = Interface(EVALUATE_NODE)
