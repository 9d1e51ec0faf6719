"""The topics of one simulated camera, and the frames of all."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from builtin_interfaces.msg import Time
from geometry_msgs.msg import TransformStamped
from rclpy.node import Node
from std_msgs.msg import Header

from perception_common.ros.ends import message_type
from perception_common.ros.images import image_to_msg
from perception_common.ros.vision import label_info

from ..live import Frame
from ..params import SimCameraParams
from . import ends, messages


class CameraTopics:
    """Publishes one camera's frames below its name; what costs something is made only when someone listens."""

    def __init__(self, node: Node, name: str, params: SimCameraParams) -> None:
        self.name, self._params = name, params
        self.frame_id = params.frame_prefix + (f"{name}_optical_frame" if name else params.frame_id)
        below = f"{name}/" if name else ""
        self._image = ends.IMAGE.create(node, below)
        self._info = ends.CAMERA_INFO.create(node, below)
        self._truth = ends.GROUND_TRUTH.create(node, below)
        self._truth_3d = ends.GROUND_TRUTH_3D.create(node, below)
        self._mask = ends.GROUND_TRUTH_MASK.create(node, below)
        self._instances = ends.GROUND_TRUTH_INSTANCES.create(node, below)
        self._labels = ends.GROUND_TRUTH_LABELS.create(node, below)
        self._pose = ends.CAMERA_POSE.create(node, below)
        self._depth: Any = None
        if params.depth != "none":
            self._depth = ends.DEPTH.create(node, below)
            self._depth_info = ends.DEPTH_INFO.create(node, below)

    @property
    def wants_labels(self) -> bool:
        """Whether anyone listens to ground truth."""
        return any(map(_heard, (self._truth, self._truth_3d, self._mask, self._instances)))

    @property
    def wants_depth(self) -> bool:
        """Whether anyone listens to depth."""
        return self._depth is not None and _heard(self._depth)

    def describe(self, classes: Sequence[str], stamp: Time) -> None:
        """Tell which classes the masks' numbers stand for."""
        self._labels.publish(label_info(self._header(stamp), classes, 0.0, background=True))

    def publish(self, frame: Frame, stamp: Time) -> TransformStamped:
        """Publish a frame taken at ``stamp``; where the camera was."""
        header, p = self._header(stamp), self._params
        self._image.publish(messages.picture(frame, p.encoding, header))
        info = messages.camera_info(frame, header)
        self._info.publish(info)
        if frame.mask is not None:
            self._truth.publish(messages.boxes(frame, header))
            self._publish_more_truth(frame, frame.mask, header)
        if frame.depth is not None:
            self._depth.publish(messages.depth_image(frame, p.depth, header))
            self._depth_info.publish(info)
        if _heard(self._pose):
            self._pose.publish(messages.pose_stamped(frame.view, header, p.world_frame))
        return messages.transform(frame.view, header, p.world_frame)

    def _publish_more_truth(self, frame: Frame, mask: Any, header: Header) -> None:
        if _heard(self._truth_3d):
            self._truth_3d.publish(messages.boxes_3d(frame, header))
        if _heard(self._mask):
            self._mask.publish(image_to_msg(mask, "mono8", header))
        if _heard(self._instances):
            self._instances.publish(image_to_msg(frame.instance_mask(), "16UC1", header))

    def _header(self, stamp: Time) -> Header:
        return Header(stamp=stamp, frame_id=self.frame_id)


class Transforms:
    """Publishes the cameras' frames on /tf; does nothing where tf2_msgs is not installed."""

    def __init__(self, node: Node) -> None:
        try:
            self._message = message_type(ends.TRANSFORMS.topic.type)
        except ImportError:
            node.get_logger().info("tf2_msgs is not installed: nothing is published on /tf")
            self._publisher = None
            return
        self._publisher = ends.TRANSFORMS.create(node)

    def publish(self, transforms: list[TransformStamped]) -> None:
        """Publish them as one message."""
        if self._publisher is not None:
            self._publisher.publish(self._message(transforms=transforms))


def _heard(publisher: Any) -> bool:
    return bool(publisher.get_subscription_count() > 0)
