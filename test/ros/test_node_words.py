"""What a node's program answers beside ROS's own arguments, in a process of its own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import yaml

pytest.importorskip("rclpy", reason="ROS 2 is not installed")

import perception_common
from perception_common.yaml_files import MODELINE

NODES = {
    "evaluate_node": ("perception_infer.ros.evaluate_node", "window"),
    "infer_node": ("perception_infer.ros.infer_node", "watch_frames"),
    "sim_camera_node": ("perception_sim.ros.camera_node", "seed"),
    "train_node": ("perception_train.ros.train_node", "batch"),
}


def run(module: str, *words: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", module, *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60)


@pytest.mark.parametrize("node", NODES)
def test_the_configuration_in_force_is_printed(node: str, tmp_path: Path) -> None:
    module, whole_number = NODES[node]
    file = tmp_path / "mine.yaml"
    file.write_text(f"/**/other:\n  ros__parameters:\n    {whole_number}: 77\n")
    told = run(module, "--print-config", "--ros-args", "--params-file", file, "-r", "__node:=other")
    assert (told.returncode, told.stderr) == (0, "")
    assert yaml.safe_load(told.stdout)["/**/other"]["ros__parameters"][whole_number] == 77
    schema = told.stdout.splitlines()[0].removeprefix(MODELINE)
    assert Path(schema).name == f"{node}.schema.json"
    assert Path(schema).is_file()


def test_what_was_printed_can_be_given_again(tmp_path: Path) -> None:
    module, file = NODES["infer_node"][0], tmp_path / "mine.yaml"
    given = ("-p", "model:=detector", "-p", "classes:=[mug, box]", "-p", "hang_seconds:=5")
    first = run(module, "--print-config", "--ros-args", *given)
    file.write_text(first.stdout)
    again = run(module, "--print-config", "--ros-args", "--params-file", file)
    assert first.returncode == 0
    assert again.stdout == first.stdout
    assert "    classes: [mug, box]\n" in first.stdout
    assert "    hang_seconds: 5.0\n" in first.stdout


@pytest.mark.parametrize(
    ("words", "status", "told"),
    [
        (("--version",), 0, f"infer_node {perception_common.__version__}\n"),
        (("--print-konfig",), 2, "infer_node: unknown argument '--print-konfig': did you mean '--print-config'?"),
        (("--print-config", "--ros-args", "-p", "modle:=x"), 2, "unknown parameter 'modle' [node infer_node]: did you"),
        (("--ros-args", "-p", "model"), 2, "infer_node: ROS arguments are not valid: "),
    ],
)
def test_other_words(words: tuple[str, ...], status: int, told: str) -> None:
    answer = run(NODES["infer_node"][0], *words)
    assert answer.returncode == status
    assert told in answer.stdout + answer.stderr
    assert "Traceback" not in answer.stderr
