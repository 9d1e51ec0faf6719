"""Jobs of several processes that train one model, started by the real torchrun, and one of them killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import psutil
import yaml

from perception_train.training import checkpoint

_PATIENCE = 170.0


def started(told: Mapping[str, Any], config: Path, restarts: int, *flags: str) -> subprocess.Popen[str]:
    """Two processes that train as the parameters say, which are written into a file."""
    plain = {name: list(value) if isinstance(value, tuple) else value for name, value in told.items()}
    config.write_text(yaml.safe_dump(plain))
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    command += [f"--max-restarts={restarts}", "-m", "perception_train", "run", f"--config={config}", "--device=cpu"]
    return subprocess.Popen([*command, *flags], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def kill_a_follower(job: subprocess.Popen[str], run: Path, last: int) -> int:
    """Kill the process of rank 1 once there is a checkpoint between the first and the last step; its step."""
    deadline = time.monotonic() + _PATIENCE
    while time.monotonic() < deadline and job.poll() is None:
        state = checkpoint.load(run) if (run / checkpoint.LAST).exists() else None
        if state is not None and 0 < state["step"] < last:
            ranks = {child.pid: child.environ().get("RANK") for child in psutil.Process(job.pid).children()}
            os.kill(next(pid for pid, rank in ranks.items() if rank == "1"), signal.SIGKILL)
            return int(state["step"])
        time.sleep(0.05)
    raise AssertionError("the job made no checkpoint between its first and its last step")


def ended(job: subprocess.Popen[str]) -> str:
    """Wait for the end of a job, and leave nothing of it; what it said."""
    try:
        said, _ = job.communicate(timeout=_PATIENCE)
    finally:
        for process in (*psutil.Process(job.pid).children(recursive=True), job) if job.poll() is None else ():
            process.kill()
    return said
