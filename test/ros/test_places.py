"""Where things are in space: published beside the detections, from depth or from the floor."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from bundles import scene, write_detector

pytest.importorskip("rclpy", reason="ROS 2 is not installed")

from diagnostic_msgs.msg import DiagnosticArray
from infer_client import Start, World
from rclpy.node import Node
from rclpy.time import Time
from sensor_msgs.msg import CameraInfo, Image, PointCloud2
from std_msgs.msg import Header
from vision_msgs.msg import Detection2DArray, Detection3DArray

from perception_common.ros import qos
from perception_common.ros.images import image_to_msg

K = (300.0, 0.0, 159.5, 0.0, 300.0, 119.5, 0.0, 0.0, 1.0)
PICTURE = scene((320, 240), {"red": (130, 100, 190, 160)})
#: In the middle: 60 pixels, at 2 m, of 300 pixels to the metre at 1 m.
SIDE = 60 / 300 * 2.0


class Robot:
    """A node under test, with a camera that has depth, and what the node says."""

    def __init__(self, node: Any) -> None:
        self.flat: list[Detection2DArray] = []
        self.places: list[Detection3DArray] = []
        self.values: dict[str, str] = {}
        node.create_subscription(Detection2DArray, "detections", self.flat.append, qos.RESULTS)
        node.create_subscription(Detection3DArray, "detections_3d", self.places.append, qos.RESULTS)
        node.create_subscription(DiagnosticArray, "/diagnostics", self._on_values, 10)
        self._title = node.get_namespace().strip("/")
        self.clouds: list[PointCloud2] = []
        node.create_subscription(PointCloud2, "obstacles", self.clouds.append, qos.RESULTS)
        self._image = node.create_publisher(Image, "image", qos.SENSOR)
        self._depth = node.create_publisher(Image, "depth/image", qos.SENSOR)
        self._info = node.create_publisher(CameraInfo, "camera_info", qos.SENSOR)
        self._clock = node.get_clock()

    def _on_values(self, message: DiagnosticArray) -> None:
        # Nodes of other tests may still run.
        if self._title in message.status[0].name + message.status[0].hardware_id:
            self.values.update({entry.key: entry.value for entry in message.status[0].values})

    def send(self, depth: np.ndarray | None = None, calibrated: bool = True, late_ms: int = 0) -> None:
        now = self._clock.now()
        header = Header(frame_id="optics", stamp=now.to_msg())
        if calibrated:
            self._info.publish(CameraInfo(header=header, width=320, height=240, k=K, distortion_model="plumb_bob"))
        if depth is not None:
            then = Time(nanoseconds=now.nanoseconds - late_ms * 10**6).to_msg()
            encoding = "16UC1" if depth.dtype == np.uint16 else "32FC1"
            self._depth.publish(image_to_msg(depth, encoding, Header(frame_id="optics", stamp=then)))
        # The depth of an image comes before it here; a real one's need not, and waits for nobody.
        time.sleep(0.05)
        self._image.publish(image_to_msg(PICTURE, "rgb8", header))

    def until(self, condition: Callable[[], bool], *sent: Any, **options: Any) -> None:
        limit = time.monotonic() + 30
        while not condition():
            assert time.monotonic() < limit, (len(self.flat), len(self.places), self.values)
            self.send(*sent, **options)
            time.sleep(0.1)


Begin = Callable[..., Robot]


@pytest.fixture
def robot(world: World, start: Start, tmp_path: Path) -> Iterator[Begin]:
    """Starts a node with parameters, and answers with its other side."""
    write_detector(tmp_path / "models")
    nodes = []

    def begin(**parameters: object) -> Robot:
        namespace = f"/places_{tmp_path.name}".replace("-", "_")
        start(namespace, model_root=tmp_path / "models", model="rectangles", backend="onnxruntime", **parameters)
        nodes.append(Node("places_test", namespace=namespace, context=world.context))
        client = Robot(nodes[-1])
        world.executor.add_node(nodes[-1])
        return client

    yield begin
    for node in nodes:
        world.executor.remove_node(node)
        node.destroy_node()


def middle(message: Detection3DArray) -> list[float]:
    position = message.detections[0].bbox.center.position
    return [position.x, position.y, position.z]


@pytest.mark.parametrize("depth", [np.full((240, 320), 2000, np.uint16), np.full((120, 160), 2.0, np.float32)])
def test_depth_places_what_was_found(robot: Begin, depth: np.ndarray) -> None:
    client = robot(detections_3d="depth")
    client.until(lambda: any(message.detections for message in client.places), depth)
    message = next(message for message in client.places if message.detections)
    (found,) = message.detections
    assert message.header.frame_id == "optics"
    assert message.header in [flat.header for flat in client.flat]
    assert found.results[0].hypothesis.class_id == "red"
    assert found.results[0].hypothesis.score == pytest.approx(0.9)
    # A side of 0.4 m at the front; the middle of as thick a thing is half of that behind it.
    assert middle(message) == pytest.approx([0.0, 0.07 * 1.1, 2.2], abs=0.03)
    assert found.bbox.size.x == pytest.approx(SIDE * 1.11, rel=0.03)
    cloud = next(cloud for cloud in client.clouds if cloud.header == message.header)
    points = np.frombuffer(cloud.data, np.float32).reshape(cloud.width, 3)
    assert cloud.width == 10 * 10
    assert points.mean(0) == pytest.approx(middle(message), abs=1e-3)
    assert np.ptp(points, axis=0) == pytest.approx([found.bbox.size.x, 0, found.bbox.size.z], abs=1e-3)
    assert np.reshape(found.results[0].pose.covariance, (6, 6))[2, 2] > 0


def test_without_depth_of_its_time_nothing_is_placed_and_that_is_counted(robot: Begin) -> None:
    depth = np.full((240, 320), 2000, np.uint16)
    client = robot(detections_3d="depth")
    client.until(lambda: int(client.values.get("frames_unplaced", 0)) > 0, depth, calibrated=False)
    client.until(lambda: len(client.places) > 5, depth, late_ms=500)
    assert not any(message.detections for message in client.places)
    assert client.flat[-1].detections, "what was found in the image is published all the same"
    before = int(client.values["frames_unplaced"])
    client.until(lambda: int(client.values["frames_unplaced"]) > before, depth, late_ms=500)


def test_the_floor_places_what_stands_on_it(robot: Begin) -> None:
    client = robot(detections_3d="floor", floor=(0.9, 20.0))
    client.until(lambda: any(message.detections for message in client.places))
    x, y, z = middle(next(message for message in client.places if message.detections))
    ray = np.array([0.0, (160 - 120) / 300, 1.0])
    distance = 0.9 / (ray @ [0.0, np.cos(np.deg2rad(20)), np.sin(np.deg2rad(20))])
    assert z == pytest.approx(distance / (1 - 0.1), rel=0.02)
    assert abs(x) < 0.03
    assert y == pytest.approx(z * 10 / 300, abs=0.03)


def test_a_floor_that_is_none_is_refused(start: Start, tmp_path: Path) -> None:
    assert start("/no_floor", model_root=tmp_path, model="x", detections_3d="floor").wait(30) == 2
