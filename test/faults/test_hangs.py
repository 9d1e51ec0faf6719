"""A model that hangs while two of its frames are answered side by side."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from bundles import scene, write_detector
from matrix import Fault
from waiting import PATIENCE

pytest.importorskip("rclpy", reason="ROS 2 is not installed")

from infer_client import NODE, RECTANGLES, World

_PICTURE = scene((320, 240), RECTANGLES)
_WHITE = np.full((240, 320, 3), 255, np.uint8)
_RATE_HZ, _SLOW, _HANG_SECONDS, _LIMIT = 60.0, 40, 4.0, 20.0


@pytest.mark.long
@pytest.mark.fault(
    "Swaps",
    "a model hangs while two frames are answered side by side",
    f"a graph that computes for weeks where the picture is white, a camera of {_RATE_HZ:.0f} Hz, hang_seconds"
    f" {_HANG_SECONDS:g}",
    f"loaded anew, and frames are answered again within {_LIMIT:g} s",
)
def test_a_hang_side_by_side(fault: Fault, world: World, processes: Any, tmp_path: Path) -> None:
    write_detector(tmp_path, work=_SLOW, hangs="on white")

    def seconds(name: str, hang_seconds: float) -> float:
        client = world.client(f"/{name}")
        told = {"model_root": tmp_path, "model": "rectangles", "require_signature": False, "threads": 2}
        process = processes.node(NODE, namespace=f"/{name}", backend="onnxruntime", hang_seconds=hang_seconds, **told)
        client.answer(_PICTURE)
        limit = time.monotonic() + PATIENCE
        while client.diagnostics()["frames_at_once"] != "2":
            assert time.monotonic() < limit, client.diagnostics()
            client.flood([_PICTURE], _RATE_HZ, 1.0)
        began = time.monotonic()
        # Nothing newer is to take its place while it waits.
        time.sleep(1.0)
        client.send(_WHITE)
        time.sleep(0.3)
        client.flood([_PICTURE], _RATE_HZ, 1.0)
        while time.monotonic() - began < _LIMIT:
            sent = client.send(_PICTURE)
            time.sleep(0.2)
            if any(received.stamp == sent for received in client.detections):
                break
        took = time.monotonic() - began
        processes.stop(process)
        return took

    fault.observe("s until a frame is answered again", seconds("watched", _HANG_SECONDS), lambda took: took < _LIMIT)
    fault.plant("hang_seconds 0", seconds("unwatched", 0.0))
