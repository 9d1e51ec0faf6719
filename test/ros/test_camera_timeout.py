"""infer_node when no images come: a camera that falls silent, and one that offers less than we ask for."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
from bundles import scene, write_detector

pytest.importorskip("rclpy", reason="ROS 2 is not installed")

from infer_client import RECTANGLES, Client, Start, World
from rclpy.qos import DurabilityPolicy, ReliabilityPolicy
from sensor_msgs.msg import Image

from perception_common.ros import compat, qos

PICTURE = scene((320, 240), RECTANGLES)
WARN, OK = "1", "0"


def silent(values: dict[str, str]) -> bool:
    return "no image on" in values["message"]


def keep_sending(client: Client, wanted: Any) -> dict[str, str]:
    """Send images until /diagnostics are as wanted, and say how they are then."""
    limit = time.monotonic() + 20
    seen = len(client._diagnostics)
    while time.monotonic() < limit:
        client.send(PICTURE)
        time.sleep(0.05)
        for values in client._diagnostics[seen:]:
            if wanted(values):
                return values
    raise AssertionError(client._diagnostics[-1:])


def test_a_camera_that_falls_silent_and_comes_back(world: World, start: Start, tmp_path: Path) -> None:
    client = world.client("/quiet")
    write_detector(tmp_path)
    start("/quiet", model_root=tmp_path, model="rectangles", camera_timeout=1.5)
    client.answer(PICTURE)
    values = keep_sending(client, lambda values: not silent(values) and values["state"] == "active")
    assert values["level"] == OK
    # A busy machine may have made it silent before.
    count = int(values["camera_silences"]) + 1
    ended = time.monotonic()
    values = client.diagnostics(silent)
    assert time.monotonic() - ended > 1
    assert (values["level"], values["camera_silences"]) == (WARN, str(count))
    assert "no image on /quiet/image since " in values["message"]
    assert values["message"].endswith("1 publisher")
    client.node.destroy_publisher(client.image)
    assert client.diagnostics(lambda values: "0 publishers" in values["message"])["camera_silences"] == str(count)
    client.image = client.node.create_publisher(Image, "image", qos.SENSOR)
    client.answer(PICTURE)
    back = time.monotonic()
    values = keep_sending(client, lambda values: not silent(values))
    count = int(values["camera_silences"]) + 1
    assert values["level"] == OK
    assert time.monotonic() - back < 2
    client.diagnostics(lambda values: silent(values) and values["camera_silences"] == str(count))
    assert client.set_parameter("camera_timeout", 0.0) == (True, "")
    assert client.diagnostics(lambda values: not silent(values))["level"] == OK


def test_a_camera_that_offers_less_than_we_ask_for(
    world: World, start: Start, module_processes: Any, tmp_path: Path
) -> None:
    client = world.client("/strict")
    write_detector(tmp_path)
    override = {"qos_overrides./strict/image.subscription.reliability": "reliable"}
    process = start("/strict", model_root=tmp_path, model="rectangles", camera_timeout=0.0, **override)
    values = client.diagnostics(lambda values: values.get("incompatible_publishers") == "1")
    assert values["level"] == WARN
    assert values["message"].endswith("a publisher of /strict/image cannot be matched (reliability)")
    for _ in range(10):
        client.send(PICTURE)
        time.sleep(0.05)
    if compat.HAS_QOS_EVENTS:
        client.diagnostics(lambda values: values["incompatible_qos_events"] == "1")
    time.sleep(1.5)
    log = module_processes.log(process)
    line = (
        "no image can come from a publisher of /strict/image: it offers best effort, and we ask for reliable; set"
        " qos_overrides./strict/image.subscription.reliability to best_effort, or have the camera offer reliable"
    )
    assert log.count("no image can come from") == log.count(line) == 1, "once, and in our words"
    assert client.detections == []
    client.node.destroy_publisher(client.image)
    client.image = client.node.create_publisher(Image, "image", qos.PICTURE)
    client.answer(PICTURE)
    assert client.diagnostics(lambda values: values["incompatible_publishers"] == "0")["level"] == OK


@pytest.mark.parametrize("profile", [qos.SENSOR, qos.PICTURE, qos.LATCHED], ids=["sensor", "reliable", "latched"])
def test_by_default_every_camera_matches(profile: Any) -> None:
    assert compat.mismatch(profile, qos.NEWEST) is None
    assert (qos.NEWEST.reliability, qos.NEWEST.durability) == (ReliabilityPolicy.BEST_EFFORT, DurabilityPolicy.VOLATILE)


def test_what_cannot_match() -> None:
    assert compat.mismatch(qos.SENSOR, qos.PICTURE) == (
        "reliability",
        "it offers best effort, and we ask for reliable",
    )
    assert compat.mismatch(qos.PICTURE, qos.LATCHED) == (
        "durability",
        "it offers volatile, and we ask for transient local",
    )


def test_an_override_of_one_camera_is_not_the_others(world: World, start: Start, tmp_path: Path) -> None:
    client = world.client("/pair")
    write_detector(tmp_path)
    override = {"qos_overrides./pair/front/image.subscription.reliability": "reliable"}
    start("/pair", model_root=tmp_path, model="rectangles", cameras="[front, rear]", camera_timeout=1.0, **override)
    rear = client.node.create_publisher(Image, "rear/image", qos.SENSOR)
    values = client.diagnostics(lambda values: "no image on /pair/front/image" in values["message"])
    assert "/pair/rear/image since" in values["message"]
    assert (values["camera_silences"], values["incompatible_publishers"]) == ("2", "0")
    client.image = rear
    values = keep_sending(client, lambda values: values.get("frames_processed.rear", "0") != "0")
    assert "cannot be matched" not in values["message"]
