"""How far a run is, and what follows from it: learning rate, mosaic, validations and exports."""

from __future__ import annotations

import math

from .config import TrainParams

_LAST_RATE = 0.02


class Schedule:
    """Progress goes from 0 to 1 with the steps or the time, whichever budget is nearer to its end."""

    def __init__(self, params: TrainParams) -> None:
        self._params = params
        self.milestone = 0

    def progress(self, step: int, seconds: float) -> float:
        """The share of the budget that is used, 0 to 1."""
        p = self._params
        by_steps = step / p.steps if p.steps else 0.0
        by_time = seconds / (60 * p.minutes) if p.minutes else 0.0
        return min(1.0, max(by_steps, by_time))

    def resume(self, step: int, seconds: float) -> None:
        """Go on from here; the budget may be another than before."""
        # The small number keeps a milestone that was reached exactly.
        self.milestone = int(self.progress(step, seconds) * self._params.validations + 1e-9)

    def over(self, step: int, seconds: float) -> bool:
        """Whether the budget is used up and every milestone passed."""
        return self.progress(step, seconds) >= 1.0 and self.milestone >= self._params.validations

    def rate(self, step: int, seconds: float) -> float:
        """Learning rate: linear warm-up, then a cosine that ends with the budget."""
        p = self._params
        warm = min(1.0, (step + 1) / (p.warmup_steps + 1))
        cosine = (1 + math.cos(math.pi * self.progress(step, seconds))) / 2
        return p.learning_rate * warm * (_LAST_RATE + (1 - _LAST_RATE) * cosine)

    def mosaic(self, step: int, seconds: float) -> bool:
        """Whether batches may hold mosaics now."""
        return self.progress(step, seconds) < self._params.mosaic_share

    def due(self, step: int, seconds: float) -> bool:
        """Whether the next validation has come."""
        return self.progress(step, seconds) >= (self.milestone + 1) / self._params.validations

    def pass_milestone(self, step: int, seconds: float) -> bool:
        """Count the validations that have come; True when one of them is an export."""
        p = self._params
        before = self.milestone * p.exports // p.validations
        while self.milestone < p.validations and self.due(step, seconds):
            self.milestone += 1
        return self.milestone * p.exports // p.validations > before
