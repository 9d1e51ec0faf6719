"""The command perception-infer: results, exit statuses, one-line errors."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import cv2
import pytest
from bundles import scene, write_detector

from perception_infer.cli import main


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("models")
    write_detector(root)
    write_detector(root, score=0.8)
    write_detector(root, name="others")
    return root


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    folder = tmp_path / "pictures"
    folder.mkdir()
    for name, size in (("small", (320, 240)), ("large", (640, 480))):
        picture = scene(size, {"red": (40, 40, 100, 80)})
        cv2.imwrite(str(folder / f"{name}.png"), cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))
    (folder / "notes.txt").write_text("not a picture")
    return folder


def test_verify_a_whole_repository(repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["verify", "--path", str(repository), "--json", "-"]) == 0
    out, err = capsys.readouterr()
    result = json.loads(out)
    assert (result["checked"], result["failed"]) == (3, 0)
    assert [(row["model"], row["version"], row["objects"]) for row in result["bundles"]] == [
        ("others", "1", 9), ("rectangles", "1", 9), ("rectangles", "2", 9),
    ]  # fmt: skip
    assert "rectangles" in err, "the table goes to stderr when stdout holds the JSON"


@pytest.mark.parametrize(("below", "count"), [("rectangles", 2), ("rectangles/2", 1)])
def test_verify_one_model_or_one_bundle(
    repository: Path, below: str, count: int, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["verify", "--path", str(repository / below), "--no-parity"]) == 0
    assert capsys.readouterr().out.count(" ok ") == count


def test_verify_tells_what_is_wrong_and_still_writes_the_result(
    repository: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = Path(shutil.copytree(repository, tmp_path / "models"))
    (root / "rectangles" / "2" / "model.onnx").write_bytes(b"damaged")
    assert main(["verify", "--path", str(root), "--json", str(tmp_path / "result.json")]) == 2
    out, err = capsys.readouterr()
    assert err.count("\n") == 1
    assert "1 of 3 bundles would be refused" in err
    assert "model.onnx" in out
    assert json.loads((tmp_path / "result.json").read_text())["failed"] == 1


def test_run_on_a_folder(repository: Path, pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    bundle = repository / "rectangles" / "1"
    assert main(["run", "--bundle", str(bundle), "--input", str(pictures), "--output", str(out), "--json", "-"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert result["model"] == "rectangles v1"
    for image in result["images"]:
        assert image["detections"] == [{"box": [40, 40, 100, 80], "score": pytest.approx(0.9), "class": "red"}]
        assert cv2.imread(image["overlay"]).shape == (image["height"], image["width"], 3)
    assert sorted(path.name for path in out.iterdir()) == ["large.png", "small.png"]


def test_run_takes_the_newest_version_of_a_model(
    repository: Path, pictures: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["run", "--bundle", str(repository / "rectangles"), "--input", str(pictures), "--json", "-"]) == 0
    assert json.loads(capsys.readouterr().out)["model"] == "rectangles v2"


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["verify"], "--path"),
        (["verify", "--path", "/nonexistent"], "there is no bundle"),
        (["verify", "--path", ".", "--backend", "tpu"], "one of 'auto', 'tensorrt'"),
        (["run"], "--bundle is not set"),
        (["run", "--bundle", "BUNDLE"], "--input is not set"),
        (["run", "--bundle", "/nonexistent", "--input", "PICTURES"], "no bundle directory"),
        (["run", "--bundle", "BUNDLE", "--input", "/nonexistent"], "there is no picture"),
        (["run", "--bundle", "BUNDLE", "--input", "PICTURES/notes.txt"], "not a picture"),
        (["run", "--bundle", "BUNDLE", "--input", "PICTURES", "--output", "/proc/nowhere"], "cannot write"),
        (["run", "--bundle", "BUNDLE", "--input", "PICTURES", "--score-threshold", "2"], "-1 to 1"),
    ],
)
def test_wrong_use_is_answered_in_one_line(
    repository: Path, pictures: Path, arguments: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    places = {"BUNDLE": str(repository / "rectangles" / "1"), "PICTURES": str(pictures)}
    for short, full in places.items():
        arguments = [argument.replace(short, full) for argument in arguments]
    assert main(arguments) == 2
    err = capsys.readouterr().err
    assert told in err
    assert err.count("\n") == 1


def test_doctor_has_a_line_per_finding(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", "--json", "-"]) == 0
    out, err = capsys.readouterr()
    findings = json.loads(out)["findings"]
    assert {"python", "onnxruntime", "gpu"} <= {finding["name"] for finding in findings}
    assert {finding["state"] for finding in findings} <= {"ok", "warn", "fail"}
    assert len(err.splitlines()) == len(findings)
