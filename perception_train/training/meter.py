"""Mean losses and speed between two reports, and memory."""

from __future__ import annotations

import psutil
import torch


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
        """The mean ``loss``, that of each of its parts as ``loss_…``, and ``images_per_second``."""
        means = {"loss": self._sums["total"] / self._steps}
        means |= {f"loss_{name}": value / self._steps for name, value in self._sums.items() if name != "total"}
        means["images_per_second"] = self._steps * self._batch / max(self._seconds, 1e-9)
        self._sums, self._steps, self._seconds = {}, 0, 0.0
        return means


def memory_mb(device: torch.device) -> float:
    """What training holds: the most that the GPU has given it so far, or this process's resident memory, in MB."""
    used = torch.cuda.max_memory_allocated(device) if device.type == "cuda" else psutil.Process().memory_info().rss
    return round(used / 1e6, 1)
