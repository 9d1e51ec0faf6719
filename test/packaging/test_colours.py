"""Colours only on terminals, and none where NO_COLOR says so: the commands, the nodes' logs, and `--help`."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import select
import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import pytest

# Whatever sets a colour or a style; moving the cursor is no colour.
COLOUR = "\x1b[3"
NODE = """
from dataclasses import dataclass
from rclpy.node import Node
from perception_common.ros.node import run

@dataclass(frozen=True)
class Params:
    "None."

class Example(Node):
    def __init__(self):
        super().__init__("example")
        self.get_logger().warning("a warning")

raise SystemExit(run(Example, "example", Params, done=lambda node: True))
"""


def on_terminal(*words: object, **environment: str) -> str:
    """What a program writes when its standard output and error are a terminal."""
    ours, its = pty.openpty()
    plain = {
        name: text for name, text in os.environ.items() if name not in ("NO_COLOR", "FORCE_COLOR", "PYTHON_COLORS")
    }
    env = plain | {"TERM": "xterm-256color", "COLUMNS": "120"} | environment
    process = subprocess.Popen([sys.executable, *map(str, words)], stdin=its, stdout=its, stderr=its, env=env)
    os.close(its)
    told, end = b"", time.monotonic() + 90
    with contextlib.suppress(OSError):  # the terminal is gone when the program has ended
        while time.monotonic() < end:
            if select.select([ours], [], [], 0.5)[0]:
                told += os.read(ours, 65536)
            elif process.poll() is not None:
                break
    os.close(ours)
    assert process.wait(10) == 0, told.decode(errors="replace")
    return told.decode(errors="replace")


def captured(*words: object) -> str:
    """What it writes into a pipe."""
    done = subprocess.run([sys.executable, *map(str, words)], capture_output=True, text=True, timeout=90)
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


@pytest.fixture
def importing(tmp_path: Path) -> tuple[object, ...]:
    """A command that shows a table and a progress bar."""
    source = tmp_path / "source"
    source.mkdir()
    cv2.imwrite(str(source / "1.png"), np.zeros((32, 32, 3), np.uint8))
    image = {"id": 1, "file_name": "1.png", "width": 32, "height": 32}
    box = {"id": 1, "image_id": 1, "category_id": 1, "bbox": [2, 2, 9, 9], "area": 81, "iscrowd": 0}
    content = {"images": [image], "annotations": [box], "categories": [{"id": 1, "name": "box"}]}
    (source / "annotations.json").write_text(json.dumps(content))
    return "-m", "perception_train", "import", "--source", source, "--output", tmp_path / "imported", "--val-share", 0


def test_commands_use_colours_on_a_terminal(importing: tuple[object, ...]) -> None:
    # The two tests below could not fail if this one did.
    assert COLOUR in on_terminal(*importing)


def test_commands_use_none_when_told_so(importing: tuple[object, ...]) -> None:
    told = on_terminal(*importing, NO_COLOR="1")
    assert "1 objects" in told
    assert COLOUR not in told


def test_commands_use_none_in_a_pipe(importing: tuple[object, ...]) -> None:
    told = captured(*importing)
    assert "1 objects" in told
    assert "\x1b" not in told


def test_logs_of_nodes_obey_too() -> None:
    pytest.importorskip("rclpy", reason="ROS 2 is not installed")
    told = on_terminal("-c", NODE)
    assert "a warning" in told
    assert COLOUR in told
    told = on_terminal("-c", NODE, NO_COLOR="1")
    assert "a warning" in told
    assert "\x1b" not in told
    # Whoever asks ROS for colours has them.
    assert COLOUR in on_terminal("-c", NODE, NO_COLOR="1", RCUTILS_COLORIZED_OUTPUT="1")
    assert "\x1b" not in captured("-c", NODE)


@pytest.mark.parametrize("program", ["perception_sim", "perception_train", "perception_infer"])
def test_help_obeys_too(program: str) -> None:
    # argparse has colours from Python 3.14 on.
    assert "\x1b" not in on_terminal("-m", program, "--help", NO_COLOR="1")
    assert "\x1b" not in captured("-m", program, "--help")
