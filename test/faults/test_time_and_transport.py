"""Stamps and clocks that jump, slow models, cameras and nodes that are killed, and frames that are lost on the way."""

from __future__ import annotations

import fcntl
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
from bundles import scene, write_detector
from matrix import Fault
from test_hostile import zero

pytest.importorskip("rclpy", reason="ROS 2 is not installed")

import rclpy
from builtin_interfaces.msg import Time
from infer_client import NODE, RECTANGLES, Client, World, until
from rclpy.context import Context
from rclpy.node import Node
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import Image
from std_msgs.msg import Header

from perception_common.ros import qos
from perception_common.ros.images import image_to_msg

TIME = "Time and transport"
PICTURE = scene((320, 240), RECTANGLES)
HOUR = 3600
MAX_AGE_MS = 500.0
CAMERA_TIMEOUT = 1.5
CAMERA_HZ = 60.0
#: Multiplications of matrices in the slow model, and inference times that a frame may be old.
WORK, INFERENCES = 12, 3.0
SHM = Path("/dev/shm")
JUMP = 60.0

_CAMERA = """
import sys, time
import numpy, rclpy
from rclpy.node import Node
from sensor_msgs.msg import Image
from std_msgs.msg import Header
from perception_common.ros import dds, qos
from perception_common.ros.images import image_to_msg
dds.enable()
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


@pytest.fixture(scope="module")
def robots(world: World, module_processes: Any, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Robot]:
    """Nodes that start side by side: an ordinary one, a slow one, one by simulated time, one that asks for too much."""
    root = tmp_path_factory.mktemp("models")
    write_detector(root)
    write_detector(root, "slow", work=WORK)
    options: dict[str, dict[str, Any]] = {
        "plain": {"camera_timeout": CAMERA_TIMEOUT},
        "slow": {"model": "slow", "backend": "onnxruntime", "threads": 1},
        "simulated": {"use_sim_time": True, "max_age_ms": MAX_AGE_MS},
        "strict": {"qos_overrides./strict/image.subscription.reliability": "reliable", "camera_timeout": 0.0},
    }
    robots = {}
    began = time.monotonic()
    for name, told in options.items():
        client = world.client(f"/{name}")
        told = {"model_root": root, "model": "rectangles", "require_signature": False} | told
        process = module_processes.node(NODE, namespace=f"/{name}", **told)
        robots[name] = Robot(client, process, lambda process=process: module_processes.log(process))
    for name in ("plain", "slow"):
        robots[name].client.answer(PICTURE)
        robots[name].started = time.monotonic() - began
    return robots


def at(seconds: float, nanosec: int = 0) -> Time:
    whole = int(seconds // 1)
    return Time(sec=whole, nanosec=nanosec or int((seconds - whole) * 1e9))


OLD: dict[str, Callable[[], Time]] = {
    "an hour ago": lambda: at(time.time() - HOUR),
    "2 s ago": lambda: at(time.time() - 2),
    "before 1970": lambda: at(-5.0),
    "1 ns": lambda: Time(nanosec=1),
}
YOUNG: dict[str, Callable[[], Time]] = {
    "none": Time,
    "now": lambda: at(time.time()),
    "in an hour": lambda: at(time.time() + HOUR),
    "2038": lambda: Time(sec=2**31 - 1, nanosec=999_999_999),
    "more nanoseconds than a second has": lambda: Time(sec=2**31 - 1, nanosec=2**32 - 1),
}


@pytest.mark.fault(
    TIME,
    "stamps that are none, in the future, repeated and going backwards",
    "0, now, in an hour, in 2038, 4294967295 ns, an hour ago, before 1970, and the same five times; max_age_ms 0",
    "0 frames without an answer, 0 crashes",
)
def test_stamps(fault: Fault, robots: dict[str, Robot]) -> None:
    robot, fixed = robots["plain"], at(time.time())
    stamps = [*YOUNG.values(), *OLD.values(), *[lambda: fixed] * 5]

    def unanswered(attempts: int) -> int:
        return sum(not robot.answers(stamp, attempts) for stamp in stamps)

    fault.observe(f"unanswered of {len(stamps)}", unanswered(5), zero)
    assert robot.client.set_parameter("max_age_ms", MAX_AGE_MS) == (True, "")
    planted = unanswered(1)
    assert robot.client.set_parameter("max_age_ms", 0.0) == (True, "")
    fault.plant(f"max_age_ms {MAX_AGE_MS:g}", planted)
    assert robot.is_well()


@pytest.mark.long
@pytest.mark.fault(
    TIME,
    "stamps that are too old",
    "an hour ago, 2 s ago, before 1970 and 1 ns after, among some that are none, now or to come; max_age_ms 500",
    "0 of the old answered, all others answered; counted as stale",
)
def test_old_stamps(fault: Fault, robots: dict[str, Robot]) -> None:
    robot = robots["plain"]
    before = int(robot.client.diagnostics()["frames_stale"])

    def old_answered() -> int:
        return sum(robot.answers(stamp, attempts=3) for stamp in OLD.values())

    assert robot.client.set_parameter("max_age_ms", MAX_AGE_MS) == (True, "")
    count, others = old_answered(), [name for name, stamp in YOUNG.items() if not robot.answers(stamp)]
    assert robot.client.set_parameter("max_age_ms", 0.0) == (True, "")
    assert not others
    robot.client.diagnostics(lambda values: int(values["frames_stale"]) >= before + len(OLD))
    fault.observe(f"old answered of {len(OLD)}", count, zero)
    fault.plant("max_age_ms 0", old_answered())
    assert robot.is_well()


class SimulatedTime:
    """/clock, 50 times a second, which may jump."""

    def __init__(self, node: Node) -> None:
        self._publisher = node.create_publisher(Clock, "/clock", qos.CLOCK)
        self._offset = 1000.0 - time.monotonic()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def now(self) -> float:
        return self._offset + time.monotonic()

    def jump(self, seconds: float) -> None:
        self._offset += seconds

    def close(self) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stop.wait(0.02):
            self._publisher.publish(Clock(clock=at(self.now())))


@pytest.mark.long
@pytest.mark.fault(
    TIME,
    "/clock jumps back by 60 s",
    "use_sim_time, max_age_ms 500; the camera's stamps jump with it",
    "answered again within 2 s",
)
def test_a_clock_that_jumps(fault: Fault, robots: dict[str, Robot]) -> None:
    robot = robots["simulated"]
    clock, limit = SimulatedTime(robot.client.node), 2.0

    def resumes(behind: float) -> float:
        began = time.monotonic()
        while time.monotonic() - began < limit and not robot.answers(lambda: at(clock.now() - behind), attempts=1):
            pass
        return time.monotonic() - began

    try:
        until(lambda: robot.answers(lambda: at(clock.now())))
        clock.jump(-JUMP)
        fault.observe("s until the first answer", resumes(0.0), lambda seconds: seconds < limit)
        fault.plant("the stamps jump, /clock does not", resumes(JUMP))
        until(lambda: robot.answers(lambda: at(clock.now())))
        robot.client.diagnostics(lambda values: int(values["frames_stale"]) > 0)
        assert robot.process.poll() is None
    finally:
        clock.close()


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


def queued(sent: Iterable[float], took: list[float]) -> list[float]:
    """Ages if every frame waited for its turn, with the same times."""
    ages: list[float] = []
    ends, turn = 0.0, float(np.median(took))
    for moment in sent:
        ends = max(ends, moment) + turn
        ages.append(ends - moment)
    return ages


def slow_model(fault: Fault, robot: Robot, seconds: float) -> None:
    before = robot.client.diagnostics()
    ages, sent, took = ages_of(robot, seconds)
    values = robot.client.diagnostics()
    inference = float(values["inference_ms_p50"]) * 1e-3
    assert inference > 1 / CAMERA_HZ, "the model is not slower than the camera"
    assert len(ages) > seconds / inference / 3
    assert int(values["frames_unprocessed"]) > int(before["frames_unprocessed"])

    def late(ages: list[float]) -> float:
        # One answer follows the other: from one to the next is an inference, however busy the machine is.
        return float(np.percentile(ages, 99) / np.percentile(took, 99))

    middle, worst = (f"{np.percentile(ages, share) * 1e3:.0f}" for share in (50, 99))
    told = f"{len(ages)} of {len(sent)} frames, p50 {middle} and p99 {worst} ms, inference p50 {inference * 1e3:.0f} ms"
    fault.observe(f"p99 of age / p99 from answer to answer ({told})", late(ages), lambda times: times < INFERENCES)
    fault.plant("a queue with the same timings", late(queued(sent, took)))
    assert robot.is_well()


@pytest.mark.long
@pytest.mark.fault(
    TIME,
    "a model that is slower than the camera",
    f"{CAMERA_HZ:.0f} frames a second for 4 s",
    f"99 % of the answers are younger than {INFERENCES:.0f} times the 99th percentile from one answer to the next",
)
def test_a_slow_model(fault: Fault, robots: dict[str, Robot]) -> None:
    slow_model(fault, robots["slow"], 4.0)


@pytest.mark.long
@pytest.mark.timeout(420)
@pytest.mark.fault(
    TIME,
    "a model that is slower than the camera, for long",
    f"{CAMERA_HZ:.0f} frames a second for 5 min",
    f"99 % of the answers are younger than {INFERENCES:.0f} times the 99th percentile from one answer to the next",
)
def test_a_slow_model_for_long(fault: Fault, robots: dict[str, Robot]) -> None:
    slow_model(fault, robots["slow"], 300.0)


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
    locks: set[Path] = set()

    def begin(frame_id: str) -> tuple[subprocess.Popen[bytes], float]:
        process = processes.start([sys.executable, "-c", _CAMERA, "/plain", frame_id], name="camera")
        begun.append(process)
        until(lambda: "begins" in processes.log(process))
        began = time.monotonic()
        locks.update(owned(process.pid))
        return process, began

    yield begin
    for process in begun:
        process.kill()
        process.wait()
    remove(locks)


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


def owned(pid: int) -> set[Path]:
    """Fast DDS's locks of shared memory that a process holds."""
    found = set()
    for entry in Path(f"/proc/{pid}/fd").iterdir():
        try:
            target = entry.readlink()
        except OSError:
            continue
        if target.parent == SHM and re.fullmatch(r"fastdds_[0-9a-f]{16}_el", target.name):
            found.add(target)
    return found


