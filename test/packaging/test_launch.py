"""The launch files: they compile everywhere, and run where ROS's launch is installed."""

from __future__ import annotations

import importlib.util
import json
import os
import runpy
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

LAUNCH = Path(__file__).resolve().parents[2] / "launch"
FILES = sorted(LAUNCH.glob("*.launch.py"))
NAMES = {f"{name}.launch.py" for name in ("node", "train", "infer", "sim", "loop", "replay", "robot", "isaac")}
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


def context(file: str, **given: str) -> Any:
    """A launch context with the arguments of a file, as launch would have set them."""
    from launch import LaunchContext

    description: Any = runpy.run_path(str(LAUNCH / file))["generate_launch_description"]()
    made = LaunchContext()
    made.launch_configurations.update({argument.name: "" for argument in description.get_launch_arguments()} | given)
    return made


def started(monkeypatch: pytest.MonkeyPatch, **given: str) -> dict[str, Any]:
    """What node.launch.py tells launch_ros."""
    import launch_ros.actions

    asked: dict[str, Any] = {}
    monkeypatch.setattr(launch_ros.actions, "Node", lambda **words: asked.update(words))
    made = context("node.launch.py", **{"executable": "infer_node"} | given)
    runpy.run_path(str(LAUNCH / "node.launch.py"))["_start"](made)
    return asked


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_compiles(path: Path) -> None:
    compile(path.read_text(encoding="utf-8"), str(path), "exec")


def test_all_are_there() -> None:
    assert {path.name for path in FILES} == NAMES


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


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_ros2_launch_shows_them(path: Path) -> None:
    needs_launch()
    if importlib.util.find_spec("ros2launch") is None:
        pytest.skip("ros2launch is not installed (it is not on PyPI)")
    command = [sys.executable, "-c", "import sys; from ros2cli.cli import main; sys.exit(main())", "launch"]
    done = subprocess.run([*command, str(path), "--show-args"], capture_output=True, text=True, timeout=90)
    assert done.returncode == 0, done.stderr
    assert "Arguments (pass arguments as '<name>:=<value>'):" in done.stdout
    assert "No arguments" not in done.stdout


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, (False, None)),
        ({"respawn": "true"}, (True, None)),
        ({"respawn": "True", "respawn_delay": "2"}, (True, 2.0)),
    ],
)
def test_nodes_are_started_again_where_that_is_asked_for(
    given: dict[str, str], expected: tuple[bool, float | None], monkeypatch: pytest.MonkeyPatch
) -> None:
    needs_launch()
    asked = started(monkeypatch, **given)
    assert (asked["respawn"], asked["respawn_delay"]) == expected


@pytest.mark.parametrize(("name", "value"), [("respawn", "often"), ("respawn_delay", "soon"), ("respawn_delay", "-1")])
def test_wrong_words_about_starting_again_are_refused(name: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    needs_launch()
    with pytest.raises(RuntimeError, match=f"launch argument '{name}' is '{value}'"):
        started(monkeypatch, **{"respawn": "true", name: value})


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({}, []),
        ({"params_file": "a.yaml", "parameters": "{threads: 2}"}, ["--params-file", "a.yaml", "-p", "threads:=2"]),
        ({"use_sim_time": "true"}, ["-p", "use_sim_time:=true"]),
        ({"autostart": "false"}, ["-p", "autostart:=false"]),
        ({"autostart": "false", "executable": "evaluate_node"}, []),
        ({"log_level": "debug"}, ["--log-level", "debug"]),
        ({"enclave": "/robot/eyes"}, ["--enclave", "/robot/eyes"]),
        ({"enclaves": "/"}, ["--enclave", "/infer_node"]),
        ({"enclaves": "/robot", "enclave": "/eyes"}, ["--enclave", "/eyes"]),
    ],
)
def test_words_for_the_node(given: dict[str, str], words: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    needs_launch()
    assert started(monkeypatch, **given)["ros_arguments"] == words


@pytest.mark.parametrize("decoder", ["yolov8_decoder_node", "unet_decoder"])
def test_texts_for_components_stay_texts(decoder: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    needs_launch()
    from isaac_ros import write_export
    from launch_ros.actions.load_composable_nodes import get_composable_node_load_request

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    # Whoever calls a model 8 means a name, and a decoder's tensor may be called 1.
    folder = write_export(tmp_path / "8", decoder)
    given = {"model": str(folder), "image_width": "1280", "image_height": "720", "inference": "triton"}
    given |= {"decoder_parameters": "{tensor_name: '1'}", "container": "/theirs", "namespace": "robot"}
    made = context("isaac.launch.py", **given)
    (load,) = runpy.run_path(str(LAUNCH / "isaac.launch.py"))["_load"](made)
    nodes = load._LoadComposableNodes__composable_node_descriptions
    requests = [get_composable_node_load_request(node, made) for node in nodes]
    assert [request.node_name for request in requests] == ["encoder", "inference", "decoder"]
    assert {request.node_namespace for request in requests} == {"/robot"}
    values = {parameter.name: parameter.value for request in requests for parameter in request.parameters}
    assert values["model_name"].string_value == "8"
    assert values["tensor_name"].string_value == "1"
    assert list(values["model_repository_paths"].string_array_value) == [str(tmp_path)]
    assert list(values["input_tensor_names"].string_array_value) == ["x"]
    assert list(values["image_mean"].double_array_value) == [0.0, 0.0, 0.0]
    assert values["input_image_width"].integer_value == 1280


@pytest.mark.slow
def test_the_simulated_robot_starts_and_stops(processes: Any, tmp_path: Path) -> None:
    needs_launch()
    needs_package()
    if importlib.util.find_spec("launch_testing") is None:
        pytest.skip("launch_testing is not installed (it is not on PyPI)")
    environment = {name: "" for name in os.environ if name.endswith("_DEFAULT_PROFILES_FILE")}
    environment |= {"LAUNCH_FILE": str(LAUNCH / "sim.launch.py"), "MODEL_ROOT": str(tmp_path)}
    file = Path(__file__).parent / "launched_sim.py"
    running = processes.start([sys.executable, "-m", "launch_testing.launch_test", file], "launch", environment)
    status = running.wait(120)
    assert status == 0, processes.log(running)
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
    words = ["bag:=here", "image:=/image", "respawn_delay:=soon"]
    running = processes.start([sys.executable, "-c", RUNNER, LAUNCH / "replay.launch.py", *words], "launch")
    assert running.wait(30) == 1
    log = processes.log(running)
    assert "launch argument 'respawn_delay' is 'soon', and has to be a number of seconds" in log
    assert "process started" not in log


@pytest.mark.slow
def test_a_loop_without_data_starts_no_node(processes: Any, tmp_path: Path) -> None:
    needs_launch()
    needs_package()
    words = ["preset:=quick", "world:=mars", f"output:={tmp_path}"]
    running = processes.start([sys.executable, "-c", RUNNER, LAUNCH / "loop.launch.py", *words], "launch")
    running.wait(60)
    log = processes.log(running)
    assert "unknown preset 'mars'" in log
    assert "process[perception-sim-1] was required: shutting down" in log
    assert log.count("process started") == 1
