"""Child processes that run a module of the suite, and how threads share memory."""

from __future__ import annotations

import contextlib
import ctypes
import os
import sys
from pathlib import Path

#: glibc's malloc.h.
_M_ARENA_MAX = -8


def search_path() -> str:
    """PYTHONPATH with which a child finds these very packages, also when they are imported from a source tree."""
    root = str(Path(__file__).resolve().parents[1])
    return os.pathsep.join(filter(None, [root, os.environ.get("PYTHONPATH")]))


def keep_few_heaps() -> None:
    """Let the C library's allocator serve all threads of this process from two heaps.

    By default it makes one for every thread up to eight for each core, and a heap keeps what was freed in it: where
    every model is loaded by a thread of its own, memory grows with each of the first dozens. glibc only; nothing
    elsewhere.
    """
    if sys.platform == "linux":
        with contextlib.suppress(OSError, AttributeError):
            ctypes.CDLL(None).mallopt(_M_ARENA_MAX, 2)
