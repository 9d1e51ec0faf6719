"""Programs of nodes: stopped while they are imported, or without ROS 2, they end with one line."""

from __future__ import annotations

import subprocess
import sys

import pytest

PROGRAMS = {
    "infer_node": "perception_infer",
    "evaluate_node": "perception_infer",
    "train_node": "perception_train",
    "sim_camera_node": "perception_sim",
}
# What happens as soon as a module of this name is looked for.
CODE = """
import os, signal, sys
class Finder:
    def find_spec(self, name, path=None, target=None):
        if name == {module!r}:
            {action}
sys.meta_path.insert(0, Finder())
from {package}.nodes import {program}
raise SystemExit({program}())
"""


def _end(program: str, module: str, action: str) -> tuple[int, str]:
    code = CODE.format(module=module, action=action, package=PROGRAMS[program], program=program)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert not done.stdout
    return done.returncode, done.stderr


@pytest.mark.parametrize("program", PROGRAMS)
def test_interrupted_before_it_is_there(program: str) -> None:
    assert _end(program, "numpy", "os.kill(os.getpid(), signal.SIGINT)") == (130, f"{program}: interrupted\n")


@pytest.mark.parametrize("package", ["rclpy", "std_msgs"])
@pytest.mark.parametrize("program", PROGRAMS)
def test_without_ros(program: str, package: str) -> None:
    missing = f"raise ModuleNotFoundError('No module named ' + {package!r}, name={package!r})"
    status, told = _end(program, package, missing)
    assert (status, told.count("\n")) == (2, 1)
    assert told.startswith(f"{program}: ROS 2's package '{package}' is not there: source /opt/ros/")


@pytest.mark.parametrize("program", PROGRAMS)
def test_what_else_is_missing_is_told_whole(program: str) -> None:
    status, told = _end(program, "cv2", "raise ModuleNotFoundError('No module named cv2', name='cv2')")
    assert status == 1
    assert "Traceback" in told
    assert "No module named cv2" in told
