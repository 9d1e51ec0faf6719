"""Frames that are lost on the way, cameras that are killed or do not match, and a second robot."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import psutil
import pytest
from matrix import Fault, zero
from waiting import until

pytest.importorskip("rclpy", reason="ROS 2 is not installed")

import rclpy
from infer_client import World
from rclpy.context import Context
from rclpy.node import Node
from robots import CAMERA_HZ, CAMERA_TIMEOUT, PICTURE, TIME, Robot, ages_of, at, begin
from sensor_msgs.msg import Image
from std_msgs.msg import Header

from perception_common.ros import qos
from perception_common.ros.images import image_to_msg

_CAMERA = """
import sys, time
import numpy, rclpy
from rclpy.node import Node
from sensor_msgs.msg import Image
from std_msgs.msg import Header
from perception_common.ros import dds, qos
from perception_common.ros.images import image_to_msg
dds.begin()
rclpy.init()
node = Node("camera", namespace=sys.argv[1])
publisher = node.create_publisher(Image, "image", qos.SENSOR)
message = image_to_msg(numpy.full((240, 320, 3), 120, numpy.uint8), "rgb8", Header(frame_id=sys.argv[2]))
while not publisher.get_subscription_count():
    time.sleep(0.01)
print("begins", flush=True)
while True:
    message.header.stamp = node.get_clock().now().to_msg()
    publisher.publish(message)
    time.sleep(0.05)
