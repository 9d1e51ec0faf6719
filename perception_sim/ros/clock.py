"""/clock, in step with the frames."""

from __future__ import annotations

import time

from builtin_interfaces.msg import Time
from rclpy.node import Node
from rclpy.time import Time as RosTime
from rosgraph_msgs.msg import Clock

from perception_common.ros.compat import steady_clock

from ..live.clock import SimTime
from . import ends


class ClockTopic:
    """Publishes simulated time: that of every frame, and between frames the ticks as time goes by.

    Time waits for frames: it never passes the next one, however late that is. No tick is left out: those that fall
    into the making of a frame come together before it. ``factor`` is seconds of simulated time a second; with 0, all
    ticks come like that.
    """

    def __init__(self, node: Node, times: SimTime, factor: float) -> None:
        self._times, self._factor = times, factor
        self._publisher = ends.CLOCK.create(node)
        self._frame, self._tick, self._since = -1, 0, 0.0
        if factor > 0.0 and times.ticks > 1:
            # Not the node's own clock, which may be the one that this sets.
            self._timer = node.create_timer(1.0 / self._pace, self._between, clock=steady_clock())

    def frame(self, number: int) -> Time:
        """Go on to a frame (they count from 0); its time."""
        if self._frame >= 0:
            self._up_to(self._times.ticks - 1)
        self._frame, self._tick, self._since = number, 0, time.monotonic()
        return self._publish()

    @property
    def _pace(self) -> float:
        """Ticks a second of real time."""
        return self._times.rate * self._times.ticks * self._factor

    def _between(self) -> None:
        if self._frame >= 0:
            passed = int((time.monotonic() - self._since) * self._pace)
            self._up_to(min(passed, self._times.ticks - 1))

    def _up_to(self, last: int) -> None:
        while self._tick < last:
            self._tick += 1
            self._publish()

    def _publish(self) -> Time:
        stamp = RosTime(nanoseconds=self._times.at(self._frame, self._tick)).to_msg()
        self._publisher.publish(Clock(clock=stamp))
        return stamp
