"""perception-infer bench on a real node, with a camera and a listener in processes of their own."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from bundles import write_detector

pytest.importorskip("rclpy", reason="ROS 2 is not installed")

from perception_infer.cli import main

ROOT = Path(__file__).resolve().parents[2]


def test_figures_of_session_predictor_and_node(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bundle, out = write_detector(tmp_path / "models"), tmp_path / "bench.json"
    arguments = ["bench", "--bundle", str(bundle), "--sizes", "320x240", "--seconds", "1.5", "--backend", "onnxruntime"]
    arguments += ["--camera-hz", "20"]
    assert main([*arguments, "--json", str(out)]) == 0
    result = json.loads(out.read_text(encoding="utf-8"))
    (row,) = result["sizes"]
    assert (result["model"], result["backend"]) == ("rectangles v1", "onnxruntime fp32")
    assert (row["width"], row["height"]) == (320, 240)
    assert 0 < row["message"]["p50"] <= row["message"]["p99"] < 1000
    for name in ("bare", "predictor", "bare_beside_camera", "bare_saturated", "node", "saturated"):
        assert 0 < row[name]["p50"] <= row[name]["p99"] < 5000
        assert row[name]["rate_hz"] > 0
    assert row["camera_hz"] == 20
    assert row["node"]["sent"] == pytest.approx(30, abs=2)
    assert row["saturating_hz"] == pytest.approx(1.2 * row["bare"]["rate_hz"])
    assert row["node"]["received"] <= row["node"]["sent"]
    assert row["node"]["received"] > 0
    assert 0 < row["first_s"] < 60
    assert 50 < row["memory_mb"] < 2000
    printed = capsys.readouterr().out
    assert "node, saturated" in printed
    assert "of the bare session's rate" in printed


def test_without_the_node(tmp_path: Path) -> None:
    out = tmp_path / "bench.json"
    arguments = ["bench", "--bundle", str(write_detector(tmp_path / "models")), "--sizes", "160x120", "64x64"]
    assert main([*arguments, "--seconds", "0.5", "--no-node", "--json", str(out)]) == 0
    rows = json.loads(out.read_text(encoding="utf-8"))["sizes"]
    assert [(row["width"], "node" in row) for row in rows] == [(160, False), (64, False)]


def test_cameras_on_one_model(tmp_path: Path) -> None:
    bundle, out = write_detector(tmp_path / "models"), tmp_path / "cameras.json"
    words = ["--bundle", str(bundle), "--cameras", "2", "--rate", "5", "--seconds", "2", "--json", str(out)]
    done = subprocess.run([sys.executable, "-m", "bench.cameras", *words], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode in (0, 1), done.stderr
    result = json.loads(out.read_text(encoding="utf-8"))
    assert list(result["cameras"]) == ["camera1", "camera2"]
    shares = [each["of_fair_share"] for each in result["cameras"].values()]
    assert sum(shares) == pytest.approx(2.0)
    assert all(0 < each["received"] <= each["sent"] == 10 for each in result["cameras"].values())
    assert result["fair"] == all(abs(share - 1) <= 0.1 for share in shares) == (done.returncode == 0)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--bundle", "nowhere"], "there is no bundle directory"),
        ([], "no bundle is given"),
        (["--bundle", "{bundle}", "--sizes", "640"], "'640' is no size of an image"),
        (["--bundle", "{bundle}", "--backend", "tensorrt", "--no-node"], "tensorrt"),
    ],
)
def test_mistakes_are_told_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    bundle = write_detector(tmp_path / "models")
    assert main(["bench", *(word.format(bundle=bundle) for word in arguments)]) == 2
    told = capsys.readouterr().err.strip().splitlines()[-1]
    assert message in told
    assert "Traceback" not in told
