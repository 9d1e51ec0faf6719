"""Loading with an end: a step that hangs does not keep whoever waits for the model."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures import TimeoutError as NotYet
from functools import partial

from perception_common.errors import UserError

from ..cancelling import Cancelled
from ..loading import Proven
from ..models import Bundle
from .rules import Load

_POLL_SECONDS = 0.1
#: Sessions are made and code is compiled in a step of loading: it may take so many times what an inference may, and so
#: many seconds at least.
_STEPS, _LEAST_SECONDS = 4.0, 10.0
#: What the step that is under way may take when the node ends.
_GRACE_SECONDS = 0.5


class PatientLoad:
    """A `Load` in a thread of its own, which is left behind when a step of it hangs, or the node ends meanwhile.

    Every step begins with the question whether loading is to be given up: that is how steps are told apart. While an
    engine is built it is asked all the time.

    Args:
        load: what loads.
        limit: how long one inference may take in seconds, as things are now; 0: as long as it wants.
        ending: whether the node ends.
        least: seconds that a step may take in any case.
    """

    def __init__(
        self,
        load: Load,
        limit: Callable[[], float],
        ending: Callable[[], bool],
        least: float = _LEAST_SECONDS,
    ) -> None:
        self._load, self._limit, self._ending, self._least = load, limit, ending, least

    def __call__(self, bundle: Bundle, cancelled: Callable[[], bool], may_build: bool) -> Proven:
        """See `Load`.

        Raises:
            UserError: also when a step hangs.
            Cancelled: also when the node ends.
        """
        attempt = _Attempt(lambda: cancelled() or self._ending())
        work = partial(self._load, bundle, attempt.cancelled, may_build)
        threading.Thread(target=attempt.run, args=(work,), name="model load", daemon=True).start()
        ends: float | None = None
        while True:
            try:
                return attempt.future.result(_POLL_SECONDS)
            except NotYet:
                # A load may raise one, too.
                if attempt.future.done():
                    raise
            now, limit = time.monotonic(), self._limit()
            if self._ending():
                ends = ends or now + _GRACE_SECONDS
                if now > ends and attempt.leave():
                    raise Cancelled
            patience = max(_STEPS * limit, self._least)
            if limit and now - attempt.beat > patience and attempt.leave():
                raise UserError(
                    f"a step of its loading hangs, for more than {patience:.0f} s",
                    where=bundle.directory,
                    fix="where it needs that long, raise hang_seconds",
                )


class _Attempt:
    """One thread's loading; ``beat`` is when its present step began."""

    def __init__(self, cancelled: Callable[[], bool]) -> None:
        self.beat = time.monotonic()
        self.future: Future[Proven] = Future()
        self._cancelled = cancelled
        self._lock = threading.Lock()
        self._left = False

    def cancelled(self) -> bool:
        self.beat = time.monotonic()
        return self._left or self._cancelled()

    def leave(self) -> bool:
        """Want nothing of it any more; False when it has just ended."""
        with self._lock:
            self._left = not self.future.done()
            return self._left

    def run(self, work: Callable[[], Proven]) -> None:
        try:
            proven = work()
        except BaseException as error:  # whoever waits is told, whatever it is
            self.future.set_exception(error)
            return
        with self._lock:
            if not self._left:
                self.future.set_result(proven)
                return
        proven.predictor.close()
