"""What the stamps of a recording's frames say, and how far a replay is."""

from __future__ import annotations

import sys
import time

from ..running import say
from .pipeline import Shown

_NS_PER_MINUTE = 60e9
_RENEWED_SECONDS, _LOGGED_SECONDS = 0.2, 5.0


class Clock:
    """Takes every frame by `add`; times are in nanoseconds."""

    def __init__(self) -> None:
        self.frames = self._zero = self._backwards = self._repeated = self._before = 0
        self._first: int | None = None
        self._last = self._received_first = self._received_last = 0

    def add(self, frame: Shown) -> None:
        """The next frame."""
        if not self.frames:
            self._received_first = frame.time
        self.frames += 1
        self._received_last = frame.time
        if frame.stamp == 0:
            self._zero += 1
            return
        self._backwards += frame.stamp < self._before
        self._repeated += frame.stamp == self._before
        self._before = frame.stamp
        self._first = frame.stamp if self._first is None else min(self._first, frame.stamp)
        self._last = max(self._last, frame.stamp)

    @property
    def minutes(self) -> float | None:
        """How long the frames lasted, the last one included; None where that is not known.

        By their stamps, or by their times of receipt where one has none.
        """
        if self._zero or self._first is None:
            span = self._received_last - self._received_first
        else:
            span = self._last - self._first
        return span * self.frames / (self.frames - 1) / _NS_PER_MINUTE if span > 0 else None

    def warnings(self) -> list[str]:
        """What is odd about the stamps, one line each."""
        told = {
            "have no stamp: when they were received counts": self._zero,
            "have an earlier stamp than the frame before": self._backwards,
            "have the stamp of the frame before": self._repeated,
        }
        return [f"{count} frames {what}" for what, count in told.items() if count]


class Progress:
    """How far a replay is and how fast, beside real time: a line that is renewed, or one now and then in a log."""

    def __init__(self, title: str, total: int, clock: Clock) -> None:
        self._title, self._total, self._clock = title, total, clock
        self._terminal = sys.stderr.isatty()
        self._began = self._shown = time.perf_counter()

    def show(self) -> None:
        """One more frame is done."""
        now = time.perf_counter()
        if now - self._shown < (_RENEWED_SECONDS if self._terminal else _LOGGED_SECONDS):
            return
        self._shown = now
        if self._terminal:
            print(f"\r{self._text()} ", end="", file=sys.stderr, flush=True)
        else:
            say(self._text())

    def end(self) -> None:
        """All that there are are done."""
        if self._clock.frames:
            print(f"\r{self._text()} " if self._terminal else self._text(), file=sys.stderr, flush=True)

    def _text(self) -> str:
        done, spent = self._clock.frames, max(1e-9, time.perf_counter() - self._began)
        minutes = self._clock.minutes
        faster = f", {minutes * 60 / spent:.1f} x real time" if minutes else ""
        left = max(0, self._total - done) * spent / done
        return f"{self._title}: {done} of {self._total} frames, {done / spent:.0f}/s{faster}, {left:.0f} s left"
