"""One way to wait for what another thread or process does."""

from __future__ import annotations

import time
from collections.abc import Callable

#: Seconds. Long, since whatever is waited for takes as long as a busy machine takes for it.
PATIENCE = 60.0


def until(
    condition: Callable[[], object],
    told: Callable[[], object] = lambda: "",
    *,
    patience: float = PATIENCE,
    pause: float = 0.005,
) -> None:
    """Wait for a condition, or fail with what is known.

    Args:
        condition: looked at every ``pause`` seconds; one that costs something is looked at less often.
        told: what is known when it did not happen.
    """
    limit = time.monotonic() + patience
    while not condition():
        assert time.monotonic() < limit, f"did not happen in time. {told()}"
        time.sleep(pause)
