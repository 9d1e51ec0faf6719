"""Progress for people: a live table on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass
from types import TracebackType

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

_PLAIN_EVERY = 10.0


@dataclass
class Progress:
    """What is shown; None is not known yet."""

    stage: str = ""
    done: float = 0.0
    total: float = 0.0
    unit: str = ""
    loss: float | None = None
    val_map50: float | None = None
    live_map50: float | None = None
    serving: int | None = None
    frames: int = 0
    fps: float | None = None

    def figures(self) -> list[tuple[str, str]]:
        """Name and text of every figure that is known."""
        known = [
            ("loss", self.loss, "{:.2f}"),
            ("val mAP50", self.val_map50, "{:.3f}"),
            ("live mAP50", self.live_map50, "{:.3f}"),
            ("serving", self.serving, "v{}"),
            ("detections", self.fps, "{:.1f} per s"),
            ("frames scored", self.frames or None, "{}"),
        ]
        return [(name, form.format(value)) for name, value, form in known if value is not None]


class Display:
    """Shows `Progress`; a context manager.

    Args:
        plan: the names of all stages in order.
        console: where to write; a terminal gets the live table.
    """

    def __init__(self, plan: list[str], console: Console | None = None) -> None:
        self.progress = Progress()
        self._plan = plan
        self._console = console or Console(file=sys.stdout, highlight=False)
        self._started = self._stage_started = time.monotonic()
        self._took: dict[str, float] = {}
        self._last = 0.0
        self._live: Live | None = None

    def __enter__(self) -> Display:
        """Take over the terminal's last lines, when there is one."""
        if self._console.is_terminal:
            self._live = Live(self._render(), console=self._console, refresh_per_second=2, auto_refresh=False)
            self._live.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Leave the last state on the terminal."""
        if self._live is not None:
            self._live.__exit__(kind, error, trace)

    def stage(self, name: str, total: float = 0.0, unit: str = "") -> None:
        """A new stage begins."""
        self._finish()
        self.progress.stage, self.progress.done, self.progress.total, self.progress.unit = name, 0.0, total, unit
        self._stage_started = time.monotonic()
        if self._live is None:
            self.say(f"{name}…")
        self.update(force=True)

    def end(self) -> None:
        """The last stage is over."""
        self._finish()
        self.progress.stage = ""
        self.update()

    def say(self, line: str) -> None:
        """A line that stays."""
        elapsed = time.monotonic() - self._started
        self._console.print(f"[{int(elapsed) // 60:2d}:{int(elapsed) % 60:02d}] {line}", markup=False, soft_wrap=True)
        self._last = time.monotonic()

    def update(self, force: bool = False) -> None:
        """Show the present state; plain output gets a line now and then."""
        if self._live is not None:
            self._live.update(self._render(), refresh=True)
        elif not force and self.progress.stage and time.monotonic() - self._last >= _PLAIN_EVERY:
            figures = ", ".join(f"{name} {text}" for name, text in self.progress.figures())
            self.say(f"  {self._amount()}{'; ' if figures else ''}{figures}")

    def _finish(self) -> None:
        if self.progress.stage:
            self._took[self.progress.stage] = time.monotonic() - self._stage_started

    def _amount(self) -> str:
        shown = self.progress
        return (
            f"{shown.done:.0f} of {shown.total:.0f} {shown.unit}"
            if shown.total
            else f"{time.monotonic() - self._stage_started:.0f} s"
        )

    def _render(self) -> Group:
        stages = Table.grid(padding=(0, 2))
        for _ in range(4):
            stages.add_column()
        for name in self._plan:
            if name in self._took:
                stages.add_row("[green]✓[/]", name, "", Text(f"{self._took[name]:.0f} s", style="dim"))
            elif name == self.progress.stage:
                total = self.progress.total
                bar = ProgressBar(
                    total=total or None, completed=min(self.progress.done, total), width=30, pulse=not total
                )
                stages.add_row("[cyan]▶[/]", Text(name, style="bold"), bar, self._amount())
            else:
                stages.add_row(" ", Text(name, style="dim"), "", "")
        figures = Text("   ").join(
            Text.assemble((f"{name} ", "dim"), (text, "bold")) for name, text in self.progress.figures()
        )
        elapsed = int(time.monotonic() - self._started)
        head = Text.assemble(("perception_suite demo ", "bold"), (f"{elapsed // 60}:{elapsed % 60:02d}", "dim"))
        return Group(head, stages, figures)
