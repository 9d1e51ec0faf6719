"""A camera that is faster than the model: two frames are answered at once, each with what is in it, in their order."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from bundles import scene, write_detector
from waiting import PATIENCE

pytest.importorskip("rclpy", reason="ROS 2 is not installed")

from infer_client import Start, World

NAMES = ("red", "blue")
PICTURES = [scene((320, 240), {name: (40, 40, 100, 80)}) for name in NAMES]
RATE_HZ, SLOW = 60.0, 40


def test_two_frames_at_once(world: World, start: Start, tmp_path: Path) -> None:
    write_detector(tmp_path, work=SLOW)
    client = world.client("/side_by_side")
    start("/side_by_side", model_root=tmp_path, model="rectangles", backend="onnxruntime", threads=2)
    client.answer(PICTURES[0])
    assert client.diagnostics()["frames_at_once"] == "1"
    limit = time.monotonic() + PATIENCE
    while client._diagnostics[-1]["frames_at_once"] == "1":
        assert time.monotonic() < limit, client._diagnostics[-1]
        client.flood(PICTURES, RATE_HZ, 0.5)
    begin, sent = len(client.detections), client.flood(PICTURES, RATE_HZ, 3.0)
    # The last of them have still to come.
    time.sleep(1.0)
    answers = [received for received in client.detections[begin:] if received.stamp in sent]
    assert len(answers) > 3
    for received in answers:
        found = [each.results[0].hypothesis.class_id for each in received.message.detections]
        assert found == [NAMES[sent[received.stamp]]]
    stamps = [received.stamp for received in answers]
    assert stamps == sorted(set(stamps))
    values = client.diagnostics()
    assert (values["frames_failed"], values["frames_invalid"], values["level"]) == ("0", "0", "0")
