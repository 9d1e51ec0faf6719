"""infer_node with a model that really hangs: it goes on, gives up by the lifecycle's error path, and ends at once."""

from __future__ import annotations

import contextlib
import fcntl
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
from bundles import scene, write_detector
from waiting import until

pytest.importorskip("rclpy", reason="ROS 2 is not installed")

from infer_client import NODE, RECTANGLES, Client, Start, World, ends_within_two_seconds
from lifecycle_msgs.msg import Transition

PICTURE = scene((320, 256), RECTANGLES)
WHITE = np.full((256, 320, 3), 255, np.uint8)
ERROR = "2"
WITHOUT_GPU = """
from perception_infer.backends import select
select.require_gpu = lambda: None
"""


def score(client: Client) -> float:
    return round(client.answer(PICTURE).detections[0].results[0].hypothesis.score, 3)


def hang(client: Client, process: subprocess.Popen[bytes]) -> None:
    """Send the image that the model does not end with, until it has arrived."""
    cpu = psutil.Process(process.pid)
    limit = time.monotonic() + 20
    while time.monotonic() < limit:
        client.send(WHITE)
        before = cpu.cpu_times().user
        time.sleep(0.5)
        if cpu.cpu_times().user - before > 0.1 and cpu.cpu_times().user - before < 5:
            received = client.diagnostics()["frames_received"]
            if int(received) > 0:
                return
    raise AssertionError("it does not hang")


def test_the_model_before_goes_on(world: World, start: Start, module_processes: Any, tmp_path: Path) -> None:
    client = world.client("/back")
    write_detector(tmp_path, score=0.9)
    process = start("/back", model_root=tmp_path, model="rectangles", backend="onnxruntime", hang_seconds=1.0)
    assert score(client) == 0.9
    client.announce(write_detector(tmp_path, score=0.7, hangs="on white"))
    until(lambda: score(client) == 0.7)
    sent = client.send(WHITE)
    values = client.diagnostics(lambda values: values["worker_replacements"] == "1")
    assert (values["hung_frames"], values["rolled_back"], values["serving_version"]) == ("1", "1", "1")
    assert values["frames_failed"] == "1"
    assert score(client) == 0.9
    assert client.statuses[-1].message.database_version == 1
    assert sent not in [received.stamp for received in client.detections]
    log = module_processes.log(process)
    assert log.count("[ERROR]") == 1
    assert "rectangles v2 on onnxruntime refused: a frame has kept it for 1 s; rectangles v1 serves" in log
    assert ends_within_two_seconds(process, signal.SIGTERM) == 0, "with the thread that is left behind"


def test_a_model_that_hangs_twice_makes_the_node_unconfigured(
    world: World, start: Start, module_processes: Any, tmp_path: Path
) -> None:
    client = world.client("/twice")
    write_detector(tmp_path, hangs="on white")
    process = start("/twice", model_root=tmp_path, model="rectangles", backend="onnxruntime", hang_seconds=1.0)
    assert score(client) == 0.9
    client.send(WHITE)
    values = client.diagnostics(lambda values: values["worker_replacements"] == "1" and values["loads"] == "2")
    assert (values["serving_version"], values["refused"]) == ("1", "0")
    assert score(client) == 0.9, "the same model, loaded anew"
    assert len(client.statuses) == 2, "that is told"
    client.send(WHITE)
    values = client.diagnostics(lambda values: values["state"] == "unconfigured")
    assert (values["level"], values["hung_frames"], values["worker_replacements"]) == (ERROR, "2", "2")
    assert values["message"].startswith("rectangles v1 on onnxruntime hangs as what was there before it did")
    assert process.poll() is None
    log = module_processes.log(process)
    assert log.count("[ERROR]") == 2
    assert client.transition(Transition.TRANSITION_CONFIGURE)
    assert client.transition(Transition.TRANSITION_ACTIVATE)
    assert score(client) == 0.9
    values = client.diagnostics(lambda values: values["state"] == "active")
    assert values["message"].startswith("serving rectangles v1")
    assert ends_within_two_seconds(process, signal.SIGINT) == 0


def test_it_ends_at_once_while_a_model_hangs(world: World, start: Start, tmp_path: Path) -> None:
    client = world.client("/stuck")
    write_detector(tmp_path, hangs="on white")
    process = start("/stuck", model_root=tmp_path, model="rectangles", backend="onnxruntime")
    assert score(client) == 0.9
    hang(client, process)
    assert client.diagnostics()["worker_replacements"] == "0"
    # A manager may also have it pause and free the model, and begin anew.
    assert client.transition(Transition.TRANSITION_DEACTIVATE)
    assert client.transition(Transition.TRANSITION_CLEANUP)
    assert client.transition(Transition.TRANSITION_CONFIGURE)
    assert client.transition(Transition.TRANSITION_ACTIVATE)
    assert score(client) == 0.9
    hang(client, process)
    assert ends_within_two_seconds(process, signal.SIGTERM) == 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_ends_at_once_while_a_model_is_loaded(start: Start, tmp_path: Path, number: signal.Signals) -> None:
    write_detector(tmp_path, hangs="always")
    process = start(f"/loading{number}", model_root=tmp_path, model="rectangles", backend="onnxruntime")
    maps = Path(f"/proc/{process.pid}/maps")
    until(lambda: "onnxruntime" in maps.read_text())
    time.sleep(1.0)
    assert ends_within_two_seconds(process, number) == 0


def test_it_ends_at_once_while_an_engine_is_built(module_processes: Any, tmp_path: Path) -> None:
    pytest.importorskip("tensorrt_rtx", reason="tensorrt-rtx is not installed")
    write_detector(tmp_path / "models", meant_for=("onnxruntime", "tensorrt"))
    cache = tmp_path / "cache"
    given = {"model_root": tmp_path / "models", "model": "rectangles", "backend": "tensorrt_rtx"}
    given |= {"engine_cache": cache, "require_signature": False}
    process = module_processes.node(NODE, before=WITHOUT_GPU, namespace="/building", **given)
    builders: list[psutil.Process] = []
    until(lambda: bool(builders.extend(psutil.Process(process.pid).children()) or builders))
    for builder in builders:
        # Nothing says that it takes longer than this test.
        builder.suspend()
    assert ends_within_two_seconds(process, signal.SIGINT) == 0
    _, alive = psutil.wait_procs(builders, timeout=5)
    assert not alive, "no orphans"
    assert list(cache.glob("*.engine")) == []
    locks = list(cache.glob("*.lock"))
    assert locks
    for path in locks:
        with path.open("rb") as file, contextlib.closing(file):
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
