"""Several cameras on one model: topics of their own, fair shares, nothing mixed up."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest
import rclpy
from bundles import scene, write_detector
from diagnostic_msgs.msg import DiagnosticArray
from rclpy.executors import SingleThreadedExecutor
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


def test_four_cameras_share_a_model(processes, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    write_detector(tmp_path / "models", work=8)
    process = processes.python(
        "perception_infer.ros.infer_node", "--ros-args", "-p", f"model_root:={tmp_path / 'models'}",
        "-p", "model:=rectangles", "-p", "backend:=onnxruntime", "-p", f"cameras:=[{', '.join(CAMERAS)}]",
    )  # fmt: skip
    context = rclpy.Context()
    rclpy.init(context=context)
    node = rclpy.create_node("cameras_test", context=context)
    found: dict[str, list[Detection2DArray]] = {name: [] for name in CAMERAS}
    values: dict[str, str] = {}
    for name in CAMERAS:
        node.create_subscription(Detection2DArray, f"{name}/detections", found[name].append, qos.RESULTS)
    node.create_subscription(
        DiagnosticArray, "/diagnostics", lambda m: values.update({v.key: v.value for v in m.status[0].values}), 10
    )
    publishers = {name: node.create_publisher(Image, f"{name}/image", qos.SENSOR) for name in CAMERAS}
    executor = SingleThreadedExecutor(context=context)
    executor.add_node(node)
    spinner = threading.Thread(target=executor.spin, daemon=True)
    spinner.start()
    try:
        limit = time.monotonic() + 30
        while not all(found.values()):
            assert process.poll() is None
            assert time.monotonic() < limit, {name: len(arrays) for name, arrays in found.items()}
            for name in CAMERAS:
                publishers[name].publish(image_to_msg(PICTURES[name], "rgb8", Header(frame_id=name)))
            time.sleep(0.1)
        # More than the model can do: about a fourth of the time for each.
        before = {name: len(arrays) for name, arrays in found.items()}
        began = time.monotonic()
        while time.monotonic() - began < 6:
            for name in CAMERAS:
                publishers[name].publish(image_to_msg(PICTURES[name], "rgb8", Header(frame_id=name)))
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
        assert {f"frames_processed.{name}" for name in CAMERAS} <= values.keys()
    finally:
        executor.shutdown()
        spinner.join(timeout=5)
        node.destroy_node()
        rclpy.shutdown(context=context)
