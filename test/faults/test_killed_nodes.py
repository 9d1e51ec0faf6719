"""Nodes that are killed again and again leave nothing in shared memory that grows."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from matrix import Fault
from own_mounts import UNSHARE, require_own_mounts

pytest.importorskip("rclpy", reason="ROS 2 is not installed")

TIME = "Time and transport"
#: MiB that the ports of the nodes that were killed may take until somebody has the same ones again.
MOST = 1.0

#: A /dev/shm of its own, in which nobody else begins or ends. A first node tells how much one takes; then nodes are
#: killed, and one more is started. The weakness: nodes that leave what they find.
KILLS = """
import json, os, re, signal, subprocess, sys, time
from pathlib import Path
rounds, together, tidy, root = json.loads(sys.argv[1])
SHM = Path("/dev/shm")
subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8g", "none", str(SHM)], check=True)
program = "from perception_common.ros import leftovers\\n"
program += "" if tidy else "leftovers.remove = lambda *_: 0\\n"
program += "from perception_infer.ros.infer_node import main\\nraise SystemExit(main())\\n"
told = ["-p", f"model_root:={root}", "-p", "model:=rectangles", "-p", "require_signature:=false"]

def begin():
    words = [sys.executable, "-c", program, "--ros-args", "-r", "__ns:=/killed", *told]
    return subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

def ready(node):
    for line in node.stdout:
        if "waiting for the first announcement" in line:
            return
    sys.exit("a node ended")

def taken():
    names = [path.name for path in SHM.iterdir()]
    whole = os.statvfs(SHM)
    segments = sum(re.fullmatch("fast(dds|rtps)_[0-9a-f]{16}", name) is not None for name in names)
    return (whole.f_blocks - whole.f_bfree) * whole.f_frsize, segments, len(names)

def kill(nodes):
    for node in nodes:
        node.kill()
    for node in nodes:
        node.wait()

last = begin()
ready(last)
first = taken()
kill([last])
for _ in range(rounds):
    nodes = [begin() for _ in range(together)]
    for node in nodes:
        ready(node)
    kill(nodes)
last = begin()
ready(last)
# What the living had mapped of the dead, they let go of within some seconds.
limit = time.monotonic() + (20 if tidy else 3)
while taken()[1] > first[1] and time.monotonic() < limit:
    time.sleep(0.2)
now = taken()
last.send_signal(signal.SIGINT)
last.wait()
print(json.dumps([(now[0] - first[0]) / 2**20, now[1] - first[1], now[2] - first[2]]), flush=True)
"""


def grown(processes: Any, root: Path, rounds: int, together: int, tidy: bool) -> tuple[float, int, int]:
    """What is there more than a single node takes: MiB, segments, entries of any kind."""
    given = json.dumps([rounds, together, tidy, str(root)])
    driver: subprocess.Popen[bytes] = processes.start([*UNSHARE, sys.executable, "-c", KILLS, given], name="kills")
    while driver.poll() is None:
        time.sleep(0.1)
    assert driver.returncode == 0, processes.log(driver)
    return tuple(json.loads(processes.log(driver).splitlines()[-1]))


def left_behind(fault: Fault, processes: Any, root: Path, rounds: int, together: int) -> None:
    mib, segments, entries = grown(processes, root, rounds, together, True)
    told = f"MiB more than one node takes ({segments} segments, {entries} entries; {rounds * together} kills)"
    fault.observe(told, mib, lambda more: more < MOST)
    fault.plant("nodes that leave what they find", grown(processes, root, 1, 2, False)[0])


@pytest.mark.fault(
    TIME,
    "the node is killed again and again",
    "SIGKILL of 4 nodes, two at a time, in a /dev/shm of their own; the next start",
    f"/dev/shm holds less than {MOST:g} MiB more than with a single node",
)
def test_killed_nodes(fault: Fault, processes: Any, tmp_path: Path) -> None:
    require_own_mounts()
    left_behind(fault, processes, tmp_path, 2, 2)


@pytest.mark.long
@pytest.mark.timeout(3600)
@pytest.mark.fault(
    TIME,
    "the node is killed again and again, for long",
    "SIGKILL of 100 nodes, five at a time, in a /dev/shm of their own; the next start",
    f"/dev/shm holds less than {MOST:g} MiB more than with a single node",
)
def test_killed_nodes_for_long(fault: Fault, processes: Any, tmp_path: Path) -> None:
    require_own_mounts()
    left_behind(fault, processes, tmp_path, 20, 5)
