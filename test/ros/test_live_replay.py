"""A recording played to infer_node and evaluate_node, each in a process of its own, as replay.launch.py does it."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("rclpy")
pytest.importorskip("vision_msgs")

from bundles import scene, write_detector
from recorded import CAMERA, PERIOD, START, TRUTH, Film, image, write_bag

from perception_infer.recordings.types import IMAGE

FRAMES, UNREADABLE, RATE = 20, 3, 2.0
#: How long the camera took from a picture to its message.
DELAY = 40_000_000
PATIENCE = 60.0


def recorded(path: Path) -> Path:
    """Frames with their truth, and at last images in an encoding that nobody knows, which no newer frame replaces."""
    boxes = [{"red": (20 + index, 20, 80 + index, 60), "blue": (100, 30, 140, 90)} for index in range(FRAMES)]
    film = Film(
        [scene((160, 120), rectangles) for rectangles in boxes],
        [START + index * PERIOD - DELAY for index in range(FRAMES)],
        boxes,
    )
    for index in range(FRAMES, FRAMES + UNREADABLE):
        unreadable = image(np.zeros((4, 4, 3), np.uint8), START + index * PERIOD - DELAY)
        unreadable.encoding = "spectral"
        film.extra.append((CAMERA, IMAGE, START + index * PERIOD, unreadable))
    return write_bag(path, film)


def settled(content: dict[str, Any]) -> bool:
    """Whether every image that came has met its end, and all that was found has arrived or is known to be lost."""
    drops = content["drops"]
    if not content["frames"]["scored"] or not drops["processed"] or not drops["dropped_by_node"]["invalid"]:
        return False
    ended = drops["processed"] + sum(drops["dropped_by_node"].values())
    arrived = content["frames"]["outputs"] + (drops["detections_lost_in_transport"] or 0)
    return bool(drops["received"] == ended and drops["processed"] == arrived)


def test_drops_and_ages_of_a_played_recording(processes: Any, tmp_path: Path) -> None:
    write_detector(tmp_path / "models")
    bag, output = recorded(tmp_path / "bag"), tmp_path / "live.json"
    processes.node(
        "perception_infer.ros.evaluate_node",
        renamed={"ground_truth": TRUTH},
        use_sim_time=True,
        output=json.dumps(str(output)),
        # Without pictures nobody but infer_node takes the images: the player waits until its model is loaded.
        samples=0,
        write_period=0.5,
    )
    infer = processes.node(
        "perception_infer.ros.infer_node",
        renamed={"image": CAMERA},
        use_sim_time=True,
        model_root=json.dumps(str(tmp_path / "models")),
        model="rectangles",
        require_signature=False,
        backend="onnxruntime",
        threads=1,
        # What comes before the evaluator is known is left out and counted, and nothing is lost on the way to it.
        only_when_watched=True,
    )
    player = processes.start([sys.executable, Path(__file__).with_name("bag_player.py"), bag, RATE])
    assert player.wait(PATIENCE) == 0
    assert infer.poll() is None
    content: dict[str, Any] = {}
    limit = time.monotonic() + PATIENCE
    # The player's time stands still now; reports and results go on.
    while not (content and settled(content)):
        assert time.monotonic() < limit, (content.get("drops"), content.get("frames"))
        time.sleep(0.1)
        content = json.loads(output.read_text()) if output.exists() else {}
    drops, frames, ages = content["drops"], content["frames"], content["latency_ms"]
    assert drops["node"] == "/infer_node"
    assert 1 <= drops["dropped_by_node"]["invalid"] <= UNREADABLE
    # What is lost before the first image that comes is known to nobody.
    assert drops["received"] + drops["images_lost_in_transport"] <= FRAMES + UNREADABLE
    assert frames["truth"] <= FRAMES
    assert frames["outputs"] + frames["without_detections"] <= FRAMES
    assert frames["duplicates"] == 0
    # By the recording's clock; by this machine's they would be years.
    assert 1 <= ages["count"] <= frames["outputs"]
    assert -1e4 < ages["p50"] <= ages["p99"] <= ages["max"] < PATIENCE * RATE * 1e3
    assert content["recent_map50"] == pytest.approx(1.0)
