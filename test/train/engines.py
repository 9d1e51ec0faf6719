"""NVIDIA's builder for the tests: TensorRT for RTX builds engines ahead of time, strongly typed, without a GPU."""

from __future__ import annotations

from typing import Any

import pytest


def engine_outputs(graph: bytes) -> dict[str, tuple[int, ...]]:
    """Build an engine of an ONNX graph; the shapes of its outputs. Skips the test where the builder is missing."""
    trt: Any = pytest.importorskip("tensorrt_rtx", reason="tensorrt-rtx is not installed")
    logger = trt.Logger(trt.Logger.ERROR)
    builder = trt.Builder(logger)
    flag = getattr(trt.NetworkDefinitionCreationFlag, "STRONGLY_TYPED", None)
    network = builder.create_network(0 if flag is None else 1 << int(flag))
    parser = trt.OnnxParser(network, logger)
    assert parser.parse(graph), [parser.get_error(i).desc() for i in range(parser.num_errors)]
    engine = builder.build_serialized_network(network, builder.create_builder_config())
    assert engine is not None
    assert engine.nbytes > 1_000_000
    return {network.get_output(i).name: tuple(network.get_output(i).shape) for i in range(network.num_outputs)}
