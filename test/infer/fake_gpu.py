"""A GPU, CUDA's runtime and TensorRT, made up.

They obey the parts of both interfaces that the backend uses, and refuse what the real ones do: freed memory, other
streams' recordings, addresses that were never set.
"""

from __future__ import annotations

import ctypes
import enum
import types
from typing import Any

import numpy as np
import pytest

from perception_infer.backends import cuda, tensorrt
from perception_infer.contract.manifest import Variant
from perception_infer.engines import source
from perception_infer.engines.key import this_device


class Status(enum.IntEnum):
    cudaSuccess = 0  # the library's names
    cudaErrorMemoryAllocation = 2
    cudaErrorInvalidValue = 1
    cudaErrorStreamCaptureUnsupported = 900


OK = Status.cudaSuccess


class Gpu:
    """CUDA's runtime with one GPU whose memory is this process's."""

    cudaHostAllocDefault, cudaHostAllocMapped, cudaStreamNonBlocking = 0, 2, 1
    cudaMemcpyKind = types.SimpleNamespace(cudaMemcpyHostToDevice=1, cudaMemcpyDeviceToHost=2)
    cudaDeviceAttr = types.SimpleNamespace(cudaDevAttrIntegrated=18)
    cudaStreamCaptureMode = types.SimpleNamespace(cudaStreamCaptureModeThreadLocal=1)

    def __init__(self, integrated: bool = False, most: int = 1000, recordable: bool = True) -> None:
        self.integrated, self.most, self.recordable = integrated, most, recordable
        self.memory: dict[int, Any] = {}
        self.host: set[int] = set()
        self.streams: set[int] = set()
        self.graphs: dict[int, list[Any]] = {}
        self.recording: list[Any] | None = None
        self.calls: list[str] = []

    def _allocate(self, size: int) -> tuple[Status, int]:
        if len(self.memory) >= self.most:
            return Status.cudaErrorMemoryAllocation, 0
        block = ctypes.create_string_buffer(size)
        address = ctypes.addressof(block)
        self.memory[address] = block
        return OK, address

    def cudaGetDeviceCount(self) -> tuple[Status, int]:
        return OK, 1

    def cudaDeviceGetAttribute(self, attribute: int, device: int) -> tuple[Status, int]:
        return OK, int(self.integrated)

    def cudaGetDeviceProperties(self, device: int) -> tuple[Status, Any]:
        told = {"name": b"Orin\0\0", "major": 8, "minor": 7, "multiProcessorCount": 16, "totalGlobalMem": 30 << 30}
        return OK, types.SimpleNamespace(**told)

    def cudaHostAlloc(self, size: int, flags: int) -> tuple[Status, int]:
        status, address = self._allocate(size)
        self.host |= {address} if status is OK else set()
        return status, address

    def cudaHostGetDevicePointer(self, address: int, flags: int) -> tuple[Status, int]:
        assert address in self.host
        return OK, address

    def cudaMalloc(self, size: int) -> tuple[Status, int]:
        return self._allocate(size)

    def cudaFree(self, address: int) -> tuple[Status]:
        assert address not in self.host
        del self.memory[address]
        return (OK,)

    def cudaFreeHost(self, address: int) -> tuple[Status]:
        self.host.remove(address)
        del self.memory[address]
        return (OK,)

    def cudaStreamCreateWithFlags(self, flags: int) -> tuple[Status, int]:
        self.streams.add(7)
        return OK, 7

    def cudaStreamDestroy(self, stream: int) -> tuple[Status]:
        self.streams.remove(stream)
        return (OK,)

    def cudaStreamSynchronize(self, stream: int) -> tuple[Status]:
        assert stream in self.streams
        assert self.recording is None, "waiting ends a recording"
        return (OK,)

    def cudaMemcpyAsync(self, target: int, source: int, size: int, kind: int, stream: int) -> tuple[Status]:
        assert target in self.memory
        assert source in self.memory
        assert ((source if kind == 1 else target) in self.host) and ((target if kind == 1 else source) not in self.host)
        self.do("copy", lambda: ctypes.memmove(target, source, size))
        return (OK,)

    def cudaStreamBeginCapture(self, stream: int, mode: int) -> tuple[Status]:
        self.recording = []
        return (OK,)

    def cudaStreamEndCapture(self, stream: int) -> tuple[Status, int]:
        recorded, self.recording = self.recording, None
        if not self.recordable:
            return Status.cudaErrorStreamCaptureUnsupported, 0
        assert recorded is not None
        self.graphs[1] = recorded
        return OK, 1

    def cudaGraphInstantiate(self, graph: int, flags: int) -> tuple[Status, int]:
        self.graphs[2] = self.graphs[graph]
        return OK, 2

    def cudaGraphDestroy(self, graph: int) -> tuple[Status]:
        del self.graphs[graph]
        return (OK,)

    cudaGraphExecDestroy = cudaGraphDestroy

    def cudaGraphLaunch(self, graph: int, stream: int) -> tuple[Status]:
        self.calls.append("launch")
        for action in self.graphs[graph]:
            action()
        return (OK,)

    def do(self, what: str, action: Any) -> None:
        if self.recording is None:
            self.calls.append(what)
            action()
        else:
            self.recording.append(action)


