"""Nodes under test whose rows are about time and transport, started side by side, and their other sides."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from builtin_interfaces.msg import Time
from bundles import scene, write_detector
from infer_client import NODE, RECTANGLES, Client, World
from std_msgs.msg import Header

from perception_common.ros.images import image_to_msg

TIME = "Time and transport"
PICTURE = scene((320, 240), RECTANGLES)
MAX_AGE_MS = 500.0
CAMERA_TIMEOUT = 1.5
CAMERA_HZ = 60.0
#: Multiplications of matrices in the slow model.
_WORK = 12
OPTIONS: dict[str, dict[str, Any]] = {
    "plain": {"camera_timeout": CAMERA_TIMEOUT},
    "slow": {"model": "slow", "backend": "onnxruntime", "threads": 1},
    "simulated": {"use_sim_time": True, "max_age_ms": MAX_AGE_MS},
    "strict": {"qos_overrides./strict/image.subscription.reliability": "reliable", "camera_timeout": 0.0},
}


@dataclass
class Robot:
    """A node under test, its other side, its log, and how long it took from its start to its first answer."""

    client: Client
    process: subprocess.Popen[bytes]
    log: Callable[[], str]
    started: float = 0.0

    def send(self, stamp: Time, frame_id: str = "") -> str:
        """Publish a picture with a stamp; a frame_id that no other has, unless one is given."""
        frame_id = frame_id or self.client.header().frame_id
        self.client.image.publish(image_to_msg(PICTURE, "rgb8", Header(stamp=stamp, frame_id=frame_id)))
        return frame_id

    def answered(self, frame_id: str) -> bool:
        return any(received.message.header.frame_id == frame_id for received in self.client.detections)

    def answers(self, stamp: Callable[[], Time], attempts: int = 5) -> bool:
        """Whether a picture with such a stamp is answered (best effort may lose one)."""
        for _ in range(attempts):
            frame_id = self.send(stamp())
            for _ in range(10):
                time.sleep(0.01)
                if self.answered(frame_id):
                    return True
        return False

    def is_well(self) -> bool:
        return self.process.poll() is None and len(self.client.answer(PICTURE).detections) == len(RECTANGLES)


def begin(world: World, processes: Any, root: Path, *names: str) -> dict[str, Robot]:
    """Nodes that start side by side, of those in `OPTIONS`."""
    write_detector(root)
    write_detector(root, "slow", work=_WORK)
    robots = {}
    began = time.monotonic()
    for name in names:
        client = world.client(f"/{name}")
        told = {"model_root": root, "model": "rectangles", "require_signature": False} | OPTIONS[name]
        process = processes.node(NODE, namespace=f"/{name}", **told)
        robots[name] = Robot(client, process, lambda process=process: processes.log(process))
    for name in {"plain", "slow"} & robots.keys():
        robots[name].client.answer(PICTURE)
        robots[name].started = time.monotonic() - began
    return robots


def at(seconds: float, nanosec: int = 0) -> Time:
    whole = int(seconds // 1)
    return Time(sec=whole, nanosec=nanosec or int((seconds - whole) * 1e9))


def ages_of(robot: Robot, seconds: float) -> tuple[list[float], list[float], list[float]]:
    """A fast camera for a while.

    Returns:
        seconds: the ages of answered frames when they are published, when frames were sent, and from answer to answer.
    """
    sent: dict[str, float] = {}
    begin, began = len(robot.client.detections), time.monotonic()
    while time.monotonic() - began < seconds:
        moment = time.time()
        sent[robot.send(at(moment))] = moment
        time.sleep(max(0.0, began + len(sent) / CAMERA_HZ - time.monotonic()))
    time.sleep(0.5)
    answers = [received for received in robot.client.detections[begin:] if received.message.header.frame_id in sent]
    ages = [received.sent_ns * 1e-9 - sent[received.message.header.frame_id] for received in answers]
    took = [(after.sent_ns - before.sent_ns) * 1e-9 for before, after in pairwise(answers)]
    return ages, list(sent.values()), took
