"""One engine from one graph, in a child process that can be watched, timed out and killed."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from perception_common import machine
from perception_common.errors import UserError
from perception_common.processes import search_path

from ..cancelling import Cancelled
from . import worker

_POLL_SECONDS = 0.1
_LAST_LINES = 3
#: The share of the memory that is free at the start which a build may take.
_SHARE_OF_FREE = 0.75
Progress = Callable[[str], object]


class BuildFailed(UserError):
    """No engine came out; the text says why."""


@dataclass(frozen=True)
class Limits:
    """When a build is given up: after ``seconds``, or when its process takes more than ``memory_mb`` MiB.

    ``memory_mb`` 0 means three quarters of what is free when the build begins.
    """

    seconds: float = 1800.0
    memory_mb: int = 0


@dataclass(frozen=True)
class Options:
    """What the builder is told: its workspace in MiB (0: as much as it wants), and how hard to try (0 to 5)."""

    workspace_mb: int = 0
    optimization: int = 3


@dataclass(frozen=True)
class Built:
    """An engine, what was measured on the way (for later builds), and how long it took."""

    engine: bytes
    timing: bytes
    seconds: float


def build(
    backend: str,
    graph: bytes,
    timing: bytes,
    folder: Path,
    options: Options,
    limits: Limits,
    cancelled: Callable[[], bool],
    progress: Progress,
) -> Built:
    """Build an engine.

    Args:
        backend: ``tensorrt`` or ``tensorrt_rtx``.
        graph: an ONNX model that lies in these bytes alone.
        timing: what earlier builds on this GPU measured.
        folder: an empty directory for the child's files.
        options: what the builder is told.
        limits: when to give up.
        cancelled: asked ten times a second.
        progress: told the builder's phases, such as ``Building engine 3/7``.

    Raises:
        BuildFailed: the builder refuses the graph, crashes, or exceeds a limit.
        OSError: a file cannot be written, by this process or by the child.
        Cancelled: ``cancelled`` said so.
    """
    began = time.monotonic()
    paths = {name: folder / name for name in ("graph", "engine", "timing", "log")}
    paths["graph"].write_bytes(graph)
    if timing:
        paths["timing"].write_bytes(timing)
    request = worker.Request(
        backend=backend,
        graph=str(paths["graph"]),
        engine=str(paths["engine"]),
        timing=str(paths["timing"]),
        workspace_mb=options.workspace_mb,
        optimization=options.optimization,
        parent=os.getpid(),
    )
    memory = (limits.memory_mb << 20) or int(machine.free_memory() * _SHARE_OF_FREE)
    with _Child(request, paths["log"]) as child:
        ended = _watch(child, began + limits.seconds, memory, cancelled, progress)
    seconds = time.monotonic() - began
    if "errno" in ended:
        raise OSError(ended["errno"], os.strerror(ended["errno"]), str(paths["engine"]))
    if "error" in ended:
        raise BuildFailed(f"{backend} does not build the engine: {ended['error']}")
    if ended.get("limit"):
        taken = f"{limits.seconds:.0f} s" if ended["limit"] == "time" else f"{memory >> 20} MiB of memory"
        name = "engine_minutes" if ended["limit"] == "time" else "engine_memory_mb"
        raise BuildFailed(f"the engine was not built within {taken}", fix=f"raise {name}, or lower engine_optimization")
    if "done" not in ended or not paths["engine"].is_file():
        raise BuildFailed(f"{backend}'s builder ended {_how(child.status)}: {_last_words(paths['log'])}")
    measured = paths["timing"].read_bytes() if paths["timing"].is_file() else b""
    return Built(paths["engine"].read_bytes(), measured, seconds)


class _Child:
    """The worker's process and what it says."""

    def __init__(self, request: worker.Request, log: Path) -> None:
        self.events: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
        self.status = 0
        environment = {**os.environ, "PYTHONPATH": search_path()}
        with log.open("wb") as errors:
            # In a session of its own, Ctrl-C does not reach it: we end it.
            self._process = subprocess.Popen(
                [sys.executable, "-m", worker.__name__],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, env=environment, start_new_session=True,
            )  # fmt: skip
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.write(msgspec.json.encode(request) + b"\n")
            self._process.stdin.close()
        self._reader = threading.Thread(target=self._read, name="engine events", daemon=True)
        self._reader.start()

    def memory(self) -> int:
        """Bytes of memory it occupies."""
        return machine.memory_of(self._process.pid)

    def __enter__(self) -> _Child:
        return self

    def __exit__(self, *_: object) -> None:
        """End it, whatever it is doing."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self.status = self._process.wait()
        self._reader.join()
        assert self._process.stdout is not None
        self._process.stdout.close()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            # A library may write to the same output.
            with contextlib.suppress(ValueError):
                event = json.loads(line)
                if isinstance(event, dict):
                    self.events.put(event)
        self.status = self._process.wait()
        self.events.put({"ended": True})


def _watch(
    child: _Child, deadline: float, memory: int, cancelled: Callable[[], bool], progress: Progress
) -> dict[str, Any]:
    """How it ended: ``done``, ``error``, ``ended`` (without a word), or ``limit``."""
    while True:
        if cancelled():
            raise Cancelled
        if time.monotonic() > deadline:
            return {"limit": "time"}
        if child.memory() > memory:
            return {"limit": "memory"}
        try:
            event = child.events.get(timeout=_POLL_SECONDS)
        except queue.Empty:
            continue
        if "phase" not in event:
            return event
        progress(f"{event['phase']} {event['step']}/{event['steps']}")


def _how(status: int) -> str:
    return f"with signal {signal.Signals(-status).name}" if status < 0 else f"with status {status}"


def _last_words(log: Path) -> str:
    with contextlib.suppress(OSError):
        lines = log.read_text(encoding="utf-8", errors="replace").split("\n")
        words = [line.strip() for line in lines if line.strip()]
        if words:
            return " / ".join(words[-_LAST_LINES:])
    return "it left no message"
