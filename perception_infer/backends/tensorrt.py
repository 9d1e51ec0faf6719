"""TensorRT engines, and those of TensorRT for RTX: one code, for both modules have one programming interface."""

from __future__ import annotations

import contextlib
import importlib
from typing import Any

import numpy as np
import numpy.typing as npt

from perception_common.errors import UserError

from ..contract.manifest import Tensor, Variant
from . import cuda
from .base import check_tensors

#: Name of a backend → Python module.
MODULES = {"tensorrt": "tensorrt", "tensorrt_rtx": "tensorrt_rtx"}
_DTYPES = {"UINT8": "uint8", "INT32": "int32", "FLOAT": "float32"}
_STALE = "the engine is built anew when it is removed from the cache"


class EngineRefused(UserError):
    """TensorRT does not take an engine, though it is the one that was built."""


def load_module(name: str) -> Any:
    """The Python module of a backend.

    Raises:
        ImportError: it, or its libraries, are not installed.
    """
    try:
        return importlib.import_module(MODULES[name])
    except OSError as error:  # its libraries are missing
        raise ImportError(str(error)) from error


class TensorRtBackend:
    """An engine, ready to run: buffers are allocated, and one inference is recorded as a CUDA graph.

    Args:
        name: one of `MODULES`.
        engine: the serialized engine. Loading one is running native code: it must have been built on this machine.
        variant: what the manifest says of the graph it was built from; the engine's tensors must agree.

    Raises:
        ImportError: TensorRT or ``cuda-python`` is not installed.
        EngineRefused: TensorRT cannot load the engine.
        UserError: there is no GPU, its memory does not suffice, or the engine has other tensors.
    """

    #: A GPU has no threads to divide.
    abreast = 1

    def __init__(self, name: str, engine: bytes, variant: Variant) -> None:
        require_gpu()
        trt, self._cuda = load_module(name), cuda.runtime()
        self.name, self.precision = name, str(variant.precision)
        self._errors = Complaints(trt)
        self._graph: Any = None
        self._buffers: dict[str, cuda.Buffer] = {}
        # Kept: an engine must not outlive its runtime.
        self._runtime: Any = trt.Runtime(self._errors.logger)
        self._engine: Any = self._runtime.deserialize_cuda_engine(engine)
        if self._engine is None:
            raise EngineRefused(
                f"{name} {trt.__version__} cannot load the engine: {self._errors.told()}",
                where=variant.file,
                fix=_STALE,
            )
        self._check(trt, variant)
        self._context: Any = self._engine.create_execution_context()
        if self._context is None:
            raise EngineRefused(
                f"{name} {trt.__version__} cannot run the engine: {self._errors.told()}", where=variant.file, fix=_STALE
            )
        self._stream: Any = cuda.call(self._cuda.cudaStreamCreateWithFlags, self._cuda.cudaStreamNonBlocking)
        try:
            shared = cuda.shares_memory()
            for tensor in (*variant.inputs, *variant.outputs):
                self._buffers[tensor.name] = buffer = cuda.Buffer.allocate(tensor.shape, tensor.dtype, shared)
                self._context.set_tensor_address(tensor.name, buffer.device)
            self._inputs = [self._buffers[tensor.name] for tensor in variant.inputs]
            self._outputs = {tensor.name: self._buffers[tensor.name] for tensor in variant.outputs}
            # What is initialised at the first inference must not be recorded.
            self._queue()
            self._wait()
            self._graph = self._record()
        except BaseException:
            self.close()
            raise

    @property
    def recorded(self) -> bool:
        """Whether inferences replay a CUDA graph; not every engine can be recorded."""
        return self._graph is not None

    def run(self, image: npt.NDArray[np.uint8]) -> dict[str, npt.NDArray[Any]]:
        """See `Backend.run`; the GIL is free while the GPU works.

        Raises:
            UserError: the GPU failed.
        """
        np.copyto(self._inputs[0].host, image, casting="no")
        if self._graph is not None:
            cuda.call(self._cuda.cudaGraphLaunch, self._graph, self._stream)
        else:
            self._queue()
        self._wait()
        # Copies, for the next inference writes where these were.
        return {name: buffer.host.copy() for name, buffer in self._outputs.items()}

    def close(self) -> None:
        """Free the engine and all memory; what is in work is waited for."""
        if self._context is None:
            return
        with contextlib.suppress(cuda.CudaError):
            self._wait()
        if self._graph is not None:
            self._cuda.cudaGraphExecDestroy(self._graph)
        for buffer in self._buffers.values():
            buffer.free()
        self._buffers.clear()
        self._cuda.cudaStreamDestroy(self._stream)
        self._graph = self._context = self._engine = self._runtime = None

    def _queue(self) -> None:
        """One inference, in the stream's order: copy in, run, copy out."""
        for buffer in self._inputs:
            buffer.upload(self._stream)
        if not self._context.execute_async_v3(int(self._stream)):
            raise UserError(f"{self.name} could not run the engine: {self._errors.told()}")
        for buffer in self._outputs.values():
            buffer.download(self._stream)

    def _wait(self) -> None:
        cuda.call(self._cuda.cudaStreamSynchronize, self._stream)

    def _record(self) -> Any:
        """An inference as a CUDA graph that costs one launch; None where the engine cannot be recorded."""
        runtime = self._cuda
        mode = runtime.cudaStreamCaptureMode.cudaStreamCaptureModeThreadLocal
        cuda.call(runtime.cudaStreamBeginCapture, self._stream, mode)
        try:
            self._queue()
            failed = False
        except UserError:
            failed = True
        # In any case: the stream is of no use before its recording has ended.
        status, graph = runtime.cudaStreamEndCapture(self._stream)
        if failed or int(status) != 0:
            return None
        try:
            return cuda.call(runtime.cudaGraphInstantiate, graph, 0)
        except cuda.CudaError:
            return None
        finally:
            runtime.cudaGraphDestroy(graph)

    def _check(self, trt: Any, variant: Variant) -> None:
        found: dict[Any, list[Tensor]] = {trt.TensorIOMode.INPUT: [], trt.TensorIOMode.OUTPUT: []}
        for index in range(self._engine.num_io_tensors):
            name = self._engine.get_tensor_name(index)
            found[self._engine.get_tensor_mode(name)].append(self._tensor(name))
        check_tensors("input", variant.inputs, found[trt.TensorIOMode.INPUT], variant.file)
        check_tensors("output", variant.outputs, found[trt.TensorIOMode.OUTPUT], variant.file)

    def _tensor(self, name: str) -> Tensor:
        kind = self._engine.get_tensor_dtype(name).name
        dtype: Any = _DTYPES.get(kind, kind)
        return Tensor(name=name, dtype=dtype, shape=tuple(self._engine.get_tensor_shape(name)))


def require_gpu() -> None:
    """Raise a `UserError` where no GPU can be used."""
    if cuda.device_count() == 0:
        raise UserError("there is no NVIDIA GPU that CUDA can use", fix="see 'perception-infer doctor'")


class Complaints:
    """What TensorRT complains about, so that it is told in our line and not in its own log.

    Args:
        trt: the module whose ``logger`` this is to be.
    """

    def __init__(self, trt: Any) -> None:
        self._lines = lines = list[str]()
        errors = (trt.ILogger.Severity.ERROR, trt.ILogger.Severity.INTERNAL_ERROR)

        class Logger(trt.ILogger):  # type: ignore[misc]  # the module is chosen at run time
            def log(self, severity: Any, message: str) -> None:
                if severity in errors:
                    lines.append(" ".join(message.split()))

        self.logger = Logger()

    def told(self) -> str:
        """The first complaint, which is the cause of the others; forgets them."""
        first = self._lines[0] if self._lines else "no reason is given"
        self._lines.clear()
        return first
