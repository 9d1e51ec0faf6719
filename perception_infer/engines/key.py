"""What an engine depends on: the graph, the library, the options, and the GPU with its driver."""

from __future__ import annotations

import hashlib
import json
import re
from functools import lru_cache
from pathlib import Path

import msgspec

from ..backends import cuda

_TEGRA = Path("/etc/nv_tegra_release")
_DRIVER = Path("/proc/driver/nvidia/version")


class Device(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The GPU that an engine is built for; all empty where there is none.

    Name and compute capability do not suffice: boards with one GPU at 16 and 32 GiB share both.
    """

    name: str = ""
    capability: str = ""
    multiprocessors: int = 0
    memory_mib: int = 0
    driver: str = ""
    l4t: str = ""

    @property
    def title(self) -> str:
        """For people."""
        return f"{self.name}, compute capability {self.capability}" if self.name else "no GPU"


class Key(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Everything that decides what an engine file holds."""

    graph_sha256: str
    backend: str
    backend_version: str
    precision: str
    options: dict[str, int]
    device: Device

    @property
    def digest(self) -> str:
        """32 hexadecimal digits: the name of the engine's files."""
        text = json.dumps(msgspec.to_builtins(self), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:32]

    @property
    def timing_digest(self) -> str:
        """Names what engines of different graphs can share: how long the GPU takes for single layers."""
        text = json.dumps([self.backend, self.backend_version, msgspec.to_builtins(self.device)], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:32]


@lru_cache(maxsize=1)
def this_device() -> Device:
    """The GPU of this machine."""
    if cuda.device_count() == 0:
        return Device()
    runtime = cuda.runtime()
    properties = cuda.call(runtime.cudaGetDeviceProperties, 0)
    return Device(
        name=bytes(properties.name).split(b"\0")[0].decode(errors="replace"),
        capability=f"{properties.major}.{properties.minor}",
        multiprocessors=int(properties.multiProcessorCount),
        memory_mib=int(properties.totalGlobalMem) >> 20,
        driver=driver_version(_read(_DRIVER)),
        l4t=l4t_version(_read(_TEGRA)),
    )


def driver_version(text: str) -> str:
    """The version in what ``/proc/driver/nvidia/version`` says, such as ``580.95.05``; empty when there is none."""
    found = re.search(r"\b\d{3}\.\d+(?:\.\d+)?\b", text)
    return found.group() if found else ""


def l4t_version(text: str) -> str:
    """The version in what ``/etc/nv_tegra_release`` says: ``# R36 (release), REVISION: 4.3, …`` is ``36.4.3``."""
    found = re.search(r"R(\d+).*?REVISION:\s*([\d.]+)", text)
    return f"{found.group(1)}.{found.group(2)}" if found else ""


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
