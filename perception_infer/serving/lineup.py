"""The models that are loaded, and which of them answers the next frame."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TypeVar

from ..cancelling import Abandoned
from ..predictor import Predictor
from .rules import Answer, Hung, Rules

T = TypeVar("T")


class Lineup:
    """One model serves; a candidate waits for its first frame; the one before is kept while the new one is watched.

    `answer` and `audition` are the worker's alone, the rest may be called from any thread. No lock is held while a
    model is asked. One that hangs is left behind with the worker that asked it (`abandon`), and another worker goes on.

    Args:
        lock: held around every change of what is loaded.
        rules: how many frames a new model is tried on.
        serves: called with a model when it answers from now on, and with why, where that is not why it was loaded.
        dismissed: called with a model that failed on frames, and why; it is freed before.
    """

    def __init__(
        self,
        lock: threading.Condition,
        rules: Rules,
        serves: Callable[[Predictor, str], None],
        dismissed: Callable[[Predictor, str], None],
    ) -> None:
        self._lock, self._rules, self._serves, self._dismissed = lock, rules, serves, dismissed
        self._current: Predictor | None = None
        self._candidate: Predictor | None = None
        # Taken out of the candidate's place by the worker, so that nobody frees it meanwhile.
        self._trying: Predictor | None = None
        self._previous: Predictor | None = None
        #: The one that is being asked, and how many workers were left behind.
        self._asked: Predictor | None = None
        self._generation = 0
        #: A model answers again that did not answer the last frame, without having taken over.
        self._returned = False
        self._watched = 0
        self._heard: list[float] = []
        self.swaps = self.rolled_back = 0
        self.agreement = -1.0

    @property
    def newest(self) -> Predictor | None:
        """The model that answers from the next frame on. Called with the lock held."""
        return self._candidate or self._trying or self._current

    def versions(self) -> set[int]:
        """Versions of all models that are loaded. Called with the lock held."""
        loaded = (self._current, self._previous, self._trying, self._candidate)
        return {one.bundle.manifest.version for one in loaded if one is not None}

    @property
    def shown(self) -> Predictor | None:
        """The model that answers, else the one that waits for a first frame. Called with the lock held."""
        return self._current or self._trying or self._candidate

    @property
    def replacing(self) -> bool:
        """Whether one serves while its successor waits for its first frame. Called with the lock held."""
        return self._current is not None and (self._candidate is not None or self._trying is not None)

    def offer(self, predictor: Predictor) -> Predictor | None:
        """Make a model the next one; what it supersedes is to be closed by the caller. Called with the lock held."""
        superseded, self._candidate = self._candidate, predictor
        self._heard.clear()
        return superseded

    def answer(self, ask: Callable[[Predictor], T]) -> Answer[T] | None:
        """Ask the newest model that is ready; None when there is none.

        A new model takes over with its first answer. When that fails, the old one answers instead and stays; when
        one of its first ``watch_frames`` does, and the old one can answer it, the old one comes back.

        Raises:
            Abandoned: the model that was asked was left behind meanwhile, and the thread that asked it is to end.
        """
        with self._lock:
            if not self._auditions():
                self._trying, self._candidate = self._candidate, None
        if self._trying is not None:
            candidate = self._trying
            try:
                value = self._ask(ask, candidate)
            except Exception as error:  # whatever a new model breaks on, the old one keeps serving
                self._drop_trying(f"its first frame failed: {error!r}")
            else:
                self._take_over(candidate)
                return Answer(value, candidate, True)
        if self._current is None:
            return None
        try:
            value = self._ask(ask, self._current)
        except Exception as error:  # whatever it breaks on
            return self._roll_back(ask, error)
        if self._previous is not None:
            self._watch()
        first, self._returned = self._returned, False
        return Answer(value, self._current, first)

    def audition(self, compare: Callable[[Predictor], float | None]) -> None:
        """Let a candidate answer a frame that the model that serves has answered, if that is asked for.

        Args:
            compare: asks the candidate, and says how far both agree, from 0 to 1; None when they cannot be compared,
                which ends the trial in the candidate's favour.

        Raises:
            Abandoned: see `answer`.
        """
        with self._lock:
            if not self._auditions():
                return
            self._trying, self._candidate = self._candidate, None
        assert self._trying is not None
        try:
            agreement = self._ask(compare, self._trying)
        except Exception as error:  # whatever a new model breaks on
            self._drop_trying(f"frame {len(self._heard) + 1} beside the model that serves failed: {error!r}")
            return
        if not self._still_wanted(agreement):
            return
        if len(self._heard) == self._rules.canary_frames and self.agreement < self._rules.canary_agreement:
            self._drop_trying(
                f"it agrees by {self.agreement:.2f} with the model that serves, over {len(self._heard)} frames "
                f"(canary_agreement is {self._rules.canary_agreement:.2f})"
            )
            return
        with self._lock:
            self._trying, self._candidate = None, self._trying

    def abandon(self, limit: float) -> Hung | None:
        """Leave behind the model that is asked, if one call into it has lasted for ``limit`` seconds or longer.

        The model before serves again, if it is still there. The thread that asked ends with `Abandoned`, if ever, and
        frees the model then; nobody else may touch it.

        Returns:
            what hung; None when nothing did.
        """
        with self._lock:
            hung = self._asked
            since = hung.busy_since if hung is not None else None
            if hung is None or since is None or time.monotonic() - since < limit:
                return None
            self._leave()
            tried = hung is self._trying and self._current is not None
            back = None
            if hung is self._trying:
                self._trying = None
                if self._candidate is None:
                    self._heard.clear()
            else:
                if hung is self._current:
                    back = self._current = self._previous
                # It came back, or hung while it stood in for the one that serves.
                self._previous = None
            if back is not None:
                self.rolled_back += 1
                self._returned = True
            successor = self._current or self._candidate
        if back is not None:
            self._serves(back, f"rolled back: {hung.bundle.title} hung")
        return Hung(hung, since, tried, successor)

    def close(self) -> None:
        """Free all models; one that is being asked is left behind (see `abandon`). Called with the lock held."""
        for predictor in (self._current, self._previous, self._trying, self._candidate):
            if predictor is not None and predictor is not self._asked:
                predictor.close()
        self._leave()
        self._current = self._previous = self._trying = self._candidate = None

    def _auditions(self) -> bool:
        """Whether the candidate has frames to answer before it may take over. Called with the lock held."""
        waits = self._current is not None and self._candidate is not None
        return waits and len(self._heard) < self._rules.canary_frames

    def _ask(self, ask: Callable[[Predictor], T], predictor: Predictor) -> T:
        """What a model answers; nothing of this line-up has changed meanwhile but by others' candidates.

        Raises:
            Abandoned: it was left behind meanwhile.
        """
        with self._lock:
            self._asked, generation = predictor, self._generation
        try:
            return ask(predictor)
        finally:
            with self._lock:
                left_behind = generation != self._generation
                if not left_behind:
                    self._asked = None
            if left_behind:
                predictor.close()
                raise Abandoned

    def _leave(self) -> None:
        """Whoever asks now is no longer the worker. Called with the lock held."""
        self._generation += 1
        self._asked = None

    def _still_wanted(self, agreement: float | None) -> bool:
        """Take note of an agreement, unless a newer candidate came meanwhile: then this one is freed."""
        with self._lock:
            superseded = self._trying if self._candidate is not None else None
            if superseded is not None:
                self._trying = None
            else:
                missing = self._rules.canary_frames - len(self._heard)
                self._heard += [agreement] if agreement is not None else [1.0] * missing
                self.agreement = sum(self._heard) / len(self._heard)
        if superseded is not None:
            superseded.close()
        return superseded is None

    def _take_over(self, candidate: Predictor) -> None:
        with self._lock:
            unused = [self._previous]
            self._previous, self._current, self._trying = self._current, candidate, None
            self.swaps += self._previous is not None
            self._watched, self._returned = 1, False
            if self._watched >= self._rules.watch_frames:
                unused.append(self._previous)
                self._previous = None
        self._serves(candidate, "")
        for predictor in unused:
            if predictor is not None:
                predictor.close()

    def _watch(self) -> None:
        """A new model has answered one more frame; after enough of them the one before is freed."""
        self._watched += 1
        if self._watched >= self._rules.watch_frames:
            with self._lock:
                unused, self._previous = self._previous, None
            if unused is not None:
                unused.close()

    def _roll_back(self, ask: Callable[[Predictor], T], error: Exception) -> Answer[T]:
        """The answer of the model before, which serves again.

        Raises:
            Exception: ``error``, if there is no model before, or it cannot answer either: then the frame is to blame.
        """
        previous = self._previous
        if previous is None:
            raise error
        try:
            value = self._ask(ask, previous)
        except Exception:  # whatever it breaks on, the first is told
            raise error from None
        with self._lock:
            failed, self._current, self._previous = self._current, previous, None
            self.rolled_back += 1
            self._returned = False
        # A model before there is only where one came after it.
        assert failed is not None
        failed.close()
        told = f"frame {self._watched + 1} that it served failed: {error!r}; {previous.bundle.title} serves again"
        self._serves(previous, f"rolled back: {failed.bundle.title} failed")
        self._dismissed(failed, told)
        return Answer(value, previous, True)

    def _drop_trying(self, why: str) -> None:
        with self._lock:
            failed, self._trying = self._trying, None
            if self._candidate is None:
                self._heard.clear()
        assert failed is not None
        failed.close()
        self._dismissed(failed, why)
