"""What a live camera achieves: frames a second, and where the time of a frame goes."""

from __future__ import annotations

import contextlib
import time
from collections import defaultdict, deque
from collections.abc import Callable, Iterator

_WINDOW_S = 5.0
_LEAST_FRAMES = 5
_KEPT_FRAMES = 32


class RateMeter:
    """Frames a second over the last seconds: five, or as many as five frames should take if that is longer.

    ``wanted`` is the rate at which frames should come, 0 for as fast as they can; ``now`` tells the time in seconds.
    """

    def __init__(self, wanted: float, now: Callable[[], float] = time.monotonic) -> None:
        self._period = 1.0 / wanted if wanted > 0.0 else 0.0
        self._window = max(_WINDOW_S, _LEAST_FRAMES * self._period)
        self._now = now
        self._times: deque[float] = deque()

    def count(self) -> None:
        """A frame is out."""
        self._times.append(self._now())

    def rate(self) -> float:
        """Frames a second; 0 before there are two. A frame that is overdue counts as coming now."""
        now = self._now()
        while self._times and self._times[0] < now - self._window:
            self._times.popleft()
        if len(self._times) < 2:
            return 0.0
        span = max(self._times[-1], now - self._period) - self._times[0]
        return (len(self._times) - 1) / span if span > 0.0 else 0.0


class StageTimes:
    """Milliseconds that each stage of a frame takes, over the last frames."""

    def __init__(self) -> None:
        self._frames = deque([_new()], maxlen=_KEPT_FRAMES)

    @contextlib.contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """What is done inside counts for the stage of that name of the current frame; a stage may come repeatedly."""
        start = time.perf_counter()
        try:
            yield
        finally:
            self._frames[-1][name] += time.perf_counter() - start

    def next_frame(self) -> None:
        """What follows belongs to the next frame."""
        self._frames.append(_new())

    def means(self) -> dict[str, float]:
        """Milliseconds a frame by stage, in the order in which they come."""
        finished = list(self._frames)[:-1]
        names = dict.fromkeys(name for frame in finished for name in frame)
        return {name: 1e3 * sum(frame[name] for frame in finished) / len(finished) for name in names}


def _new() -> defaultdict[str, float]:
    """Seconds by stage."""
    return defaultdict(float)
