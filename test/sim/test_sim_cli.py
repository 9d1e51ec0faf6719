"""The command perception-sim."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import cv2
import pytest

from perception_sim.cli import main


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("cli") / "data"
    arguments = ["--images", "3", "--views-per-scene", "3", "--workers", "1", "--no-contact-sheet", "--no-masks"]
    assert main(["generate", "--output", str(output), "--image-format", "png", *arguments]) == 0
    return output


def test_flags_reach_the_dataset(dataset: Path) -> None:
    assert sorted(path.name for path in dataset.iterdir()) == [
        "annotations.json",
        "dataset.json",
        "images",
        "sampled.jsonl",
    ]
    assert sorted(path.name for path in (dataset / "images").iterdir()) == ["000000.png", "000001.png", "000002.png"]


def test_view_draws_any_dataset_of_the_format(
    dataset: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sheet = tmp_path / "sheet.png"
    assert main(["view", "--dataset", str(dataset), "--output", str(sheet), "--columns", "2", "--json", "-"]) == 0
    assert json.loads(capsys.readouterr().out) == {"output": str(sheet), "pictures": 3}
    assert cv2.imread(str(sheet)).shape == (2 * 246 + 6, 2 * 326 + 6, 3)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["view"], "--dataset"),
        (["view", "--dataset", "/nowhere"], "annotations"),
        (["generate"], "--output"),
        (["generate", "--output", "x", "--preset", "dmeo"], "did you mean 'demo'"),
        (["generate", "--output", "x", "--images", "0"], "1 to 100000000"),
        (["generate", "--output", "x", "--width", "7"], "32 to 4096"),
    ],
)
def test_mistakes_are_told_in_one_line(
    arguments: list[str], told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(arguments) == 2
    answer = capsys.readouterr().err
    assert told in answer
    assert len(answer.splitlines()) == 1
    assert not list(tmp_path.iterdir())


def test_view_tells_of_a_missing_image_and_an_unwritable_output(
    dataset: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    annotations = (dataset / "annotations.json").read_text()
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / "annotations.json").write_text(annotations)
    assert main(["view", "--dataset", str(broken), "--output", str(tmp_path / "sheet.png")]) == 2
    assert "cannot read the image" in capsys.readouterr().err
    blocked = tmp_path / "file"
    blocked.write_text("")
    assert main(["view", "--dataset", str(dataset), "--output", str(blocked / "sheet.png")]) == 2
    assert "cannot write" in capsys.readouterr().err


def test_the_package_needs_neither_torch_nor_ros_nor_the_other_packages() -> None:
    code = (
        "import sys, perception_sim.cli, perception_sim.live\n"
        "import perception_sim.generation.generate, perception_sim.generation.worker\n"
        "bad = {'torch', 'torchvision', 'rclpy', 'perception_infer', 'perception_train'} & set(sys.modules)\n"
        "sys.exit(f'imported {bad}' if bad else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