def memory_of(locks: Iterable[Path]) -> list[Path]:
    """What is there of locks and the memory that they stand for."""
    return [path for lock in locks for path in (lock, Path(str(lock).removesuffix("_el"))) if path.exists()]


def remove(locks: Iterable[Path]) -> None:
    """As ``fastdds shm clean`` does it: only what no living process holds."""
    for lock in locks:
        if lock.exists():
            with lock.open() as held:
                fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
                for path in memory_of([lock]):
                    path.unlink()


def left_behind(fault: Fault, processes: Any, root: Path, rounds: int, side_by_side: int) -> None:
    """Kill nodes, start one more, and see what the killed left in /dev/shm."""

    def begin() -> subprocess.Popen[bytes]:
        told = {"model_root": root, "model": "rectangles", "require_signature": False}
        process: subprocess.Popen[bytes] = processes.node(NODE, namespace="/killed", **told)
        return process

    locks: set[Path] = set()
    try:
        for _ in range(rounds):
            nodes = [begin() for _ in range(side_by_side)]
            until(lambda nodes=nodes: all(len(memory_of(owned(node.pid))) >= 4 for node in nodes))
            for node in nodes:
                locks |= owned(node.pid)
                node.kill()
            for node in nodes:
                node.wait()
        at_once = len(memory_of(locks))
        last = begin()
        until(lambda: len(memory_of(owned(last.pid))) >= 4)
        time.sleep(0.5)
        left = memory_of(locks)
        mib = sum(path.stat().st_blocks * 512 for path in left) / 2**20
        count = rounds * side_by_side
        fault.observe(f"entries left by {count} kills ({mib / count:.0f} MiB each)", len(left), zero)
        fault.plant("before the next start", at_once)
    finally:
        remove(locks)


_LEAK = "Fast DDS leaves 4 files with about 34 MiB of memory for each killed process; `fastdds shm clean` removes them"


@pytest.mark.long
@pytest.mark.xfail(strict=True, reason=_LEAK)
@pytest.mark.fault(
    TIME,
    "the node is killed again and again",
    "SIGKILL of 5 nodes; the next start",
    "0 entries of theirs left in /dev/shm",
)
def test_killed_nodes(fault: Fault, processes: Any, tmp_path: Path) -> None:
    left_behind(fault, processes, tmp_path, 1, 5)


@pytest.mark.long
@pytest.mark.xfail(strict=True, reason=_LEAK)
@pytest.mark.fault(
    TIME,
    "the node is killed again and again, for long",
    "SIGKILL of 20 nodes; the next start",
    "0 entries of theirs left in /dev/shm",
)
def test_killed_nodes_for_long(fault: Fault, processes: Any, tmp_path: Path) -> None:
    left_behind(fault, processes, tmp_path, 10, 2)
