"""The newest frame of each camera, and the threads that answer it. Pure logic: nothing here imports rclpy.

One thread runs the model. While it does, a second prepares the frame that comes next (conversion and letterbox) and a
third publishes what came of the one before; all three are mostly outside of Python's lock. A frame is prepared as late
as the time that the model usually takes allows, for it is the newest one that is wanted. With time to spare between
frames, the first thread does all of it, without handing anything over.

A first thread that a model keeps is replaced by a fresh one. Each has a number, and one whose number has passed neither
counts nor publishes what it still holds: it ends.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Protocol

from ..cancelling import Abandoned
from .frames import Frame, FrameCounts, Outcome, Recent, SequenceGaps, Tally
from .waiting import WaitingFrames

#: Spare time for preparing ahead, in seconds and as a multiple of what preparing usually takes.
_MARGIN_SECONDS, _MARGIN_TIMES = 0.001, 2.0
#: Arrivals that tell how fast a camera is: about a second of it.
_ARRIVALS = 32


class Stages(Protocol):
    """What is done with frames; whatever a stage raises counts its frames as failed, and the worker goes on."""

    def prepare(self, frame: Frame) -> Any:
        """What `run` needs of a frame, or an `Outcome` that ends its way here. Called beside the other stages."""

    def run(self, prepared: Sequence[Any]) -> Sequence[Any]:
        """For each, what `finish` needs, or an `Outcome`. Never called twice at once."""

    def lasts(self, done: Any) -> bool:
        """Whether `finish` will wait for what `run` has only begun."""

    def finish(self, done: Any) -> Outcome:
        """Publish. Never called twice at once, and in the order of `run`."""

    def after(self, done: Sequence[Any]) -> None:
        """What else there is to do with the model; called by the thread of `run`.

        This and `run` may raise `Abandoned`: the thread ends, and `FrameWorker.replace` goes on.
        """


@dataclass(frozen=True)
class _Item:
    """A frame, and what `Stages.prepare` made of it."""

    frame: Frame
    prepared: Any


class FrameWorker:
    """Answers the newest frames; what comes while an older frame of its camera waits replaces it (see `WaitingFrames`).

    Args:
        stages: what is done with frames.
        replacing: whether a serving model is being replaced, asked as each frame arrives.
        failed: called with what a stage raised.
        sources: how many cameras there are; the one that waits longest is served first.
        width: how many frames one run takes.
    """

    def __init__(
        self,
        stages: Stages,
        replacing: Callable[[], bool],
        failed: Callable[[Exception], None],
        sources: int = 1,
        width: Callable[[], int] = lambda: 1,
    ) -> None:
        self._stages, self._replacing, self._failed, self._width = stages, replacing, failed, width
        lock = threading.RLock()
        self._lock = lock
        # One lock, and for each thread a condition that wakes no other.
        self._to_run, self._to_prepare, self._to_finish, self._changed = (threading.Condition(lock) for _ in range(4))
        self._waiting = WaitingFrames(sources)
        self._ahead: list[_Item] = []
        self._done: deque[tuple[Frame, Any]] = deque()
        self._tally = Tally(sources)
        self._gaps = SequenceGaps()
        self._run_times, self._prepare_times = Recent(), Recent()
        self._arrivals: deque[float] = deque(maxlen=_ARRIVALS)
        self._running_since: float | None = None
        self._running = self._stopped = self._busy = self._preparing = self._finishing = False
        self._threads: list[threading.Thread] = []
        self._generation = 0
        #: Frames that the thread of `run` holds, and those of its predecessors that may still be alive.
        self._held: list[Frame] = []
        self._left_behind: list[threading.Thread] = []

    def put(self, message: Any, sender: bytes | None = None, number: int | None = None, source: int = 0) -> None:
        """Offer a message; dropped at once while paused (and then not counted as received)."""
        replacing = self._replacing()
        with self._lock:
            self._gaps.observe((source, sender), number)
            if not self._running:
                return
            self._tally.received()
            self._arrivals.append(time.perf_counter())
            for replaced in self._waiting.put(message, source, replacing):
                self._tally.dropped(replaced)
            (self._to_run if self._running_since is None else self._to_prepare).notify()

    def resume(self) -> None:
        """Begin, or go on after `pause`."""
        with self._lock:
            self._running = True
            if not self._threads:
                others = (self._prepare_ahead, "prepare"), (self._finish_done, "finish")
                self._threads = [self._runner(), *(_started(work, name) for work, name in others)]

    def pause(self, timeout: float = 1.5) -> bool:
        """Drop waiting frames and wait until those in work are done; False when that takes too long."""
        with self._lock:
            self._running = False
            for frame in (*self._waiting.clear(), *(item.frame for item in self._ahead)):
                self._tally.dropped(frame)
            self._ahead.clear()
            return self._changed.wait_for(self._idle, timeout)

    def replace(self) -> int:
        """Go on with a fresh thread in the place of the one that a model keeps; how many frames that one held.

        These count as failed, and as hung.
        """
        with self._lock:
            held, self._held = self._held, []
            self._tally.hung(held)
            self._generation += 1
            self._running_since, self._busy = None, False
            self._changed.notify_all()
            if self._threads and not self._stopped:
                self._left_behind = [thread for thread in self._left_behind if thread.is_alive()]
                self._left_behind.append(self._threads[0])
                self._threads[0] = self._runner()
            self._to_run.notify_all()
            return len(held)

    def stop(self, timeout: float = 1.5) -> bool:
        """End the threads for good; False when they, or one that was left behind, did not end in time."""
        with self._lock:
            self._running, self._stopped = False, True
            for condition in (self._to_run, self._to_prepare, self._to_finish):
                condition.notify_all()
        limit = time.monotonic() + timeout
        for thread in self._threads:
            thread.join(max(0.0, limit - time.monotonic()))
        return not any(thread.is_alive() for thread in (*self._threads, *self._left_behind))

    def counts(self) -> FrameCounts:
        """The counters at this moment."""
        with self._lock:
            return replace(self._tally.counts, lost_in_transport=self._gaps.lost)

    def arriving(self) -> float:
        """Frames that arrive in a second, of all cameras, from the last few of them."""
        with self._lock:
            span = self._arrivals[-1] - self._arrivals[0] if self._arrivals else 0.0
            return (len(self._arrivals) - 1) / span if span > 0.0 else 0.0

    def processed(self) -> list[int]:
        """Frames of each camera that were processed."""
        with self._lock:
            return self._tally.processed[:]

    def _runner(self) -> threading.Thread:
        return _started(partial(self._run, self._generation), "run")

    def _run(self, generation: int) -> None:
        try:
            while (items := self._next(generation)) is not None:
                begun = [item if item.prepared is not None else self._prepare(item.frame) for item in items]
                ready = self._settle_outcomes([(item.frame, item.prepared) for item in begun], generation)
                if ready:
                    self._run_ready(ready, generation)
        except Abandoned:
            pass  # what it held is counted by `replace`

    def _run_ready(self, ready: list[tuple[Frame, Any]], generation: int) -> None:
        with self._lock:
            if generation == self._generation:
                self._running_since = time.perf_counter()
            self._to_prepare.notify()
        began = time.perf_counter()
        try:
            answers: Sequence[Any] = self._stages.run([prepared for _, prepared in ready])
        except Exception as error:  # one bad frame must not end the worker
            self._failed(error)
            answers = [Outcome.FAILED] * len(ready)
        took = time.perf_counter() - began
        answered = [(frame, answer) for (frame, _), answer in zip(ready, answers, strict=True)]
        done = self._settle_outcomes(answered, generation)
        with self._lock:
            if generation != self._generation:
                raise Abandoned
            self._run_times.add(took)
            self._running_since = None
            # Whoever is to begin the next run at once does not publish.
            handed_over = bool(self._ahead or self._preparing or self._waiting or self._finishing or self._done)
            handed_over = handed_over or any(self._stages.lasts(answer) for _, answer in done)
            if handed_over:
                self._done.extend(done)
                self._held.clear()
                self._to_finish.notify()
        if not handed_over:
            for frame, answer in done:
                self._finish(frame, answer, generation)
        try:
            self._stages.after([answer for _, answer in done])
        except Exception as error:  # nor must what comes after it
            self._failed(error)

    def _next(self, generation: int) -> list[_Item] | None:
        """Wait for frames; None when this thread is to end."""

        def over() -> bool:
            return self._stopped or generation != self._generation

        with self._lock:
            if not over():
                self._busy = False
            self._changed.notify_all()
            self._to_run.wait_for(lambda: over() or bool(self._ahead) or (bool(self._waiting) and not self._preparing))
            if over():
                return None
            self._busy = True
            items, self._ahead = self._ahead, []
            items = items or [_Item(frame, None) for frame in self._pick()]
            self._held = [item.frame for item in items]
            return items

    def _prepare_ahead(self) -> None:
        while (frames := self._next_to_prepare()) is not None:
            items = [self._prepare(frame) for frame in frames]
            with self._lock:
                self._preparing = False
                if self._running:
                    self._ahead = items
                else:
                    for item in items:
                        self._tally.dropped(item.frame)
                self._to_run.notify()
                self._changed.notify_all()

    def _next_to_prepare(self) -> list[Frame] | None:
        """Wait until the model runs, a frame waits, and it is time; None when the worker is to stop."""
        with self._lock:
            while not self._stopped:
                if self._running_since is None or self._ahead or not self._waiting:
                    self._to_prepare.wait()
                    continue
                preparing = self._prepare_times.percentile(0.5) * min(self._width(), len(self._waiting))
                ends = self._running_since + self._run_times.percentile(0.5)
                early = ends - _MARGIN_TIMES * preparing - _MARGIN_SECONDS - time.perf_counter()
                if early > 0:
                    self._to_prepare.wait(early)
                    continue
                self._preparing = True
                return self._pick()
            return None

    def _prepare(self, frame: Frame) -> _Item:
        began = time.perf_counter()
        try:
            prepared = self._stages.prepare(frame)
        except Exception as error:  # one bad frame must not end the worker
            self._failed(error)
            prepared = Outcome.FAILED
        self._prepare_times.add(time.perf_counter() - began)
        return _Item(frame, prepared)

    def _finish_done(self) -> None:
        while True:
            with self._lock:
                self._finishing = False
                self._changed.notify_all()
                self._to_finish.wait_for(lambda: self._stopped or bool(self._done))
                if self._stopped:
                    return
                frame, answer = self._done.popleft()
                self._finishing = True
            self._finish(frame, answer)

    def _finish(self, frame: Frame, answer: Any, generation: int | None = None) -> None:
        try:
            outcome = self._stages.finish(answer)
        except Exception as error:  # one bad frame must not end the worker
            self._failed(error)
            outcome = Outcome.FAILED
        self._settle(frame, outcome, generation)

    def _pick(self) -> list[Frame]:
        """The frames of the next run. Called with the lock held."""
        return self._waiting.pick(max(1, self._width()))

    def _idle(self) -> bool:
        return not (self._busy or self._preparing or self._finishing or self._done or self._ahead)

    def _settle_outcomes(self, found: list[tuple[Frame, Any]], generation: int) -> list[tuple[Frame, Any]]:
        """Count those whose way ends here; the others."""
        for frame, value in found:
            if isinstance(value, Outcome):
                self._settle(frame, value, generation)
        return [(frame, value) for frame, value in found if not isinstance(value, Outcome)]

    def _settle(self, frame: Frame, outcome: Outcome, generation: int | None) -> None:
        """Count a frame; ``generation`` is that of the thread of `run`, None for any other thread."""
        with self._lock:
            if generation is not None:
                if generation != self._generation:
                    return
                # By identity: messages are slow to compare.
                self._held = [held for held in self._held if held is not frame]
            self._tally.settled(frame, outcome)


def _started(work: Callable[[], None], name: str) -> threading.Thread:
    thread = threading.Thread(target=work, name=f"frames: {name}", daemon=True)
    thread.start()
    return thread
