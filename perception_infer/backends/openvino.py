"""Graphs in OpenVINO: for robots with an x86 processor, where it is faster than ONNX Runtime."""

from __future__ import annotations

import io
import queue
import sys
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import numpy.typing as npt

from perception_common.errors import UserError

from ..contract.manifest import Tensor, Variant
from .base import BF16, check_tensors, default_threads, worth_abreast
from .onnx_file import refuse_external_data

_TELEMETRY = "openvino_telemetry"


def _without_telemetry() -> ModuleType:
    """The library, imported as where its optional telemetry is not installed: robots call nobody from an import."""
    held = sys.modules.get(_TELEMETRY)
    sys.modules[_TELEMETRY] = None  # type: ignore[assignment]
    try:
        import openvino

        return openvino  # type: ignore[no-any-return]
    finally:
        del sys.modules[_TELEMETRY]
        if held is not None:
            sys.modules[_TELEMETRY] = held


openvino: Any = _without_telemetry()
_DTYPES = {"u8": "uint8", "i32": "int32", "f32": "float32"}
_DEVICE = "CPU"


class OpenVinoBackend:
    """A compiled model of a graph given as bytes, or read from a path.

    Args:
        graph: the ONNX model.
        variant: what the manifest says of it; the graph's tensors must agree.
        threads: threads of one inference; 0 means `default_threads`.
        at_once: how many threads call `run` at once.
        bf16: compute in bfloat16 (see `computes_in_bfloat16`), and not as the graph says.

    Raises:
        UserError: the graph cannot be loaded, refers to other files, or has other tensors.
    """

    name = "openvino"

    def __init__(
        self, graph: bytes | Path, variant: Variant, threads: int = 0, at_once: int = 1, bf16: bool = False
    ) -> None:
        where = graph if isinstance(graph, Path) else variant.file
        data = graph.read_bytes() if isinstance(graph, Path) else graph
        refuse_external_data(data, where)
        self.precision: str = BF16 if bf16 else variant.precision
        threads = threads or default_threads()
        self.abreast = worth_abreast(threads)
        compiled = _compiled(data, threads, at_once, bf16, where)
        check_tensors("input", variant.inputs, [_tensor(port, variant.inputs) for port in compiled.inputs], where)
        outputs = [_tensor(port, variant.outputs) for port in compiled.outputs]
        check_tensors("output", variant.outputs, outputs, where)
        #: One for each caller; what one writes its answers to is its own.
        self._requests: queue.SimpleQueue[Any] = queue.SimpleQueue()
        for _ in range(at_once):
            self._requests.put(compiled.create_infer_request())
        self._outputs = [(tensor.name, index) for index, tensor in enumerate(outputs)]

    def run(self, image: npt.NDArray[np.uint8]) -> dict[str, npt.NDArray[Any]]:
        """See `Backend.run`; the GIL is free while the graph runs."""
        requests = self._requests
        # Whoever is one too many gets an error, and does not wait for what may hang.
        request = requests.get_nowait()
        try:
            request.infer([image], share_inputs=True, share_outputs=True)
            # Copies, for the next inference writes where these were.
            return {name: request.get_output_tensor(index).data.copy() for name, index in self._outputs}
        finally:
            requests.put(request)

    def close(self) -> None:
        """Free the compiled model."""
        self._requests = queue.SimpleQueue()


@lru_cache(maxsize=1)
def computes_in_bfloat16() -> bool:
    """Whether this processor computes in bfloat16, and thus about twice as fast as in float32."""
    return "BF16" in openvino.Core().get_property(_DEVICE, "OPTIMIZATION_CAPABILITIES")


def _compiled(data: bytes, threads: int, at_once: int, bf16: bool, where: object) -> Any:
    properties = {
        "INFERENCE_NUM_THREADS": threads * at_once,
        "NUM_STREAMS": at_once,
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_PRECISION_HINT": "bf16" if bf16 else "f32",
        # A robot's other processes choose their cores themselves.
        "ENABLE_CPU_PINNING": False,
    }
    try:
        core = openvino.Core()
        return core.compile_model(core.read_model(io.BytesIO(data)), _DEVICE, properties)
    except Exception as error:  # its exceptions share no base class but Exception
        told = " ".join(str(error).split())
        raise UserError(f"OpenVINO {openvino.__version__} cannot load the graph: {told}", where=where) from error


def _tensor(port: Any, wanted: Sequence[Tensor]) -> Tensor:
    # A symbolic dimension becomes a size that fits nothing, for the contract has none.
    shape = tuple(side.get_length() if side.is_static else -1 for side in port.get_partial_shape())
    kind = port.get_element_type().get_type_name()
    dtype: Any = _DTYPES.get(kind, kind)
    # Where the graph only hands a tensor on, both names are the port's.
    names = port.get_names()
    name = next((tensor.name for tensor in wanted if tensor.name in names), port.get_any_name())
    return Tensor(name=name, dtype=dtype, shape=shape)
