"""sim_camera_node in processes of their own, and all that is heard of them over real DDS."""

from __future__ import annotations

import contextlib
import itertools
import os
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="ROS 2 is not installed")
pytest.importorskip("vision_msgs", reason="vision_msgs is not installed")

import rclpy
from diagnostic_msgs.msg import DiagnosticArray
from geometry_msgs.msg import Pose, PoseStamped
from rclpy.context import Context
from rclpy.executors import SingleThreadedExecutor
from rclpy.qos import QoSProfile, ReliabilityPolicy
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import CameraInfo, Image
from std_msgs.msg import Float64
from vision_msgs.msg import Detection2DArray, Detection3DArray, LabelInfo

from perception_common.ros import dds, qos

NAMESPACE = f"/test_camera_{os.getpid()}"
CLASSES = ["ball", "box", "cone", "hammer", "mug", "ring"]
WIDTH, HEIGHT = 160, 120
RATE, FRAMES = 4.0, 26
# Deep enough for a listener that is kept waiting by other work on the machine.
NEVER_FULL = QoSProfile(depth=1000, reliability=ReliabilityPolicy.RELIABLE)
SENSOR = QoSProfile(depth=100, reliability=ReliabilityPolicy.BEST_EFFORT)
TOPICS = {
    "image": (Image, SENSOR),
    "camera_info": (CameraInfo, SENSOR),
    "ground_truth": (Detection2DArray, NEVER_FULL),
    "ground_truth_3d": (Detection3DArray, NEVER_FULL),
    "ground_truth/mask": (Image, NEVER_FULL),
    "ground_truth/instances": (Image, NEVER_FULL),
    "ground_truth/label_info": (LabelInfo, qos.LATCHED),
    "camera_pose": (PoseStamped, NEVER_FULL),
    "depth/image": (Image, SENSOR),
    "depth/camera_info": (CameraInfo, SENSOR),
}
Heard = dict[str, list[Any]]
# The node, which takes no frame before all that is listened to has its listener and a line comes.
PATIENT = """
import sys, time
from perception_common.ros.node import run
from perception_sim.params import SimCameraParams
from perception_sim.ros.camera_node import SimCameraNode

endings = tuple(sys.argv.pop(1).split())

def patient():
    node = SimCameraNode()
    for publisher in node.publishers:
        while publisher.topic_name.endswith(endings) and not publisher.get_subscription_count():
            time.sleep(0.01)
    sys.stdin.readline()
    return node

sys.exit(run(patient, "sim_camera_node", SimCameraParams, done=lambda node: node.finished))
"""


def start(namespace: str, *arguments: str, patient: str = "") -> subprocess.Popen[str]:
    """Start the node with parameters; ``patient`` are ends of topics whose listeners, and a line, it waits for."""
    program = ["-c", PATIENT, patient] if patient else ["-m", "perception_sim.ros.camera_node"]
    command = [sys.executable, *program, "--ros-args", "-r", f"__ns:={namespace}"]
    # Each in a time of its own, because several run at once.
    command += ["-r", f"/clock:={namespace}/clock"]
    for argument in (f"width:={WIDTH}", f"height:={HEIGHT}", *arguments):
        command += ["-p", argument]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, stdin=pipe if patient else None, stderr=pipe, stdout=pipe, text=True)


