"""yolo_ros' node as a program of an environment that the user names. Nothing of it is imported here."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from perception_common.errors import UserError
from perception_common.ros import dds
from perception_infer.benchmark.partner import Child
from perception_infer.benchmark.surroundings import ros_arguments

from .beside import outside

TOPIC, TYPE = "peer/detections", "yolo_msgs/msg/DetectionArray"
_NODE = "from yolo_ros.yolo_node import main; main()"
#: Looks whether all is there, and makes a model of the yaml that Ultralytics ships, without pretrained weights.
_PREPARE = """
import json, sys
import yolo_ros.yolo_node, torch, ultralytics
yaml, weights = sys.argv[1:]
if yaml:
    ultralytics.YOLO(yaml).save(weights)
print(json.dumps({"ultralytics": ultralytics.__version__, "torch": torch.__version__}))
"""
_PREPARE_SECONDS = 300.0


@dataclass(frozen=True)
class Peer:
    """Where the other node is.

    Args:
        python: the interpreter that has it.
        paths: directories that come first on its PYTHONPATH.
        device: what it computes on, as torch names it.
    """

    python: str
    paths: tuple[str, ...]
    device: str

    def prepare(self, weights: str, architecture: str, folder: Path) -> tuple[Path, dict[str, str]]:
        """The other's model, and the versions of what runs it.

        Args:
            weights: a file that is taken; empty: one is made.
            architecture: of the one that is made, with random weights.
            folder: where it goes.

        Raises:
            UserError: something is missing.
        """
        path = Path(weights or folder / "peer.pt").absolute()
        if weights and not path.is_file():
            raise UserError("there is no such file", where=path, fix="--weights FILE.pt, or leave it out")
        command = [self.python, "-c", _PREPARE, "" if weights else architecture, str(path)]
        try:
            done = subprocess.run(
                command, env=self._environment(), capture_output=True, text=True, timeout=_PREPARE_SECONDS
            )
        except OSError as error:
            raise UserError(f"cannot run '{self.python}': {error.strerror}", fix="--python INTERPRETER") from error
        except subprocess.TimeoutExpired as error:
            raise UserError(f"'{self.python}' did not make the model in {_PREPARE_SECONDS:.0f} s") from error
        if done.returncode:
            last = (done.stderr.strip().splitlines() or ["without a word"])[-1]
            raise UserError(f"'{self.python}' cannot run yolo_ros: {last}", fix="see docs/benchmarks/inference.md")
        versions: dict[str, str] = json.loads(done.stdout.strip().splitlines()[-1])
        return path, versions

    @contextmanager
    def node(self, weights: Path, size: tuple[int, int], folder: Path) -> Iterator[tuple[Child, float]]:
        """The node, which configures and activates itself, and when it was started; ``size`` is its network's."""
        wish = {"model": weights, "device": self.device, "imgsz_width": size[0], "imgsz_height": size[1]}
        arguments = [*ros_arguments(), "-r", "image_raw:=image", "-r", f"detections:={TOPIC}"]
        for name, value in wish.items():
            arguments += ["-p", f"{name}:={value}"]
        started = time.time()
        command = [self.python, "-c", _NODE, *arguments]
        with Child("yolo_ros", command, self._environment(), folder / "yolo_ros.log") as node:
            yield node, started

    def _environment(self) -> dict[str, str]:
        told = outside(os.environ, Path(sys.prefix), self.paths)
        dds.enable(told)
        # Otherwise Ultralytics installs what it misses while it is measured.
        return {**told, "YOLO_AUTOINSTALL": "false"}
