"""Frames, what becomes of them, and how both are counted. Pure logic: messages are opaque, nothing imports rclpy."""

from __future__ import annotations

import enum
import time
from collections import deque
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace
from typing import Any

_RECENT = 300
_EVENTS = 2000
_RATE_SECONDS = 5.0


class Outcome(enum.Enum):
    """What became of a frame that the worker took."""

    PROCESSED = "processed"
    INVALID = "invalid"
    NO_MODEL = "no model"
    STALE = "stale"
    UNWATCHED = "unwatched"
    FAILED = "failed"


@dataclass(frozen=True)
class Frame:
    """A message of camera ``source``, when it arrived (`time.perf_counter`), and whether a model was being replaced."""

    message: Any
    arrived: float
    in_swap: bool
    source: int = 0


@dataclass(frozen=True)
class FrameCounts:
    """Where the frames went: received = processed + unprocessed + invalid + stale + unwatched + failed.

    One more of each camera may wait, and some be in work. ``stale`` were too old when their turn came, and to results
    of the ``unwatched`` nobody had subscribed, both only where that is asked for. ``lost_in_swaps`` counts those among
    the unprocessed and failed that arrived while a serving model was being replaced; ``without_model`` those of the
    unprocessed that came before any model served; ``hung`` those of the failed that a model kept until it was given
    up. ``lost_in_transport`` is -1 as long as the middleware gives no running numbers.
    """

    received: int = 0
    processed: int = 0
    unprocessed: int = 0
    without_model: int = 0
    invalid: int = 0
    stale: int = 0
    unwatched: int = 0
    failed: int = 0
    hung: int = 0
    lost_in_swaps: int = 0
    lost_in_transport: int = -1


class Tally:
    """Counts what becomes of frames. Not safe across threads by itself.

    Args:
        sources: how many cameras there are.

    Attributes:
        counts: of all cameras together; what is lost in transport is not counted here.
        processed: frames of each camera.
    """

    def __init__(self, sources: int) -> None:
        self.counts = FrameCounts()
        self.processed = [0] * sources

    def received(self) -> None:
        """A frame came."""
        self._add(received=1)

    def dropped(self, frame: Frame) -> None:
        """A frame that waited will not be answered."""
        self._add(unprocessed=1, lost_in_swaps=int(frame.in_swap))

    def hung(self, frames: Sequence[Frame]) -> None:
        """A model was given up that kept these frames."""
        swapped = sum(frame.in_swap for frame in frames)
        self._add(failed=len(frames), hung=len(frames), lost_in_swaps=swapped)

    def settled(self, frame: Frame, outcome: Outcome) -> None:
        """A frame's way has ended."""
        if outcome is Outcome.NO_MODEL:
            self._add(unprocessed=1, without_model=1)
        elif outcome is Outcome.FAILED:
            self._add(failed=1, lost_in_swaps=int(frame.in_swap))
        else:
            self._add(**{outcome.value: 1})
        if outcome is Outcome.PROCESSED:
            self.processed[frame.source] += 1

    def _add(self, **steps: int) -> None:
        self.counts = replace(self.counts, **{name: getattr(self.counts, name) + step for name, step in steps.items()})


class SequenceGaps:
    """Counts messages that were sent and never arrived, from the senders' running numbers."""

    def __init__(self) -> None:
        self._last: dict[Hashable, int] = {}
        self.lost = -1

    def observe(self, sender: Hashable, number: int | None) -> None:
        """Take note of one message. A number that does not rise is a sender that started anew."""
        if number is None:
            return
        last = self._last.get(sender)
        gap = number - last - 1 if last is not None and number > last else 0
        self.lost = max(0, self.lost) + gap
        self._last[sender] = number


class Recent:
    """The last 300 durations and events, for percentiles and rates. Safe across threads."""

    def __init__(self) -> None:
        self._values: deque[float] = deque(maxlen=_RECENT)
        self._times: deque[float] = deque(maxlen=_EVENTS)

    def add(self, value: float, now: float | None = None) -> None:
        """Add a value that was measured just now."""
        self._values.append(value)
        self._times.append(time.perf_counter() if now is None else now)

    def percentile(self, share: float) -> float:
        """The value below which ``share`` of the recent ones lie; 0 when there is none."""
        ordered = sorted(self._values.copy())
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0

    def rate(self, now: float | None = None) -> float:
        """Events per second over the last 5 s."""
        limit = (time.perf_counter() if now is None else now) - _RATE_SECONDS
        return sum(moment > limit for moment in self._times.copy()) / _RATE_SECONDS
