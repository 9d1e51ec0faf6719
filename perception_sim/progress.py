"""Progress on stderr: a bar on a terminal, a plain line now and then elsewhere."""

from __future__ import annotations

import datetime
import sys
import time
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TextColumn, TimeRemainingColumn
from rich.text import Text

_LINE_EVERY_S, _AT_MOST_S, _SHARE = 5.0, 60.0, 0.02
"""A line comes every few seconds at first, later after a share of the time gone by: an hour has some 100 lines."""


class _Rate(ProgressColumn):
    """Units a second."""

    def __init__(self, unit: str) -> None:
        super().__init__()
        self._unit = unit

    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        return Text("" if speed is None else f"{speed:.1f} {self._unit}/s")


class Meter:
    """A context manager that shows how far ``total`` units of work have come; ``done`` were there before."""

    def __init__(self, title: str, total: int, unit: str, done: int = 0) -> None:
        self._title, self._total, self._unit = title, total, unit
        self._done = self._before = done
        self._bar: Progress | None = None

    def __enter__(self) -> Meter:
        self._start = self._told = time.monotonic()
        console = Console(stderr=True)
        if console.is_terminal:
            columns = (
                TextColumn("{task.description}"),
                BarColumn(),
                MofNCompleteColumn(),
                _Rate(self._unit),
                TimeRemainingColumn(),
            )
            self._bar = Progress(*columns, console=console, speed_estimate_period=60.0)
            self._bar.start()
            self._task = self._bar.add_task(self._title, total=self._total, completed=self._done)
        return self

    def advance(self, count: int) -> None:
        """``count`` more units are done."""
        self._done += count
        if self._bar is not None:
            self._bar.update(self._task, advance=count)
        elif self._done == self._total or self._due():
            self._tell()

    def _due(self) -> bool:
        now = time.monotonic()
        return now - self._told >= min(max(_LINE_EVERY_S, _SHARE * (now - self._start)), _AT_MOST_S)

    def _tell(self) -> None:
        self._told = time.monotonic()
        rate = (self._done - self._before) / max(self._told - self._start, 1e-9)
        left = datetime.timedelta(seconds=round((self._total - self._done) / max(rate, 1e-9)))
        print(
            f"{self._title}: {self._done}/{self._total} {self._unit}, {rate:.1f} {self._unit}/s, {left} left",
            file=sys.stderr,
            flush=True,
        )

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()
