"""What the C library does with memory that was freed. glibc only, nothing happens elsewhere; see mallopt(3)."""

from __future__ import annotations

import ctypes
import platform
from functools import lru_cache
from typing import Any

#: glibc's malloc.h.
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_ARENA_MAX = -1, -3, -8
_LARGEST_KEPT = 32 << 20
_KEPT_FREE = 256 << 20


@lru_cache(maxsize=1)
def _glibc() -> Any:
    """The loaded C library, None when it is another one."""
    return ctypes.CDLL(None) if platform.libc_ver()[0] == "glibc" else None


def keep_few_heaps() -> None:
    """Serve all threads of this process from two heaps.

    By default every thread gets one, up to eight for each core, and a heap keeps what was freed in it: where every
    model is loaded by a thread of its own, memory grows with each of the first dozens.
    """
    if _glibc() is not None:
        _glibc().mallopt(_M_ARENA_MAX, 2)


def keep_freed_memory() -> bool:
    """Keep what arrays of up to 32 MiB leave behind, for this whole process; whether that was possible.

    A VGA picture in float32 takes 3.7 MB. By default glibc returns such blocks to the system when they are freed, and
    the system clears every page anew at the next allocation: more than half the time of a picture's sensor model. Call
    it once where a worker process starts, and `give_back` now and then: the process only grows otherwise, as its free
    memory is cut into ever smaller pieces.
    """
    glibc = _glibc()
    return glibc is not None and bool(
        glibc.mallopt(_M_MMAP_THRESHOLD, _LARGEST_KEPT) and glibc.mallopt(_M_TRIM_THRESHOLD, _KEPT_FREE)
    )


def give_back() -> bool:
    """Return all unused memory of this process to the system, within milliseconds; whether that was possible.

    Who goes on to need it faults it in again: so after what needs much once, or once in some hundred pictures. See
    malloc_trim(3).
    """
    return _glibc() is not None and bool(_glibc().malloc_trim(0))
