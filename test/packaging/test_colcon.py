"""The ROS package builds, and what it installs lies where `ros2 run` and `ros2 launch` look."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import perception_common

ROOT = Path(__file__).resolve().parents[2]
SCRIPTS = {
    *("perception-sim", "perception-train", "perception-infer"),
    *("train_node", "infer_node", "evaluate_node", "sim_camera_node"),
}
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def prefix(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where colcon installed a copy of this checkout's package."""
    if importlib.util.find_spec("colcon") is not None:
        colcon = [sys.executable, "-m", "colcon"]
    elif shutil.which("colcon") is not None:
        colcon = ["colcon"]
    else:
        pytest.skip("colcon is not installed")
    workspace = tmp_path_factory.mktemp("colcon workspace")
    source = workspace / "src" / "perception_suite"
    source.mkdir(parents=True)
    for path in [ROOT / name for name in ("setup.py", "setup.cfg", "package.xml", "pyproject.toml")]:
        shutil.copy(path, source)
    for path in [ROOT / name for name in ("config", "launch", "resource")] + sorted(ROOT.glob("perception_*")):
        if path.is_dir() and path.suffix == "":
            shutil.copytree(path, source / path.name, ignore=shutil.ignore_patterns("__pycache__"))
    environment = dict(os.environ)
    # Nothing is sourced where ROS 2 comes from PyPI: then the environment itself is the prefix.
    environment.setdefault("AMENT_PREFIX_PATH", sys.prefix)
    build = subprocess.run(
        [*colcon, "build"], cwd=workspace, env=environment, capture_output=True, text=True, timeout=150
    )
    assert build.returncode == 0, build.stdout + build.stderr
    return workspace / "install" / "perception_suite"


def run(prefix: Path, *command: object) -> subprocess.CompletedProcess[str]:
    """Run this interpreter with the installed package in front of the checkout, away from the checkout."""
    packages = next(prefix.glob("**/*-packages/perception_infer")).parent
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join([str(packages), os.environ.get("PYTHONPATH", "")]),
        "AMENT_PREFIX_PATH": os.pathsep.join([str(prefix), os.environ.get("AMENT_PREFIX_PATH", sys.prefix)]),
        "ROS_LOG_DIR": str(prefix.parent / "ros log"),
    }
    environment.pop("FASTDDS_DEFAULT_PROFILES_FILE", None)
    words = [sys.executable, *map(str, command)]
    return subprocess.run(words, cwd=prefix, env=environment, capture_output=True, text=True, timeout=60)


def test_programs_lie_where_ros2_run_looks(prefix: Path) -> None:
    found = {path.name for path in (prefix / "lib" / "perception_suite").iterdir()}
    assert found == SCRIPTS


def test_share_holds_launch_files_configuration_and_the_package(prefix: Path) -> None:
    share = prefix / "share"
    assert (share / "ament_index" / "resource_index" / "packages" / "perception_suite").is_file()
    assert (share / "perception_suite" / "package.xml").is_file()
    for folder in ("launch", "config"):
        here, there = ROOT / folder, share / "perception_suite" / folder
        wanted = {path.relative_to(here) for path in here.rglob("*") if path.is_file()}
        installed = {path.relative_to(there) for path in there.rglob("*") if path.is_file()}
        assert installed == {path for path in wanted if "__pycache__" not in path.parts}


def test_every_module_and_data_file_is_installed(prefix: Path) -> None:
    packages = next(prefix.glob("**/*-packages/perception_infer")).parent
    for package in sorted(path.parent.name for path in ROOT.glob("perception_*/__init__.py")):
        here = {path.relative_to(ROOT) for path in (ROOT / package).rglob("*") if path.is_file()}
        there = {path.relative_to(packages) for path in (packages / package).rglob("*") if path.is_file()}
        assert {path for path in here if "__pycache__" not in path.parts} == {
            path for path in there if "__pycache__" not in path.parts
        }


def test_an_installed_program_starts_from_the_installed_code(prefix: Path) -> None:
    told = run(prefix, prefix / "lib" / "perception_suite" / "perception-infer", "--version")
    assert told.returncode == 0, told.stderr
    assert told.stdout.split() == ["perception-infer", perception_common.__version__]
    code = "import perception_infer; from perception_common.ros import dds; print(perception_infer.__file__)"
    module, profile = run(prefix, "-c", code + "; print(dds.profile_path())").stdout.splitlines()
    assert Path(module).is_relative_to(prefix)
    assert Path(profile) == prefix / "share" / "perception_suite" / "config" / "fastdds_shm.xml"


@pytest.mark.parametrize("node", ["infer_node", "evaluate_node", "sim_camera_node"])
def test_an_installed_node_answers(prefix: Path, node: str) -> None:
    pytest.importorskip("rclpy", reason="ROS 2 is not installed")
    told = run(prefix, prefix / "lib" / "perception_suite" / node, "--ros-args", "-p", "no_such_parameter:=1")
    assert told.returncode == 2, told.stdout + told.stderr
    assert "unknown parameter 'no_such_parameter'" in told.stderr
