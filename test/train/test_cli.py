"""``perception-train`` as people type it: answers, exit status, one line for a mistake.

Processes of their own show that the program starts and ends as it should, and cost seconds for torch alone. What one
of them has shown, others need not: they call the same entry point in this process.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from shapes import make_dataset
from waiting import until

from perception_train.cli import main

Done = subprocess.CompletedProcess[str]


def command(*words: object, **options: Any) -> Done:
    """In a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "perception_train", *map(str, words)],
        capture_output=True,
        text=True,
        check=False,
        **options,
    )


@pytest.fixture
def inside(capfd: pytest.CaptureFixture[str]) -> Iterator[Callable[..., Done]]:
    """In this process; everything written counts, also what does not come from Python."""

    def call(*words: object) -> Done:
        capfd.readouterr()
        told = [str(word) for word in words]
        status = main(told)
        return subprocess.CompletedProcess(told, status, *capfd.readouterr())

    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield call
    for number, handler in before.items():
        signal.signal(number, handler)


def training(shapes: Path, folder: Path) -> list[object]:
    return [
        "run",
        *("--dataset", shapes / "train", "--validation", shapes / "val"),
        *("--run-directory", folder / "run", "--model-root", folder / "models", "--model", "shapes"),
        *("--width", 96, "--height", 64, "--batch", 4, "--minutes", 0, "--precision", "fp32", "--threads", 1),
        *("--learning-rate", 0.004, "--warmup-steps", 2, "--exports", 1, "--validations", 1),
    ]


def test_run_evaluate_export(shapes: Path, tmp_path: Path, inside: Callable[..., Done]) -> None:
    done = command(*training(shapes, tmp_path), "--steps", 60, "--json", tmp_path / "run.json")
    assert done.returncode == 0, done.stderr
    summary = json.loads((tmp_path / "run.json").read_text())
    assert summary["versions"] == [1]

    repository = ("--model-root", tmp_path / "models", "--model", "shapes")
    scored = command("evaluate", "--dataset", shapes / "val", *repository, "--json", "-")
    assert scored.returncode == 0, scored.stderr
    # The robot's path through the bundle gives what the trainer measured.
    assert json.loads(scored.stdout)["map50"] == pytest.approx(summary["val_map50"], abs=1e-6)

    again = inside("export", "--run-directory", tmp_path / "run", "--json", "-")
    assert again.returncode == 0, again.stderr
    assert json.loads(again.stdout)["version"] == 2
    assert json.loads(again.stdout)["variants"] == {}

    told = ("--precisions", "fp32", "int8_cpu", "--budget", 1, "--calibration-images", 4)
    told += ("--calibration", shapes / "val" / "images")
    small = inside("export", "--run-directory", tmp_path / "run", *told, "--json", "-")
    assert small.returncode == 0, small.stderr
    assert list(json.loads(small.stdout)["variants"]) == ["int8_cpu"]
    assert (tmp_path / "models" / "shapes" / "3" / "model.int8_cpu.onnx").is_file()


def test_a_segmenter_for_isaac_ros(shapes: Path, tmp_path: Path, inside: Callable[..., Done]) -> None:
    done = inside(*training(shapes, tmp_path), "--architecture", "unet_yolo_n", "--steps", 10, "--no-report")
    assert done.returncode == 0, done.stderr
    told = ("export", "--run-directory", tmp_path / "run", "--layout", "isaac", "--output", tmp_path / "isaac")
    written = inside(*told, "--json", "-")
    assert written.returncode == 0, written.stderr
    files, folder = json.loads(written.stdout)["files"], tmp_path / "isaac"
    assert set(files.values()) == {str(file.relative_to(folder)) for file in folder.rglob("*") if file.is_file()}
    one_line(inside(*told), "exists")


def test_ctrl_c_stops_with_a_checkpoint_and_the_same_command_goes_on(
    shapes: Path, tmp_path: Path, inside: Callable[..., Done]
) -> None:
    words = [sys.executable, "-m", "perception_train", *map(str, training(shapes, tmp_path)), "--steps", "100000"]
    process = subprocess.Popen(words, stderr=subprocess.PIPE, text=True)
    curve = tmp_path / "run" / "train.csv"
    until(curve.exists)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 0
    assert "goes on from there" in errors
    stopped = json.loads((tmp_path / "run" / "summary.json").read_text())
    assert stopped["state"] == "stopped"
    resumed = inside(*training(shapes, tmp_path), "--steps", stopped["steps"] + 2, "--no-report")
    assert resumed.returncode == 0, resumed.stderr
    assert f"resumed at step {stopped['steps']}" in resumed.stderr


def one_line(done: Done, message: str) -> None:
    assert done.returncode == 2, done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert message in done.stderr
    assert "Traceback" not in done.stderr


def test_mistakes_are_told_in_one_line(shapes: Path, tmp_path: Path, inside: Callable[..., Done]) -> None:
    good = [*training(shapes, tmp_path), "--steps", 5]
    one_line(command("run"), "no dataset is given")
    one_line(command(*good, "--dataset", tmp_path / "nothing"), "the dataset does not exist")
    one_line(inside(*good, "--steps", 0), "no budget is given")
    (tmp_path / "file").write_text("")
    one_line(inside(*good, "--run-directory", tmp_path / "file"), "cannot write")
    other = make_dataset(tmp_path / "other", 4, seed=5, classes=("square", "triangle"))
    one_line(inside(*good, "--validation", other), "class names differ between training dataset")
    empty = make_dataset(tmp_path / "empty", 1, seed=5)
    content = json.loads((empty / "annotations.json").read_text())
    (empty / "annotations.json").write_text(json.dumps(content | {"images": [], "annotations": []}))
    one_line(inside(*good, "--dataset", empty), "the dataset holds no images")
    (tmp_path / "wrong.yaml").write_text("learnin_rate: 0.1\n")
    one_line(inside("run", "--config", tmp_path / "wrong.yaml"), "did you mean 'learning_rate'?")
    one_line(inside("evaluate", "--dataset", shapes / "val", "--model-root", tmp_path / "none"), "")
    one_line(inside("export", "--run-directory", tmp_path), "no checkpoint")
    one_line(inside("export", "--precisions", "fp8"), "'precisions' cannot be 'fp8'")
    one_line(inside("export", "--calibration-topic", "/camera"), "a topic is given without a recording")
    one_line(inside("export", "--layout", "isaac"), "give --output DIR")


def test_class_names_must_agree_with_the_bundle(shapes: Path, candidate: Any, tmp_path: Path) -> None:
    candidate.write(tmp_path / "models", candidate.validate())
    other = make_dataset(tmp_path / "other", 4, seed=5, classes=("square", "triangle"))
    repository = ("--model-root", tmp_path / "models", "--model", "shapes")
    one_line(command("evaluate", "--dataset", other, *repository), "class names differ between bundle and dataset")


def test_help_and_print_config() -> None:
    assert "--learning-rate" in command("run", "--help").stdout
    printed = command("run", "--print-config")
    assert printed.returncode == 0
    assert "learning_rate: 0.002" in printed.stdout


def test_help_does_not_need_a_terminal(tmp_path: Path) -> None:
    assert command("--help", env=os.environ | {"TERM": "dumb", "NO_COLOR": "1"}, cwd=tmp_path).returncode == 0
