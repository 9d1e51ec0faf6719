"""Child processes of a benchmark, and those that answer JSON lines with JSON lines."""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from perception_common.errors import UserError
from perception_common.processes import search_path

_TAIL_LINES = 3
_PATIENCE_SECONDS = 5.0
_Kind = TypeVar("_Kind", bound="Child")


class Child:
    """A command in a process group of its own, with its errors in a file; ends with the block.

    Args:
        name: what it is called in errors.
        command: the words of the command.
        environment: its whole environment.
        log: the file of its errors.
        output: what its output is for; with ``subprocess.PIPE`` somebody has to read it, otherwise it goes to ``log``.

    Raises:
        UserError: there is no such command.
    """

    def __init__(
        self, name: str, command: Sequence[str], environment: Mapping[str, str], log: Path, output: int | None = None
    ) -> None:
        self.name, self.log = name, log
        with log.open("wb") as errors:
            try:
                self.process = subprocess.Popen(
                    command, stdin=subprocess.PIPE, stdout=errors if output is None else output, stderr=errors,
                    env=environment, start_new_session=True,
                )  # fmt: skip
            except OSError as error:
                raise UserError(f"{name} cannot be started: {error.strerror}", where=command[0]) from error

    def check(self) -> None:
        """Raise a `UserError` if it ended."""
        if self.process.poll() is not None:
            raise self._died()

    def __enter__(self: _Kind) -> _Kind:
        return self

    def __exit__(self, *_: object) -> None:
        for step in (signal.SIGINT, signal.SIGKILL):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, step)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(_PATIENCE_SECONDS)
                break
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                with contextlib.suppress(BrokenPipeError):
                    pipe.close()

    def last_words(self) -> str:
        """The end of its log, as one line."""
        lines = self.log.read_text(encoding="utf-8", errors="replace").strip().splitlines()[-_TAIL_LINES:]
        return " / ".join(lines) or "without a word"

    def _died(self) -> UserError:
        return UserError(f"{self.name} ended with status {self.process.wait()}: {self.last_words()}")


class Partner(Child):
    """``python -m module arguments…``, which is told what to do on its input and says on its output what came of it."""

    def __init__(self, name: str, module: str, arguments: Sequence[str], log: Path) -> None:
        environment = {**os.environ, "PYTHONPATH": search_path()}
        super().__init__(name, [sys.executable, "-m", module, *arguments], environment, log, subprocess.PIPE)
        self._left = b""

    def tell(self, value: Mapping[str, Any]) -> None:
        """Send a line."""
        assert self.process.stdin is not None
        try:
            self.process.stdin.write(json.dumps(value).encode() + b"\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            raise self._died() from None

    def hear(self, seconds: float) -> dict[str, Any]:
        """The next line that it says.

        Raises:
            UserError: it ended, or says nothing for so long.
        """
        if not self.said(seconds):
            raise UserError(f"{self.name} did not answer within {seconds:.0f} s", where=self.log)
        line, _, self._left = self._left.partition(b"\n")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def said(self, seconds: float) -> bool:
        """Whether there is a line to hear within so long.

        Raises:
            UserError: it ended.
        """
        assert self.process.stdout is not None
        limit = time.monotonic() + seconds
        with selectors.DefaultSelector() as selector:
            selector.register(self.process.stdout, selectors.EVENT_READ)
            while b"\n" not in self._left:
                if not selector.select(max(0.0, limit - time.monotonic())):
                    return False
                block = os.read(self.process.stdout.fileno(), 1 << 16)
                if not block:
                    raise self._died()
                self._left += block
        return True

    def ask(self, value: Mapping[str, Any], seconds: float) -> dict[str, Any]:
        """`tell`, and `hear`."""
        self.tell(value)
        return self.hear(seconds)
