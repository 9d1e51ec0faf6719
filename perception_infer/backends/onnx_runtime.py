"""ONNX Runtime: on the GPU where its CUDA provider works, on the CPU everywhere."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnxruntime

from perception_common.errors import UserError

from ..contract.manifest import Tensor, Variant
from .base import check_tensors, default_threads, worth_abreast
from .onnx_file import refuse_external_data

_DTYPES = {"tensor(uint8)": "uint8", "tensor(int32)": "int32", "tensor(float)": "float32"}
_PROVIDERS = ("CUDAExecutionProvider", "CPUExecutionProvider")
_FATAL = 4
#: By default its threads wait in a busy loop for what is to come, for tens of milliseconds after each run and while a
#: graph is made ready: twice the work for each frame of a camera of 20 Hz, on cores that camera, transport and a model
#: which serves have use for. Within a run they still do, for it is over sooner then.
_SPINNING = {"session.force_spinning_stop": "1", "session.intra_op.spin_duration_us": "1000"}


class OnnxRuntimeBackend:
    """A session over a graph given as bytes, or read from a path.

    Args:
        graph: the ONNX model.
        variant: what the manifest says of it; the graph's tensors must agree.
        threads: threads of one inference; 0 means `default_threads`.
        optimize: False computes every node for itself, as ONNX defines it: slow, and what other backends are held to.
            Optimised kernels for 8 bits may saturate.

    Raises:
        UserError: the graph cannot be loaded, refers to other files, or has other tensors.
    """

    name = "onnxruntime"

    def __init__(self, graph: bytes | Path, variant: Variant, threads: int = 0, optimize: bool = True) -> None:
        where = graph if isinstance(graph, Path) else variant.file
        data = graph.read_bytes() if isinstance(graph, Path) else graph
        refuse_external_data(data, where)
        self.precision: str = variant.precision
        threads = threads or default_threads()
        self._session: Any = _session(data, threads, where, optimize)
        self.abreast = worth_abreast(threads) if self.provider == _PROVIDERS[-1] else 1
        check_tensors("input", variant.inputs, [_tensor(t) for t in self._session.get_inputs()], where)
        check_tensors("output", variant.outputs, [_tensor(t) for t in self._session.get_outputs()], where)
        self._outputs = [tensor.name for tensor in variant.outputs]

    @property
    def provider(self) -> str:
        """The execution provider in use, such as ``CPUExecutionProvider``."""
        return str(self._session.get_providers()[0])

    def run(self, image: npt.NDArray[np.uint8]) -> dict[str, npt.NDArray[Any]]:
        """See `Backend.run`; the GIL is free while the graph runs."""
        return dict(zip(self._outputs, self._session.run(self._outputs, {"image": image}), strict=True))

    def close(self) -> None:
        """Free the session."""
        self._session = None


def _session(data: bytes, threads: int, where: object, optimize: bool) -> Any:
    options = onnxruntime.SessionOptions()
    if not optimize:
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    for key, value in _SPINNING.items():
        options.add_session_config_entry(key, value)
    # Its own log would tell every failure a second time, in several lines; what it raises is told below.
    options.log_severity_level = _FATAL
    available = onnxruntime.get_available_providers()
    providers = [provider for provider in _PROVIDERS if provider in available]
    try:
        return onnxruntime.InferenceSession(data, options, providers=providers)
    except Exception as error:  # its exceptions share no base class but Exception
        raise UserError(
            f"ONNX Runtime {onnxruntime.__version__} cannot load the graph: {error}", where=where
        ) from error


def _tensor(value: Any) -> Tensor:
    # A symbolic dimension is a string there; the contract has none, so it becomes a size that fits nothing.
    shape = tuple(size if isinstance(size, int) else -1 for size in value.shape)
    dtype: Any = _DTYPES.get(value.type, value.type)
    return Tensor(name=value.name, dtype=dtype, shape=shape)
