"""Processes of a training that are killed one by one: the others do not wait for ever, and nothing is lost."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import jobs
import pytest
from matrix import Fault, zero
from shapes import make_both, small_run
from training_runs import TRAINER, unreadable

from perception_train.training import checkpoint

STEPS = 60


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return make_both(tmp_path)


@pytest.mark.long
@pytest.mark.timeout(1200)
@pytest.mark.fault(
    TRAINER,
    "a rank of a run of two processes is killed",
    "SIGKILL to rank 1 of a run by torchrun over gloo, once there is a checkpoint; one restart is allowed",
    "the others end too; the checkpoint opens, both go on from it, and the job reaches its last step",
)
def test_a_killed_rank(fault: Fault, data: Path) -> None:
    def job(folder: Path, restarts: int, kills: bool = True) -> tuple[int, int, str]:
        """Status, steps from the last one that are missing, and what was said."""
        run = folder / "run"
        told = small_run(
            data, folder, steps=STEPS, batch=8, checkpoint_seconds=1.0, validations=1, report=False, tensorboard=False
        )
        started = jobs.started(told, data / "job.yaml", restarts)
        try:
            if kills:
                jobs.kill_a_follower(started, run, STEPS)
        finally:
            said = jobs.ended(started)
        assert unreadable(run) == 0
        state = checkpoint.load(run)
        assert state is not None and state["step"] > 0
        return started.returncode, STEPS - int(state["step"]), said

    status, missing, said = job(data / "restarted", 1)
    assert status == 0 and said.count("training resumed at step") == 1, said
    fault.observe("steps that are missing", missing, zero)
    status, missing, said = job(data / "ended", 0)
    assert status != 0 and "training resumed" not in said, said
    fault.plant("no restart is allowed", missing)
    # What has ended goes on where it was, when somebody starts it again.
    status, missing, said = job(data / "ended", 0, kills=False)
    assert (status, missing) == (0, 0) and said.count("training resumed at step") == 1, said


@pytest.mark.long
@pytest.mark.timeout(600)
@pytest.mark.fault(
    TRAINER,
    "the process that trains for train_node is killed",
    "SIGKILL to the child of the real node, after some steps",
    "told on /diagnostics with its status; started again from its checkpoint, to the end; its version is announced",
)
def test_a_killed_worker(fault: Fault, data: Path, processes: Any) -> None:
    pytest.importorskip("rclpy", reason="ROS 2 is not installed")
    from train_listener import NAMESPACE, Listener

    def unfinished(folder: Path, restarts: int) -> int:
        """1 where training did not come to its end, and announced nothing."""
        listener = Listener()
        told = small_run(
            data, folder, steps=120, validations=1, checkpoint_seconds=1.0, report=False, tensorboard=False,
            restarts=restarts, autostart=True,
        )  # fmt: skip
        node = processes.node("perception_train.ros.train_node", namespace=NAMESPACE, **told)
        try:
            listener.until(lambda: int(listener.values.get("step", 0)) > 5, "some steps")
            listener.until((folder / "run" / checkpoint.LAST).exists, "a checkpoint")
            os.kill(int(listener.values["training_pid"]), signal.SIGKILL)
            listener.until(lambda: listener.values.get("state") in ("done", "failed"), "the end of training")
            assert "status -9" in listener.values["last_death" if restarts else "last_error"]
            assert node.poll() is None and unreadable(folder / "run") == 0
            finished = listener.values["state"] == "done"
            assert ("announced shapes v1" in processes.log(node)) == finished
            return int(not finished)
        finally:
            listener.close()
            processes.stop(node)

    fault.observe("trainings that do not come to their end", unfinished(data / "restarted", 3), zero)
    fault.plant("restarts 0", unfinished(data / "failed", 0))
