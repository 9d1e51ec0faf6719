"""Progress of training and of work on images, on stderr: a bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn

_PLAIN_EVERY, _LINE_EVERY_S = 10, 5.0
"""A plain line comes for each so many reports of training, and of work on images after so many seconds."""


class TrainingDisplay:
    """Shows a trainer's events; use as a context manager and pass `show` as the trainer's listener."""

    def __init__(self) -> None:
        self._console = Console(stderr=True)
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            TaskProgressColumn(),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[text]}"),
        )
        self._progress = Progress(*columns, console=self._console, disable=not self._console.is_terminal)
        self._task = self._progress.add_task("training", total=1.0, text="")
        self._steps_shown = 0
        self._report_shown = False

    def __enter__(self) -> TrainingDisplay:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def show(self, event: dict[str, Any]) -> None:
        """Show one event."""
        kind = event["event"]
        if kind == "step":
            speed, memory = event["images_per_second"], event["memory_mb"] / 1e3
            text = f"loss {event['loss']:.2f}, {speed:.0f} images/s, {memory:.1f} GB"
            self._progress.update(self._task, completed=event["progress"], text=text)
            self._steps_shown += 1
            if not self._console.is_terminal and self._steps_shown % _PLAIN_EVERY == 1:
                self._console.print(f"{event['progress']:4.0%}  step {event['step']}, {text}", highlight=False)
        elif kind == "start":
            word = "resumed at" if event["resumed"] else "starts at"
            images = f"{event['images']} images, validation on {event['validation_images']}"
            self._print(f"training {word} step {event['step']} in {event['precision']}: {images}")
            if event["initial"] is not None:
                self._print(event["initial"]["text"])
            self._print(f"what the network is shown: {event['samples']}")
        elif kind == "validation":
            self._print(f"step {event['step']}: {event['text']}")
        elif kind in ("refused", "recovered", "less_memory"):
            self._print(f"step {event['step']}: {event['message']}")
        elif kind == "observer_failed":
            self._print(event["message"])
        elif kind == "report" and not self._report_shown:
            self._report_shown = True
            self._print(f"plots and figures, renewed at every validation: {event['path']}")
        elif kind == "export":
            self._print(f"exported {event['name']} v{event['version']}: {event['uri']}")

    def _print(self, text: str) -> None:
        self._console.print(text, highlight=False, soft_wrap=True)


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
