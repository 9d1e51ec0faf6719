"""Faults of swaps: new models that are good, damaged, wrong, late or treacherous, while a camera goes on."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import psutil
import pytest
from bundles import scene, write_detector
from hostility import accepted, relist, served
from matrix import Fault, zero
from onnx import helper, numpy_helper
from servers import PICTURE, Bench, ask, at_rest, version
from waiting import until

from perception_infer.benchmark.partner import Partner
from perception_infer.contract.detections import Detections
from perception_infer.contract.manifest import MANIFEST_NAME
from perception_infer.evaluation.agreement import agreement
from perception_infer.history import FILE_NAME, Event, History
from perception_infer.models import ModelRepository, open_bundle
from perception_infer.predictor import Predictor, prepare
from perception_infer.serving import Answer, ModelServer

SWAPS = "Swaps"
RATE = 30.0
#: The longest time between two outputs.
PERIODS = 4.0
RECTANGLE = (40, 40, 100, 80)


def startling() -> npt.NDArray[np.uint8]:
    """A picture with a red rectangle, and with a white corner that the reference images do not have."""
    picture = scene((640, 480), {"red": RECTANGLE})
    picture[-64:, -64:] = 255
    return picture


def startled(graph: bytes, output: str, value: float) -> bytes:
    """The graph, which answers ``value`` throughout an output where a pixel of the image is white."""
    model = onnx.load_from_string(graph)
    for node in model.graph.node:
        node.output[:] = [f"calm_{name}" if name == output else name for name in node.output]
    model.graph.initializer.append(numpy_helper.from_array(np.array(253, np.float32), "white"))
    model.graph.initializer.append(numpy_helper.from_array(np.array(value, np.float32), "startled"))
    model.graph.node.extend(
        [
            helper.make_node("ReduceMax", ["float"], ["brightest"], keepdims=0),
            helper.make_node("Greater", ["brightest", "white"], ["is_white"]),
            helper.make_node("Where", ["is_white", "startled", f"calm_{output}"], [output]),
        ]
    )
    onnx.checker.check_model(model, full_check=True)
    return bytes(model.SerializeToString())


def regraph(bundle: Path, change: Callable[[bytes], bytes]) -> Path:
    """The bundle with another graph, and a manifest that says so."""
    path = bundle / "model.onnx"
    path.write_bytes(change(path.read_bytes()))
    relist(bundle)
    return bundle


def cut(graph: bytes) -> bytes:
    return graph[:-100]


def no_number(graph: bytes) -> bytes:
    """The graph with weights of NaN."""
    model = onnx.load_from_string(graph)
    for weights in model.graph.initializer:
        if weights.name == "class_scores":
            weights.CopyFrom(numpy_helper.from_array(np.full((1, 3), np.nan, np.float32), weights.name))
    return bytes(model.SerializeToString())


# infer_node in a process of its own, over real DDS.

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
#: The weakness: what was loaded once is kept.
KEEPS_ALL = """
from perception_infer.predictor import Predictor
kept = []
def keep(self):
    kept.append(self)
