"""What this machine has, and what a process takes of it."""

from __future__ import annotations

import contextlib
import os
import platform
from pathlib import Path

_PROC = Path("/proc")


def cores() -> int:
    """How many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def processor() -> str:
    """Its name, as Linux tells it; else the architecture."""
    named = (line.partition(":")[2].strip() for line in _lines("cpuinfo") if line.startswith("model name"))
    return next(named, platform.machine())


def free_memory() -> int:
    """Bytes that can be had without swapping."""
    with contextlib.suppress(ValueError, IndexError):
        for line in _lines("meminfo"):
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) << 10
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def memory_of(process: int) -> int:
    """Bytes of memory that a process occupies, by its number; 0 when it has ended."""
    with contextlib.suppress(ValueError, IndexError):
        return int(_lines(f"{process}/statm")[0].split()[1]) * os.sysconf("SC_PAGE_SIZE")
    return 0


def _lines(name: str) -> list[str]:
    """Of a file of /proc; none where it cannot be read."""
    try:
        return (_PROC / name).read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []
