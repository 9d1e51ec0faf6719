"""The models that are loaded, and which of them answers the next frame."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TypeVar

from ..predictor import Predictor
from .rules import Answer, Rules

T = TypeVar("T")


class Lineup:
    """One model serves; a candidate waits for its first frame; the one before is kept while the new one is watched.

    `answer` and `audition` are the worker's alone, the rest may be called from any thread.

    Args:
        lock: held around every change of what is loaded.
        rules: how many frames a new model is tried on.
        dismissed: called with a model that failed on frames, and why; it is freed before.
    """

    def __init__(self, lock: threading.Condition, rules: Rules, dismissed: Callable[[Predictor, str], None]) -> None:
        self._lock, self._rules, self._dismissed = lock, rules, dismissed
        self._current: Predictor | None = None
        self._candidate: Predictor | None = None
        # Taken out of the candidate's place by the worker, so that nobody frees it meanwhile.
        self._trying: Predictor | None = None
        self._previous: Predictor | None = None
        self._watched = 0
        self._heard: list[float] = []
        self.swaps = self.rolled_back = 0
        self.agreement = -1.0

    @property
    def newest(self) -> Predictor | None:
        """The model that answers from the next frame on. Called with the lock held."""
        return self._candidate or self._trying or self._current

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
        """
        with self._lock:
            if not self._auditions():
                self._trying, self._candidate = self._candidate, None
        if self._trying is not None:
            candidate = self._trying
            try:
                value = ask(candidate)
            except Exception as error:  # whatever a new model breaks on, the old one keeps serving
                self._drop_trying(f"its first frame failed: {error!r}")
            else:
                self._take_over(candidate)
                return Answer(value, candidate, True)
        if self._current is None:
            return None
        try:
            value = ask(self._current)
        except Exception as error:  # whatever it breaks on
            return self._roll_back(ask, error)
        if self._previous is not None:
            self._watch()
        return Answer(value, self._current, False)

    def audition(self, compare: Callable[[Predictor], float | None]) -> None:
        """Let a candidate answer a frame that the model that serves has answered, if that is asked for.

        Args:
            compare: asks the candidate, and says how far both agree, from 0 to 1; None when they cannot be compared,
                which ends the trial in the candidate's favour.
        """
        with self._lock:
            if not self._auditions():
                return
            self._trying, self._candidate = self._candidate, None
        assert self._trying is not None
        try:
            agreement = compare(self._trying)
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

    def close(self) -> None:
        """Free all models. The worker must have stopped. Called with the lock held."""
        for predictor in (self._current, self._previous, self._trying, self._candidate):
            if predictor is not None:
                predictor.close()
        self._current = self._previous = self._trying = self._candidate = None

    def _auditions(self) -> bool:
        """Whether the candidate has frames to answer before it may take over. Called with the lock held."""
        waits = self._current is not None and self._candidate is not None
        return waits and len(self._heard) < self._rules.canary_frames

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
            self._watched = 1
            if self._watched >= self._rules.watch_frames:
                unused.append(self._previous)
                self._previous = None
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
            value = ask(previous)
        except Exception:  # whatever it breaks on, the first is told
            raise error from None
        with self._lock:
            failed, self._current, self._previous = self._current, previous, None
            self.rolled_back += 1
        # A model before there is only where one came after it.
        assert failed is not None
        failed.close()
        told = f"frame {self._watched + 1} that it served failed: {error!r}; {previous.bundle.title} serves again"
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
