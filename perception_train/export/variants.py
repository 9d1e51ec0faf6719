"""Further precisions of a candidate: made within a budget of accuracy, proven, and ready to be written. No torch."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec.structs
import numpy as np
import numpy.typing as npt

from perception_common.errors import UserError
from perception_infer.backends.onnx_runtime import OnnxRuntimeBackend
from perception_infer.contract.manifest import HALF, Tolerance
from perception_infer.contract.manifest import Variant as ManifestVariant
from perception_infer.contract.parity import compare

from .budget import Budget
from .bundle import GRAPH_FILES, BackendName, Graph, Precision
from .layers import has_two_stages
from .precision import Image
from .sensitivity import halved_within, quantised_within

if TYPE_CHECKING:
    from ..training.validation import Outcome

Arrays = Mapping[str, npt.NDArray[Any]]
#: The outputs that parity is proven on, in the graph's order, and the metric that budgets are in, for each task.
COMPARED: dict[str, tuple[str, ...]] = {"detection": ("boxes", "scores", "labels"), "segmentation": ("mask",)}
_METRICS = {"detection": ("map", "mAP"), "segmentation": ("miou", "mIoU")}

_MEANT_FOR: dict[Precision, tuple[BackendName, ...]] = {
    "fp16": ("onnxruntime", "openvino", "tensorrt"),
    "int8": ("tensorrt",),
    "int8_cpu": ("onnxruntime", "openvino"),
}
#: Of networks of two stages that share of the detections must match. Many proposals lead to one object, with nearly the
#: same score, and rounding decides which of them suppresses the others.
_MATCHED_OF_TWO_STAGES = 0.9
#: Half floats are held to the float32 model's answers. 8-bit graphs are not: how near they are is told by their mAP,
#: and the reference is their own answer. Even so backends differ: they round ties and sum floats otherwise, so that
#: values fall into the next of 256 steps and later layers carry that on. The figures leave room for that, and still
#: catch another graph, another scale or wrong preprocessing.
_TOLERANCES: dict[Precision, Tolerance] = {
    "fp16": HALF,
    "int8": Tolerance(iou=0.9, score=0.1, agreement=0.98),
    "int8_cpu": Tolerance(iou=0.9, score=0.1, agreement=0.98),
}


@dataclass(frozen=True)
class Variant:
    """A graph in another precision.

    ``references`` are ``boxes`` float32 [N, K, 4], ``scores`` float32 [N, K] and ``labels`` int32 [N, K], or ``mask``
    uint8 [N, H, W]: what a backend must answer within the tolerance. ``skipped`` names layers that stayed in float,
    ``drop`` is the mAP or mIoU that is lost against float32.
    """

    graph: Graph
    references: Arrays
    skipped: tuple[str, ...]
    drop: float


def check_precisions(precisions: Sequence[str]) -> tuple[Precision, ...]:
    """The precisions besides fp32 (which every bundle has), each once, in the order of `GRAPH_FILES`.

    Raises:
        UserError: a name is no precision.
    """
    unknown = next((name for name in precisions if name not in GRAPH_FILES), None)
    if unknown is not None:
        raise UserError(f"unknown precision '{unknown}'", fix="known are: " + ", ".join(GRAPH_FILES))
    return tuple(name for name in GRAPH_FILES if name in precisions and name != "fp32")


@dataclass(frozen=True)
class VariantMaker:
    """Makes variants of a float32 graph.

    Attributes:
        task: what the graph does.
        fp32_onnx: the float32 graph.
        contract: what the manifest says of it.
        references: ``image`` uint8 [N, H, W, 3] and the float32 model's answers, ``fp32.`` and a name of `COMPARED`.
        suppression_iou: the threshold inside the graph, of detectors.
        validate: metrics of a graph on the validation set, through ONNX Runtime with its optimisers or without.
        baseline: those of the float32 graph.
        threads: threads of one inference (0: the backend's default).
    """

    task: str
    fp32_onnx: bytes
    contract: ManifestVariant
    references: Arrays
    suppression_iou: float | None
    validate: Callable[[bytes, bool], Outcome]
    baseline: Outcome
    threads: int = 0

    def make(self, precision: Precision, images: Sequence[Image], loss: float, accept_drop: bool = False) -> Variant:
        """One variant; ``images`` uint8 [1, H, W, 3] calibrate, and tell which layers are sensitive.

        Args:
            precision: any but fp32.
            images: see above.
            loss: mAP or mIoU that may be lost.
            accept_drop: take what loses least, if everything loses more.

        Raises:
            UserError: it loses more than that, or its answers are not within the tolerance.
        """
        if not images:
            raise UserError(f"{precision} needs images to calibrate with", fix="take at least one")
        metric, title = _METRICS[self.task]
        before = self.baseline.metrics()[metric]
        results: dict[bytes, Outcome] = {}

        def score(data: bytes) -> float:
            # TensorRT's 8 bits are those of the definition: sums of ONNX Runtime's own kernels may saturate.
            results[data] = self.validate(data, precision != "int8")
            return results[data].metrics()[metric]

        budget = Budget(loss, accept_drop, title)
        if precision == "fp16":
            made = halved_within(self.fp32_onnx, images, score, before, budget)
            references: Arrays = {name: self.references[f"fp32.{name}"] for name in COMPARED[self.task]}
        else:
            made = quantised_within(self.fp32_onnx, images, precision == "int8", score, before, budget)
            references = self._own_answers(made.graph)
        tolerance = _TOLERANCES[precision]
        if has_two_stages(self.fp32_onnx):
            tolerance = msgspec.structs.replace(tolerance, matched=_MATCHED_OF_TWO_STAGES)
        self._prove(precision, made.graph, references, tolerance)
        told = Graph(made.graph, results[made.graph].metrics(), _MEANT_FOR[precision], tolerance)
        return Variant(told, references, made.skipped, before - made.score)

    def _own_answers(self, graph: bytes) -> Arrays:
        """What the graph says by definition, every node for itself.

        Optimised kernels for 8 bits are another backend in this respect: on CPUs without instructions for them
        their sums saturate.
        """
        return self._stacked(OnnxRuntimeBackend(graph, self.contract, self.threads, optimize=False))

    def _prove(self, precision: Precision, graph: bytes, references: Arrays, tolerance: Tolerance) -> None:
        """Compare with ONNX Runtime as robots use it.

        Raises:
            UserError: the answers differ beyond the tolerance.
        """
        contract = msgspec.structs.replace(self.contract, precision=precision, file=GRAPH_FILES[precision])
        backend = OnnxRuntimeBackend(graph, contract, self.threads)
        parity = compare(self.task, references, self._stacked(backend), tolerance, self.suppression_iou)
        if parity.problem is not None:
            raise UserError(
                f"the {precision} graph does not answer as it should: {parity.problem}",
                fix=f"nothing was published; export without {precision}",
            )

    def _stacked(self, backend: OnnxRuntimeBackend) -> Arrays:
        """Answers for the reference images one by one, each output [N, ...] by name."""
        answers = [backend.run(np.ascontiguousarray(image[None])) for image in self.references["image"]]
        return {name: np.concatenate([each[name] for each in answers]) for name in COMPARED[self.task]}
