"""One measured figure, repeated timing of a function, and the machine that it was measured on."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any


@dataclass(frozen=True)
class Figure:
    """A value, and its ratio to what it is held against (None for the reference itself)."""

    name: str
    value: float
    unit: str
    against: str = ""
    ratio: float | None = None

    def as_dict(self) -> dict[str, Any]:
        """The figure as JSON values."""
        return asdict(self)


def median_seconds(action: Callable[[], object], seconds: float, warm_up: int = 3) -> float:
    """Median duration of ``action`` over about ``seconds``, after a warm-up."""
    for _ in range(warm_up):
        action()
    times = []
    end = time.perf_counter() + seconds
    while time.perf_counter() < end or len(times) < 5:
        start = time.perf_counter()
        action()
        times.append(time.perf_counter() - start)
    return median(times)


def machine() -> dict[str, Any]:
    """Cores, processor and Python, for results that are kept."""
    return {"cores": os.cpu_count(), "machine": platform.machine(), "python": platform.python_version()}
