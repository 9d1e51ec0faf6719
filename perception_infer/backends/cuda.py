"""The part of CUDA's runtime that inference needs, through NVIDIA's own bindings (``cuda-python``)."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from perception_common.errors import UserError

_DEVICES = ("/dev/nvidiactl", "/dev/nvidia0", "/dev/nvhost-gpu", "/dev/nvgpu", "/dev/dxg")
_FIX = "look at the driver (nvidia-smi, or JetPack's version), or choose another backend"


class CudaError(UserError):
    """A call of CUDA's runtime failed."""


@lru_cache(maxsize=1)
def runtime() -> Any:
    """The module with the runtime's functions.

    Raises:
        ImportError: ``cuda-python`` is not installed.
    """
    try:
        from cuda.bindings import runtime as module
    except ModuleNotFoundError:
        # Its name up to 12.5, which JetPack 6 may have.
        from cuda import cudart as module
    return module


def call(function: Callable[..., Any], *arguments: Any) -> Any:
    """Call a function of the runtime; what it answers behind its status (None, a value, or a tuple of several).

    Raises:
        CudaError: the status is not success.
    """
    status, *values = function(*arguments)
    if int(status) != 0:
        told = getattr(status, "name", None) or f"error {int(status)}"
        raise CudaError(f"CUDA: {getattr(function, '__name__', 'a call')} failed with {told}", fix=_FIX)
    return values[0] if len(values) == 1 else tuple(values) or None


def present() -> bool:
    """Whether the system shows an NVIDIA GPU: of a desktop, of a Jetson, or through Windows. Loads no library."""
    return any(Path(device).exists() for device in _DEVICES)


def device_count() -> int:
    """How many GPUs this process can use; 0 also where bindings or driver are missing."""
    if not present():
        return 0
    try:
        return int(call(runtime().cudaGetDeviceCount))
    except (ImportError, CudaError):
        return 0


def shares_memory(device: int = 0) -> bool:
    """Whether the GPU works in the memory of the processor, as a Jetson's does."""
    cuda = runtime()
    return bool(call(cuda.cudaDeviceGetAttribute, cuda.cudaDeviceAttr.cudaDevAttrIntegrated, device))


@dataclass(frozen=True)
class Buffer:
    """Memory that the processor sees as ``host`` and the GPU at the address ``device``.

    Where the GPU works in the processor's memory (``shared``) both are the same bytes; elsewhere they are copied, and
    ``host`` is page-locked, so that copies run beside other work.
    """

    host: npt.NDArray[Any]
    device: int
    shared: bool
    _locked: int

    @classmethod
    def allocate(cls, shape: tuple[int, ...], dtype: npt.DTypeLike, shared: bool) -> Buffer:
        """Memory for an array of that shape and dtype.

        Raises:
            CudaError: there is not enough.
        """
        cuda, kind = runtime(), np.dtype(dtype)
        size = int(np.prod(shape, dtype=np.int64)) * kind.itemsize
        flags = cuda.cudaHostAllocMapped if shared else cuda.cudaHostAllocDefault
        locked = int(call(cuda.cudaHostAlloc, size, flags))
        try:
            device = call(cuda.cudaHostGetDevicePointer, locked, 0) if shared else call(cuda.cudaMalloc, size)
        except CudaError:
            cuda.cudaFreeHost(locked)
            raise
        raw = np.ctypeslib.as_array((ctypes.c_uint8 * size).from_address(locked))
        return cls(raw.view(kind).reshape(shape), int(device), shared, locked)

    def upload(self, stream: Any) -> None:
        """Queue the copy from ``host`` to ``device``; nothing where they are the same."""
        self._copy(self.device, self._locked, "cudaMemcpyHostToDevice", stream)

    def download(self, stream: Any) -> None:
        """Queue the copy from ``device`` to ``host``; nothing where they are the same."""
        self._copy(self._locked, self.device, "cudaMemcpyDeviceToHost", stream)

    def free(self) -> None:
        """Give the memory back; ``host`` must not be used after that."""
        cuda = runtime()
        if not self.shared:
            cuda.cudaFree(self.device)
        cuda.cudaFreeHost(self._locked)

    def _copy(self, target: int, source: int, kind: str, stream: Any) -> None:
        if not self.shared:
            cuda = runtime()
            call(cuda.cudaMemcpyAsync, target, source, self.host.nbytes, getattr(cuda.cudaMemcpyKind, kind), stream)
