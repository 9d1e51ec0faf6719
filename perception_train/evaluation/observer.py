"""Who else looks at a run: plots with a report, and TensorBoard's event files. They never end it."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from perception_common.cli import vars_of

from ..training.config import TrainParams

Event = dict[str, Any]
Listener = Callable[[Event], None]
_MOST_FAILURES = 3


def observed(params: TrainParams, listen: Listener) -> Listener:
    """A listener for a trainer that passes every event on to ``listen`` and to the observers that ``params`` ask for.

    Besides the trainer's own events, ``listen`` gets ``report`` (``path``; ``seconds`` that it took) and
    ``observer_failed`` (``message``): training goes on whatever an observer meets. One that fails three times
    is left out.
    """
    observers: list[_Guarded] = []
    if params.report:
        observers.append(_Guarded("the report", lambda: _Reporter(params, listen), listen))
    if params.tensorboard:
        observers.append(_Guarded("TensorBoard's event file", lambda: _tensorboard(params), listen))

    def hear(event: Event) -> None:
        listen(event)
        for observer in observers:
            observer.hear(event)

    return hear


class _Guarded:
    """An observer that is made when the first event comes, and may fail."""

    def __init__(self, what: str, make: Callable[[], Listener], listen: Listener) -> None:
        self._what, self._make, self._listen = what, make, listen
        self._observer: Listener | None = None
        self._failures = 0

    def hear(self, event: Event) -> None:
        if self._failures >= _MOST_FAILURES:
            return
        try:
            if self._observer is None:
                self._observer = self._make()
            self._observer(event)
        except Exception as error:
            self._failures += 1
            message = f"{self._what} could not be written ({type(error).__name__}: {error}); training goes on"
            if self._failures == _MOST_FAILURES:
                message += " without it"
            self._listen({"event": "observer_failed", "message": message})


class _Reporter:
    """Writes the report at every validation and at the end."""

    def __init__(self, params: TrainParams, listen: Listener) -> None:
        self._params, self._listen = params, listen
        self._report: Any = None
        self._start: Event = {}

    def __call__(self, event: Event) -> None:
        if event["event"] == "start":
            self._start = event
        elif event["event"] == "validation":
            self._write("training")
        elif event["event"] == "done":
            self._write(str(event["state"]))

    def _write(self, state: str) -> None:
        begin = time.monotonic()
        if self._report is None:
            # Imported late: Matplotlib takes a second.
            from .report import RunReport

            p = self._params
            self._report = RunReport(Path(p.run_directory), Path(p.validation), vars_of(p))
        path = self._report.write(self._start, state)
        self._listen({"event": "report", "path": str(path), "seconds": round(time.monotonic() - begin, 3)})


def _tensorboard(params: TrainParams) -> Listener:
    from .tensorboard import TensorBoard

    return TensorBoard(Path(params.run_directory))
