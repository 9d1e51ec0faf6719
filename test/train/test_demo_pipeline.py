"""The demo from end to end on real DDS, with a trainer that only publishes bundles and learns nothing."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from perception_train.demo import run, summary
from perception_train.demo.display import Display
from perception_train.demo.processes import ProcessDied, Processes, ros_environment
from perception_train.demo.report import write_report
from perception_train.demo.settings import QUICK, Limit

pytest.importorskip("rclpy")
pytest.importorskip("vision_msgs")

# Writes what train_node writes, and announces a bundle every two seconds.
TRAINER = """
import json, sys, time
from pathlib import Path
import rclpy
from vision_msgs.msg import VisionInfo
from perception_common import durable
from perception_common.ros import dds, qos
from bundles import write_detector
from perception_infer.models import open_bundle
from perception_train.signing.command import sign_bundle
from perception_train.signing.signer import Signer

given = dict(word.split(":=", 1) for word in sys.argv if ":=" in word)
given = {name: json.loads(value) for name, value in given.items()}
run = Path(given["run_directory"])
run.mkdir(parents=True)
dds.enable()
rclpy.init()
node = rclpy.create_node("train_node")
publisher = node.create_publisher(VisionInfo, "checkpoint", qos.LATCHED)
served = set()
node.create_subscription(VisionInfo, "model_status", lambda m: served.add(m.database_version), qos.LATCHED)
rows = ["step,seconds,version,map,map50,map75"]
versions = []
for step in range(given["exports"]):
    (run / "train.csv").write_text("step,seconds,loss\\n" + "".join(f"{i},{i},{9 - i}\\n" for i in range(step + 1)))
    directory = write_detector(Path(given["model_root"]), given["model"], score=0.8 + step / 100)
    sign_bundle(open_bundle(directory), Signer.load(given["signing_key"]))
    versions.append(int(directory.name))
    rows.append(f"{step},{step},{versions[-1]},0.4,0.5,0.4")
    durable.write_text(run / "validation.csv", "\\n".join(rows) + "\\n")
    uri = (directory / "manifest.json").as_uri()
    publisher.publish(VisionInfo(method=given["model"], database_location=uri, database_version=versions[-1]))
    # Each version is to serve for a while, however long loading takes on a busy machine.
    end = time.monotonic() + 30
    while versions[-1] not in served and time.monotonic() < end:
        rclpy.spin_once(node, timeout_sec=0.1)
    time.sleep(1.5)
done = dict(state="done", val_map=0.4, val_map50=0.5, versions=versions, train_images_per_second=30.0, steps=4)
durable.write_text(run / "summary.json", json.dumps(done | dict(per_class_ap50={"ball": 0.5})))
time.sleep(600)
"""
SETTINGS = replace(
    QUICK, train_images=8, val_images=4, train_minutes=0.2, exports=4, frames_last_version=25, frames_idle=16,
    bare_seconds=0.3, evaluation_window=10, write_period=0.5, sample_period=0.5, start_timeout=40.0, workers=1,
    limits=(Limit("live_frames_scored", ">=", 10_000),),
)  # fmt: skip


@pytest.fixture
def environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Children find the stand-in for the trainer and the bundles it writes."""
    (tmp_path / "trainer_double.py").write_text(TRAINER)
    (tmp_path / "node_that_fails.py").write_text("print('out of memory')\nraise SystemExit(1)\n")
    monkeypatch.setitem(run.MODULES, run.TRAIN, "trainer_double")
    environment = ros_environment(os.environ)
    tests = str(Path(__file__).resolve().parents[1])
    environment["PYTHONPATH"] += os.pathsep + os.pathsep.join([str(tmp_path), tests])
    return environment | {"ROS_LOG_DIR": str(tmp_path / "ros_log")}


def test_every_checkpoint_is_swapped_in_and_scored(tmp_path: Path, environment: dict[str, str]) -> None:
    output = tmp_path / "a demo"
    with Display(run.STAGES, Console(quiet=True)) as display, Processes(output / "logs", environment) as processes:
        demo = run.Demo(SETTINGS, output, display, processes)
        result = demo.run()
    assert json.loads((output / "summary.json").read_text()) == json.loads(json.dumps(result))
    assert summary.failed(result) == [f"live_frames_scored is {result['live_frames_scored']}, must be >= 10000"]
    assert result["max_gap_around_swaps_ms"] > 0
    assert [row["version"] for row in result["versions"]] == [1, 2, 3, 4]
    assert [row["live_frames"] > 0 for row in result["versions"]] == [True] * 4
    assert result["swaps"] == 3
    assert result["frames_lost_in_swaps"] == 0
    assert result["frames_published"] >= result["frames_received"] >= result["frames_processed"] >= 40
    assert result["bare_session_ms"]["p50"] > 0
    assert result["latency_idle_ms"]["count"] >= 16
    assert set(result["wall_seconds"]) == {*run.STAGES, "total"}
    assert result["world"]["name"] == "demo"
    assert result["world"]["description"]
    assert "What it sees" in write_report(output, result, demo.files).read_text()


def test_a_node_that_dies_ends_the_demo(
    tmp_path: Path, environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(run.MODULES, run.INFER, "node_that_fails")
    output = tmp_path / "demo"
    with (
        pytest.raises(ProcessDied, match="infer ended with exit status 1") as told,
        Display(run.STAGES, Console(quiet=True)) as display,
        Processes(output / "logs", environment) as processes,
    ):
        run.Demo(SETTINGS, output, display, processes).run()
    assert told.value.tail == ["out of memory"]
