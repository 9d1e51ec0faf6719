"""Stamps and clocks that jump, and models that are slower than the camera."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import pytest
from matrix import Fault, zero
from waiting import until

pytest.importorskip("rclpy", reason="ROS 2 is not installed")

from builtin_interfaces.msg import Time
from infer_client import World
from rclpy.node import Node
from robots import CAMERA_HZ, MAX_AGE_MS, TIME, Robot, ages_of, at, begin
from rosgraph_msgs.msg import Clock

from perception_common.ros import qos

HOUR = 3600
JUMP = 60.0
#: Inference times that a frame may be old.
INFERENCES = 3.0


@pytest.fixture(scope="module")
def robots(world: World, module_processes: Any, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Robot]:
    return begin(world, module_processes, tmp_path_factory.mktemp("models"), "plain", "slow", "simulated")


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
        return float(np.percentile(ages, 99)) / inference

    middle, worst = (f"{np.percentile(ages, share) * 1e3:.0f}" for share in (50, 99))
    told = f"{len(ages)} of {len(sent)} frames, p50 {middle} and p99 {worst} ms, inference p50 {inference * 1e3:.0f} ms"
    fault.observe(f"p99 of age / median inference ({told})", late(ages), lambda times: times < INFERENCES)
    fault.plant("a queue with the same timings", late(queued(sent, took)))
    assert robot.is_well()


@pytest.mark.long
@pytest.mark.fault(
    TIME,
    "a model that is slower than the camera",
    f"{CAMERA_HZ:.0f} frames a second for 4 s",
    f"the newest frame is answered: 99 % are younger than {INFERENCES:.0f} times the median inference",
)
def test_a_slow_model(fault: Fault, robots: dict[str, Robot]) -> None:
    slow_model(fault, robots["slow"], 4.0)


@pytest.mark.long
@pytest.mark.timeout(420)
@pytest.mark.fault(
    TIME,
    "a model that is slower than the camera, for long",
    f"{CAMERA_HZ:.0f} frames a second for 5 min",
    f"the newest frame is answered: 99 % are younger than {INFERENCES:.0f} times the median inference",
)
def test_a_slow_model_for_long(fault: Fault, robots: dict[str, Robot]) -> None:
    slow_model(fault, robots["slow"], 300.0)
