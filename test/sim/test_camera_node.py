"""sim_camera_node over real DDS, as a process of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

rclpy = pytest.importorskip("rclpy", reason="ROS 2 is not installed")
pytest.importorskip("vision_msgs", reason="vision_msgs is not installed")

from diagnostic_msgs.msg import DiagnosticArray  # noqa: E402
from rclpy.context import Context  # noqa: E402
from rclpy.executors import SingleThreadedExecutor  # noqa: E402
from sensor_msgs.msg import CameraInfo, Image  # noqa: E402
from vision_msgs.msg import Detection2DArray  # noqa: E402

from perception_common.ros import dds, qos  # noqa: E402
from perception_common.ros.images import image_from_msg  # noqa: E402
from perception_common.ros.vision import detections_from_msg  # noqa: E402

NAMESPACE = f"/test_camera_{os.getpid()}"


def start(*arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "perception_sim.camera_node", "--ros-args", "-r", f"__ns:={NAMESPACE}"]
    for argument in arguments:
        command += ["-p", argument]
    return subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


@pytest.fixture(scope="module")
def heard() -> Iterator[dict[str, list[Any]]]:
    """All that a listener hears of 45 frames at 10 Hz, and how the node ended."""
    dds.enable()
    context = Context()
    rclpy.init(context=context)
    node = rclpy.create_node("listener", context=context, namespace=NAMESPACE)
    got: dict[str, list[Any]] = {key: [] for key in ("image", "camera_info", "ground_truth", "mask", "diagnostics")}
    arrivals: list[float] = []

    def on_image(message: Image) -> None:
        arrivals.append(time.monotonic())
        got["image"].append(message)

    node.create_subscription(Image, "image", on_image, qos.SENSOR)
    node.create_subscription(CameraInfo, "camera_info", got["camera_info"].append, qos.SENSOR)
    node.create_subscription(Detection2DArray, "ground_truth", got["ground_truth"].append, qos.RESULTS)
    node.create_subscription(Image, "ground_truth/mask", got["mask"].append, qos.RESULTS)
    node.create_subscription(DiagnosticArray, "/diagnostics", got["diagnostics"].append, 10)
    executor = SingleThreadedExecutor(context=context)
    executor.add_node(node)
    process = start("rate:=10.0", "max_frames:=45", "width:=160", "height:=120", "frame_id:=optics", "seed:=9")
    deadline = time.monotonic() + 40.0
    while process.poll() is None and time.monotonic() < deadline:
        executor.spin_once(timeout_sec=0.05)
    for _ in range(20):
        executor.spin_once(timeout_sec=0.01)
    process.kill()
    _, told = process.communicate()
    got["arrivals"], got["ending"] = arrivals, [process.returncode, told]
    yield got
    executor.shutdown()
    node.destroy_node()
    rclpy.shutdown(context=context)


def stamp(message: Any) -> tuple[int, int, str]:
    return message.header.stamp.sec, message.header.stamp.nanosec, message.header.frame_id


def test_it_ends_by_itself_after_its_frames(heard: dict[str, list[Any]]) -> None:
    status, told = heard["ending"]
    assert status == 0, told
    # The first ones are sent before the listener is discovered; after that none is missing.
    assert 15 <= len(heard["image"]) <= 45
    assert len(heard["ground_truth"]) >= len(heard["image"])


def test_truth_and_calibration_carry_the_images_stamps(heard: dict[str, list[Any]]) -> None:
    images = {stamp(message) for message in heard["image"]}
    assert len(images) == len(heard["image"])
    assert {frame for _, _, frame in images} == {"optics"}
    assert images <= {stamp(message) for message in heard["ground_truth"]}
    assert len(images & {stamp(message) for message in heard["camera_info"]}) >= len(images) - 2


def test_boxes_lie_around_the_mask(heard: dict[str, list[Any]]) -> None:
    classes = ["ball", "box", "cone", "hammer", "mug", "ring"]
    masks = {stamp(message): message for message in heard["mask"]}
    checked = 0
    for message in heard["ground_truth"]:
        boxes, scores, names = detections_from_msg(message)
        assert (scores == 1.0).all()
        if stamp(message) not in masks:
            continue
        mask = np.frombuffer(masks[stamp(message)].data, np.uint8).reshape(120, 160)
        for (x0, y0, x1, y1), name in zip(boxes.astype(int), names, strict=True):
            inside = mask[y0:y1, x0:x1] == classes.index(name) + 1
            assert inside[0].any()
            assert inside[-1].any()
            assert inside[:, 0].any()
            assert inside[:, -1].any()
            checked += 1
    assert checked > 0


def test_pictures_and_calibration(heard: dict[str, list[Any]]) -> None:
    message, info = heard["image"][0], heard["camera_info"][0]
    assert message.encoding == "bgr8"
    assert image_from_msg(message).shape == (120, 160, 3)
    assert (info.width, info.height) == (160, 120)
    assert (info.k[2], info.k[5]) == (79.5, 59.5)
    assert info.k[0] == info.k[4] == info.p[0] > 50.0


def test_it_keeps_its_rate_and_tells(heard: dict[str, list[Any]]) -> None:
    span = heard["arrivals"][-1] - heard["arrivals"][0]
    assert 6.0 < (len(heard["arrivals"]) - 1) / span < 11.0
    statuses = [s for message in heard["diagnostics"] for s in message.status if NAMESPACE in s.name]
    assert statuses
    values = {value.key: value.value for value in statuses[-1].values}
    assert int(values["frames_published"]) > 5
    assert float(values["rate"]) > 5.0


@pytest.mark.parametrize(
    ("argument", "told"),
    [
        ("rat:=5.0", "did you mean 'rate'"),
        ("preset:=dem", "did you mean 'demo'"),
        ("encoding:=yuv", "'bgr8'"),
        ("rate:=0.0", "0.1"),
    ],
)
def test_wrong_parameters_end_it_with_one_line(argument: str, told: str) -> None:
    process = start(argument)
    _, answer = process.communicate(timeout=30)
    assert process.returncode == 2
    assert told in answer
    assert len([line for line in answer.splitlines() if "sim_camera_node:" in line]) == 1
    assert "Traceback" not in answer


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_stops_cleanly(number: signal.Signals) -> None:
    process = start("rate:=5.0", "width:=64", "height:=48")
    time.sleep(4.0)
    assert process.poll() is None
    process.send_signal(number)
    _, told = process.communicate(timeout=10)
    assert process.returncode == 0, told
    assert "Traceback" not in told
