"""package.xml, setup.py, config/, requirements/ and the code say the same."""

from __future__ import annotations

import importlib
import importlib.util
import json
import re
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import Any

import pytest

import perception_common

ROOT = Path(__file__).resolve().parents[2]
# What the ROS package must not ask of a robot.
WORKSTATION_ONLY = ("torch", "torchvision", "mujoco")
# rosdep's name → what setup.py calls it, where the two differ otherwise than by `python3-`
ROSDEP = {"python3-opencv": "opencv-python-headless", "python3-yaml": "PyYAML"}


def package_xml() -> ElementTree.Element:
    return ElementTree.parse(ROOT / "package.xml").getroot()


@pytest.fixture(scope="module")
def told() -> dict[str, Any]:
    """What setup.py tells setuptools."""
    code = (
        "import json, runpy, setuptools; told = {}; setuptools.setup = lambda **arguments: told.update(arguments);"
        "runpy.run_path('setup.py'); print(json.dumps(told))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_name_version_and_licence_agree(told: dict[str, Any]) -> None:
    xml = package_xml()
    assert xml.findtext("name") == told["name"] == "perception_suite"
    assert xml.findtext("version") == told["version"] == perception_common.__version__
    assert xml.findtext("license") == told["license"] == "Apache-2.0"
    assert "Apache License" in (ROOT / "LICENSE").read_text()


def test_the_build_type_is_what_setup_py_is_for() -> None:
    assert package_xml().findtext("export/build_type") == "ament_python"


def test_robots_are_asked_for_nothing_heavy(told: dict[str, Any]) -> None:
    depends = [element.text or "" for element in package_xml().iter() if element.tag.endswith("depend")]
    required = told["install_requires"] + told["extras_require"]["robot"]
    assert not [name for name in [*depends, *required] if re.sub(r"^python3-", "", name) in WORKSTATION_ONLY]


def test_python_dependencies_of_package_xml_are_known_to_setup_py(told: dict[str, Any]) -> None:
    everything = {re.split(r"[;<>= ]", name)[0] for extra in told["extras_require"].values() for name in extra}
    everything |= set(told["install_requires"])
    for element in package_xml().iter():
        if element.tag.endswith("depend") and (element.text or "").startswith("python3-"):
            name = element.text or ""
            assert ROSDEP.get(name, name.removeprefix("python3-")) in everything


def test_every_entry_point_can_be_called(told: dict[str, Any]) -> None:
    for line in told["entry_points"]["console_scripts"]:
        _, _, target = line.partition(" = ")
        module, _, function = target.partition(":")
        if ".ros." in module or module.endswith("_node"):
            pytest.importorskip("rclpy", reason="ROS 2 is not installed")
        assert callable(getattr(importlib.import_module(module), function)), line


def test_every_program_tells_its_version(told: dict[str, Any]) -> None:
    for line in told["entry_points"]["console_scripts"]:
        name = line.partition(" = ")[0]
        program = Path(sys.executable).with_name(name)
        if not program.exists():
            pytest.skip("the suite is not installed in this environment")
        if name.endswith("_node") and importlib.util.find_spec("rclpy") is None:
            continue
        done = subprocess.run([program, "--version"], capture_output=True, text=True, timeout=60)
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout == f"{name} {perception_common.__version__}\n"


def test_type_checkers_of_others_see_the_types(told: dict[str, Any]) -> None:
    for package in (name for name in told["packages"] if "." not in name):
        assert (ROOT / package / "py.typed").is_file()
        assert "py.typed" in told["package_data"][package]


def test_every_folder_of_modules_is_a_package(told: dict[str, Any]) -> None:
    folders = {path.parent.relative_to(ROOT) for path in ROOT.glob("perception_*/**/*.py")}
    assert {".".join(folder.parts) for folder in folders} == set(told["packages"])


def test_configuration_files_are_up_to_date() -> None:
    pytest.importorskip("rclpy", reason="ROS 2 is not installed")
    specification = importlib.util.spec_from_file_location("make_config", ROOT / "scripts" / "make_config.py")
    assert specification is not None
    assert specification.loader is not None
    make_config = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(make_config)
    assert make_config.stale() == [], "run `make config`"


def test_set_up_is_done_and_does_nothing_when_run_again() -> None:
    if not (ROOT / ".venv" / ".perception_suite.json").exists():
        pytest.skip("this checkout was not set up by `make setup`")
    program = [sys.executable, str(ROOT / "scripts" / "setup.py")]
    again = subprocess.run(program, capture_output=True, text=True, timeout=170)
    assert (again.returncode, again.stdout, again.stderr) == (0, "", "")