class Mode(enum.Enum):
    INPUT = 1
    OUTPUT = 2


class Engine:
    """Answers an image with its mean as every score."""

    def __init__(self, variant: Variant, gpu: Gpu) -> None:
        self.tensors = {tensor.name: (tensor, Mode.INPUT) for tensor in variant.inputs}
        self.tensors |= {tensor.name: (tensor, Mode.OUTPUT) for tensor in variant.outputs}
        self.gpu, self.addresses = gpu, dict[str, int]()
        self.works = True
        self.num_io_tensors = len(self.tensors)

    def get_tensor_name(self, index: int) -> str:
        return list(self.tensors)[index]

    def get_tensor_mode(self, name: str) -> Mode:
        return self.tensors[name][1]

    def get_tensor_shape(self, name: str) -> tuple[int, ...]:
        return self.tensors[name][0].shape

    def get_tensor_dtype(self, name: str) -> Any:
        names = {"uint8": "UINT8", "int32": "INT32", "float32": "FLOAT"}
        return types.SimpleNamespace(name=names[self.tensors[name][0].dtype])

    def create_execution_context(self) -> Engine:
        return self

    def set_tensor_address(self, name: str, address: int) -> None:
        self.addresses[name] = address

    def view(self, name: str) -> np.ndarray:
        tensor = self.tensors[name][0]
        block = self.gpu.memory[self.addresses[name]]
        return np.frombuffer(block, tensor.dtype, int(np.prod(tensor.shape))).reshape(tensor.shape)

    def execute_async_v3(self, stream: int) -> bool:
        assert stream in self.gpu.streams
        assert self.addresses.keys() == self.tensors.keys()

        def work() -> None:
            self.view("scores")[:] = self.view("image").mean()

        self.gpu.do("run", work)
        return self.works


class Severity(enum.Enum):
    INTERNAL_ERROR = 0
    ERROR = 1


class ILogger:
    Severity = Severity


class Library:
    """TensorRT's module, of which an engine is loaded, or refused."""

    __version__ = "10.3.0"
    TensorIOMode, ILogger = Mode, ILogger

    def __init__(self, engine: Engine, refuses: int = 0) -> None:
        self.engine, self.refuses, self.loaded = engine, refuses, list[bytes]()

    def Runtime(self, logger: Any) -> Any:
        def deserialize(data: bytes) -> Engine | None:
            self.loaded.append(data)
            if len(self.loaded) > self.refuses:
                return self.engine
            logger.log(Severity.ERROR, "Version tag does not match")
            logger.log(Severity.ERROR, "Deserialization failed")
            return None

        return types.SimpleNamespace(deserialize_cuda_engine=deserialize)


def install(monkeypatch: pytest.MonkeyPatch, gpu: Gpu, library: Library) -> None:
    monkeypatch.setattr(cuda, "runtime", lambda: gpu)
    monkeypatch.setattr(cuda, "present", lambda: True)
    monkeypatch.setattr(tensorrt, "load_module", lambda name: library)
    monkeypatch.setattr(source, "load_module", lambda name: library)
    monkeypatch.setattr(source, "this_device", this_device.__wrapped__)
