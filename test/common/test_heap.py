"""Freed memory goes back to the system when it is told to, in a process of its own: the allocator is the process's."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

pytestmark = pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="glibc's allocator")


def _run(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_what_was_kept_is_given_back() -> None:
    code = """
import os
from pathlib import Path
from perception_common.heap import give_back, keep_freed_memory

def resident():
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20

assert keep_freed_memory()
before = resident()
# In pieces that are all used, and one small one above them that stays: the heap's end cannot simply move down.
pieces = [b"x" * 1_000_000 for _ in range(100)]
stays = b"x" * 2000
del pieces
kept = resident() - before
assert give_back()
print(kept, resident() - before)
"""
    kept, left = map(float, _run(code).split())
    assert kept > 80
    assert left < 10


def test_threads_share_two_heaps() -> None:
    code = """
import threading
from pathlib import Path
from perception_common.heap import keep_few_heaps

def heaps():
    # An arena of glibc is reserved as a whole, 64 MiB, and never returned.
    sizes = [line.split()[0].split("-") for line in Path("/proc/self/maps").read_text().splitlines()]
    starts = {int(a, 16) for a, b in sizes if int(a, 16) % (64 << 20) == 0 and int(b, 16) - int(a, 16) < 64 << 20}
    return len(starts)

keep_few_heaps()
before, gate, held = heaps(), threading.Barrier(7), []

def work():
    held.append([bytes(700) for _ in range(1000)])
    gate.wait()

threads = [threading.Thread(target=work) for _ in range(6)]
for thread in threads: thread.start()
gate.wait()
print(heaps() - before)
for thread in threads: thread.join()
"""
    assert int(_run(code)) <= 1
