"""Architectures in every precision: accuracy, size, NVIDIA's builder, and milliseconds against float32."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch

from perception_infer.backends.onnx_runtime import OnnxRuntimeBackend

from .figures import median_seconds

#: The toy shapes and the networks that learn them within a minute are the tests'.
_TESTS = Path(__file__).resolve().parents[1] / "test" / "train"
_BATCHES = 3
_SCORES = ("map", "miou")


@dataclass(frozen=True)
class Row:
    """One graph; ``builds`` is None where nobody asks NVIDIA's builder, or where it is missing."""

    architecture: str
    precision: str
    metric: str
    score: float
    float_layers: int
    megabytes: float
    builds: bool | None
    milliseconds: float
    ratio: float


def measure(architectures: tuple[str, ...], longer: int, seconds: float) -> Iterator[Row]:
    """Train each architecture on some pictures of 128x96, export it in every precision, and time the graphs.

    Args:
        architectures: names of `perception_train.models.BUILDERS` for which the tests have a recipe.
        longer: times the steps of the recipe.
        seconds: time for each graph.
    """
    sys.path.append(str(_TESTS))
    from memorised import memorise

    torch.set_num_threads(1)
    for architecture in architectures:
        with tempfile.TemporaryDirectory() as folder:
            candidate = memorise(architecture, Path(folder) / "shapes", batches=_BATCHES, longer=longer)
            pictures = [image[None] for image in candidate.references["image"]]
            before = candidate.validate()
            variants = candidate.variants(("fp16", "int8", "int8_cpu"), pictures, validation=before, accept_drop=True)
        graphs = {"fp32": (candidate.onnx, before.metrics(), 0)}
        graphs |= {name: (v.graph.data, dict(v.graph.metrics), len(v.skipped)) for name, v in variants.items()}
        contract = candidate.manifest.variants["fp32"]
        first = 0.0
        for precision, (graph, metrics, skipped) in graphs.items():
            backend = OnnxRuntimeBackend(graph, contract, 1)
            taken = 1e3 * median_seconds(lambda run=backend.run, picture=pictures[0]: run(picture), seconds)
            first = first or taken
            metric = next(name for name in _SCORES if name in metrics)
            builds = None if precision == "int8_cpu" else _builds(graph)
            size = len(graph) / 1e6
            yield Row(architecture, precision, metric, metrics[metric], skipped, size, builds, taken, taken / first)


def _builds(graph: bytes) -> bool | None:
    import pytest
    from engines import engine_outputs

    try:
        engine_outputs(graph)
    except AssertionError:
        return False
    except pytest.skip.Exception:
        return None
    return True


def markdown(rows: list[Row]) -> str:
    """The rows as the table that docs/benchmarks/precisions.md holds."""
    lines = ["| architecture | precision | accuracy | layers in float | MB | builds | time / fp32 |"]
    lines.append("| --- | --- | --- | --- | --- | --- | --- |")
    for row in rows:
        builds = {None: "", True: "yes", False: "no"}[row.builds]
        score = f"{row.metric} {row.score:.3f}"
        lines.append(
            f"| {row.architecture} | {row.precision} | {score} | {row.float_layers or ''} | {row.megabytes:.1f} "
            f"| {builds} | {row.ratio:.2f} |"
        )
    return "\n".join(lines)
