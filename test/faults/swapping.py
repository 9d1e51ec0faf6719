"""What is swapped: bundles with changed graphs, and a node under a camera to which they are announced."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from bundles import scene, write_detector
from hostility import relist
from onnx import helper, numpy_helper
from waiting import until

from perception_infer.benchmark.partner import Partner
from perception_infer.contract.manifest import MANIFEST_NAME
from perception_infer.history import FILE_NAME, Event, History
from perception_infer.models import ModelRepository

SWAPS = "Swaps"
RATE = 30.0
RECTANGLE = (40, 40, 100, 80)
NODE = "perception_infer.ros.infer_node"


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


class Robot:
    """A node that answers a camera of 30 Hz, and the one who announces versions to it."""

    def __init__(self, world: Any, processes: Any, folder: Path, weakness: str = "", camera: str = "") -> None:
        self.namespace = f"/{folder.name}"
        self.root, self._processes = folder / "models", processes
        self.latest = write_detector(self.root)
        self.client = world.client(self.namespace)
        told = {"model_root": self.root, "model": "rectangles", "require_signature": False, "state": folder}
        renamed = {"image": f"{camera}/image"} if camera else {}
        self.process: subprocess.Popen[bytes] = processes.node(
            NODE, before=weakness, namespace=self.namespace, renamed=renamed, **told
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
