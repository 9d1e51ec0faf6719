"""Child processes that run a module of the suite, and how threads share the processor."""

from __future__ import annotations

import contextlib
import ctypes
import os
import sys
import threading
from pathlib import Path

#: Hardly less than what other threads get. With 5, a model took more than 20 s to load on an overloaded machine: a
#: thread that is seldom on a core seldom gets Python's lock.
_NICE = 1
#: glibc's malloc.h.
_M_ARENA_MAX = -8


def search_path() -> str:
    """PYTHONPATH with which a child finds these very packages, also when they are imported from a source tree."""
    root = str(Path(__file__).resolve().parents[1])
    return os.pathsep.join(filter(None, [root, os.environ.get("PYTHONPATH")]))


def yield_to_others() -> None:
    """Let the calling thread have less of a core that others want, too; for the rest of its life.

    Threads that it starts inherit that, and only the administrator could take it back. On Linux; nothing elsewhere.
    """
    if sys.platform == "linux":
        with contextlib.suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICE)


def keep_few_heaps() -> None:
    """Let the C library's allocator serve all threads of this process from two heaps.

    By default it makes one for every thread up to eight for each core, and a heap keeps what was freed in it: where
    every model is loaded by a thread of its own, memory grows with each of the first dozens. glibc only; nothing
    elsewhere.
    """
    if sys.platform == "linux":
        with contextlib.suppress(OSError, AttributeError):
            ctypes.CDLL(None).mallopt(_M_ARENA_MAX, 2)
