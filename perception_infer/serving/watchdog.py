"""When a model does not answer, another thread and another model go on; or the node says that it cannot."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Protocol

from .rules import Hung

#: What hangs so soon after it was to go on for another that hung is not tried a third time.
_SOON_SECONDS = 60.0


class Models(Protocol):
    """What the watchdog asks of `ModelServer`."""

    @property
    def lost(self) -> str: ...

    def abandon(self, limit: float) -> Hung | None: ...

    def go_on(self, hung: Hung) -> None: ...


class Watchdog:
    """Looks whether the model hangs; the node calls `look` a few times a second, from one thread.

    Args:
        models: the server; None while the node is not configured.
        limit: how long one inference may take in seconds; 0: as long as it wants.
        replace: puts a fresh worker in the place of the one that the model keeps.
        give_up: called with the reason when nothing is left to go on with.

    Attributes:
        replacements: how many workers were left behind.
    """

    def __init__(
        self,
        models: Callable[[], Models | None],
        limit: Callable[[], float],
        replace: Callable[[], object],
        give_up: Callable[[str], None],
    ) -> None:
        self._models, self._limit, self._replace, self._give_up = models, limit, replace, give_up
        self._went_on: float | None = None
        self.replacements = 0

    def look(self) -> None:
        """Leave a model behind that hangs, and see to it that something goes on."""
        models, limit = self._models(), self._limit()
        if models is None:
            return
        if models.lost:
            self._forget(models.lost)
            return
        hung = models.abandon(limit) if limit else None
        if hung is None:
            return
        # First: frames are answered again from here on.
        self._replace()
        self.replacements += 1
        # One that was only tried says nothing about the one that serves.
        soon = self._went_on is not None and hung.since - self._went_on < _SOON_SECONDS
        if soon and not hung.tried:
            self._forget(f"{hung.title} hangs as what was there before it did: no answer within {limit:g} s")
            return
        if not hung.tried:
            self._went_on = time.monotonic()
        models.go_on(hung)

    def _forget(self, reason: str) -> None:
        """Whoever configures the node again begins anew."""
        self._went_on = None
        self._give_up(reason)
