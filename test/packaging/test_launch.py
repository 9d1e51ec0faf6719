"""The launch files: they compile everywhere, and run where ROS's launch is installed."""

from __future__ import annotations

import importlib.util
import json
import os
import runpy
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

LAUNCH = Path(__file__).resolve().parents[2] / "launch"
FILES = sorted(LAUNCH.glob("*.launch.py"))
RUNNER = """
import sys
from launch import LaunchDescription, LaunchService
from launch.actions import IncludeLaunchDescription
from launch.launch_description_sources import PythonLaunchDescriptionSource
given = [argument.split(":=", 1) for argument in sys.argv[2:]]
include = IncludeLaunchDescription(PythonLaunchDescriptionSource(sys.argv[1]), launch_arguments=given)
service = LaunchService()
service.include_launch_description(LaunchDescription([include]))
sys.exit(service.run())
"""


def needs_launch() -> None:
    """Skip where ROS's launch is missing; a folder of that name on the path is not it."""
    try:
        from launch import LaunchService  # noqa: F401
        from launch_ros.actions import Node  # noqa: F401
    except ImportError:
        pytest.skip("launch and launch_ros are not installed (they are not on PyPI)")


def needs_package() -> None:
    """Skip where ROS does not know our nodes."""
    from ament_index_python.packages import PackageNotFoundError, get_package_prefix

    try:
        get_package_prefix("perception_suite")
    except (PackageNotFoundError, OSError):
        pytest.skip("perception_suite is not installed with colcon")


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_compiles(path: Path) -> None:
    compile(path.read_text(encoding="utf-8"), str(path), "exec")


def test_there_are_some() -> None:
    expected = {"sim.launch.py", "train.launch.py", "infer.launch.py", "replay.launch.py"}
    assert {path.name for path in FILES} >= expected


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_arguments_are_described_and_repeat_no_default_of_a_node(path: Path) -> None:
    needs_launch()
    description: Any = runpy.run_path(str(path))["generate_launch_description"]()
    arguments = description.get_launch_arguments()
    assert arguments
    for argument in arguments:
        assert argument.description
        if argument.default_value is not None:
            assert "".join(part.text for part in argument.default_value) == ""


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, (False, None)),
        ({"respawn": "true"}, (True, None)),
        ({"respawn": "true", "respawn_delay": "2"}, (True, 2.0)),
    ],
)
def test_nodes_are_started_again_where_that_is_asked_for(
    given: dict[str, str], expected: tuple[bool, float | None], monkeypatch: pytest.MonkeyPatch
) -> None:
    needs_launch()
    from launch import LaunchContext

    file = runpy.run_path(str(LAUNCH / "node.launch.py"))
    context = LaunchContext()
    context.launch_configurations.update(dict.fromkeys(file["OPTIONS"], "") | {"executable": "infer_node"} | given)
    asked: dict[str, Any] = {}
    monkeypatch.setitem(file["_start"].__globals__, "Node", lambda **words: asked.update(words))
    file["_start"](context)
    assert (asked["respawn"], asked["respawn_delay"]) == expected


@pytest.mark.parametrize(("name", "value"), [("respawn", "often"), ("respawn_delay", "soon"), ("respawn_delay", "-1")])
def test_wrong_words_about_starting_again_are_refused(name: str, value: str) -> None:
    needs_launch()
    from launch import LaunchContext

    file = runpy.run_path(str(LAUNCH / "node.launch.py"))
    context = LaunchContext()
    options = dict.fromkeys(file["OPTIONS"], "")
    context.launch_configurations.update(options | {"executable": "infer_node", "respawn": "true", name: value})
    with pytest.raises(RuntimeError, match=f"launch argument '{name}' is '{value}'"):
        file["_start"](context)


@pytest.mark.slow
def test_the_simulated_robot_starts_and_stops(processes: Any, tmp_path: Path) -> None:
    needs_launch()
    needs_package()
    environment = {name: "" for name in os.environ if name.endswith("_DEFAULT_PROFILES_FILE")}
    parameters = f"infer_parameters:={{model_root: {tmp_path}, model: any}}"
    running = processes.start(
        [sys.executable, "-c", RUNNER, LAUNCH / "sim.launch.py", "namespace:=robot", parameters], "launch", environment
    )
    end = time.monotonic() + 30
    while "robot.sim_camera_node]: preset" not in processes.log(running) and time.monotonic() < end:
        time.sleep(0.2)
    log = processes.log(running)
    for node in ("sim_camera_node", "infer_node", "evaluate_node"):
        assert f"[{node}-" in log
    assert "has died" not in log
    processes.stop(running, patience=15)
    assert processes.log(running).count("process has finished cleanly") == 3
    assert subprocess.run(["ps", "-o", "pid=", "-s", str(running.pid)], capture_output=True, text=True).stdout == ""


@pytest.mark.slow
def test_a_recording_is_played_to_its_end(processes: Any, tmp_path: Path) -> None:
    needs_launch()
    needs_package()
    if importlib.util.find_spec("ros2bag") is None:
        pytest.skip("`ros2 bag` is not installed (it is not on PyPI)")
    from bundles import scene, write_detector
    from recorded import CAMERA, Film, write_bag

    write_detector(tmp_path / "models")
    boxes = [{"red": (20 + index, 20, 80 + index, 60)} for index in range(20)]
    bag = write_bag(tmp_path / "bag", Film([scene((160, 120), rectangles) for rectangles in boxes], truth=boxes))
    output = tmp_path / "live.json"
    given = {"bag": bag, "image": CAMERA, "model_root": tmp_path / "models", "model": "rectangles", "output": output}
    words = [f"{name}:={value}" for name, value in given.items()]
    running = processes.start([sys.executable, "-c", RUNNER, LAUNCH / "replay.launch.py", *words], "launch")
    assert running.wait(60) == 0
    log = processes.log(running)
    assert "has died" not in log
    assert log.count("process has finished cleanly") == 3
    content = json.loads(output.read_text())
    assert content["drops"]["node"] == "/infer_node"
    assert 1 <= content["frames"]["scored"] <= content["frames"]["outputs"] <= 20
    # By the recording's clock: by this machine's they would be years.
    assert content["latency_ms"]["max"] < 60_000


def test_a_recording_that_cannot_be_played_starts_nothing(processes: Any) -> None:
    needs_launch()
    words = ["bag:=here", "image:=/image", "loop:=often"]
    running = processes.start([sys.executable, "-c", RUNNER, LAUNCH / "replay.launch.py", *words], "launch")
    assert running.wait(30) == 1
    log = processes.log(running)
    assert "launch argument 'loop' is 'often', and has to be true or false" in log
    assert "process started" not in log
