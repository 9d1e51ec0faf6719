"""The stages of the demo, from an empty directory to a finished summary. Processes are told apart by their names."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from perception_common import durable
from perception_common.launching.actions import parameter_words

from ..signing.signer import generate
from . import facts, summary, wiring
from .display import Display
from .processes import Child, Processes
from .settings import Settings
from .watch import JsonFile, LiveFiles

CAMERA, INFER, EVALUATE, TRAIN, BARE = "camera", "infer", "evaluate", "train", "bare_session"
MODULES = {
    CAMERA: "perception_sim.ros.camera_node",
    INFER: "perception_infer.ros.infer_node",
    EVALUATE: "perception_infer.ros.evaluate_node",
    TRAIN: "perception_train.ros.train_node",
    BARE: "perception_infer.benchmark.bare_session",
}
STAGES = [
    "training images",
    "validation images",
    "start nodes",
    "train, swap, score",
    "score last version",
    "bare session",
    "report",
]
_POLL = 0.25
# The generator's status for a mistake of the user, such as a directory that holds another dataset.
_USER_ERROR = 2


class DemoFailed(Exception):
    """The demo cannot go on; said in one line."""


class Demo:
    """One run. Everything it writes lies under ``output``."""

    def __init__(self, settings: Settings, output: Path, display: Display, processes: Processes) -> None:
        self.settings, self.output, self.display, self.processes = settings, output, display, processes
        self.files = LiveFiles(output / wiring.RUN, output / wiring.LIVE)
        self.stages: list[dict[str, Any]] = []
        self.started = time.time()
        self.marks: dict[str, float] = {}
        self.counters: dict[str, dict[str, str]] = {}

    def run(self) -> dict[str, Any]:
        """All stages; returns what went into summary.json.

        Raises:
            ProcessDied: a process ended that should not have.
            DemoFailed: something took too long.
        """
        settings = self.settings
        with self._stage(STAGES[0], settings.train_images, "images"):
            self._generate("train")
        with self._stage(STAGES[1], settings.val_images, "images"):
            self._generate("val")
        with self._stage(STAGES[2]):
            self._start_nodes()
        with self._stage(STAGES[3], settings.train_minutes * 60, "s"):
            self._train()
        with self._stage(STAGES[4], settings.frames_last_version, "frames"):
            self._score_last_version()
        with self._stage(STAGES[5], settings.bare_seconds, "s"):
            self._time_bare_session()
        with self._stage(STAGES[6]):
            self._stop_nodes()
        self.display.end()
        return self._summarise()

    def _generate(self, split: str) -> None:
        directory = wiring.dataset(self.settings, self.output, split)
        name = f"generate_{split}"
        command = ["perception_sim", *wiring.generate(self.settings, self.output, split)]
        existed = directory.exists()
        child = self.processes.start(name, command)
        self._wait_for_end(child, lambda: _count(directory / "images"))
        if child.process.returncode == _USER_ERROR and existed:
            self.display.say(f"{directory.name} is of another version of the world: generated anew")
            shutil.rmtree(directory)
            child = self.processes.start(name, command)
            self._wait_for_end(child, lambda: _count(directory / "images"))
        if child.process.returncode:
            raise child.death()
        self.processes.stop(name)

    def _start_nodes(self) -> None:
        s = self.settings
        generate(str(wiring.key(self.output)))
        self._start(INFER, wiring.infer(s, self.output))
        self._start(EVALUATE, wiring.evaluate(s, self.output))
        self._wait_until(
            lambda: bool(self.files.diagnostics("infer_node")),
            s.start_timeout,
            "inference and evaluation did not start",
        )
        # After those who listen, so that they can miss no frame of it.
        self._start(CAMERA, wiring.camera(s))
        self._wait_until(
            lambda: self.files.evaluation.read().get("frames", {}).get("truth", 0) >= 3,
            s.start_timeout,
            "no camera frame reached the evaluator",
        )

    def _train(self) -> None:
        s = self.settings
        self.marks["train_start"] = began = time.time()
        params = wiring.train(s, self.output) | {"resume": False}
        child = self._start(TRAIN, params, nice=s.trainer_nice)
        limit = s.train_minutes * 60 + s.train_slack
        while child.running and self.files.train_summary.read().get("state") != "done":
            rows = self.files.steps.rows
            # The trainer counts from its first step, not from the start of its process.
            self._tick(finished=[TRAIN], done=rows[-1]["seconds"] if rows else 0.0)
            if rows and self.marks["train_start"] == began:
                self.marks["train_start"] = time.time() - rows[-1]["seconds"]
            told = self.files.diagnostics("train_node")
            if told.get("state") == "failed":
                raise DemoFailed(f"training failed: {told.get('last_error')} [{child.log}]")
            if time.time() - began > limit:
                raise DemoFailed(f"training did not end within {limit:.0f} s [{child.log}]")
        if not child.running and child.process.returncode:
            raise child.death()
        versions = self.files.train_summary.read().get("versions", [])
        if not versions:
            raise DemoFailed(f"the trainer exported no version [{child.log}]")
        # The announcement lives as long as its publisher: the trainer stays until the last version serves.
        self._wait_until(
            lambda: self.files.evaluation.read().get("serving_version") == versions[-1],
            s.swap_timeout,
            f"version {versions[-1]} was exported but does not serve",
            finished=[TRAIN],
        )
        self.processes.stop(TRAIN)
        self.marks["train_end"] = time.time()

    def _score_last_version(self) -> None:
        s = self.settings
        began = self.marks["train_end"]

        def enough() -> bool:
            self.display.progress.done = self.files.version().get("frames", 0)
            return (
                bool(self.display.progress.done >= s.frames_last_version)
                and self.files.outputs_since(began) >= s.frames_idle
            )

        self._wait_until(
            enough, s.settle_timeout, f"fewer than {s.frames_last_version} frames of the last version were scored"
        )

    def _time_bare_session(self) -> None:
        s = self.settings
        self.marks["bare_start"] = began = time.time()
        bundle = self.output / wiring.MODELS / s.model / str(self.files.train_summary.read()["versions"][-1])
        command = [
            MODULES[BARE],
            "--bundle",
            str(bundle),
            "--seconds",
            str(s.bare_seconds),
            "--threads",
            "1",
        ]
        child = self.processes.start(BARE, [*command, "--output", str(self.output / "bare_session.json")])
        self._wait_for_end(child, lambda: int(time.time() - began))
        if child.process.returncode:
            raise child.death()
        self.processes.stop(BARE)

    def _stop_nodes(self) -> None:
        # Each only when the one before it has ended: then the last counts of all nodes speak of the same frames.
        for name, node in ((CAMERA, "sim_camera_node"), (INFER, "infer_node")):
            self.processes.stop(name)
            self._wait_until(
                lambda node=node: "final" in self.files.diagnostics(node),
                self.settings.settle_timeout,
                f"the last counts of {node} did not arrive",
            )
            self.counters[node] = dict(self.files.diagnostics(node))
        self.processes.stop(EVALUATE)

    def _summarise(self) -> dict[str, Any]:
        """Everything the processes wrote, as one summary."""
        result = summary.build(
            settings=self.settings,
            train=self.files.train_summary.read(),
            live=self.files.evaluation.read(),
            counters=self.counters,
            bare=JsonFile(self.output / "bare_session.json").read(),
            idle=(self.marks["train_end"], self.marks["bare_start"]),
            validations=self.files.validations.read(),
        )
        result["stages"] = self.stages
        result["wall_seconds"] = {stage["name"]: round(stage["seconds"], 1) for stage in self.stages}
        result["wall_seconds"]["total"] = round(time.time() - self.started, 1)
        result["train_start_unix_s"] = self.marks["train_start"]
        result["idle_unix_s"] = [self.marks["train_end"], self.marks["bare_start"]]
        result["started_unix_s"] = self.started
        result["machine"], result["software"] = facts.machine(), facts.software()
        durable.write_text(self.output / "summary.json", json.dumps(result, indent=2) + "\n")
        return result

    @contextmanager
    def _stage(self, name: str, total: float = 0.0, unit: str = "") -> Iterator[None]:
        self.display.stage(name, total, unit)
        began = time.time()
        yield
        self.stages.append({"name": name, "start_s": began - self.started, "seconds": time.time() - began})

    def _start(self, name: str, parameters: dict[str, Any], nice: int = 0) -> Child:
        """Start a node."""
        return self.processes.start(name, [MODULES[name], "--ros-args", *parameter_words(parameters)], nice=nice)

    def _wait_for_end(self, child: Child, done: Callable[[], int]) -> None:
        while child.running:
            self._tick(waited=[child.name], done=done())
        self.display.progress.done = done()

    def _wait_until(
        self, reached: Callable[[], bool], timeout: float, failure: str, finished: Sequence[str] = ()
    ) -> None:
        end = time.monotonic() + timeout
        while not reached():
            self._tick(finished)
            if time.monotonic() > end:
                raise DemoFailed(f"{failure} within {timeout:.0f} s; the logs are in {self.output / 'logs'}")

    def _tick(self, finished: Sequence[str] = (), done: float | None = None, waited: Sequence[str] = ()) -> None:
        """A moment's pause: check the processes, show where things stand."""
        self.processes.check(finished, waited)
        shown = self.display.progress
        if done is not None:
            shown.done = done
        steps, validations = self.files.steps.read(), self.files.validations.read()
        live = self.files.evaluation.read()
        shown.loss = steps[-1].get("loss") if steps else None
        shown.val_map50 = validations[-1].get("map50") if validations else None
        shown.live_map50, shown.frames = live.get("recent_map50"), live.get("frames", {}).get("scored", 0)
        serving = live.get("serving_version")
        if serving is not None and serving != shown.serving:
            self.display.say(f"version {serving} serves")
        shown.serving, shown.fps = serving, self.files.output_rate()
        self.display.update()
        time.sleep(_POLL)


def _count(images: Path) -> int:
    return sum(1 for _ in images.iterdir()) if images.is_dir() else 0