Predictor.close = keep
"""
MAIN = "from perception_infer.ros.infer_node import main\nraise SystemExit(main())\n"


class Robot:
    """A node that answers a camera of 30 Hz, and the one who announces versions to it."""

    def __init__(self, world: Any, processes: Any, folder: Path, weakness: str = "", camera: str = "") -> None:
        self.namespace = f"/{folder.name}"
        self.root, self._processes = folder / "models", processes
        self.latest = write_detector(self.root)
        self.client = world.client(self.namespace)
        told = {"model_root": self.root, "model": "rectangles", "require_signature": "false", "state": folder}
        words = ["--ros-args", "-r", f"__ns:={self.namespace}"]
        words += ["-r", f"image:={camera}/image"] if camera else []
        words += [word for name, value in told.items() for word in ("-p", f"{name}:={value}")]
        self.process: subprocess.Popen[bytes] = processes.start(
            [sys.executable, "-c", weakness + MAIN, *words], name=folder.name
        )

    def wait(self, condition: Callable[[], bool]) -> None:

        until(condition, lambda: self._processes.log(self.process)[-2000:])

    def number(self) -> int:
        """The version that answers."""
        statuses = self.client.statuses
        return int(statuses[-1].message.database_version) if statuses else 0

    def write(self, change: Callable[[bytes], bytes] | None = None) -> Path:
        """The next version, with a graph that is changed; only the latest few are kept."""
        old = self.latest.with_name(str(int(self.latest.name) - 4))
        if self.number() > int(old.name):
            shutil.rmtree(old, ignore_errors=True)
        self.latest = renumbered(self.latest.parent)
        return regraph(self.latest, change) if change else self.latest

    def swap(self) -> None:
        """A good version takes over."""
        number = int(self.write().name)
        self.client.announce(self.latest)
        self.wait(lambda: self.number() == number)

    def refused(self, change: Callable[[bytes], bytes]) -> None:
        """A version is announced, and is refused while it is loaded or tried."""
        bundle = self.write(change)
        self.client.announce(bundle)
        # Not by the log, which leaves lines out when there are too many.
        told = ("refused", int(bundle.name))
        self.wait(lambda: told in [(event.kind, event.version) for event in self.history()])
        shutil.copy(self.root.parent / "model.onnx", bundle / "model.onnx")
        relist(bundle)

    def history(self) -> list[Event]:
        """The last events of the node."""
        told = History(self.root.parent / FILE_NAME, None, print)
        try:
            return told.events(limit=8)
        finally:
            told.close()

    def counter(self, name: str) -> int:
        return int(self.client.diagnostics()[name])


def renumbered(folder: Path) -> Path:
    """A copy of a model's newest version under the next number."""
    newest = ModelRepository(folder.parent).versions(folder.name)[-1]
    bundle = Path(shutil.copytree(folder / str(newest), folder / str(newest + 1)))
    path = bundle / MANIFEST_NAME
    path.write_text(json.dumps(json.loads(path.read_text()) | {"version": newest + 1}))
    return bundle


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


def robot(world: Any, processes: Any, folder: Path, weakness: str = "", camera: str = "") -> Robot:
    made = Robot(world, processes, folder, weakness, camera)
    shutil.copy(made.latest / "model.onnx", folder)
    return made


def film(stack: ExitStack, robot: Robot, folder: Path) -> None:
    """A camera in a process of its own, until the stack is closed."""
    np.save(folder / "picture.npy", startling()[:, :, ::-1])
    words = ["world", "--ros-args", "-r", f"__ns:={robot.namespace}"]
    camera = stack.enter_context(Partner("camera", "perception_infer.ros.bench_world", words, folder / "camera"))
    camera.tell({"picture": str(folder / "picture.npy"), "rate": RATE, "seconds": 3600})


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


@dataclass
class Taken:
    """What a process holds."""

    kib: float
    files: int
    threads: int

    @classmethod
    def by(cls, pid: int) -> Taken:
        process = psutil.Process(pid)
        return cls(process.memory_info().rss / 1024, process.num_fds(), process.num_threads())


def grown(taken: list[Taken], files: int = 0, threads: int = 0) -> float:
    """How many KiB a swap adds, over the second half; neither open files nor threads may have grown by more."""
    begin = len(taken) // 2
    kib = [one.kib for one in taken[begin:]]
    if taken[-1].files - taken[begin].files > files or taken[-1].threads - taken[begin].threads > threads:
        return float("inf")
    return float(np.polyfit(range(len(kib)), kib, 1)[0])


def held(server: ModelServer, bench: Bench, count: int, change: Callable[[bytes], bytes] | None = None) -> list[Taken]:
    """What this process holds after each swap of a server, good or failing."""
    taken = []
    for _ in range(count):
        bundle = renumbered(bench.root / "rectangles")
        if change:
            regraph(bundle, change)
        number, refused = int(bundle.name), server.status().refused
        server.announce(bench.announcement(number))
        if change:
            until(lambda refused=refused: server.status().refused > refused)
        else:
            until(lambda number=number: version(server) == number)
        if change:
            shutil.rmtree(bundle)
        taken.append(Taken.by(psutil.Process().pid))
    return taken


