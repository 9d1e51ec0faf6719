"""A training run in a process of its own, so that its crash, memory and signals are not the node's."""

from __future__ import annotations

import json
import queue
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

from . import worker
from .config import TrainParams

LOG = "trainer.log"
#: Time for a last checkpoint before the process is killed; checkpoints on disk are whole at any moment.
_GRACE_SECONDS = 1.5


class TrainingProcess:
    """Starts training at once; `events` holds what it says, ending with ``done``, ``error`` or ``exit``."""

    def __init__(self, params: TrainParams) -> None:
        self.events: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
        run_directory = Path(params.run_directory)
        run_directory.mkdir(parents=True, exist_ok=True)
        self._log = (run_directory / LOG).open("ab")
        self._process = subprocess.Popen(
            [sys.executable, "-m", worker.__name__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._log
        )
        self._send(worker.request(params))
        self._reader = threading.Thread(target=self._read, name="training-events", daemon=True)
        self._reader.start()

    @property
    def pid(self) -> int:
        """Process id."""
        return self._process.pid

    def pause(self) -> None:
        """Wait before the next step."""
        self._send("pause\n")

    def go(self) -> None:
        """Go on after `pause`."""
        self._send("go\n")

    def export(self) -> None:
        """Validate and export after the present step."""
        self._send("export\n")

    def close(self) -> None:
        """Ask for a checkpoint and the end, wait briefly, then kill."""
        self._send("stop\n")
        try:
            self._process.wait(_GRACE_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._reader.join(timeout=1.0)
        if self._process.stdin is not None and not self._process.stdin.closed:
            try:
                self._process.stdin.close()
            except BrokenPipeError:
                # A command that the dead process never read.
                self._process.stdin = None
        self._log.close()

    def _send(self, line: str) -> None:
        stdin = self._process.stdin
        if stdin is None or stdin.closed or self._process.poll() is not None:
            return
        try:
            stdin.write(line.encode())
            stdin.flush()
        except BrokenPipeError:
            # It has just ended; the reader tells why.
            return

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            try:
                self.events.put(json.loads(line))
            except ValueError:
                self.events.put({"event": "error", "message": f"the training process said {line[:200]!r}"})
        self.events.put({"event": "exit", "status": self._process.wait()})
