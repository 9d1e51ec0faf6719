"""Further precisions of a candidate: made within a budget of accuracy, proven, and ready to be written. No torch."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec.structs
import numpy as np
import numpy.typing as npt
import onnxruntime

from perception_common.errors import UserError
from perception_infer.backends.onnx_runtime import OnnxRuntimeBackend
from perception_infer.contract.manifest import Tolerance
from perception_infer.contract.manifest import Variant as ManifestVariant
from perception_infer.contract.parity import compare_detections

from ..data.loader import letterboxed
from ..data.mixture import TrainingData, as_mixture
from ..training.validation import Validation
from .bundle import GRAPH_FILES, BackendName, Graph, Precision
from .precision import Image, to_fp16
from .sensitivity import quantised_within

Arrays = Mapping[str, npt.NDArray[Any]]
OUTPUTS = ("boxes", "scores", "labels")
#: mAP that a variant may lose against float32, unless it is told otherwise.
BUDGET = 0.01

_MEANT_FOR: dict[Precision, tuple[BackendName, ...]] = {
    "fp16": ("onnxruntime", "openvino", "tensorrt"),
    "int8": ("tensorrt",),
    "int8_cpu": ("onnxruntime", "openvino"),
}
#: Half floats are held to the float32 model's answers. 8-bit graphs are not: how near they are is told by their mAP,
#: and the reference is their own answer. Even so backends differ: they round ties and sum floats otherwise, so that
#: values fall into the next of 256 steps and later layers carry that on. The figures leave room for that, and still
#: catch another graph, another scale or wrong preprocessing.
_TOLERANCES: dict[Precision, Tolerance] = {
    "fp16": Tolerance(iou=0.98, score=0.02),
    "int8": Tolerance(iou=0.9, score=0.1),
    "int8_cpu": Tolerance(iou=0.9, score=0.1),
}


@dataclass(frozen=True)
class Variant:
    """A graph in another precision.

    ``references`` are ``boxes`` float32 [N, K, 4], ``scores`` float32 [N, K] and ``labels`` int32 [N, K]: what a
    backend must answer within the tolerance. ``skipped`` names layers that stayed in float.
    """

    graph: Graph
    references: Arrays
    skipped: tuple[str, ...] = ()


def check_precisions(precisions: Sequence[str]) -> tuple[Precision, ...]:
    """The precisions besides fp32 (which every bundle has), each once, in the order of `GRAPH_FILES`.

    Raises:
        UserError: a name is no precision.
    """
    unknown = next((name for name in precisions if name not in GRAPH_FILES), None)
    if unknown is not None:
        raise UserError(f"unknown precision '{unknown}'", fix="known are: " + ", ".join(GRAPH_FILES))
    return tuple(name for name in GRAPH_FILES if name in precisions and name != "fp32")


def calibration_images(dataset: TrainingData, network: tuple[int, int], count: int) -> Iterator[Image]:
    """At most ``count`` images, evenly spread over the dataset, letterboxed to (width, height): uint8 [1, H, W, 3]."""
    for index in as_mixture(dataset).spread(count):
        yield letterboxed(dataset, int(index), network)[0][None]


@dataclass(frozen=True)
class VariantMaker:
    """Makes variants of a float32 graph.

    Attributes:
        fp32_onnx: the float32 graph.
        contract: what the manifest says of it.
        references: ``image`` uint8 [N, H, W, 3] and the float32 model's ``fp32.boxes``, ``.scores``, ``.labels``.
        suppression_iou: the threshold inside the graph.
        validate: metrics of a graph on the validation set, through ONNX Runtime.
        baseline: mAP of the float32 graph.
        threads: threads of one inference (0: the backend's default).
    """

    fp32_onnx: bytes
    contract: ManifestVariant
    references: Arrays
    suppression_iou: float
    validate: Callable[[bytes], Validation]
    baseline: float
    threads: int = 0

    def make(self, precision: Precision, images: Sequence[Image], budget: float = BUDGET) -> Variant:
        """One variant; ``images`` uint8 [1, H, W, 3] calibrate the 8-bit ones.

        Raises:
            UserError: it loses more mAP than ``budget``, or its answers are not within the tolerance.
        """
        if precision == "fp16":
            graph, skipped = to_fp16(self.fp32_onnx), ()
            result = self.validate(graph)
            if not result.map >= self.baseline - budget:
                raise UserError(
                    f"half floats cost too much accuracy: mAP {result.map:.4f} instead of {self.baseline:.4f}, "
                    f"a loss of {budget:g} is allowed",
                    fix="allow a larger budget, or export without fp16",
                )
            references = {name: self.references[f"fp32.{name}"] for name in OUTPUTS}
        else:
            if not images:
                raise UserError(f"{precision} needs images to calibrate with", fix="take at least one")
            results: dict[bytes, Validation] = {}

            def score(data: bytes) -> float:
                results[data] = self.validate(data)
                return results[data].map

            made = quantised_within(self.fp32_onnx, images, precision == "int8", score, budget, self.baseline)
            graph, skipped, result = made.graph, made.skipped, results[made.graph]
            references = self._own_answers(graph)
        self._prove(precision, graph, references)
        told = Graph(graph, result.metrics(), _MEANT_FOR[precision], _TOLERANCES[precision])
        return Variant(told, references, skipped)

    def _own_answers(self, graph: bytes) -> Arrays:
        """What the graph says by definition: ONNX Runtime on the CPU, every node for itself.

        Optimised kernels for 8 bits are another backend in this respect: on CPUs without instructions for them
        their sums saturate.
        """
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 4
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
        session = onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
        return _stacked(self.references["image"], lambda image: session.run(list(OUTPUTS), {"image": image}))

    def _prove(self, precision: Precision, graph: bytes, references: Arrays) -> None:
        """Compare with ONNX Runtime as robots use it.

        Raises:
            UserError: the answers differ beyond the tolerance.
        """
        contract = msgspec.structs.replace(self.contract, precision=precision, file=GRAPH_FILES[precision])
        backend = OnnxRuntimeBackend(graph, contract, self.threads)

        def answer(image: Image) -> list[npt.NDArray[Any]]:
            found = backend.run(image)
            return [found[name] for name in OUTPUTS]

        actual = _stacked(self.references["image"], answer)
        parity = compare_detections(references, actual, _TOLERANCES[precision], self.suppression_iou)
        if parity.problem is not None:
            raise UserError(
                f"the {precision} graph does not answer as it should: {parity.problem}",
                fix=f"nothing was published; export without {precision}",
            )


def _stacked(images: Image, answer: Callable[[Image], Sequence[npt.NDArray[Any]]]) -> Arrays:
    """Answers for images uint8 [N, H, W, 3] one by one, each output [N, ...] by name."""
    answers = [answer(np.ascontiguousarray(image[None])) for image in images]
    return {name: np.concatenate([each[index] for each in answers]) for index, name in enumerate(OUTPUTS)}
