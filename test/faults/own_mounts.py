"""Small disks and a shared memory that only some processes see: mounts of their own, without being root."""

from __future__ import annotations

import functools
import shutil
import subprocess

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
