"""How infer_node starts, pauses and ends: late, managed, told to stop, with wrong parameters."""

from __future__ import annotations

import signal
import time
from pathlib import Path
from typing import Any

import cv2
import pytest
from bundles import scene, write_detector

pytest.importorskip("rclpy", reason="ROS 2 is not installed")

from infer_client import NODE, RECTANGLES, Start, World, boxes, ends_within_two_seconds
from lifecycle_msgs.msg import Transition
from sensor_msgs.msg import CompressedImage


def test_a_late_node_gets_the_latched_checkpoint_and_ends_at_once(world: World, start: Start, tmp_path: Path) -> None:
    client = world.client("/late")
    announced = write_detector(tmp_path / "incoming")
    client.announce(announced)
    process = start(
        "/late", model_root=tmp_path, model="rectangles", class_id_format="index", image_transport="compressed"
    )
    encoded = cv2.imencode(".png", cv2.cvtColor(scene((640, 480), RECTANGLES), cv2.COLOR_RGB2BGR))[1]

    def send() -> tuple[int, int]:
        message = CompressedImage(header=client.header(), format="png", data=encoded.tobytes())
        client.compressed.publish(message)
        return message.header.stamp.sec, message.header.stamp.nanosec

    answer = client.answer_to(send)
    assert [d.results[0].hypothesis.class_id for d in answer.detections] == ["0", "2"]
    assert boxes(answer) == [list(box) for box in RECTANGLES.values()]
    client.compressed.publish(CompressedImage(header=client.header(), format="png", data=b"not a picture"))
    values = client.diagnostics(lambda v: v["frames_invalid"] == "1")
    assert (values["loads"], values["swaps"], values["serving_version"]) == ("1", "0", "1")
    assert len(client.answer_to(send).detections) == 2
    assert ends_within_two_seconds(process, signal.SIGINT) == 0


def test_a_managed_node_pauses_without_losing_its_model(world: World, start: Start, tmp_path: Path) -> None:
    client = world.client("/managed")
    process = start("/managed", model_root=tmp_path, model="rectangles", autostart="false", on_class_change="accept")
    assert client.diagnostics()["message"] == "unconfigured"
    assert client.transition(Transition.TRANSITION_CONFIGURE)
    assert client.transition(Transition.TRANSITION_ACTIVATE)
    assert client.diagnostics(lambda v: v["state"] == "active")["message"] == "waiting for model 'rectangles'"
    client.announce(write_detector(tmp_path))
    picture = scene((320, 240), RECTANGLES)
    client.answer(picture)
    assert client.transition(Transition.TRANSITION_DEACTIVATE)
    answered = len(client.detections)
    for _ in range(5):
        client.send(picture)
        time.sleep(0.05)
    assert len(client.detections) == answered, "an inactive node answers nothing"
    assert client.diagnostics(lambda v: v["state"] == "inactive")["serving_version"] == "1"
    client.announce(write_detector(tmp_path, classes=("a", "b", "c")))
    client.diagnostics(lambda v: v["loads"] == "2")
    assert client.transition(Transition.TRANSITION_ACTIVATE)
    assert client.answer(picture).detections[0].results[0].hypothesis.class_id == "a"
    assert client.transition(Transition.TRANSITION_DEACTIVATE)
    assert client.transition(Transition.TRANSITION_CLEANUP)
    assert client.set_parameter("class_id_format", "index") == (True, "")
    assert client.diagnostics(lambda v: v["state"] == "unconfigured")["serving_version"] == "0"
    assert client.transition(Transition.TRANSITION_CONFIGURE)
    assert client.transition(Transition.TRANSITION_ACTIVATE)
    assert client.answer(picture).detections[0].results[0].hypothesis.class_id == "0"
    assert ends_within_two_seconds(process, signal.SIGTERM) == 0


@pytest.mark.parametrize(
    ("parameters", "told"),
    [
        (
            {"model": "rectangles", "modell_root": "x"},
            "unknown parameter 'modell_root' [node infer_node]: did you mean 'model_root'?",
        ),
        ({"model": "rectangles"}, "parameter 'model_root' is not set"),
        (
            {"model_root": "/nonexistent", "model": "rectangles", "version": 7, "require_signature": False},
            "there is no model 'rectangles'",
        ),
        ({"model_root": "/nonexistent", "model": "rectangles", "threads": -1}, "parameter 'threads' cannot be -1"),
    ],
)
def test_wrong_parameters_end_the_node_in_one_line(processes: Any, parameters: dict[str, object], told: str) -> None:
    process = processes.node(NODE, **parameters)
    assert process.wait(20) == 2
    lines = processes.log(process).splitlines()
    assert len(lines) == 1
    assert told in lines[0]
