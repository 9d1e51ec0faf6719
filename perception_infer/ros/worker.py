"""The newest frame and the one worker that takes it. Pure logic: messages are opaque, nothing here imports rclpy."""

from __future__ import annotations

import enum
import threading
import time
from collections import deque
from collections.abc import Callable
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
    """A message with the time of its arrival (`time.perf_counter`), and whether a model was being replaced then."""

    message: Any
    arrived: float
    in_swap: bool


@dataclass(frozen=True)
class FrameCounts:
    """Where the frames went: received = processed + unprocessed + invalid + stale + unwatched + failed.

    One more may wait, and one be in work. ``stale`` were too old when their turn came, and to results of the
    ``unwatched`` nobody had subscribed, both only where that is asked for. ``lost_in_swaps`` counts those among the
    unprocessed and failed that arrived while a serving model was being replaced; ``without_model`` those of the
    unprocessed that came before any model served. ``lost_in_transport`` is -1 as long as the middleware gives no
    running numbers.
    """

    received: int = 0
    processed: int = 0
    unprocessed: int = 0
    without_model: int = 0
    invalid: int = 0
    stale: int = 0
    unwatched: int = 0
    failed: int = 0
    lost_in_swaps: int = 0
    lost_in_transport: int = -1


class SequenceGaps:
    """Counts messages that were sent and never arrived, from the senders' running numbers."""

    def __init__(self) -> None:
        self._last: dict[bytes | None, int] = {}
        self.lost = -1

    def observe(self, sender: bytes | None, number: int | None) -> None:
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


class FrameWorker:
    """One thread that answers the newest frame; a frame that comes while it works replaces the one that waits.

    Args:
        process: answers a frame; called by the thread, never twice at once.
        replacing: whether a serving model is being replaced, asked as each frame arrives.
        failed: called with what ``process`` raised; the frame counts as failed, and the worker goes on.
    """

    def __init__(
        self, process: Callable[[Frame], Outcome], replacing: Callable[[], bool], failed: Callable[[Exception], None]
    ) -> None:
        self._process, self._replacing, self._failed = process, replacing, failed
        self._lock = threading.Condition()
        self._waiting: Frame | None = None
        self._counts = FrameCounts()
        self._gaps = SequenceGaps()
        self._running = self._busy = self._stopped = False
        self._thread: threading.Thread | None = None

    def put(self, message: Any, sender: bytes | None = None, number: int | None = None) -> None:
        """Offer a message; dropped at once while paused (and then not counted as received)."""
        in_swap = self._replacing()
        with self._lock:
            self._gaps.observe(sender, number)
            if not self._running:
                return
            self._count(received=1)
            self._drop_waiting()
            self._waiting = Frame(message, time.perf_counter(), in_swap)
            self._lock.notify_all()

    def resume(self) -> None:
        """Begin, or go on after `pause`."""
        with self._lock:
            self._running = True
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="frame worker", daemon=True)
                self._thread.start()

    def pause(self, timeout: float = 1.5) -> bool:
        """Drop the waiting frame and wait until the one in work is done; False when that takes too long."""
        with self._lock:
            self._running = False
            self._drop_waiting()
            return self._lock.wait_for(lambda: not self._busy, timeout)

    def stop(self, timeout: float = 1.5) -> bool:
        """End the thread for good; False when it did not end in time."""
        with self._lock:
            self._running, self._stopped = False, True
            self._lock.notify_all()
        if self._thread is not None:
            self._thread.join(timeout)
            return not self._thread.is_alive()
        return True

    def counts(self) -> FrameCounts:
        """The counters at this moment."""
        with self._lock:
            return replace(self._counts, lost_in_transport=self._gaps.lost)

    def _work(self) -> None:
        while (frame := self._next()) is not None:
            try:
                outcome = self._process(frame)
            except Exception as error:  # one bad frame must not end the worker
                outcome = Outcome.FAILED
                self._failed(error)
            with self._lock:
                self._settle(frame, outcome)

    def _next(self) -> Frame | None:
        """Wait for a frame; None when the worker is to stop."""
        with self._lock:
            self._busy = False
            self._lock.notify_all()
            self._lock.wait_for(lambda: self._stopped or self._waiting is not None)
            if self._stopped:
                return None
            frame, self._waiting = self._waiting, None
            self._busy = True
            return frame

    def _settle(self, frame: Frame, outcome: Outcome) -> None:
        if outcome is Outcome.NO_MODEL:
            self._count(unprocessed=1, without_model=1)
        elif outcome is Outcome.FAILED:
            self._count(failed=1, lost_in_swaps=int(frame.in_swap))
        else:
            self._count(**{outcome.value: 1})

    def _drop_waiting(self) -> None:
        if self._waiting is not None:
            self._count(unprocessed=1, lost_in_swaps=int(self._waiting.in_swap))
            self._waiting = None

    def _count(self, **steps: int) -> None:
        self._counts = replace(
            self._counts, **{name: getattr(self._counts, name) + step for name, step in steps.items()}
        )
