"""What a node is measured in: the node itself, a camera and a listener, and a picture, each process of its own."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from perception_common.errors import UserError

from ..models import Bundle
from ..running import RunningParams
from .partner import Child, Partner

if TYPE_CHECKING:
    from ..ros.bench_world import Stream

START_SECONDS = 60.0
MIB = 1 << 20
_WORLD, _NODE = "perception_infer.ros.bench_world", "perception_infer.ros.infer_node"
#: Who has nobody to send to yet is given so long to be found.
_FOUND_SECONDS = 1.5
#: How often it is seen whether a node still lives.
_LOOK_SECONDS = 0.5


class Camera:
    """A process with a camera and a listener, in a namespace of this run.

    Args:
        stack: ends it.
        folder: for its log.
        below: namespace below that of the run, for one camera of several.
        results: what else is listened to than the suite's own topics, as TOPIC=TYPE.
    """

    def __init__(self, stack: ExitStack, folder: Path, below: str = "", results: Sequence[str] = ()) -> None:
        self.ros = ros_arguments(below)
        self.name = below or "camera"
        self._folder = folder
        log = folder / f"{self.name}.log"
        self.world = stack.enter_context(Partner(self.name, _WORLD, ["world", *results, *self.ros], log))

    @contextmanager
    def null(self) -> Iterator[Partner]:
        """A subscriber that does nothing but tell how old images are, as long as the block lasts."""
        with Partner("subscriber", _WORLD, ["null", *self.ros], self._folder / "null.log") as null:
            time.sleep(_FOUND_SECONDS)
            yield null

    def stream(self, wish: Stream, node: Child | None = None) -> dict[str, Any]:
        """Publish, and hear what came back.

        Raises:
            UserError: the camera's process ended, or the node's meanwhile.
        """
        self.begin(wish)
        return self.end(wish, node)

    def begin(self, wish: Stream) -> None:
        """Publish, without waiting; `end` waits."""
        self.world.tell(asdict(wish))

    def end(self, wish: Stream, node: Child | None = None) -> dict[str, Any]:
        """What came back of what was begun; errors as in `stream`."""
        limit = time.monotonic() + wish.seconds + START_SECONDS
        while not self.world.said(_LOOK_SECONDS) and time.monotonic() < limit:
            if node is not None:
                node.check()
        return self.world.hear(0.0)


def ros_arguments(below: str = "") -> list[str]:
    """ROS arguments for the namespace of this run, or for one below it."""
    return ["--ros-args", "-r", f"__ns:=/perception_bench_{os.getpid()}{below and '/'}{below}"]


@contextmanager
def real_node(params: RunningParams, bundle: Bundle, folder: Path, **more: str) -> Iterator[tuple[Partner, float]]:
    """infer_node with this bundle in the run's namespace, and when it was started, as Unix time.

    ``more`` are further parameters of the node, in the words of ROS's command line.
    """
    wish = {**running(params), "model_root": str(bundle.directory.parent.parent), "model": bundle.manifest.name}
    # Nothing of this is remembered: it is not what the robot serves.
    wish |= {"version": bundle.manifest.version, "require_signature": "false", "state": str(folder), **more}
    arguments = ros_arguments()
    for name, value in wish.items():
        if value != "":
            arguments += ["-p", f"{name}:={value}"]
    started = time.time()
    with Partner("node", _NODE, arguments, folder / "node.log") as node:
        yield node, started


def running(params: RunningParams) -> dict[str, Any]:
    """The parameters that say how a bundle is run, without those of the command that has them."""
    return {item.name: getattr(params, item.name) for item in fields(RunningParams)}


def size_of(text: str) -> tuple[int, int]:
    """Width and height of a text like ``640x480``.

    Raises:
        UserError: it is not of this form.
    """
    found = re.fullmatch(r"([1-9]\d{0,4})x([1-9]\d{0,4})", text)
    if found is None:
        raise UserError(f"'{text}' is no size of an image", fix="write WIDTHxHEIGHT, such as 640x480")
    return int(found.group(1)), int(found.group(2))


def picture_file(bundle: Bundle, size: tuple[int, int], folder: Path) -> str:
    """A file with one of the bundle's reference images as the camera would see it, BGR: with as much in it as usual."""
    reference = bundle.parity()["image"][0]
    path = folder / f"{size[0]}x{size[1]}.npy"
    np.save(path, np.ascontiguousarray(cv2.resize(reference, size, interpolation=cv2.INTER_LINEAR)[:, :, ::-1]))
    return str(path)
