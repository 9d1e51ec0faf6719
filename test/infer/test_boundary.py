"""Imports point one way: the robot's side never loads the trainer's, nor anything as heavy as torch."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
HEAVY = ("torch", "torchvision", "mujoco", "onnx")
IMPORT_ALL = """
import importlib, json, pkgutil, sys
package = importlib.import_module(sys.argv[1])
found = pkgutil.walk_packages(package.__path__, package.__name__ + ".")
names = [info.name for info in found if not info.name.endswith("__main__")]
for name in names:
    importlib.import_module(name)
print(json.dumps({"imported": names, "loaded": sorted({name.split(".")[0] for name in sys.modules})}))
"""


def imports(package: str) -> dict[str, list[str]]:
    done = subprocess.run(
        [sys.executable, "-c", IMPORT_ALL, package], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.parametrize(
    ("package", "forbidden"),
    [
        ("perception_common", (*HEAVY, "perception_infer", "perception_train", "perception_sim")),
        ("perception_infer", (*HEAVY, "perception_train", "perception_sim")),
        ("perception_sim", ("torch", "torchvision", "perception_infer", "perception_train")),
    ],
)
def test_nothing_forbidden_is_loaded(package: str, forbidden: tuple[str, ...]) -> None:
    found = imports(package)
    assert found["imported"], "no module was imported"
    assert not set(forbidden) & set(found["loaded"])


def test_the_bundle_writer_needs_no_torch() -> None:
    code = "import sys, perception_train.export.bundle; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, timeout=60, check=False).returncode == 0


def test_logic_never_imports_ros() -> None:
    """Outside of the folders called ``ros`` (and the doctor, which looks for it) no module of the robot needs ROS."""
    code = """
import importlib, pkgutil, sys, perception_infer
for info in pkgutil.walk_packages(perception_infer.__path__, "perception_infer."):
    if ".ros" not in info.name and not info.name.endswith("__main__"):
        importlib.import_module(info.name)
importlib.import_module("perception_infer.ros.worker")
importlib.import_module("perception_infer.ros.report")
print([name for name in sys.modules if name in ("rclpy", "sensor_msgs", "vision_msgs")])
"""
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.stdout.strip() == "[]", done.stderr