@pytest.mark.long
@pytest.mark.fault(
    SWAPS,
    "memory of swaps",
    "20 good and 20 failing versions, one after another",
    "less than 1,000 KiB a swap, no open file and no thread more",
)
def test_memory(fault: Fault, bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.write()
    server = bench.serving(1)
    worst = max(grown(held(server, bench, 20)), grown(held(server, bench, 20, cut)))
    fault.observe("KiB a swap", worst, lambda slope: slope < 1000)
    kept: list[Predictor] = []

    def keep(predictor: Predictor) -> None:
        kept.append(predictor)

    with monkeypatch.context() as patch:
        patch.setattr(Predictor, "close", keep)
        fault.plant("a loader that keeps every model", grown(held(server, bench, 20), 1000, 1000))
    for predictor in kept:
        predictor.backend.close()


@pytest.mark.long
@pytest.mark.timeout(1800)
@pytest.mark.fault(
    SWAPS,
    "memory of many swaps",
    "1,000 good and 200 failing versions announced over DDS under a camera of 30 Hz, in the node's process",
    "less than 50 KiB a swap, at most 2 open files and threads more",
)
def test_memory_of_a_node(
    fault: Fault, world: Any, module_processes: Any, tmp_path_factory: pytest.TempPathFactory
) -> None:
    def slopes(name: str, weakness: str, good: int, failing: int, others: int) -> float:
        folder = tmp_path_factory.mktemp(name)
        with ExitStack() as stack:
            one = robot(world, module_processes, folder, weakness)
            film(stack, one, folder)
            one.wait(lambda: len(one.client.detections) > RATE)
            taken: list[list[Taken]] = [[], []]
            for _ in range(good):
                one.swap()
                taken[0].append(Taken.by(one.process.pid))
            for _ in range(failing):
                one.refused(cut)
                taken[1].append(Taken.by(one.process.pid))
        module_processes.stop(one.process)
        return max(grown(part, others, others) for part in taken if part)

    fault.observe("KiB a swap", slopes("holds", "", 1000, 200, 2), lambda slope: slope < 50)
    fault.plant("a node that keeps every model", slopes("keeps", KEEPS_ALL, 60, 0, 1000))


# The rules of serving, with the real loader in this process.


@pytest.mark.fault(
    SWAPS,
    "a newer announcement while one is loaded",
    "versions 3 and 4 announced while 2 is being loaded",
    "2 is given up, 3 is never begun, only 4 serves",
)
def test_superseded(fault: Fault, bench: Bench) -> None:
    bench.write(4)
    server = bench.serving(1)
    bench.hold(server, 2)
    server.announce(bench.announcement(3))
    server.announce(bench.announcement(4))
    bench.loader.gate.set()
    until(lambda: version(server) == 4)
    assert (bench.loader.asked, server.status().refused) == ([1, 2, 4], 0)
    fault.observe("superseded versions that served", server.status().swaps - 1, zero)
    other = bench.serving(1)
    for number in (2, 3, 4):
        other.announce(bench.announcement(number))
        until(lambda number=number: version(other) == number)
    fault.plant("each announcement served to its end", other.status().swaps - 1)


@pytest.mark.fault(
    SWAPS,
    "a manifest that is not its graph's",
    "another input size, fewer slots, a batch of 2; one class more without its threshold, two classes for a graph of 3",
    "0 accepted, one clear line each",
)
def test_wrong_manifests(fault: Fault, tmp_path: Path) -> None:
    def shaped(told: dict[str, Any], width: int, batch: int, slots: int) -> dict[str, Any]:
        told["input"] |= {"width": width, "batch": batch}
        told["suppression"]["slots"] = slots
        for variant in told["variants"].values():
            for tensor in (*variant["inputs"], *variant["outputs"]):
                tensor["shape"][0] = batch
                tensor["shape"][1:2] = [slots] if tensor["name"] != "image" else tensor["shape"][1:2]
                tensor["shape"][2:3] = [width] if tensor["name"] == "image" else tensor["shape"][2:3]
        return told

    def changed(number: int, change: Callable[[dict[str, Any]], dict[str, Any]]) -> Callable[[], None]:
        bundle = write_detector(tmp_path / str(number))
        relist(bundle, **change(json.loads((bundle / MANIFEST_NAME).read_text())))
        return served(bundle)

    wrong: list[Callable[[dict[str, Any]], dict[str, Any]]] = [
        lambda told: shaped(told, 640, 1, 8),
        lambda told: shaped(told, 320, 2, 8),
        lambda told: shaped(told, 320, 1, 4),
        lambda told: told | {"classes": ["red", "green", "blue", "grey"]},
        lambda told: told | {"classes": ["red", "green"]},
        lambda told: told | {"classes": ["red", "green"], "thresholds": [0.5, 0.5]},
    ]
    attempts = [changed(number, change) for number, change in enumerate(wrong)]
    fault.observe(f"accepted of {len(wrong)}", accepted(*attempts), zero)
    fault.plant("the graph's own shapes", accepted(changed(len(wrong), lambda told: shaped(told, 320, 1, 8))))


@pytest.mark.fault(
    SWAPS,
    "the classes change",
    "a newer version with other class names, on_class_change at its default",
    "refused, 0 of its answers published",
)
def test_class_change(fault: Fault, bench: Bench) -> None:
    bench.write()
    bench.write(classes=("cone", "barrel", "box"))
    strict, lax = bench.serving(1), bench.server(accept_class_change=True)
    strict.announce(bench.announcement(2))
    at_rest(strict, refused=1)
    assert "the classes change" in strict.status().last_error and version(strict) == 1
    fault.observe("loaded", strict.status().loads - 1, zero)
    lax.load_first(1)
    lax.announce(bench.announcement(2))
    at_rest(lax, loads=2)
    fault.plant("on_class_change accept", lax.status().loads - 1)


def candidate(bench: Bench, value: float, **rules: Any) -> ModelServer:
    """A server of version 1 with a version 2 at hand that has other scores where there is white."""
    bench.write(2)
    regraph(bench.root / "rectangles" / "2", lambda graph: startled(graph, "scores", value))
    server = bench.server(**rules)
    server.load_first(1)
    ask(server)
    server.announce(bench.announcement(2))
    at_rest(server, loads=2)
    return server


@pytest.mark.fault(
    SWAPS,
    "the new model fails on its third frame",
    "a graph that answers NaN where a pixel is white, and a third frame with a white corner",
    "the old one answers that frame and serves again, 0 frames without an answer",
)
def test_roll_back(fault: Fault, bench: Bench, tmp_path: Path) -> None:
    def unanswered(server: ModelServer) -> int:
        count = 0
        for picture in (PICTURE, PICTURE, startling(), PICTURE):
            try:
                count += server.answer(lambda predictor, picture=picture: predictor.predict(picture)) is None
            except Exception:  # as the node's worker does
                count += 1
        return count

    server = candidate(bench, np.nan, watch_frames=30)
    missing = unanswered(server)
    status = server.status()
    assert (status.version, status.swaps, status.rolled_back, status.refused) == (1, 1, 1, 1)
    assert "frame 3 that it served failed" in status.last_error
    fault.observe("frames without an answer", missing, zero)
    other = Bench(tmp_path / "others")
    fault.plant("the old model freed at once (watch_frames 0)", unanswered(candidate(other, np.nan, watch_frames=0)))
    other.close()


@pytest.mark.fault(
    SWAPS,
    "a canary that disagrees",
    "a graph that passes its reference images and finds nothing in live frames, canary_frames 3",
    "refused after 3 frames, 0 frames answered by it",
)
def test_canary(fault: Fault, bench: Bench, tmp_path: Path) -> None:
    def agreed(answer: Answer[Detections], other: Predictor) -> float | None:
        return agreement(answer.value, other.predict(startling()), answer.predictor.classes, other.classes)

    def answered(server: ModelServer) -> int:
        count = 0
        for _ in range(6):
            answer = server.answer(lambda predictor: predictor.predict(startling()))
            assert answer is not None
            count += answer.predictor.bundle.manifest.version == 2
            server.audition(partial(agreed, answer))
        return count

    server = candidate(bench, 0.0, canary_frames=3, canary_agreement=0.5)
    count = answered(server)
    assert "agrees by 0.00 with the model that serves, over 3 frames" in server.status().last_error
    fault.observe("frames answered by it of 6", count, zero)
    other = Bench(tmp_path / "others")
    fault.plant("no canary", answered(candidate(other, 0.0)))
    other.close()
