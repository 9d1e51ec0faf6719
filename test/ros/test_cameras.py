"""Several cameras on one model: topics of their own, fair shares, nothing mixed up."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from bundles import scene, write_detector
from waiting import until

pytest.importorskip("rclpy", reason="ROS 2 is not installed")

from diagnostic_msgs.msg import DiagnosticArray
from infer_client import Start, World
from rclpy.node import Node
from sensor_msgs.msg import Image
from std_msgs.msg import Header
from vision_msgs.msg import Detection2DArray

from perception_common.ros import qos
from perception_common.ros.images import image_to_msg

CAMERAS = ("front", "left", "rear", "right")
#: One class and one place for each camera.
PICTURES = {
    "front": scene((320, 240), {"red": (40, 40, 100, 80)}),
    "left": scene((640, 480), {"green": (40, 40, 100, 80)}),
    "rear": scene((320, 240), {"blue": (200, 60, 240, 200)}),
    "right": scene((320, 240), {"red": (40, 40, 100, 80), "blue": (200, 60, 240, 200)}),
}
WANTED = {"front": ["red"], "left": ["green"], "rear": ["blue"], "right": ["red", "blue"]}


def test_four_cameras_share_a_model(world: World, start: Start, tmp_path: Path) -> None:
    write_detector(tmp_path / "models", work=8)
    process = start("/four", model_root=tmp_path / "models", model="rectangles", backend="onnxruntime", cameras=CAMERAS)
    node = Node("cameras_test", namespace="/four", context=world.context)
    found: dict[str, list[Detection2DArray]] = {name: [] for name in CAMERAS}
    values: dict[str, str] = {}
    for name in CAMERAS:
        node.create_subscription(Detection2DArray, f"{name}/detections", found[name].append, qos.RESULTS)
    node.create_subscription(
        DiagnosticArray, "/diagnostics", lambda m: values.update({v.key: v.value for v in m.status[0].values}), 10
    )
    publishers = {name: node.create_publisher(Image, f"{name}/image", qos.SENSOR) for name in CAMERAS}
    world.executor.add_node(node)

    def send() -> None:
        for name in CAMERAS:
            publishers[name].publish(image_to_msg(PICTURES[name], "rgb8", Header(frame_id=name)))

    limit = time.monotonic() + 30
    while not all(found.values()):
        assert process.poll() is None
        assert time.monotonic() < limit, {name: len(arrays) for name, arrays in found.items()}
        send()
        time.sleep(0.1)
    # More than the model can do: about a fourth of the time for each.
    before = {name: len(arrays) for name, arrays in found.items()}
    began = time.monotonic()
    while time.monotonic() - began < 6:
        send()
        time.sleep(0.015)
    time.sleep(1.5)
    shares = {name: len(arrays) - before[name] for name, arrays in found.items()}
    for name, arrays in found.items():
        assert {array.header.frame_id for array in arrays} == {name}
        for array in arrays:
            assert [d.results[0].hypothesis.class_id for d in array.detections] == WANTED[name]
    mean = sum(shares.values()) / len(shares)
    assert mean > 5
    assert all(share == pytest.approx(mean, rel=0.1, abs=2) for share in shares.values()), shares
    until(lambda: {f"frames_processed.{name}" for name in CAMERAS} <= values.keys())
    world.executor.remove_node(node)
    node.destroy_node()