"""


@pytest.fixture(scope="module")
def robots(world: World, module_processes: Any, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Robot]:
    return begin(world, module_processes, tmp_path_factory.mktemp("models"), "plain", "slow", "strict")


@pytest.mark.long
@pytest.mark.fault(
    TIME,
    "frames lost on the way and frames left out by the node",
    f"{CAMERA_HZ:.0f} frames a second at a slow model, which is stopped (SIGSTOP) for 0.4 s of 2 s",
    "0 frames that are in neither counter",
)
def test_losses_are_told_apart(fault: Fault, robots: dict[str, Robot]) -> None:
    robot = robots["slow"]
    client = robot.client
    names = ("frames_received", "frames_lost_in_transport", "frames_unprocessed", "frames_failed", "frames_invalid")
    assert robot.is_well()
    time.sleep(0.3)
    before, first = client.diagnostics(), client.header().stamp.nanosec
    ages_of(robot, 0.8)
    robot.process.send_signal(signal.SIGSTOP)
    try:
        for _ in range(24):
            client.send(PICTURE)
            time.sleep(0.4 / 24)
    finally:
        robot.process.send_signal(signal.SIGCONT)
    ages_of(robot, 0.8)
    # The last one arrives: what is missing before it is known then.
    assert robot.is_well()
    sent = client.header().stamp.nanosec - first - 1
    time.sleep(0.3)
    after = client.diagnostics()
    step = {name: int(after[name]) - int(before[name]) for name in names}
    assert step["frames_lost_in_transport"] > 0 and step["frames_unprocessed"] > 0
    assert step["frames_failed"] == step["frames_invalid"] == 0
    missing = sent - step["frames_received"] - step["frames_lost_in_transport"]
    told = f"{step['frames_lost_in_transport']} lost, {step['frames_unprocessed']} left out"
    fault.observe(f"unaccounted of {sent} ({told})", missing, zero)
    fault.plant("without the senders' running numbers", sent - step["frames_received"])


@pytest.fixture
def camera(processes: Any) -> Iterator[Callable[[str], tuple[subprocess.Popen[bytes], float]]]:
    """Starts a camera in a process of its own before the ordinary node: the process, and when it began to send."""
    begun: list[subprocess.Popen[bytes]] = []

    def start(frame_id: str) -> tuple[subprocess.Popen[bytes], float]:
        process = processes.start([sys.executable, "-c", _CAMERA, "/plain", frame_id], name="camera")
        begun.append(process)
        until(lambda: "begins" in processes.log(process))
        return process, time.monotonic()

    yield start
    for process in begun:
        process.kill()
        process.wait()


@pytest.mark.long
@pytest.mark.fault(
    TIME,
    "the camera's process is killed",
    f"SIGKILL of a camera of 20 Hz, camera_timeout {CAMERA_TIMEOUT:g}",
    "/diagnostics warns within 3 s",
)
def test_a_killed_camera(fault: Fault, robots: dict[str, Robot], camera: Any) -> None:
    robot, limit = robots["plain"], 3.0
    process, _ = camera("killed")
    until(lambda: robot.answered("killed"))

    def noticed(process: subprocess.Popen[bytes]) -> float:
        process.kill()
        begin, began = len(robot.client._diagnostics), time.monotonic()
        while time.monotonic() - began < limit:
            if any("no image on" in values["message"] for values in robot.client._diagnostics[begin:]):
                break
            time.sleep(0.01)
        return time.monotonic() - began

    robot.client.diagnostics(lambda values: "no image on" not in values["message"])
    fault.observe("s until it warns", noticed(process), lambda seconds: seconds < limit)
    assert robot.client.set_parameter("camera_timeout", 0.0) == (True, "")
    process, _ = camera("again")
    until(lambda: robot.answered("again"))
    robot.client.diagnostics(lambda values: "no image on" not in values["message"])
    planted = noticed(process)
    assert robot.client.set_parameter("camera_timeout", CAMERA_TIMEOUT) == (True, "")
    fault.plant("camera_timeout 0", planted)


@pytest.mark.fault(
    TIME,
    "a killed camera comes back",
    "SIGKILL of the camera's process, and another one in its place",
    "its frames are answered within 1 s of the first",
)
def test_a_camera_that_comes_back(fault: Fault, robots: dict[str, Robot], camera: Any) -> None:
    robot = robots["plain"]
    process, _ = camera("before")
    until(lambda: robot.answered("before"))
    process.kill()
    _, began = camera("after")
    until(lambda: robot.answered("after"))
    fault.observe("s until the first answer", time.monotonic() - began, lambda seconds: seconds < 1.0)
    fault.plant("the node started anew", robot.started)
    assert robot.is_well()


@pytest.mark.fault(
    TIME,
    "a subscription that the camera cannot match",
    "qos_overrides ask for reliable, the camera offers best effort and sends 20 frames",
    "a warning, and not more than one a minute",
)
def test_incompatible_qos(fault: Fault, robots: dict[str, Robot]) -> None:
    robot = robots["strict"]

    def warnings(of: Robot) -> int:
        return of.log().count("no image can come from")

    def wrong(of: Robot) -> int:
        """Warnings that are missing, or too many for the time that the node has run."""
        told, minutes = warnings(of), int(time.time() - psutil.Process(of.process.pid).create_time()) // 60
        return max(0, told - 1 - minutes) if told else 1

    until(lambda: warnings(robot) > 0)
    for _ in range(20):
        robot.client.send(PICTURE)
        time.sleep(0.05)
    assert not robot.client.detections
    robot.client.diagnostics(lambda values: values["incompatible_publishers"] == "1" and values["level"] == "1")
    fault.observe("warnings missing or too many", wrong(robot), zero)
    fault.plant("a subscription that matches", wrong(robots["plain"]))


@pytest.mark.fault(
    TIME,
    "a second robot",
    "30 frames in another namespace, and 30 in the same namespace of another ROS domain",
    "0 foreign frames answered",
)
def test_a_second_robot(fault: Fault, robots: dict[str, Robot], world: World) -> None:
    robot, context = robots["plain"], Context()
    rclpy.init(context=context, domain_id=int(os.environ["ROS_DOMAIN_ID"]) % 101 + 1)
    try:
        other = Node("camera", namespace="/plain", context=context)
        outlets = {
            "another namespace": world.client("/second").image,
            "another domain": other.create_publisher(Image, "image", qos.SENSOR),
        }

        def foreign(publisher: Any, name: str) -> int:
            begin = len(robot.client.detections)
            for _ in range(30):
                publisher.publish(image_to_msg(PICTURE, "rgb8", Header(stamp=at(time.time()), frame_id=name)))
                time.sleep(0.02)
            assert robot.is_well()
            return sum(received.message.header.frame_id == name for received in robot.client.detections[begin:])

        time.sleep(0.3)
        count = sum(foreign(publisher, name) for name, publisher in outlets.items())
        fault.observe("foreign frames answered", count, zero)
        fault.plant("the same namespace and domain", foreign(robot.client.image, "the same"))
        other.destroy_node()
    finally:
        rclpy.shutdown(context=context)
