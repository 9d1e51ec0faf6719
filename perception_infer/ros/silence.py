"""Since when no image came from a camera. Pure logic: nothing here imports rclpy."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Silence:
    """Camera number ``source`` has been silent for so many seconds."""

    source: int
    seconds: float


class CameraWatch:
    """Remembers when each camera was heard last. All times are by ``clock``, in seconds; for one thread.

    Args:
        cameras: how many there are.
        clock: a clock that never jumps: simulated time may stand still, and a stamp says when an image was taken.

    Attributes:
        silences: how often a camera fell silent.
    """

    def __init__(self, cameras: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._cameras, self._clock = cameras, clock
        self._heard: list[float] = []
        self._silent: set[int] = set()
        self.silences = 0

    def begin(self) -> None:
        """Expect images from now on."""
        self._heard = [self._clock()] * self._cameras

    def end(self) -> None:
        """Expect none."""
        self._heard = []
        self._silent.clear()

    def heard(self, source: int) -> None:
        """An image came."""
        if self._heard:
            self._heard[source] = self._clock()

    def look(self, timeout: float) -> list[Silence]:
        """The cameras that have been silent for ``timeout`` seconds or longer; 0: none ever is."""
        now = self._clock()
        found = [Silence(source, now - heard) for source, heard in enumerate(self._heard)]
        found = [silence for silence in found if timeout and silence.seconds >= timeout]
        silent = {silence.source for silence in found}
        self.silences += len(silent - self._silent)
        self._silent = silent
        return found
