"""evaluate_node over real DDS: a publisher in another process plays camera, detector and trainer."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from waiting import until

pytest.importorskip("rclpy")
pytest.importorskip("vision_msgs")


PUBLISHER = """
import sys, time
import numpy as np, rclpy
from rclpy.time import Time
from std_msgs.msg import Header
from sensor_msgs.msg import CompressedImage, Image
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from vision_msgs.msg import Detection2DArray, VisionInfo
from perception_common.images import jpeg
from perception_common.ros import dds, qos
from perception_common.ros.images import image_to_msg
from perception_common.ros.vision import detections_to_msg

dds.enable()
rclpy.init()
node = rclpy.create_node("player")
truth = node.create_publisher(Detection2DArray, "ground_truth", qos.RESULTS)
found = node.create_publisher(Detection2DArray, "detections", qos.RESULTS)
status = node.create_publisher(VisionInfo, "model_status", qos.LATCHED)
compressed = sys.argv[2] == "compressed"
image = node.create_publisher(*((CompressedImage, "image/compressed") if compressed else (Image, "image")), qos.SENSOR)
told = node.create_publisher(DiagnosticArray, "/diagnostics", 10)
end = time.time() + 20
while time.time() < end and min(p.get_subscription_count() for p in (truth, found, status, image, told)) == 0:
    time.sleep(0.05)
boxes = np.array([[10, 10, 50, 60], [80, 20, 120, 90]], float)
for index in range(int(sys.argv[1])):
    header = Header(frame_id="camera", stamp=node.get_clock().now().to_msg())
    picture = np.full((120, 160, 3), 40 + index, np.uint8)
    if compressed:
        image.publish(CompressedImage(header=header, format="jpeg", data=jpeg(picture, 90)))
    else:
        image.publish(image_to_msg(picture, "rgb8", header))
    version = 1 + index // 20
    if index % 20 == 0:
        status.publish(VisionInfo(header=header, method="detector", database_version=version))
    truth.publish(detections_to_msg(header, boxes, np.ones(2), ["1", "2"]))
    time.sleep(0.02)
    # The first version finds one object of two, the second both.
    found.publish(detections_to_msg(header, boxes[:version], np.array([0.9, 0.8])[:version], ["cup", "box"][:version]))
    time.sleep(0.03)
values = [KeyValue(key="frames_received", value=sys.argv[1])]
report = DiagnosticArray(status=[DiagnosticStatus(name="/infer_node", message="serving", values=values)])
for _ in range(5):
    told.publish(report)
    time.sleep(0.1)
node.destroy_node()
rclpy.shutdown()
"""


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    return os.environ | {"ROS_LOG_DIR": str(tmp_path / "ros_log")}


@pytest.fixture(params=("raw", "compressed"))
def transport(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def evaluator(tmp_path: Path, environment: dict[str, str], transport: str) -> Iterator[subprocess.Popen[str]]:
    output = tmp_path / "a place" / "live.json"
    parameters = {
        "output": json.dumps(str(output)),
        "window": "10",
        "sample_period": "0.2",
        "write_period": "0.5",
        "silence": "1.0",
        "image_transport": transport,
        "truth_names": '["1=cup", "2=box"]',
    }
    arguments = [word for name, value in parameters.items() for word in ("-p", f"{name}:={value}")]
    command = [sys.executable, "-m", "perception_infer.ros.evaluate_node", "--ros-args", *arguments]
    with (tmp_path / "log").open("w") as log:
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=subprocess.STDOUT, text=True)
    yield process
    if process.poll() is None:
        process.kill()
        process.wait()


def read_when(path: Path, ready: Any, timeout: float = 20.0) -> dict[str, Any]:
    end = time.monotonic() + timeout
    while time.monotonic() < end:
        if path.is_file():
            content = json.loads(path.read_text())
            if ready(content):
                return content
        time.sleep(0.1)
    raise AssertionError(f"not ready within {timeout} s: {path.read_text() if path.is_file() else 'no file'}")


def test_scores_by_stamp_and_version(
    tmp_path: Path, environment: dict[str, str], evaluator: subprocess.Popen[str], transport: str
) -> None:
    output = tmp_path / "a place" / "live.json"
    read_when(output, lambda content: True)
    subprocess.run([sys.executable, "-c", PUBLISHER, "40", transport], env=environment, check=True, timeout=40)
    read_when(output, lambda content: content["frames"]["scored"] == 40)
    image = f"/image{'/compressed' if transport == 'compressed' else ''}"
    # All of them are silent from now on; that others were while the player started is no reason not to say so.
    silent = re.compile(rf"nothing came for 1 s on: /ground_truth \(.*/detections \(.*{image} \(")
    until(lambda: silent.search((tmp_path / "log").read_text()))
    evaluator.send_signal(signal.SIGINT)
    assert evaluator.wait(10) == 0, (tmp_path / "log").read_text()
    result = json.loads(output.read_text())
    assert result["frames"] == dict(
        truth=40, outputs=40, scored=40, without_detections=0, without_truth=0, duplicates=0
    )
    assert [(v["version"], v["frames"]) for v in result["versions"]] == [(1, 20), (2, 20)]
    assert result["versions"][0]["ap50"] == {"cup": 1.0, "box": 0.0}
    assert result["versions"][1]["map"] == pytest.approx(1.0)
    assert [window["frames"] for window in result["windows"]] == [10, 10, 10, 10]
    assert [(swap["from"], swap["to"]) for swap in result["swaps"]] == [(1, 2)]
    assert 20 < result["max_gap_around_swaps_ms"] < 500
    assert 15 < result["latency_ms"]["p50"] < 200
    assert result["response_ms"]["count"] and 15 < result["response_ms"]["p50"] < 200
    # The player is no node that tells what it dropped.
    assert result["drops"]["node"] is None and result["drops"]["detections_lost_in_transport"] == 0
    assert result["diagnostics"]["/infer_node"]["values"] == {"frames_received": "40"}
    assert {sample["version"] for sample in result["samples"]} == {1, 2}
    for sample in result["samples"]:
        assert (Path(result["samples_directory"]) / sample["file"]).read_bytes()[:2] == b"\xff\xd8"
        assert len(sample["truth"]) == 2


@pytest.mark.parametrize(("argument", "said"), [("windows:=3", "did you mean 'window'"), ("window:=0", "at least 1")])
def test_wrong_parameters_are_refused_in_one_line(environment: dict[str, str], argument: str, said: str) -> None:
    command = [sys.executable, "-m", "perception_infer.ros.evaluate_node", "--ros-args", "-p", argument]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=20, check=False)
    assert done.returncode == 2
    assert said in done.stderr and done.stderr.strip().count("\n") == 0


def test_an_output_that_cannot_be_written_is_refused(tmp_path: Path, environment: dict[str, str]) -> None:
    (tmp_path / "file").write_text("")
    command = [
        sys.executable,
        "-m",
        "perception_infer.ros.evaluate_node",
        "--ros-args",
        "-p",
        f"output:={tmp_path}/file/live.json",
    ]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=20, check=False)
    assert done.returncode == 2 and "cannot write" in done.stderr
