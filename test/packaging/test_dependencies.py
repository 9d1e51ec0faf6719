"""What the code imports is what package.xml and docs/compatibility.md have people install."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "compatibility.md"
#: Of ROS, and imported only where it is there; or an engine that a robot may have instead of another.
OPTIONAL = {"cuda", "launch", "openvino", "tensorrt", "tensorrt_rtx"}
#: What is imported → rosdep's key, where it is not `python3-` and the same name.
KEYS = {"cv2": "python3-opencv", "yaml": "python3-yaml"}
#: What is imported → its name for pip, likewise.
PIP = {"cv2": "opencv-python-headless", "yaml": "PyYAML"}
#: rosdep knows no key for these, or only one that installs from PyPI, which a released package may not name.
NOT_IN_APT = {"msgspec", "onnxruntime", "rosbags", "safetensors"}


def depends(*kinds: str) -> set[str]:
    xml = ElementTree.parse(ROOT / "package.xml").getroot()
    return {element.text or "" for kind in kinds for element in xml.iter(kind)}


def imported() -> set[str]:
    """Packages of others that a robot's code, the simulated camera and the trainer's node import anywhere."""
    folders = [
        ROOT / name for name in ("perception_common", "perception_infer", "perception_sim/ros", "perception_train/ros")
    ]
    names: set[str] = set()
    for path in (path for folder in folders for path in folder.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.level == 0:
                names.add((node.module or "").split(".")[0])
            elif isinstance(node, ast.Import):
                names.update(name.name.split(".")[0] for name in node.names)
    return {name for name in names if name not in sys.stdlib_module_names and not name.startswith("perception_")}


def test_everything_that_a_robot_imports_is_installed_by_rosdep_or_named_for_pip() -> None:
    given = depends("exec_depend")
    missing = {
        name
        for name in imported() - OPTIONAL - NOT_IN_APT
        if name not in given and KEYS.get(name, f"python3-{name}") not in given
    }
    assert missing == set()


def test_the_page_names_what_pip_has_to_bring() -> None:
    line = re.search(r"^ *python3 -m pip install (.+)$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    assert line is not None
    assert set(line.group(1).split()) == NOT_IN_APT


def setup_py() -> dict[str, Any]:
    """What setup.py tells setuptools."""
    code = (
        "import json, runpy, setuptools; told = {}; setuptools.setup = lambda **arguments: told.update(arguments);"
        "runpy.run_path('setup.py'); print(json.dumps([told['install_requires'], told['extras_require']]))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60)
    always, extras = json.loads(done.stdout)
    return {"always": always, **extras}


def test_setup_py_says_the_same() -> None:
    told = setup_py()
    names = {PIP.get(name, name) for name in imported() - OPTIONAL}
    ros = {name for name in names if name in depends("exec_depend")}
    assert names - ros <= set(told["always"]) | set(told["robot"])


def test_colcon_finds_pytest() -> None:
    """It looks in an extra called test, and runs no test at all where that is missing."""
    named = {name for name in depends("test_depend") if name.startswith("python3-")}
    assert {f"python3-{name}" for name in setup_py()["test"]} == named


def test_released_packages_name_nothing_that_pip_installs() -> None:
    assert not [name for name in depends("exec_depend", "test_depend", "depend") if name.endswith("-pip")]
