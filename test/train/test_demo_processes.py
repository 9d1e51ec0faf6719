"""The demo's processes: none survives it, and a death is told."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from perception_common.launching.actions import parameter_words
from perception_train.demo import guard, processes
from perception_train.demo.processes import ProcessDied, Processes

# A child that ignores SIGINT and SIGTERM and has a child of its own in another session.
STUBBORN = """
import signal, subprocess, sys, time
for number in (signal.SIGINT, signal.SIGTERM):
    signal.signal(number, signal.SIG_IGN)
subprocess.Popen([sys.executable, "-S", "-c", "import time; time.sleep(600)"], start_new_session=True)
print("ready", flush=True)
time.sleep(600)
"""
# What the demo does: a group of children, a loop, and signals that end it.
ORCHESTRATOR = """
import os, signal, sys, time
from pathlib import Path
from perception_train.demo import __main__ as demo
from perception_train.demo.processes import Processes
signal.signal(signal.SIGTERM, demo._interrupt)
try:
    with Processes(Path(sys.argv[1]), dict(os.environ), patience=0.3) as group:
        for index in range(3):
            group.start(f"child{index}", ["stubborn"])
        print(group._tag, flush=True)
        while True:
            group.check()
            time.sleep(0.05)
except KeyboardInterrupt:
    sys.exit(130)
"""


@pytest.fixture
def modules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory on PYTHONPATH with the modules that children run."""
    root = str(Path(processes.__file__).resolve().parents[2])
    (tmp_path / "stubborn.py").write_text(STUBBORN)
    (tmp_path / "broken.py").write_text("print('starting')\nprint('the camera is on fire')\nraise SystemExit(3)\n")
    (tmp_path / "brief.py").write_text("print('done')\n")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), root, os.environ.get("PYTHONPATH", "")]))
    return tmp_path


def wait_for(condition: Any, timeout: float = 10.0) -> bool:
    end = time.monotonic() + timeout
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.05)
    return False


def start_orchestrator(modules: Path) -> tuple[subprocess.Popen[str], str]:
    process = subprocess.Popen(
        [sys.executable, "-c", ORCHESTRATOR, str(modules / "logs")],
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert process.stdout is not None
    tag = process.stdout.readline().strip()
    # Three children and three of their children.
    assert wait_for(lambda: len(guard.tagged(tag)) == 6), [p.read_text() for p in (modules / "logs").iterdir()]
    return process, tag


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_no_process_survives_the_end_of_the_demo(modules: Path, number: signal.Signals) -> None:
    process, tag = start_orchestrator(modules)
    process.send_signal(number)
    status = process.wait(timeout=10)
    assert status == (-number if number == signal.SIGKILL else 130)
    assert wait_for(lambda: not guard.tagged(tag), 5.0 if number == signal.SIGKILL else 0.1)


def test_a_second_ctrl_c_while_stopping_leaves_nothing_either(modules: Path) -> None:
    process, tag = start_orchestrator(modules)
    process.send_signal(signal.SIGINT)
    time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    process.wait(timeout=10)
    assert wait_for(lambda: not guard.tagged(tag), 5.0)


def test_a_death_is_told_with_the_end_of_its_log(modules: Path) -> None:
    with Processes(modules / "logs", dict(os.environ)) as group:
        child = group.start("camera", ["broken"])
        assert wait_for(lambda: not child.running)
        with pytest.raises(ProcessDied, match=r"camera ended with exit status 3 \[.*camera.log\]") as told:
            group.check(finished=["camera"])
        assert told.value.tail == ["starting", "the camera is on fire"]
        group.check(waited=["camera"])


def test_a_kill_is_told_by_its_signal(modules: Path) -> None:
    with Processes(modules / "logs", dict(os.environ), patience=0.2) as group:
        child = group.start("infer", ["stubborn"])
        child.process.kill()
        assert wait_for(lambda: not child.running)
        with pytest.raises(ProcessDied, match="infer was killed by SIGKILL"):
            group.check()


def test_who_may_finish_may(modules: Path) -> None:
    with Processes(modules / "logs", dict(os.environ)) as group:
        child = group.start("train", ["brief"], nice=10)
        assert wait_for(lambda: not child.running)
        group.check(finished=["train"])
        with pytest.raises(ProcessDied):
            group.check()


def test_children_are_niced_and_share_the_session(modules: Path) -> None:
    with Processes(modules / "logs", dict(os.environ), patience=0.1) as group:
        child = group.start("train", ["stubborn"], nice=7)
        assert os.getpriority(os.PRIO_PROCESS, child.process.pid) == os.getpriority(os.PRIO_PROCESS, 0) + 7
        assert os.getpgid(child.process.pid) == child.process.pid
        # A session of its own would be a scheduling group of its own, in which nice means nothing to the others.
        assert os.getsid(child.process.pid) == os.getsid(0)


def test_a_domain_in_use_is_not_chosen() -> None:
    import socket

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        first = processes.free_domain()
        taken.bind(("", 7400 + 250 * first))
        assert processes.free_domain() != first


def test_ros_arguments_keep_their_types() -> None:
    arguments = parameter_words(dict(text="123", path="/a b/c: d", rate=8.0, flag=False, none=[]))
    assert set(arguments[::2]) == {"-p"}
    assert arguments[1::2] == ['text:="123"', 'path:="/a b/c: d"', "rate:=8.0", "flag:=false"]
