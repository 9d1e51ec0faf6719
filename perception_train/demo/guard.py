"""Kills what a demo left behind, even when the demo itself was killed with SIGKILL.

Run as a script (standard library only, ``python -I -S guard.py TAG``) it waits until its standard input closes,
which happens however its parent ends, and then kills every process whose environment holds the tag.
An environment is inherited by children of children too, in whatever session or process group they are.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path

VARIABLE = "PERCEPTION_DEMO_RUN"


def tagged(tag: str) -> list[int]:
    """Process ids whose environment holds ``VARIABLE=tag``, without the caller's own."""
    wanted = f"{VARIABLE}={tag}".encode()
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        try:
            environment = (entry / "environ").read_bytes()
        except OSError:  # it ended meanwhile, or belongs to another user
            continue
        if wanted in environment.split(b"\0"):
            found.append(int(entry.name))
    return found


def sweep(tag: str, patience: float = 5.0) -> int:
    """Kill all tagged processes, also those they start meanwhile; returns how many were killed."""
    killed: set[int] = set()
    end = time.monotonic() + patience
    clean = 0
    # Twice in a row: a fork may slip between listing and killing.
    while clean < 2 and time.monotonic() < end:
        found = tagged(tag)
        clean = 0 if found else clean + 1
        for pid in found:
            try:
                os.kill(pid, signal.SIGKILL)
                killed.add(pid)
            except ProcessLookupError:
                continue
        if found:
            time.sleep(0.05)
    return len(killed)


def main() -> int:
    """Wait for the parent's end, then sweep."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    while os.read(0, 64):
        pass
    sweep(sys.argv[1])
    return 0


if __name__ == "__main__":
    sys.exit(main())
