"""What the machine is said to have."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from perception_common import machine


def test_it_has_what_it_says() -> None:
    assert 1 <= machine.cores() <= (os.cpu_count() or 1)
    assert machine.processor()
    assert 1 << 20 < machine.free_memory() <= os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def test_memory_of_a_process_and_of_one_that_ended() -> None:
    assert machine.memory_of(os.getpid()) > 1 << 20
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait(60)
    assert machine.memory_of(ended.pid) == 0


def test_nothing_is_known_where_there_is_no_proc(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(machine, "_PROC", tmp_path)
    assert machine.processor() == os.uname().machine
    assert machine.free_memory() > 1 << 20
    assert machine.memory_of(os.getpid()) == 0
