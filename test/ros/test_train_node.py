"""train_node over real DDS, in a process of its own, with a real infer_node that joins late."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from lifecycle_msgs.msg import Transition
from std_srvs.srv import Trigger
from train_listener import NAMESPACE, PATIENCE, Listener

from perception_train.signing.signer import generate

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "train"))
from shapes import make_both, small_run


@pytest.fixture
def listener() -> Iterator[Listener]:
    made = Listener()
    yield made
    made.close()


def settings(folder: Path, **changes: Any) -> dict[str, Any]:
    return small_run(folder, folder, **({"steps": 80, "exports": 2} | changes))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return make_both(tmp_path)


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_trains_pauses_announces_and_serves_late_joiners(processes: Any, listener: Listener, folder: Path) -> None:
    generate(str(folder / "trust" / "trainer"))
    told = settings(folder, steps=180, report=False, signing_key=folder / "trust" / "trainer.key")
    node = processes.node("perception_train.ros.train_node", namespace=NAMESPACE, **told, autostart=True)
    listener.until(lambda: listener.losses, "the first loss")

    assert listener.transition(Transition.TRANSITION_DEACTIVATE)
    listener.until(lambda: listener.values.get("state") == "paused", "the pause")
    # The step that was under way may still report.
    end = time.monotonic() + 1.5
    listener.until(lambda: time.monotonic() > end, "a moment")
    heard = len(listener.losses)
    end = time.monotonic() + 2.5
    listener.until(lambda: time.monotonic() > end, "a moment")
    assert len(listener.losses) == heard
    assert not listener.call(Trigger, "train_node/export", Trigger.Request()).success

    assert listener.transition(Transition.TRANSITION_ACTIVATE)
    listener.until(lambda: len(listener.losses) > heard, "training to go on")
    # A model that finds nothing yet is not announced.
    listener.until(lambda: int(listener.values.get("step", 0)) >= 60, "something to export")
    assert listener.call(Trigger, "train_node/export", Trigger.Request()).success
    listener.until(lambda: listener.values.get("state") == "done", "the end of training")
    assert processes.log(node).count("announced shapes") == 3
    assert listener.maps

    listener.join_checkpoint()
    listener.until(lambda: listener.checkpoints, "the latched checkpoint")
    announced = listener.checkpoints[-1]
    assert announced.method == "shapes"
    assert announced.database_version == 3
    assert announced.database_location == (folder / "models" / "shapes" / "3" / "manifest.json").as_uri()

    # It takes what this trainer has signed; it starts with version 1, and hears of version 3 although it joins late.
    processes.node(
        "perception_infer.ros.infer_node", namespace=NAMESPACE, model_root=folder / "models", model="shapes", version=1,
        trust=folder / "trust",
    )  # fmt: skip
    processes.node("perception_sim.ros.camera_node", namespace=NAMESPACE, rate=5.0, width=96, height=64)
    listener.until(lambda: any(m.database_version == 3 for m in listener.served), "version 3 to be served")
    assert processes.stop(node) == 0
    summary = json.loads((folder / "run" / "summary.json").read_text())
    assert summary["versions"] == [1, 2, 3]

    # Started again, the run is finished already; its last version is announced anew for those who join now.
    heard = len(listener.checkpoints)
    processes.node("perception_train.ros.train_node", namespace=NAMESPACE, **told)
    listener.until(lambda: len(listener.checkpoints) > heard, "the announcement of the restarted node")
    assert listener.checkpoints[-1].database_version == 3


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"dataset": "/nowhere"}, "the dataset does not exist [/nowhere]"),
        ({"steps": -1}, "parameter 'steps' cannot be -1"),
        ({"learnin_rate": 0.1}, "unknown parameter 'learnin_rate'"),
        ({"architecture": "yolo_xl"}, "parameter 'architecture' cannot be 'yolo_xl'"),
    ],
)
def test_wrong_use_ends_with_one_line(processes: Any, folder: Path, changes: dict[str, Any], message: str) -> None:
    node = processes.node("perception_train.ros.train_node", **settings(folder, **changes))
    assert node.wait(PATIENCE) == 2
    lines = [line for line in processes.log(node).splitlines() if line.startswith("train_node: ")]
    assert len(lines) == 1
    assert message in lines[0]
    assert "Traceback" not in processes.log(node)


def test_sigint_ends_node_and_training_with_a_checkpoint(processes: Any, listener: Listener, folder: Path) -> None:
    node = processes.node("perception_train.ros.train_node", namespace=NAMESPACE, **settings(folder, steps=100000))
    listener.until(lambda: listener.losses, "the first loss")
    listener.until(lambda: "training_pid" in listener.values, "diagnostics")
    worker = int(listener.values["training_pid"])
    os.kill(worker, 0)
    begin = time.monotonic()
    assert processes.stop(node) == 0
    assert time.monotonic() - begin < 5.0
    with pytest.raises(ProcessLookupError):
        os.kill(worker, 0)
    assert (folder / "run" / "checkpoint.pt").is_file()


@pytest.mark.slow
def test_training_that_dies_is_told_and_goes_on_from_its_checkpoint(
    processes: Any, listener: Listener, folder: Path
) -> None:
    told = settings(folder, steps=120, exports=1, validations=1, checkpoint_seconds=1.0, autostart=True)
    node = processes.node("perception_train.ros.train_node", namespace=NAMESPACE, **told)
    listener.until(lambda: int(listener.values.get("step", 0)) > 5, "some steps")
    os.kill(int(listener.values["training_pid"]), signal.SIGKILL)
    listener.until(lambda: listener.values.get("deaths") == "1", "the death on /diagnostics")
    assert "status -9" in listener.values["last_death"]
    listener.until(lambda: listener.values.get("state") == "done", "the end of training")
    assert listener.values["last_error"] == ""
    log = processes.log(node)
    assert "going on from its last checkpoint" in log
    assert log.count("training from step") == 2
    assert "announced shapes v1" in log
