"""Mean losses and speed between two reports."""

from __future__ import annotations


class Meter:
    """Collects steps with `add`; `take` answers and starts again."""

    def __init__(self, batch: int) -> None:
        self._batch = batch
        self._sums: dict[str, float] = {}
        self._steps, self._seconds = 0, 0.0

    def add(self, losses: dict[str, float], seconds: float) -> None:
        """Count one step."""
        for name, value in losses.items():
            self._sums[name] = self._sums.get(name, 0.0) + value
        self._steps += 1
        self._seconds += seconds

    def take(self) -> dict[str, float]:
        """Mean of each loss, and ``images_per_second``."""
        means = {name: value / self._steps for name, value in self._sums.items()}
        means["images_per_second"] = self._steps * self._batch / max(self._seconds, 1e-9)
        self._sums, self._steps, self._seconds = {}, 0, 0.0
        return means
