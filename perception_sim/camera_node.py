"""sim_camera_node: a camera that moves through the synthetic world, with ground truth. Wiring only."""

from __future__ import annotations

import sys
import time
from collections import deque
from collections.abc import Mapping
from typing import Any

import numpy as np
from rclpy.clock import Clock, ClockType
from rclpy.node import Node
from rclpy.qos_overriding_options import QoSOverridingOptions
from sensor_msgs.msg import CameraInfo, Image
from std_msgs.msg import Header
from vision_msgs.msg import Detection2DArray

from perception_common.ros import qos
from perception_common.ros.diagnostics import OK, WARN, Diagnostics
from perception_common.ros.images import image_to_msg
from perception_common.ros.node import run
from perception_common.ros.parameters import NodeParameters
from perception_common.ros.vision import detections_to_msg

from .params import SimCameraParams

_RATE_WINDOW_S = 5.0


class SimCameraNode(Node):
    """Publishes ``image``, ``camera_info``, ``ground_truth`` and ``ground_truth/mask``; see `SimCameraParams`."""

    def __init__(self) -> None:
        super().__init__("sim_camera_node")
        # Here, so that a missing OpenGL is told by `run` in one line.
        from .live import LiveWorld

        # The world is built once, from what holds at start.
        self._declared = NodeParameters(self, SimCameraParams)
        self._declared.lock()
        p = self._params = self._declared.value
        self._image = self._publisher(Image, "image", qos.SENSOR)
        self._info = self._publisher(CameraInfo, "camera_info", qos.SENSOR)
        self._truth = self._publisher(Detection2DArray, "ground_truth", qos.RESULTS)
        self._mask = self._publisher(Image, "ground_truth/mask", qos.RESULTS)
        self._world = LiveWorld(p.preset, p.seed, p.width, p.height, p.scene_seconds)
        # The first frame opens OpenGL and builds two scenes: before the clock starts.
        self._world.frame(0.0)
        self._published, self._late, self._late_told = 0, 0, 0
        self._times: deque[float] = deque()
        self._diagnostics = Diagnostics(self, "perception_sim", self._report)
        # A timer keeps an absolute schedule: a late frame does not delay those after it.
        self._due = time.monotonic() + 1.0 / p.rate
        self._timer = self.create_timer(1.0 / p.rate, self._tick, clock=Clock(clock_type=ClockType.STEADY_TIME))
        self.get_logger().info(f"preset {p.preset}, seed {p.seed}: {p.width}x{p.height} at {p.rate:g} Hz")

    @property
    def finished(self) -> bool:
        """Whether all the frames that were asked for are published."""
        return 0 < self._params.max_frames <= self._published

    def close(self) -> None:
        """Free the world; called once before the node is destroyed."""
        self._diagnostics.close()
        self._world.close()

    def _publisher(self, kind: type[Any], topic: str, profile: Any) -> Any:
        return self.create_publisher(
            kind, topic, profile, qos_overriding_options=QoSOverridingOptions.with_default_policies()
        )

    def _tick(self) -> None:
        p = self._params
        if self.finished:
            return
        self._watch_schedule()
        # World time follows the frames, so that a run is the same whatever else the machine does.
        frame = self._world.frame(self._published / p.rate)
        pixels = frame.rgb if p.encoding == "rgb8" else frame.rgb[..., ::-1]
        # Rendering stands for the light on its way: the picture is taken when it is there.
        header = Header(stamp=self.get_clock().now().to_msg(), frame_id=p.frame_id)
        self._image.publish(image_to_msg(pixels, p.encoding, header))
        self._info.publish(camera_info(header, p.width, p.height, frame.intrinsics))
        boxes = np.array([instance.box for instance in frame.instances], np.float32).reshape(-1, 4)
        names = [instance.label for instance in frame.instances]
        self._truth.publish(detections_to_msg(header, boxes, np.ones(len(names), np.float32), names))
        if self._mask.get_subscription_count() > 0:
            self._mask.publish(image_to_msg(frame.mask, "mono8", header))
        self._published += 1
        self._times.append(time.monotonic())

    def _watch_schedule(self) -> None:
        """Count the frames that could not be made because the ones before took too long."""
        period, now = 1.0 / self._params.rate, time.monotonic()
        skipped = int((now - self._due) / period)
        if skipped > 0:
            self._late += skipped
            self._due += skipped * period
        self._due += period

    def _report(self) -> tuple[bytes, str, Mapping[str, Any]]:
        now = time.monotonic()
        while self._times and self._times[0] < now - _RATE_WINDOW_S:
            self._times.popleft()
        span = self._times[-1] - self._times[0] if len(self._times) > 1 else 0.0
        rate = (len(self._times) - 1) / span if span > 0.0 else 0.0
        values = {
            "preset": self._params.preset,
            "rate": rate,
            "rate_wanted": self._params.rate,
            "frames_published": self._published,
            "frames_late": self._late,
        }
        newly_late, self._late_told = self._late - self._late_told, self._late
        slow = newly_late > 0 and not self.finished
        return (WARN, "cannot keep its rate", values) if slow else (OK, "publishing", values)


def camera_info(header: Header, width: int, height: int, intrinsics: np.ndarray) -> CameraInfo:
    """The calibration of an undistorted camera from K [3, 3] in pixel-edge coordinates."""
    k = intrinsics.copy()
    # ROS counts from the middle of the first pixel.
    k[:2, 2] -= 0.5
    projection = np.zeros((3, 4))
    projection[:, :3] = k
    return CameraInfo(
        header=header,
        width=width,
        height=height,
        distortion_model="plumb_bob",
        d=[0.0] * 5,
        k=k.ravel().tolist(),
        r=np.eye(3).ravel().tolist(),
        p=projection.ravel().tolist(),
    )


def main() -> int:
    """Run the node until it is stopped or has published ``max_frames``."""
    return run(SimCameraNode, "sim_camera_node", done=lambda node: isinstance(node, SimCameraNode) and node.finished)


if __name__ == "__main__":
    sys.exit(main())
