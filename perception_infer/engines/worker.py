"""The child process that builds one engine: it may take minutes and gigabytes, crash, or be killed.

It reads a `Request` as JSON from its input, and says on its output, an object a line, how far it is and how it ended.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import sys
import threading
import time
from pathlib import Path
from typing import Any

import msgspec

from ..backends.tensorrt import Complaints, load_module

_BEAT_SECONDS = 0.2
_PR_SET_PDEATHSIG = 1


class Request(msgspec.Struct, frozen=True):
    """What to build, and where to put it; paths are absolute."""

    backend: str
    graph: str
    engine: str
    timing: str
    workspace_mb: int
    optimization: int
    parent: int


class BuildFailed(Exception):
    """TensorRT does not build the engine; the text says why."""


def build(request: Request) -> None:
    """Parse the graph, build the engine, and write it.

    Raises:
        BuildFailed: the parser or the builder refuses the graph.
        OSError: a file cannot be read or written.
    """
    trt = load_module(request.backend)
    complaints = Complaints(trt)
    builder = trt.Builder(complaints.logger)
    if builder is None:
        raise BuildFailed(complaints.told())
    # From 11 on every network is strongly typed, and the flag may go.
    flag = getattr(trt.NetworkDefinitionCreationFlag, "STRONGLY_TYPED", None)
    network = builder.create_network(0 if flag is None else 1 << int(flag))
    parser = trt.OnnxParser(network, complaints.logger)
    if not parser.parse(Path(request.graph).read_bytes()):
        told = parser.get_error(0).desc() if parser.num_errors else complaints.told()
        raise BuildFailed(f"the parser refuses the graph: {told}")
    config = builder.create_builder_config()
    config.builder_optimization_level = request.optimization
    if request.workspace_mb:
        config.set_memory_pool_limit(trt.MemoryPoolType.WORKSPACE, request.workspace_mb << 20)
    # It must outlive the configuration that refers to it.
    monitor = _monitor(trt)
    config.progress_monitor = monitor
    timing = Path(request.timing)
    config.set_timing_cache(config.create_timing_cache(timing.read_bytes() if timing.exists() else b""), False)
    engine = builder.build_serialized_network(network, config)
    if engine is None:
        raise BuildFailed(complaints.told())
    Path(request.engine).write_bytes(engine)
    measured = config.get_timing_cache()
    if measured is not None:
        timing.write_bytes(measured.serialize())


def main() -> int:
    """Build what is asked for on standard input."""
    request = msgspec.json.decode(sys.stdin.buffer.readline(), type=Request)
    _die_with(request.parent)
    try:
        build(request)
    except ImportError as error:
        say({"error": f"{request.backend} is not installed ({error})"})
        return 1
    except BuildFailed as error:
        say({"error": str(error)})
        return 1
    except OSError as error:
        say({"errno": error.errno})
        return 1
    say({"done": True})
    return 0


def say(event: dict[str, Any]) -> None:
    """One line for the parent."""
    sys.stdout.write(json.dumps(event) + "\n")
    sys.stdout.flush()


def _die_with(parent: int) -> None:
    """Do not outlive the process that waits for the engine."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        raise SystemExit(1)


def _monitor(trt: Any) -> Any:
    """Says which of the outermost phases the builder is in, and how far; its methods are called from any thread."""
    lock, phases, last = threading.Lock(), {}, [0.0]

    class Monitor(trt.IProgressMonitor):  # type: ignore[misc]  # the module is chosen at run time
        def phase_start(self, phase: str, parent: str | None, steps: int) -> None:
            with lock:
                if not parent:
                    phases[phase] = steps
                    say({"phase": phase, "step": 0, "steps": steps})

        def step_complete(self, phase: str, step: int) -> bool:
            with lock:
                if phase in phases and time.monotonic() - last[0] > _BEAT_SECONDS:
                    last[0] = time.monotonic()
                    say({"phase": phase, "step": step + 1, "steps": phases[phase]})
            return True

        def phase_finish(self, phase: str) -> None:
            with lock:
                phases.pop(phase, None)

    return Monitor()


if __name__ == "__main__":
    raise SystemExit(main())
