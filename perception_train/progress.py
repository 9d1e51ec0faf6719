"""Training progress on a terminal: a bar where there is a screen, plain lines where there is none."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn

_PLAIN_EVERY = 10


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
