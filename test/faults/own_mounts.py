"""Small disks and a shared memory that only some processes see: mounts of their own, without being root."""

from __future__ import annotations

import contextlib
import functools
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

#: Put before a command: it is root among mounts of its own, and nowhere else.
UNSHARE = ["unshare", "--user", "--map-root-user", "--mount"]


def require_own_mounts() -> None:
    """Skip where the system lets nobody mount anything."""
    if not _possible():
        pytest.skip("this machine lets nobody mount a small disk of their own")


@functools.cache
def _possible() -> bool:
    if shutil.which("unshare") is None:
        return False
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "none", "/mnt"]
    return subprocess.run([*UNSHARE, *mount], capture_output=True).returncode == 0


def with_disk(disk: Path, kib: int, command: Sequence[object]) -> list[str]:
    """The command with a disk of that size at an empty directory, which nobody else sees."""
    mount = 'mount -t tmpfs -o size="$1"k,mode=0700 none "$2" && shift 2 && exec "$@"'
    return [*UNSHARE, "sh", "-c", mount, "sh", str(kib), str(disk), *map(str, command)]


class Disk:
    """The small disk of a process, seen from outside.

    Args:
        pid: of the process.
        place: the directory where the process has it.
    """

    def __init__(self, pid: int, place: Path) -> None:
        self.root = Path(f"/proc/{pid}/root") / place.relative_to("/")
        self._filler = self.root / "filler"

    def fill(self) -> None:
        """Leave no byte free."""
        with contextlib.suppress(OSError), self._filler.open("ab", buffering=0) as file:
            for size in (1 << 16, 1 << 12, 1):
                with contextlib.suppress(OSError):
                    while file.write(bytes(size)) == size:
                        pass
        assert shutil.disk_usage(self.root).free == 0

    def make_room(self) -> None:
        """Remove what filled it."""
        self._filler.unlink()
