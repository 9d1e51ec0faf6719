"""Boxes in space: listens for depth and calibration of one camera, and publishes where what was found is."""

from __future__ import annotations

import array
import sys
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from rclpy.node import Node
from sensor_msgs.msg import Image, PointCloud2, PointField
from std_msgs.msg import Header

from perception_common.errors import UserError
from perception_common.ros.images import ImageError, depth_from_msg
from perception_common.ros.vision import boxes_3d_to_msg, pose
from perception_common.stamps import nanoseconds, stamp_of

from ..contract.detections import Detections
from ..spatial import Box3D, Camera, floor_of, footprint, place_by_depth, place_on_floor
from . import ends
from .infer_params import InferParams

#: Depth images that are kept until the image of their time is answered.
_KEPT = 30
_STRAIGHT = (0.0, 0.0, 0.0, 1.0)


class Places:
    """What is known of one camera's view in space.

    Args:
        node: its topics.
        prefix: what stands before the names of the camera's topics.
        params: the parameters as they are now; ``detections_3d`` is not ``off``.
        complain: logs a line.
    """

    def __init__(
        self, node: Node, prefix: str, params: Callable[[], InferParams], complain: Callable[[str], None]
    ) -> None:
        self._params, self._complain = params, complain
        self._camera: Camera | None = None
        self._depths: deque[tuple[int, Image]] = deque(maxlen=_KEPT)
        #: Frames whose objects could not be placed, for want of calibration or depth.
        self.unplaced = 0

        self._publisher = ends.DETECTIONS_3D.create(node, prefix)
        self._obstacles = ends.OBSTACLES.create(node, prefix)
        self._subscriptions = [ends.CAMERA_INFO.create(node, self._on_info, prefix)]
        if params().detections_3d == "depth":
            self._subscriptions.append(ends.DEPTH.create(node, self._on_depth, prefix))

    def close(self, node: Node) -> None:
        """Stop listening and publishing."""
        for subscription in self._subscriptions:
            node.destroy_subscription(subscription)
        for publisher in (self._publisher, self._obstacles):
            node.destroy_publisher(publisher)

    def watched(self) -> bool:
        """Whether anybody subscribes."""
        return bool(self._publisher.get_subscription_count() or self._obstacles.get_subscription_count())

    def publish(self, header: Header, found: Detections, class_ids: Sequence[str], size: tuple[int, int]) -> None:
        """Publish where detections in an image of that width and height are; what cannot be placed is left out."""
        placed = self._placed(header, found, size)
        rows = [(index, box) for index, box in enumerate(placed) if box is not None]
        message = boxes_3d_to_msg(
            header,
            [pose(box.center.tolist(), _STRAIGHT) for _, box in rows],
            np.array([box.size for _, box in rows]).reshape(-1, 3),
            found.scores[[index for index, _ in rows]],
            [class_ids[index] for index, _ in rows],
        )
        for detection, (_, box) in zip(message.detections, rows, strict=True):
            detection.results[0].pose.covariance = box.covariance.ravel()
        self._publisher.publish(message)
        if self._obstacles.get_subscription_count():
            self._obstacles.publish(points_to_msg(header, [footprint(box) for _, box in rows]))

    def _placed(self, header: Header, found: Detections, size: tuple[int, int]) -> list[Box3D | None]:
        params, camera = self._params(), self._camera
        nothing: list[Box3D | None] = [None] * len(found)
        if camera is None:
            self.unplaced += 1
            return nothing
        if params.detections_3d == "floor":
            return place_on_floor(found.boxes, camera, floor_of(params.floor), params.max_depth)
        depth = self._depth_at(header, params.depth_slop_ms)
        if depth is None:
            self.unplaced += 1
            return nothing
        return place_by_depth(found.boxes, depth, size, camera, params.min_depth, params.max_depth)

    def _depth_at(self, header: Header, slop_ms: float) -> npt.NDArray[np.float32] | None:
        """The depth nearest in time to an image, if it is near enough."""
        wanted = nanoseconds(header.stamp)
        # A copy: the executor's thread adds to it.
        kept = list(self._depths)
        if not kept:
            return None
        stamp, message = min(kept, key=lambda entry: abs(entry[0] - wanted))
        if abs(stamp - wanted) > slop_ms * 1e6:
            return None
        try:
            return depth_from_msg(message)
        except ImageError as error:
            self._complain(f"depth left out: {error}")
            return None

    def _on_info(self, message: Any) -> None:
        try:
            self._camera = Camera(tuple(message.k), tuple(message.d), message.distortion_model)
        except UserError as error:
            self._complain(str(error))

    def _on_depth(self, message: Image) -> None:
        self._depths.append((stamp_of(message), message))


def points_to_msg(header: Header, points: Sequence[npt.NDArray[np.float32]]) -> PointCloud2:
    """Points float32 [N, 3] of several things as one unordered cloud of x, y and z."""
    together = np.concatenate([np.zeros((0, 3), np.float32), *points])
    fields = [
        PointField(name=name, offset=4 * index, datatype=PointField.FLOAT32, count=1)
        for index, name in enumerate("xyz")
    ]
    return PointCloud2(
        header=header,
        height=1,
        width=len(together),
        fields=fields,
        is_bigendian=sys.byteorder == "big",
        point_step=12,
        row_step=12 * len(together),
        data=array.array("B", together.tobytes()),
        is_dense=True,
    )
