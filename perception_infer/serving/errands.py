"""What a server has to load: one thing at a time, in a thread of its own."""

from __future__ import annotations

import threading
from collections.abc import Callable

from ..cancelling import Cancelled
from .rules import Announcement

_POLL_SECONDS = 0.5


class Errands:
    """One announcement waits at most, for a newer one takes its place; a model that hung goes before it.

    Args:
        lock: held around every change.
        load: loads what is announced; called in the thread of this object, and raises nothing.
    """

    def __init__(self, lock: threading.Condition, load: Callable[[Announcement], None]) -> None:
        self._lock, self._load = lock, load
        self._wanted: Announcement | None = None
        self._again: Announcement | None = None
        self._loading: Announcement | None = None
        self._closed = False
        self._thread: threading.Thread | None = None

    @property
    def loading(self) -> bool:
        """Whether something is being loaded. Called with the lock held."""
        return self._loading is not None

    @property
    def waiting(self) -> bool:
        """Whether an announcement waits. Called with the lock held."""
        return self._wanted is not None

    def versions(self) -> set[int]:
        """The versions that wait or are being loaded, without one that hung and waits. Called with the lock held."""
        return {pending.version for pending in (self._wanted, self._loading) if pending}

    def want(self, announcement: Announcement) -> None:
        """Load this next; one that hung (``again``) before all else. Called with the lock held."""
        if announcement.again:
            self._again = announcement
        else:
            self._wanted = announcement
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="model loader", daemon=True)
            self._thread.start()
        self._lock.notify_all()

    def take_up(self, announcement: Announcement) -> bool:
        """Load what was given up for a model that hung after that one; False where a newer announcement has come."""
        with self._lock:
            taken_up = self._again is not None and self._wanted is None
            if taken_up:
                self._wanted = announcement
            return taken_up

    def superseded(self) -> bool:
        """Whether what is being loaded is to be given up: for something else, or because nothing is wanted any more."""
        with self._lock:
            return self._closed or self._wanted is not None or self._again is not None

    def wait_until(self, condition: Callable[[], bool]) -> None:
        """Wait, asking twice a second.

        Raises:
            Cancelled: what is being loaded is superseded meanwhile.
        """
        while not condition():
            with self._lock:
                self._lock.wait_for(self.superseded, _POLL_SECONDS)
            if self.superseded():
                raise Cancelled

    def closed(self) -> bool:
        """Whether nothing is wanted any more."""
        return self._closed

    def close(self, timeout: float) -> None:
        """Want nothing any more, and wait so many seconds for the thread to end."""
        with self._lock:
            self._closed = True
            self._lock.notify_all()
        if self._thread is not None:
            self._thread.join(timeout)

    def _run(self) -> None:
        while (announcement := self._next()) is not None:
            self._load(announcement)

    def _next(self) -> Announcement | None:
        """Wait for something to load; None when there will be nothing."""
        with self._lock:
            self._loading = None
            self._lock.wait_for(self.superseded)
            if self._closed:
                return None
            if self._again is not None:
                self._loading, self._again = self._again, None
            else:
                self._loading, self._wanted = self._wanted, None
            return self._loading
