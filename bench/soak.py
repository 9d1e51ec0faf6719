"""An hour of a robot's day: a 30 Hz camera, a swap a minute, and a training run beside it.

``python -m bench.soak --bundle MODEL_REPO/NAME/VERSION`` (``make soak``)

Every minute the node's resident memory, open files and threads are noted, and the age of what it published. What
counts is how these grow: the slope of each over all minutes but the first, and the age in the first and the last
sixth. The training run is niced and lasts as long as all of it. The table is written as it grows, so that a run that is
interrupted has told what it saw.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from perception_common import durable
from perception_infer.models import open_bundle

from .swaps import Swaps

_NICE = 19
_SHARED = Path("/dev/shm")  # where Fast DDS keeps its segments; only counted here


def main() -> int:
    """Run, note every minute, and tell how it developed."""
    parser = argparse.ArgumentParser(prog="python -m bench.soak", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--bundle", type=Path, required=True, help="MODEL_REPO/NAME/VERSION")
    parser.add_argument("--rate", type=float, default=30.0, help="of the camera, in Hz")
    parser.add_argument("--minutes", type=int, default=60)
    parser.add_argument("--training", action=argparse.BooleanOptionalAction, default=True, help="train beside it")
    parser.add_argument("--json", type=Path)
    wish = parser.parse_args()
    minutes: list[dict[str, Any]] = []
    with ExitStack() as stack:
        if wish.training:
            stack.enter_context(_training())
        swaps = Swaps(open_bundle(wish.bundle), wish.rate, wish.minutes * 60 + 60, stack)
        for minute in range(1, wish.minutes + 1):
            begin, ends = len(swaps.watch.arrived), time.monotonic() + 60
            swaps.swap()
            # Only the versions that may come back are needed; sixty bundles would fill a small disk.
            shutil.rmtree(swaps.root / swaps.bundle.manifest.name / str(swaps.version - 3), ignore_errors=True)
            while time.monotonic() < ends:
                swaps.node.check()
                time.sleep(0.2)
            minutes.append({"minute": minute, **swaps.phase(begin), **_resources(swaps.node.process.pid)})
            print(json.dumps(minutes[-1]), flush=True)
            if wish.json:
                durable.write_text(wish.json, json.dumps(_told(minutes, swaps.watch.values), indent=1) + "\n")
    print(json.dumps(_told(minutes, swaps.watch.values)["developed"], indent=1))
    return 0


def _resources(pid: int) -> dict[str, int]:
    process = psutil.Process(pid)
    return {
        "files": process.num_fds(),
        "threads": process.num_threads(),
        "children": len(process.children(recursive=True)),
        "shared_segments": len(list(_SHARED.iterdir())),
    }


def _told(minutes: list[dict[str, Any]], counters: dict[str, str]) -> dict[str, Any]:
    # The first minute loads libraries.
    later = minutes[1:] or minutes
    sixth = max(1, len(later) // 6)

    def slope(name: str) -> float:
        values = [row[name] for row in later]
        return round(float(np.polyfit(range(len(values)), values, 1)[0]) * 60, 3) if len(values) > 2 else 0.0

    developed: dict[str, Any] = {f"{name}_per_hour": slope(name) for name in ("memory_mb", "files", "threads")}
    for name, rows in (("first", later[:sixth]), ("last", later[-sixth:])):
        developed[f"age_ms_p99_{name}"] = round(float(np.mean([row["age_ms_p99"] for row in rows])), 1)
    developed["longest_gap_periods"] = max(row["longest_gap_periods"] for row in minutes)
    wanted = ("frames_received", "frames_processed", "frames_unprocessed", "frames_lost_in_transport",
              "frames_lost_in_swaps", "frames_failed", "swaps", "refused", "rolled_back")  # fmt: skip
    return {
        "minutes": minutes,
        "developed": developed,
        "counters": {name: counters.get(name) for name in wanted},
    }


@contextmanager
def _training() -> Iterator[None]:
    """Training runs, one after the other, on pictures of noise."""
    from .noise import noise_dataset

    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "data").mkdir()
        data = str(noise_dataset(Path(folder) / "data", 8).root)
        words = ["--dataset", data, "--validation", data, "--run-directory", f"{folder}/run"]
        words += ["--model-root", f"{folder}/models", "--width", "256", "--height", "192", "--minutes", "0"]
        words += ["--steps", "1000000", "--exports", "1", "--validations", "1", "--threads", "1", "--no-report"]
        log = Path(folder) / "training.log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                [sys.executable, "-m", "perception_train", "run", *words],
                stdout=output,
                stderr=subprocess.STDOUT,
                preexec_fn=lambda: os.nice(_NICE),  # noqa: PLW1509  # before any thread of ours
            )
            try:
                yield
                if process.poll() is not None:
                    print(f"the training run ended early: {log.read_text(errors='replace')[-500:]}", file=sys.stderr)
            finally:
                process.terminate()
                process.wait()


if __name__ == "__main__":
    raise SystemExit(main())
