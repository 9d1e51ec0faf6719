"""Shared memory of killed processes is removed at a start, and nothing that anybody holds; with real Fast DDS."""

from __future__ import annotations

import fcntl
import mmap
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from waiting import until

from perception_common.ros import leftovers

pytest.importorskip("rclpy", reason="ROS 2 is not installed")

SHM = leftovers.FOLDER
PATIENCE = 90.0
HEARD = "heard 20"
NAME = "fastdds_0123456789abcdef"

#: A node that talks, or listens and says so; it begins as every node of the suite does.
NODE = """
import sys, time
import rclpy
from rclpy.node import Node
from std_msgs.msg import String
from perception_common.ros import dds
dds.begin()
rclpy.init()
node, heard = Node(sys.argv[1] + sys.argv[2]), []
def hear(message):
    heard.append(message)
    if len(heard) == 20:
        print("heard 20", flush=True)
if sys.argv[1] == "talker":
    publisher = node.create_publisher(String, sys.argv[2], 10)
    timer = node.create_timer(0.02, lambda: publisher.publish(String(data="word " * 100)))
else:
    node.create_subscription(String, sys.argv[2], hear, 10)
print("begins", flush=True)
rclpy.spin(node)
"""


def begin(processes: Any, role: str, topic: str) -> Any:
    return processes.start([sys.executable, "-c", NODE, role, topic], name=role)


def held(pid: int) -> set[Path]:
    """Segments and their locks that a living process owns."""
    found: set[Path] = set()
    for entry in Path(f"/proc/{pid}/fd").iterdir():
        target = entry.readlink()
        if target.parent == SHM and leftovers._LOCK.fullmatch(target.name):
            found |= {target, Path(str(target).removesuffix("_el"))}
    return found


def gone(paths: set[Path]) -> bool:
    return not any(path.exists() for path in paths)


def test_what_a_killed_node_left_goes_and_what_the_living_use_stays(processes: Any) -> None:
    talker, listener, killed = (begin(processes, role, "one") for role in ("talker", "listener", "listener"))
    until(lambda: all("begins" in processes.log(process) for process in (talker, listener, killed)))
    left, living = held(killed.pid), held(talker.pid) | held(listener.pid)
    assert len(left) >= 2 and len(living) >= 4
    killed.kill()
    killed.wait()
    # The living let go of what they had mapped of it within some seconds.
    until(lambda: leftovers.remove() >= 0 and gone(left), patience=PATIENCE, pause=0.02)
    assert all(path.exists() for path in living)
    another = begin(processes, "listener", "one")
    until(lambda: HEARD in processes.log(another) and HEARD in processes.log(listener))


def test_many_that_start_at_once_do_not_take_from_each_other(processes: Any) -> None:
    killed = [begin(processes, "listener", "none") for _ in range(3)]
    until(lambda: all("begins" in processes.log(process) for process in killed))
    left = set().union(*(held(process.pid) for process in killed))
    for process in killed:
        process.kill()
        process.wait()
    pairs = [(begin(processes, "talker", f"t{n}"), begin(processes, "listener", f"t{n}")) for n in range(3)]
    began = time.monotonic()
    while time.monotonic() - began < 5 or not all(HEARD in processes.log(listener) for _, listener in pairs):
        leftovers.remove()
        assert time.monotonic() - began < PATIENCE
    for process in (process for pair in pairs for process in pair):
        assert process.poll() is None
        owned = held(process.pid)
        assert len(owned) >= 2 and all(path.exists() for path in owned)
    assert gone(left)


# What Fast DDS does within microseconds, held still, in a folder of the test's own.


@pytest.fixture
def dead(tmp_path: Path) -> tuple[Path, Path]:
    """A segment and its lock, which nobody holds."""
    segment, lock = tmp_path / NAME, tmp_path / f"{NAME}_el"
    segment.write_bytes(b"0" * mmap.PAGESIZE)
    lock.touch()
    return segment, lock


@contextmanager
def opened(path: Path) -> Iterator[int]:
    descriptor = os.open(path, os.O_RDWR)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def test_a_lock_that_somebody_has(tmp_path: Path, dead: tuple[Path, Path]) -> None:
    with opened(dead[1]) as descriptor:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        assert leftovers.remove(tmp_path) == 0
    assert all(path.exists() for path in dead)
    assert leftovers.remove(tmp_path) == 1 and gone(set(dead))


def test_a_lock_that_is_open_and_not_yet_had(tmp_path: Path, dead: tuple[Path, Path]) -> None:
    with opened(dead[1]):
        assert leftovers.remove(tmp_path) == 0
    assert all(path.exists() for path in dead)


def test_a_segment_that_is_mapped(tmp_path: Path, dead: tuple[Path, Path]) -> None:
    with opened(dead[0]) as descriptor:
        memory = mmap.mmap(descriptor, 0)
    assert leftovers.remove(tmp_path) == 0
    assert all(path.exists() for path in dead)
    memory.close()
    assert leftovers.remove(tmp_path) == 1


def test_what_belongs_to_another_user(tmp_path: Path, dead: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: dead[0].stat().st_uid + 1)
    assert leftovers.remove(tmp_path) == 0
    assert all(path.exists() for path in dead)


def test_a_lock_that_was_made_anew_since_it_was_opened(tmp_path: Path, dead: tuple[Path, Path]) -> None:
    with opened(dead[1]) as descriptor:
        dead[1].unlink()
        dead[1].touch()
        assert not leftovers._has(descriptor, dead[1])


@pytest.mark.parametrize(
    "name", ["fastdds_port7411", "fastdds_0123456789ABCDEF", f"x{NAME}", "sem.fastdds_port1_mutex"]
)
def test_other_names(tmp_path: Path, name: str) -> None:
    (tmp_path / name).touch()
    (tmp_path / f"{name}_el").touch()
    (tmp_path / NAME).touch()
    assert leftovers.remove(tmp_path) == 0
    assert len(list(tmp_path.iterdir())) == 3


def test_links_and_folders_are_none_of_them(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.touch()
    (tmp_path / f"{NAME}_el").symlink_to(outside)
    (tmp_path / "fastdds_ffffffffffffffff_el").mkdir()
    os.mkfifo(tmp_path / "fastdds_eeeeeeeeeeeeeeee_el")
    assert leftovers.remove(tmp_path) == 0
    assert len(list(tmp_path.iterdir())) == 4


def test_a_lock_alone_and_humbles_name(tmp_path: Path) -> None:
    (tmp_path / "fastrtps_0123456789abcdef_el").touch()
    assert leftovers.remove(tmp_path) == 1
    assert not list(tmp_path.iterdir())


def test_no_folder(tmp_path: Path) -> None:
    assert leftovers.remove(tmp_path / "none") == 0
