"""The parameters that say how a bundle is run; nodes and commands share them."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from perception_common.params import param

from .backends.select import AUTO, CHOICES, PRECISIONS, Wish
from .engines.build import Limits, Options
from .engines.source import Engines, default_root


def say(line: str) -> None:
    """Tell what happens on stderr; a command's stdout is for its result."""
    print(line, file=sys.stderr, flush=True)


@dataclass(frozen=True)
class EngineParams:
    """Where TensorRT's engines are kept, and how they are built."""

    engine_cache: str = param(
        "", "directory of TensorRT's engines (empty: $XDG_CACHE_HOME/perception_suite/engines, or the same in ~/.cache)"
    )
    engine_cache_mb: int = param(
        8192,
        "MiB of engines that are kept; those not used for longest are removed (0: all are kept)",
        minimum=0,
        maximum=1 << 30,
    )
    engine_minutes: float = param(30.0, "minutes after which building an engine is given up", minimum=0.01)
    engine_memory_mb: int = param(
        0,
        "MiB of memory that building an engine may take (0: three quarters of what is free)",
        minimum=0,
        maximum=1 << 30,
    )
    engine_workspace_mb: int = param(
        0, "MiB of GPU memory for TensorRT's workspace (0: all)", minimum=0, maximum=1 << 30
    )
    engine_optimization: int = param(
        3, "how long TensorRT looks for the fastest engine: its optimization level", minimum=0, maximum=5
    )

    def engines(self, tell: Callable[[str], object], complain: Callable[[str], object] | None = None) -> Engines:
        """Engines as these parameters say; ``tell`` is called with what happens, ``complain`` with what fails."""
        root = Path(self.engine_cache).expanduser() if self.engine_cache else default_root()
        options = Options(self.engine_workspace_mb, self.engine_optimization)
        limits = Limits(self.engine_minutes * 60, self.engine_memory_mb)
        return Engines(root.absolute(), options, limits, self.engine_cache_mb, tell, complain)


@dataclass(frozen=True)
class RunningParams(EngineParams):
    """What runs a graph, and in which precision."""

    backend: str = param(AUTO, "what runs the graph", choices=CHOICES)
    precision: str = param(
        AUTO,
        "which of a bundle's graphs is run, or bf16: that in fp32, computed in bfloat16 by OpenVINO; auto: fp16 for "
        "TensorRT where there is one, bf16 for OpenVINO where the processor has it, else fp32",
        choices=PRECISIONS,
    )
    threads: int = param(
        0, "CPU threads of one inference; 0 is half of the cores, but two where there are two", minimum=0, maximum=256
    )

    def wish(self, tell: Callable[[str], object], complain: Callable[[str], object] | None = None) -> Wish:
        """How a bundle is to be run; see `engines`."""
        return Wish(self.backend, self.precision, self.threads, self.engines(tell, complain))
