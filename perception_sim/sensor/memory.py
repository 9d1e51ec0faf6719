"""Memory that goes back to the system after every picture costs more than the work on the picture."""

from __future__ import annotations

import ctypes
import platform

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3
_LARGEST_KEPT = 32 << 20
_KEPT_FREE = 256 << 20


def keep_freed_memory() -> bool:
    """Tell the C library to keep what arrays of up to 32 MiB leave behind, for this whole process; whether it did.

    A VGA picture in float32 takes 3.7 MB. By default glibc returns such blocks to the system when they are freed, and
    the system clears every page anew at the next allocation: more than half the time of `expose`. Call it once where
    a worker process starts, and `give_back` now and then: the process only grows otherwise, as its free memory is
    cut into ever smaller pieces. Without glibc nothing happens. See mallopt(3).
    """
    if platform.libc_ver()[0] != "glibc":
        return False
    mallopt = ctypes.CDLL(None).mallopt
    return bool(mallopt(_M_MMAP_THRESHOLD, _LARGEST_KEPT) and mallopt(_M_TRIM_THRESHOLD, _KEPT_FREE))


def give_back() -> bool:
    """Return all unused memory of this process to the system; whether that was possible. See malloc_trim(3).

    The next pictures fault it in again, so do it once in some hundred pictures.
    """
    return platform.libc_ver()[0] == "glibc" and bool(ctypes.CDLL(None).malloc_trim(0))
