"""Simulated time of a live camera."""

from __future__ import annotations

import dataclasses

_NANOSECONDS = 1_000_000_000


@dataclasses.dataclass(frozen=True)
class SimTime:
    """When frames are taken, and the ticks of the clock between them, in nanoseconds of simulated time.

    ``rate`` is frames a second, ``start`` seconds, ``clock_rate`` ticks a second (0: one a frame), which is rounded
    to a whole number of ticks a frame. The first frame is taken one period after the start: in ROS a time of zero
    means that there is none.
    """

    rate: float
    start: float = 0.0
    clock_rate: float = 0.0

    @property
    def ticks(self) -> int:
        """Ticks of the clock a frame, that of the frame itself included."""
        return max(1, round(self.clock_rate / self.rate))

    def at(self, frame: int, tick: int = 0) -> int:
        """The time of a frame (counted from 0), or of the ``tick``-th tick after it."""
        steps = (frame + 1) * self.ticks + tick
        return round(self.start * _NANOSECONDS) + round(steps * _NANOSECONDS / (self.rate * self.ticks))
