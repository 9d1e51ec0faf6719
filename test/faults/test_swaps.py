"""Faults of swaps in real nodes: new models that are good, damaged or wrong, while a camera of 30 Hz goes on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
import pytest
from matrix import Fault, zero
from onnx import numpy_helper
from swapping import RATE, SWAPS, Robot, cut, film, regraph, robot, startled, startling

from perception_infer.models import open_bundle
from perception_infer.predictor import Predictor, prepare

#: The longest time between two outputs.
PERIODS = 4.0
#: The weakness: one lock around loading and answering, and a model that takes 0.3 s to load.
ONE_LOCK = """
import threading, time
from perception_infer.serving import server
one = threading.Lock()
answer, load = server.ModelServer.answer, server.ModelServer._load_one
def locked(work, seconds):
    def call(self, *given):
        with one:
            time.sleep(seconds)
            return work(self, *given)
    return call
server.ModelServer.answer, server.ModelServer._load_one = locked(answer, 0), locked(load, 0.3)
"""


def no_number(graph: bytes) -> bytes:
    """The graph with weights of NaN."""
    model = onnx.load_from_string(graph)
    for weights in model.graph.initializer:
        if weights.name == "class_scores":
            weights.CopyFrom(numpy_helper.from_array(np.full((1, 3), np.nan, np.float32), weights.name))
    return bytes(model.SerializeToString())


@pytest.fixture(scope="module")
def robots(
    world: Any, module_processes: Any, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Robot, Robot]]:
    """A robot, and one that loads and answers under one lock; both look through one camera."""
    sound, weak = (tmp_path_factory.mktemp(name) for name in ("sound", "weak"))
    with ExitStack() as stack:
        both = robot(world, module_processes, sound), robot(world, module_processes, weak, ONE_LOCK, f"/{sound.name}")
        film(stack, both[0], sound)
        for one in both:
            one.wait(lambda one=one: len(one.client.detections) > RATE)
        yield both


@dataclass
class Swapped:
    """What swaps cost: frames, and the longest time between two outputs, in periods of the camera."""

    lost: int
    gap: float


def swapped(robot: Robot, count: int) -> Swapped:
    before, begin = robot.counter("frames_lost_in_swaps"), len(robot.client.detections)
    for _ in range(count):
        robot.swap()
    lost = robot.counter("frames_lost_in_swaps") - before
    sent = [received.sent_ns for received in robot.client.detections[begin:]]
    return Swapped(lost, float(np.diff(sent).max()) * RATE / 1e9)


@pytest.fixture(scope="module")
def costs(robots: tuple[Robot, Robot], module_processes: Any) -> tuple[Swapped, Swapped]:
    """Eighteen swaps of the robot, all of which count, and two of the weak one, which ends then."""
    sound, weak = robots
    planted = swapped(weak, 2)
    module_processes.stop(weak.process)
    return swapped(sound, 18), planted


@pytest.mark.long
@pytest.mark.fault(
    SWAPS,
    "reload under a camera of 30 Hz: frames",
    "18 good versions of a small model announced one after another over DDS, each swapped in",
    "0 frames lost by the node around the swaps",
)
def test_no_frame_is_lost(fault: Fault, costs: tuple[Swapped, Swapped]) -> None:
    fault.observe("frames lost", costs[0].lost, zero)
    fault.plant("loading and answering under one lock", costs[1].lost)


@pytest.mark.long
@pytest.mark.fault(
    SWAPS,
    "reload under a camera of 30 Hz: time",
    "the same 18 swaps",
    "never more than 4 periods of the camera between two outputs",
)
def test_no_long_gap(fault: Fault, costs: tuple[Swapped, Swapped]) -> None:
    fault.observe("longest gap in periods", costs[0].gap, lambda gap: gap <= PERIODS)
    fault.plant("loading and answering under one lock", costs[1].gap)


@pytest.mark.fault(
    SWAPS,
    "a new model that fails to load",
    "the graph cut short and the manifest relisted, announced over DDS",
    "refused once, 0 frames answered by it, the old model serves on",
)
def test_a_damaged_graph(fault: Fault, robots: tuple[Robot, Robot]) -> None:
    robot, client = robots[0], robots[0].client
    before, old = robot.counter("refused"), robot.number()
    robot.refused(cut)
    client.diagnostics(lambda values: int(values["refused"]) == before + 1)
    answered = len(client.detections)
    robot.wait(lambda: len(client.detections) > answered + 5)
    fault.observe("versions that took over", robot.number() - old, zero)
    # The same announcement with the graph that belongs there.
    robot.client.announce(robot.latest)
    robot.wait(lambda: robot.number() == int(robot.latest.name))
    fault.plant("the graph whole again", int(robot.number() != old))


def broken(message: Any) -> bool:
    """Whether anything of a message of detections is not finite."""
    numbers = []
    for found in message.detections:
        box = found.bbox
        numbers += [box.center.position.x, box.center.position.y, box.size_x, box.size_y]
        numbers += [result.hypothesis.score for result in found.results]
    return not np.isfinite(numbers).all()


@pytest.mark.fault(
    SWAPS,
    "weights and answers that are no numbers",
    "weights of NaN; graphs that answer the reference images well, and live frames with NaN or infinity",
    "all refused, 0 messages with NaN or infinity",
)
def test_no_number_is_published(fault: Fault, robots: tuple[Robot, Robot]) -> None:
    robot, client = robots[0], robots[0].client
    begin, changes = len(client.detections), [no_number]
    for output in ("scores", "boxes"):
        for value in (np.nan, np.inf):
            changes.append(lambda graph, output=output, value=value: startled(graph, output, value))
    for change in changes:
        robot.refused(change)
    answered = len(client.detections)
    robot.wait(lambda: len(client.detections) > answered + 5)
    fault.observe("messages", sum(broken(received.message) for received in client.detections[begin:]), zero)
    graph = startled((robot.latest / "model.onnx").read_bytes(), "scores", np.nan)
    with Predictor.load(open_bundle(regraph(robot.write(), lambda _: graph)), "onnxruntime") as predictor:
        raw = predictor.backend.run(prepare(startling(), predictor.network).pixels[None])
    fault.plant("numbers of the session as they are", int((~np.isfinite(raw["scores"])).sum()))
