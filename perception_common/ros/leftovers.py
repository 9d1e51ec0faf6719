"""The shared memory that killed processes left behind, removed before a new one takes some.

Fast DDS gives every participant a segment (``fastdds_<16 hex digits>``, in Humble and Jazzy ``fastrtps_...``) and a
lock beside it (``..._el``), on which the owner keeps an exclusive flock as long as it lives; the kernel drops it when
the process dies, however that comes about. A segment is dead when anybody can have its lock. Living processes that have
mapped a dead segment remove it themselves within some seconds; what nobody had mapped stays, 34 MiB for each kill.

Ports (``fastdds_port<number>``, 52 KB) are not touched: their numbers come again, and Fast DDS resets a dead one when
that happens. Here they could only be taken from somebody who is just opening one.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path

FOLDER = Path("/dev/shm")  # noqa: S108 -- where Fast DDS keeps it
_PROCESSES = Path("/proc")
_LOCK = re.compile(r"fast(?:dds|rtps)_[0-9a-f]{16}_el")
_SUFFIX = "_el"


def remove(folder: Path = FOLDER) -> int:
    """Remove what killed processes of this user left behind; how many segments. Never raises, asks for nothing.

    Several processes may do this at the same time, while others start and end.
    """
    try:
        locks = [path for path in folder.iterdir() if _LOCK.fullmatch(path.name)]
    except OSError:
        return 0
    free = [lock for lock in locks if _is_free(lock)]
    if not free:
        return 0
    # Between opening a lock and having it, a process that starts holds nothing but the open file; it opened that
    # before the folder was listed, and so is seen now. Numbers are random: nobody opens one of these anew.
    used = _used(folder)
    count = 0
    for lock in free:
        segment = lock.with_name(lock.name.removesuffix(_SUFFIX))
        if lock.name not in used and segment.name not in used:
            count += _removed(lock, segment)
    return count


def _is_free(lock: Path) -> bool:
    with _locked(lock) as free:
        return free


def _removed(lock: Path, segment: Path) -> bool:
    """Remove both if the lock is still there and free: somebody else may do the same."""
    with _locked(lock) as free, contextlib.suppress(OSError):
        if free:
            if segment.exists() and segment.lstat().st_uid == os.geteuid():
                segment.unlink()
            lock.unlink()
            return True
    return False


@contextlib.contextmanager
def _locked(lock: Path) -> Iterator[bool]:
    """Whether the lock is this user's and nobody's who lives; held until the block ends if so."""
    try:
        descriptor = os.open(lock, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        yield False
        return
    try:
        yield _has(descriptor, lock)
    finally:
        os.close(descriptor)


def _has(descriptor: int, lock: Path) -> bool:
    try:
        opened = os.fstat(descriptor)
        if not stat.S_ISREG(opened.st_mode) or opened.st_uid != os.geteuid():
            return False
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        # Who removed it in the meantime held it until then.
        return os.path.samestat(opened, os.lstat(lock))
    except OSError:
        return False


def _used(folder: Path) -> set[str]:
    """Names of files in the folder that some process has opened or mapped, as far as this user may know."""
    found: set[str] = set()
    mapped = re.compile(re.escape(os.fsencode(folder)) + rb"/(\S+)")
    for process in _PROCESSES.iterdir():
        if not process.name.isdigit():
            continue
        # Open files first: what is mapped was opened before.
        with contextlib.suppress(OSError):
            for entry in os.scandir(process / "fd"):
                with contextlib.suppress(OSError):
                    opened = Path(entry.path).readlink()
                    if opened.parent == folder:
                        found.add(opened.name)
        with contextlib.suppress(OSError):
            found.update(os.fsdecode(name) for name in mapped.findall((process / "maps").read_bytes()))
    return found
