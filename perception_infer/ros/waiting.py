"""The frames that wait for their turn: the newest of each camera, and a few more while a model is replaced."""

from __future__ import annotations

import time
from collections import deque
from itertools import chain
from typing import Any

from .frames import Frame

#: While a model is replaced, so many frames of a camera may wait at once, and so many in all behind another.
_SWAP_DEPTH, _SWAP_PATIENCE = 6, 24


class WaitingFrames:
    """Frames in the order in which they are to be answered. Not safe across threads by itself.

    A frame takes the place of the one of its camera that waits. While a model is replaced, and until what waits then is
    answered, it waits behind the older ones instead, as long as these are few: loading takes the cores for a third of a
    second, and none is lost to a slowness that passes. A model that cannot keep up with its camera anyway is soon back
    at the newest frame.

    Args:
        sources: how many cameras there are; the one that waits longest is next.
    """

    def __init__(self, sources: int) -> None:
        #: Oldest first; a camera of which none waits is not in it.
        self._queues: dict[int, deque[Frame]] = {}
        self._turns = deque(range(sources))
        self._replacing, self._patience = False, [0] * sources

    def __len__(self) -> int:
        """Of how many cameras a frame waits."""
        return len(self._queues)

    def put(self, message: Any, source: int, replacing: bool) -> list[Frame]:
        """Let a message wait that arrives now, and tell which frames do not wait any more for it."""
        if replacing and not self._replacing:
            self._patience = [_SWAP_PATIENCE] * len(self._patience)
        self._replacing = replacing
        queue = self._queues.setdefault(source, deque())
        # What the swap has made wait delays what comes after it, too.
        in_swap = replacing or any(frame.in_swap for frame in queue)
        most = _SWAP_DEPTH if in_swap and self._patience[source] else 1
        replaced = [queue.popleft() for _ in range(len(queue) + 1 - most)]
        if queue:
            self._patience[source] -= 1
        queue.append(Frame(message, time.perf_counter(), in_swap, source))
        return replaced

    def pick(self, most: int) -> list[Frame]:
        """Take the next frame of each of at most so many cameras: of those that were served longest ago."""
        chosen = [source for source in self._turns if source in self._queues][:most]
        for source in chosen:
            self._turns.remove(source)
            self._turns.append(source)
        return [self._take(source) for source in chosen]

    def clear(self) -> list[Frame]:
        """Take all of them."""
        frames = list(chain(*self._queues.values()))
        self._queues.clear()
        return frames

    def _take(self, source: int) -> Frame:
        queue = self._queues[source]
        frame = queue.popleft()
        if not queue:
            del self._queues[source]
        return frame
