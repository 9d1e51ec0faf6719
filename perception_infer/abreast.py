"""A model that answers several images at once, each on one thread: more of them in a second than one on all threads."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable
from typing import Generic, TypeVar

from perception_common.errors import UserError

from .backends.base import Backend
from .models import Bundle
from .predictor import Predictor

T = TypeVar("T")
#: A moment's haste is no reason to load a graph a second time.
_WISHES = 10


def _nothing() -> None:
    pass


class Pending(Generic[T]):
    """An answer that comes, or an error.

    Args:
        ask: answers, in a thread of its own.
        taken: called once somebody has the answer.
    """

    def __init__(self, ask: Callable[[], T], taken: Callable[[], None]) -> None:
        self._ask, self._taken, self._there, self._lock = ask, taken, threading.Event(), threading.Lock()
        self._value: T | None = None
        self._error: Exception | None = None
        # It takes a tenth of a millisecond to start, and one that hangs must not keep the process from ending.
        threading.Thread(target=self._answer, name="side by side", daemon=True).start()

    def wait(self, seconds: float | None = None) -> T:
        """The answer.

        Raises:
            TimeoutError: it does not come within so many seconds (None: waits as long as it takes).
            Exception: what ``ask`` raised.
        """
        if not self._there.wait(seconds):
            raise TimeoutError(f"no answer within {seconds:g} s")
        with self._lock:
            taken, self._taken = self._taken, _nothing
        taken()
        if self._error is not None:
            raise self._error
        return self._value  # type: ignore[return-value]

    def _answer(self) -> None:
        try:
            self._value = self._ask()
        except Exception as error:  # it belongs to who waits
            self._error = error
        self._there.set()


class Abreast:
    """A second session of a graph, which is loaded in the background once it has been wished for again and again.

    An inference on two threads is not twice as fast as on one: layers are soon done, and whoever takes a core from one
    thread keeps both waiting. Two images that are each on a thread are done sooner than two in turn (62 against 39 in a
    second, `yolo_n` at 320x320 on two cores), though each for itself takes longer. So this is for a model that cannot
    keep up otherwise.

    Args:
        bundle: of the graph.
        make: loads and proves the session, which has one thread and may be asked by several; gives up when what it is
            called with says so.
        count: how many images are answered at once.
    """

    def __init__(self, bundle: Bundle, make: Callable[[Callable[[], bool]], Backend], count: int) -> None:
        self._bundle, self._make, self.count = bundle, make, count
        self._lock = threading.Lock()
        self._free: queue.SimpleQueue[Predictor] = queue.SimpleQueue()
        self._backend: Backend | None = None
        self._wishes, self._closed = 0, False
        #: Since when (`time.monotonic`) somebody waits for a free place; None while nobody does.
        self.busy_since: float | None = None
        #: Why it will not be used any more; "" while nothing is wrong.
        self.problem = ""

    @property
    def ready(self) -> bool:
        """Whether `begin` may be called."""
        return self._backend is not None

    def wish(self) -> bool:
        """Say that it would be of use now; whether it is ready. Returns at once."""
        with self._lock:
            self._wishes += 1
            begins = self._wishes == _WISHES and not self._closed
        if begins:
            threading.Thread(target=self._load, name="second session", daemon=True).start()
        return self.ready

    def begin(self, ask: Callable[[Predictor], T]) -> Pending[T]:
        """Have a predictor asked; returns once there is another that is free for who comes next.

        One is free again when what it was asked has been waited for.
        """
        self.busy_since = time.monotonic()
        try:
            predictor = self._free.get()
            pending = Pending(lambda: ask(predictor), lambda: self._free.put(predictor))
            # Here, and not before the next is asked: until then a newer image may come.
            self._free.put(self._free.get())
        finally:
            self.busy_since = None
        return pending

    def give_up(self, why: str) -> None:
        """Use it no more: what goes wrong is for the first session to show."""
        self.problem = self.problem or why
        self.close()

    def close(self) -> None:
        """Begin nothing more, but for who is about to. The session is freed with this object."""
        with self._lock:
            self._closed, self._backend = True, None

    def _load(self) -> None:
        backend: Backend | None = None
        try:
            backend = self._make(lambda: self._closed)
        except UserError as error:
            self.problem = str(error)
        except Exception as error:  # what was loaded first goes on alone
            self.problem = repr(error)
        with self._lock:
            if backend is not None and not self._closed:
                for _ in range(self.count):
                    self._free.put(Predictor(self._bundle, backend))
                self._backend, backend = backend, None
        if backend is not None:
            backend.close()
