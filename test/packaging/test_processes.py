"""The `processes` fixture itself: nothing that it starts outlives a test."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from waiting import until

STUBBORN = """
import signal, subprocess, sys, time
signal.signal(signal.SIGINT, signal.SIG_IGN)
signal.signal(signal.SIGTERM, lambda *_: sys.exit(7))
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
print("child", child.pid, flush=True)
time.sleep(60)
"""


def test_a_process_that_ignores_sigint_and_its_child_are_ended(processes: Any) -> None:
    process = processes.start([sys.executable, "-c", STUBBORN], "stubborn")
    until(lambda: "child" in processes.log(process))
    child = int(processes.log(process).split()[1])
    assert processes.stop(process, patience=0.5) == 7
    for _ in range(40):
        try:
            os.kill(child, 0)
        except ProcessLookupError:
            return
        time.sleep(0.05)
    # Dead, and only waiting to be reaped by whoever inherited it.
    assert Path(f"/proc/{child}/stat").read_text().split()[2] == "Z"


def test_this_session_talks_to_itself_only() -> None:
    assert 1 <= int(os.environ["ROS_DOMAIN_ID"]) <= 101
    if os.environ.get("ROS_DISTRO") != "humble":
        assert os.environ["ROS_AUTOMATIC_DISCOVERY_RANGE"] == "LOCALHOST"


def test_the_transport_setting_is_on() -> None:
    dds = pytest.importorskip("perception_common.ros.dds", reason="ROS 2 is not installed")
    assert dds.in_force()
