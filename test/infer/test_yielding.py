"""A model that is loaded beside another one leaves the processor to it, and serves with the usual priority itself."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from bundles import write_detector

from perception_common.processes import search_path, yield_to_others

_LOAD = """
import json, os, sys, threading, time
from pathlib import Path
import numpy as np
from perception_infer.backends.select import Wish
from perception_infer.loading import load_proven
from perception_infer.models import open_bundle

def niceness():
    return {task: int(Path(f"/proc/self/task/{task}/stat").read_text().rpartition(")")[2].split()[16])
            for task in os.listdir("/proc/self/task")}

bundle, told = open_bundle(Path(sys.argv[1])), {}
held = []

def load(beside):
    held.append(load_proven(bundle, Wish("onnxruntime", threads=3, beside=beside)).predictor)
    told[f"loader, beside={beside}"] = niceness()[str(threading.get_native_id())]

for beside in (False, True, True):
    thread = threading.Thread(target=load, args=(beside,))
    thread.start()
    thread.join()
time.sleep(0.3)  # Python's join does not wait for the system's end of a thread
told["rest"] = sorted(set(niceness().values()))
told["threads"] = len(niceness())
told["found"] = [len(one.predict(np.zeros((480, 640, 3), np.uint8))) for one in held]
print(json.dumps(told))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="threads have a priority of their own on Linux only")
def test_only_the_thread_that_loads_yields(tmp_path: Path) -> None:
    bundle = write_detector(tmp_path / "models")
    words = [sys.executable, "-c", _LOAD, str(bundle)]
    # ONNX Runtime's threads are shared from now on, in that process only.
    done = subprocess.run(words, capture_output=True, text=True, env={"PYTHONPATH": search_path()}, check=False)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    usual = told["loader, beside=False"]
    assert told["loader, beside=True"] > usual
    assert told["rest"] == [usual]
    assert told["found"] == [0, 0, 0]
    assert "ignored" not in done.stderr
    # Three sessions, and threads for one of them (NumPy has its own).
    alone = subprocess.run(
        [sys.executable, "-c", _LOAD.replace("(False, True, True)", "(False,)"), str(bundle)],
        capture_output=True, text=True, env={"PYTHONPATH": search_path()}, check=True,
    )  # fmt: skip
    assert json.loads(alone.stdout)["threads"] == told["threads"]


@pytest.mark.skipif(sys.platform != "linux", reason="threads have a priority of their own on Linux only")
def test_other_threads_are_as_they_were() -> None:
    def niceness() -> int:
        path = Path(f"/proc/self/task/{threading.get_native_id()}/stat")
        return int(path.read_text().rpartition(")")[2].split()[16])

    before, told = niceness(), []

    def yielding() -> None:
        yield_to_others()
        told.append(niceness())

    thread = threading.Thread(target=yielding)
    thread.start()
    thread.join()
    assert told[0] > before
    assert niceness() == before
