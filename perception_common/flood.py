"""A limit to what others can make a process say: its log must not fill the disk, nor hide what matters."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable


class FloodGate:
    """Lets so many lines pass within a while, counts the others, and tells their number with the next that passes.

    May be used by several threads.

    Args:
        most: lines within ``seconds``.
        seconds: how long a while is.
        now: a clock in seconds.
    """

    def __init__(self, most: int = 40, seconds: float = 10.0, now: Callable[[], float] = time.monotonic) -> None:
        self._most, self._seconds, self._now = most, seconds, now
        self._lock = threading.Lock()
        self._began, self._passed, self._held = now(), 0, 0

    def __call__(self, line: str) -> str | None:
        """What is to be said instead of ``line``; None for nothing."""
        with self._lock:
            now = self._now()
            if now - self._began >= self._seconds:
                self._began, self._passed = now, 0
            if self._passed == self._most:
                self._held += 1
                return None
            self._passed += 1
            held, self._held = self._held, 0
            return f"{line} (lines left out before this one, for there were too many: {held})" if held else line
