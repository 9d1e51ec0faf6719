"""Progress of an import and its report, on stderr."""

from __future__ import annotations

import sys
import time
from types import TracebackType

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from ..readers.tally import Tally

_LINE_EVERY_S = 5.0


class Meter:
    """Counts images: a bar on a terminal (it runs to and fro while the total is unknown), else a line now and then."""

    def __init__(self, title: str, total: int | None = None) -> None:
        console = Console(stderr=True)
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.completed:.0f} images"),
            TimeElapsedColumn(),
        )
        self._plain = not console.is_terminal
        self._progress = Progress(*columns, console=console, disable=self._plain)
        self._task = self._progress.add_task(title, total=total)
        self._title, self._count, self._told = title, 0, time.monotonic()

    def __enter__(self) -> Meter:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()

    def advance(self) -> None:
        """One more image."""
        self._count += 1
        self._progress.update(self._task, advance=1)
        if self._plain and time.monotonic() - self._told >= _LINE_EVERY_S:
            self._told = time.monotonic()
            print(f"{self._title}: {self._count} images", file=sys.stderr, flush=True)


def show_report(tally: Tally) -> None:
    """A table of everything that was left out, ignored or noted."""
    rows = tally.rows()
    if not rows:
        return
    table = Table(title="skipped, dropped, ignored and noted", title_justify="left")
    table.add_column("what", no_wrap=True)
    table.add_column("why")
    table.add_column("count", justify="right")
    table.add_column("for example", overflow="fold")
    for kind, reason, count, example in rows:
        table.add_row(kind, escape(reason), str(count), escape(example))
    Console(stderr=True).print(table)
