"""The suite's topics: names, types, and what they carry. Declared once; nothing of ROS is needed to read this.

Names are relative, for launch files to remap. Who publishes and subscribes them, and with which quality of service, is
declared beside the nodes (`ends.py` of each package).
"""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Topic:
    """A topic: its name, the type of its messages in ROS's words, and what they are."""

    name: str
    type: str
    doc: str

    def named(self, name: str) -> Topic:
        """One of the topics that a name with ``<name>`` stands for."""
        return replace(self, name=self.name.replace("<name>", name))


_IMAGE, _INFO = "sensor_msgs/msg/Image", "sensor_msgs/msg/CameraInfo"
_BOXES, _BOXES_3D = "vision_msgs/msg/Detection2DArray", "vision_msgs/msg/Detection3DArray"
_LABELS, _VISION_INFO, _NUMBER = "vision_msgs/msg/LabelInfo", "vision_msgs/msg/VisionInfo", "std_msgs/msg/Float64"

IMAGE = Topic("image", _IMAGE, "camera images")
CAMERA_INFO = Topic("camera_info", _INFO, "calibration of the camera, with the stamp of its image")
DEPTH = Topic("depth/image", _IMAGE, "depth along the optical axis: 16UC1 millimetres or 32FC1 metres (REP 118)")
DEPTH_INFO = Topic("depth/camera_info", _INFO, "calibration of the depth image")

DETECTIONS = Topic("detections", _BOXES, "what was found, for every image that was answered, also when it is nothing")
DETECTIONS_3D = Topic("detections_3d", _BOXES_3D, "the same in space: the camera's optical frame, metres")
OBSTACLES = Topic("obstacles", "sensor_msgs/msg/PointCloud2", "points that fill the cut of each box, for Nav2")
OVERLAY = Topic("overlay", _IMAGE, "rgb8: the image with what was found; drawn only when someone subscribes")
MASK = Topic("mask", _IMAGE, "mono8: the class of every pixel, 0 is the background; of segmenters")
MASK_COLOR = Topic("mask/color", _IMAGE, "rgb8: the mask in colours; drawn only when someone subscribes")
LABEL_INFO = Topic("label_info", _LABELS, "class names by number")
MODEL_STATUS = Topic(
    "model_status", _VISION_INFO, "which model serves; its stamp is that of the first image it answers"
)

CHECKPOINT = Topic(
    "checkpoint",
    _VISION_INFO,
    "a bundle was exported: method is the model's name, database_location the URI of its manifest.json, "
    "database_version its version",
)
METRICS = Topic("metrics/<name>", _NUMBER, "figures of the training run")
LIVE_MAP50 = Topic("metrics/live_map50", _NUMBER, "mAP50 over the newest frames that were scored")

GROUND_TRUTH = Topic("ground_truth", _BOXES, "the labelled objects of every image; ids tell objects apart")
GROUND_TRUTH_3D = Topic("ground_truth_3d", _BOXES_3D, "the same in space: the camera's optical frame, metres")
GROUND_TRUTH_MASK = Topic("ground_truth/mask", _IMAGE, "mono8: the true class of every pixel")
GROUND_TRUTH_INSTANCES = Topic("ground_truth/instances", _IMAGE, "16UC1: place in ground_truth, from 1")
GROUND_TRUTH_LABELS = Topic("ground_truth/label_info", _LABELS, "class names by number in the masks")
CAMERA_POSE = Topic("camera_pose", "geometry_msgs/msg/PoseStamped", "where the camera is, in the world's frame")
TRANSFORMS = Topic("/tf", "tf2_msgs/msg/TFMessage", "the cameras' frames")
RATE = Topic("rate", _NUMBER, "frames a second that the simulated camera achieves")
CLOCK = Topic("/clock", "rosgraph_msgs/msg/Clock", "simulated time")

DIAGNOSTICS = Topic(
    "/diagnostics", "diagnostic_msgs/msg/DiagnosticArray", "state and counters of a node, once a second"
)
