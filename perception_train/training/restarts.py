"""When a training process that has died is started again. Pure logic: no process, no ROS."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .worker import USER_ERROR


class Restarts:
    """Counts deaths of a training process; tell it every event with `hear`.

    Args:
        limit: deaths in a row, without a step kept in between, after which nobody tries again.
    """

    def __init__(self, limit: int) -> None:
        self._limit, self._left = limit, limit
        self._kept = 0
        self._message = ""
        self.deaths = 0
        self.last = ""

    def hear(self, event: Mapping[str, Any]) -> None:
        """Take in what the process says."""
        if event["event"] == "error":
            self._message = str(event["message"])
        elif event["event"] == "checkpoint" and event["step"] > self._kept:
            self._kept, self._left = event["step"], self._limit

    def after(self, status: int) -> bool:
        """Whether to start again a process that ended with this status (negative: the signal that killed it).

        A mistake of the user's is not mended by trying again. ``last`` says why it ended, in either case.
        """
        self.last = self._message or f"the training process ended with status {status}; see trainer.log"
        self._message = ""
        if status == USER_ERROR or self._left == 0:
            return False
        self._left -= 1
        self.deaths += 1
        return True