def listen(*nodes: tuple[str, Sequence[str], Sequence[str]], patient: bool = False) -> list[Heard]:
    """All that is heard of nodes (namespace, cameras, parameters) until they end by themselves.

    ``ending`` is how each did; what is not below a namespace is heard by all. ``patient`` nodes take no frame before
    they and the listener have found each other, however long the machine lets them wait.
    """
    dds.enable()
    context = Context()
    rclpy.init(context=context)
    listener = rclpy.create_node("listener", context=context, namespace=NAMESPACE)
    executor = SingleThreadedExecutor(context=context)
    executor.add_node(listener)
    found = [_subscribed(listener, namespace, cameras) for namespace, cameras, _ in nodes]
    awaited = ["/clock /diagnostics" + " image ground_truth" * bool(cameras) for _, cameras, _ in nodes]
    processes = [
        start(namespace, *arguments, patient=topics if patient else "")
        for (namespace, _, arguments), topics in zip(nodes, awaited, strict=True)
    ]
    deadline = time.monotonic() + 90.0
    try:
        for (namespace, cameras, _), process in zip(nodes if patient else (), processes, strict=False):
            pictures = ["/".join(filter(None, (namespace, camera, "image"))) for camera in cameras]
            topics = pictures or [f"{namespace}/clock"]
            while process.poll() is None and not all(map(listener.count_publishers, topics)):
                assert time.monotonic() < deadline, "the listener does not find the node"
                executor.spin_once(timeout_sec=0.05)
            with contextlib.suppress(BrokenPipeError):
                print(file=process.stdin, flush=True)
        while any(process.poll() is None for process in processes) and time.monotonic() < deadline:
            executor.spin_once(timeout_sec=0.05)
        _listen_out(executor, found)
    finally:
        for process in processes:
            process.kill()
        for heard, process in zip(found, processes, strict=True):
            _, told = process.communicate()
            heard["ending"] = [process.returncode, told]
        executor.shutdown()
        listener.destroy_node()
        rclpy.shutdown(context=context)
    return found


def _listen_out(executor: SingleThreadedExecutor, found: list[Heard]) -> None:
    """Until nothing has come for a second: a listener that was kept waiting has much to catch up on."""
    quiet = 0
    while quiet < 20:
        before = sum(len(messages) for heard in found for messages in heard.values())
        executor.spin_once(timeout_sec=0.05)
        quiet = quiet + 1 if before == sum(len(messages) for heard in found for messages in heard.values()) else 0


def _subscribed(listener: Any, namespace: str, cameras: Sequence[str]) -> Heard:
    heard: Heard = defaultdict(list)
    for camera, (topic, (kind, profile)) in itertools.product(cameras, TOPICS.items()):
        name = f"{camera}/{topic}".strip("/")
        listener.create_subscription(kind, f"{namespace}/{name}", heard[name].append, profile)
    listener.create_subscription(Float64, f"{namespace}/rate", heard["rate"].append, NEVER_FULL)
    listener.create_subscription(Clock, f"{namespace}/clock", heard["clock"].append, NEVER_FULL)
    listener.create_subscription(DiagnosticArray, "/diagnostics", heard["diagnostics"].append, NEVER_FULL)
    return heard


def nanoseconds(message: Any) -> int:
    return message.header.stamp.sec * 10**9 + message.header.stamp.nanosec


def by_stamp(messages: list[Any]) -> dict[int, Any]:
    found = {nanoseconds(message): message for message in messages}
    assert len(found) == len(messages)
    return found


def values_of(heard: Heard, namespace: str) -> dict[str, str]:
    """The values of the last report."""
    statuses = [s for message in heard["diagnostics"] for s in message.status if s.name.startswith(namespace + "/")]
    return {value.key: value.value for value in statuses[-1].values}


def matrix(pose: Pose) -> np.ndarray:
    """The transform [4, 4] of a pose."""
    q = pose.orientation
    x, y, z, w = q.x, q.y, q.z, q.w
    assert x * x + y * y + z * z + w * w == pytest.approx(1.0)
    made = np.eye(4)
    made[:3, :3] = [
        [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
        [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
        [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
    ]
    made[:3, 3] = pose.position.x, pose.position.y, pose.position.z
    return made


def corners(box: Any) -> np.ndarray:
    """The corners [8, 3] of a BoundingBox3D."""
    half = np.array([box.size.x, box.size.y, box.size.z]) / 2.0
    signs = np.array(list(itertools.product((-1.0, 1.0), repeat=3)))
    place = matrix(box.center)
    return signs * half @ place[:3, :3].T + place[:3, 3]


def check_clock(heard: Heard, tick: int, end: int) -> list[int]:
    """The clock's times in nanoseconds, which never go back; hardly a tick is missing."""
    times = [message.clock.sec * 10**9 + message.clock.nanosec for message in heard["clock"]]
    assert all(a < b for a, b in itertools.pairwise(times))
    assert all((end - moment) % tick == 0 for moment in times)
    assert times[-1] == end
    assert len(times) > 0.9 * (end - times[0]) / tick
    return times
