"""Results as messages of `rosbags`, without ROS.

The same bytes as those of perception_common/ros/vision.py; a test compares them.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from perception_common.images import jpeg

from ..contract.geometry import Pixels
from .types import COMPRESSED_IMAGE, DETECTIONS, IMAGE, LABEL_INFO, VISION_INFO, ros2_types

_NANOSECONDS = 1_000_000_000
_INT32 = 1 << 32
_JPEG_QUALITY = 90


def make(kind: str, **fields: Any) -> Any:
    """A message of ``package/msg/Name``."""
    return ros2_types().types[kind](**fields)


def header_of(stamp: int, frame_id: str) -> Any:
    """A header with a stamp in nanoseconds."""
    seconds, nanoseconds = divmod(stamp, _NANOSECONDS)
    # ROS 1 counts to 2^32, and ROS 2 half as far: a stamp that makes no sense must not end a replay.
    seconds = (seconds + _INT32 // 2) % _INT32 - _INT32 // 2
    return make(
        "std_msgs/msg/Header",
        stamp=make("builtin_interfaces/msg/Time", sec=seconds, nanosec=nanoseconds),
        frame_id=frame_id,
    )


def detections_message(
    header: Any, boxes: npt.NDArray[np.floating], scores: npt.NDArray[np.floating], class_ids: Sequence[str]
) -> Any:
    """Boxes float [N, 4], scores float [N] and class ids as a Detection2DArray; every detection carries the header."""
    rows = zip(boxes.tolist(), scores.tolist(), class_ids, strict=True)
    return make(DETECTIONS, header=header, detections=[_detection(header, *row) for row in rows])


def label_info_message(header: Any, classes: Sequence[str], threshold: float, background: bool) -> Any:
    """Class names by id; with ``background``, id 0 is the background and the classes start at 1."""
    names = ["background", *classes] if background else list(classes)
    listed = [make("vision_msgs/msg/VisionClass", class_id=i, class_name=name) for i, name in enumerate(names)]
    return make(LABEL_INFO, header=header, class_map=listed, threshold=threshold)


def vision_info_message(header: Any, name: str, uri: str, version: int) -> Any:
    """Which model answers."""
    return make(VISION_INFO, header=header, method=name, database_location=uri, database_version=version)


def mask_message(header: Any, mask: Pixels) -> Any:
    """A mask uint8 [H, W] as an Image in mono8."""
    height, width = mask.shape
    return make(
        IMAGE,
        header=header,
        height=height,
        width=width,
        encoding="mono8",
        is_bigendian=0,
        step=width,
        data=np.ascontiguousarray(mask).reshape(-1),
    )


def jpeg_message(header: Any, rgb: Pixels) -> Any:
    """RGB uint8 [H, W, 3] as a CompressedImage.

    Raises:
        ValueError: JPEG holds no image of this size.
    """
    data = np.frombuffer(jpeg(rgb, _JPEG_QUALITY), np.uint8)
    return make(COMPRESSED_IMAGE, header=header, format="jpeg", data=data)


def _detection(header: Any, box: Sequence[float], score: float, class_id: str) -> Any:
    left, top, right, bottom = box
    middle = make("vision_msgs/msg/Point2D", x=(left + right) / 2, y=(top + bottom) / 2)
    center = make("vision_msgs/msg/Pose2D", position=middle, theta=0.0)
    hypothesis = make("vision_msgs/msg/ObjectHypothesis", class_id=class_id, score=score)
    return make(
        "vision_msgs/msg/Detection2D",
        header=header,
        results=[make("vision_msgs/msg/ObjectHypothesisWithPose", hypothesis=hypothesis, pose=_no_pose())],
        bbox=make("vision_msgs/msg/BoundingBox2D", center=center, size_x=right - left, size_y=bottom - top),
        id="",
    )


@lru_cache(maxsize=1)
def _no_pose() -> Any:
    """What ROS fills in where nothing is known."""
    pose = make(
        "geometry_msgs/msg/Pose",
        position=make("geometry_msgs/msg/Point", x=0.0, y=0.0, z=0.0),
        orientation=make("geometry_msgs/msg/Quaternion", x=0.0, y=0.0, z=0.0, w=1.0),
    )
    return make("geometry_msgs/msg/PoseWithCovariance", pose=pose, covariance=np.zeros(36))
