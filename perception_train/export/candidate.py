"""From trained weights to a bundle: graph, parity proof, validation through the graph, and only then the files."""

from __future__ import annotations

import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime
import safetensors.torch
import torch

from perception_common import __version__
from perception_common.errors import UserError
from perception_infer.backends.onnx_runtime import OnnxRuntimeBackend
from perception_infer.contract.manifest import Dataset, Input, Suppression
from perception_infer.contract.parity import Parity, compare
from perception_infer.models import Bundle
from perception_infer.predictor import Predictor

from ..data.coco import CocoDataset
from ..data.loader import letterboxed
from ..data.mixture import TrainingData
from ..models.network import Network, Task
from ..models.suppression import DEFAULT
from ..training.validation import Outcome, validate
from .budget import BUDGET
from .bundle import Graph, ModelFacts, Precision, provisional_manifest, write_bundle
from .graph import inference_graph, to_onnx
from .precision import Image
from .variants import COMPARED, Variant, VariantMaker, check_precisions

if TYPE_CHECKING:
    from ..signing.signer import Signer

#: Reference images are taken until they hold this many objects (noise or empty pictures would prove nothing).
PARITY_OBJECTS = 10
_MAX_PARITY_IMAGES = 32

Arrays = dict[str, npt.NDArray[np.generic]]


@dataclass(frozen=True)
class Source:
    """What a bundle is made from, besides the weights; ``suppression`` is for detectors."""

    name: str
    architecture: str
    train: TrainingData
    validation: CocoDataset
    width: int
    height: int
    suppression: Suppression = DEFAULT


class Candidate:
    """A graph made from a model; on disk only once it is proven to answer as the model does.

    ``weights`` are those of the model, as safetensors.
    """

    def __init__(self, model: Network, source: Source, threads: int = 0) -> None:
        self.model, self.source = model, source
        self._threads, self._task = threads, model.task
        self.weights = safetensors.torch.save({name: value.contiguous() for name, value in model.state_dict().items()})
        graph = inference_graph(model.eval(), source.suppression)
        self.onnx = to_onnx(graph, source.width, source.height)
        self.references = _references(graph, source, COMPARED[self._task])
        self._facts = _facts(source, self._task, (0.5,) * len(source.train.classes))
        self.manifest = provisional_manifest(self._facts, {"fp32": Graph(self.onnx, {})})
        self._backend = OnnxRuntimeBackend(self.onnx, self.manifest.variants["fp32"], threads)

    def validate(self) -> Outcome:
        """Metrics on the validation set, through the exported graph and the robot's code."""
        return self._validated(self._backend)

    def variants(
        self,
        precisions: Sequence[str],
        images: Sequence[Image],
        budget: float = BUDGET,
        validation: Outcome | None = None,
        accept_drop: bool = False,
    ) -> dict[Precision, Variant]:
        """The graph in further precisions, each proven and scored on the validation set; for `write`.

        Args:
            precisions: names of `GRAPH_FILES`; fp32 is there anyway.
            images: letterboxed images uint8 [1, H, W, 3], to calibrate with and to find sensitive layers.
            budget: mAP, or mIoU where it segments, that each may lose against the float32 graph.
            validation: what `validate` gave, when it is known already.
            accept_drop: take what loses least, if everything loses more than the budget.

        Raises:
            UserError: a precision is unknown, loses more than the budget, or does not answer as it should.
        """
        chosen = check_precisions(precisions)
        if not chosen:
            return {}
        contract = self.manifest.variants["fp32"]
        maker = VariantMaker(
            task=self._task,
            fp32_onnx=self.onnx,
            contract=contract,
            references=self.references,
            suppression_iou=self.source.suppression.iou,
            validate=lambda graph, optimize: self._validated(
                OnnxRuntimeBackend(graph, contract, self._threads, optimize)
            ),
            baseline=validation or self.validate(),
            threads=self._threads,
        )
        return {precision: maker.make(precision, images, budget, accept_drop) for precision in chosen}

    def write(
        self,
        repository: Path,
        validation: Outcome,
        variants: Mapping[Precision, Variant] | None = None,
        signer: Signer | None = None,
    ) -> Path:
        """The new bundle's directory, with what `variants` made besides fp32; see `write_bundle`.

        Raises:
            UserError: `prove` refuses, or the repository cannot be written.
        """
        self.prove()
        facts = _facts(self.source, self._task, validation.thresholds)
        graphs: dict[Precision, Graph] = {"fp32": Graph(self.onnx, validation.metrics())}
        references = dict(self.references)
        for precision, variant in (variants or {}).items():
            graphs[precision] = variant.graph
            references |= {f"{precision}.{name}": array for name, array in variant.references.items()}
        return write_bundle(repository, facts, graphs, self.weights, references, signer)

    def prove(self) -> Parity:
        """How near the graph's answers are to the model's, on the reference images.

        Raises:
            UserError: they differ beyond the tolerance, or the model finds nothing that could be compared.
        """
        images = self.references["image"]
        answers = [self._backend.run(np.asarray(image[None], np.uint8)) for image in images]
        actual = {name: np.concatenate([answer[name] for answer in answers]) for name in COMPARED[self._task]}
        expected = {name: self.references[f"fp32.{name}"] for name in actual}
        tolerance = self.manifest.variants["fp32"].tolerance
        parity = compare(self._task, expected, actual, tolerance, self.source.suppression.iou)
        if parity.problem is not None:
            raise UserError(
                f"the exported graph does not answer as the model does: {parity.problem}", fix="nothing was published"
            )
        if parity.objects == 0:
            raise UserError(
                "the model finds nothing in the reference images yet", fix="train longer; nothing was published"
            )
        return parity

    def _validated(self, backend: OnnxRuntimeBackend) -> Outcome:
        bundle = Bundle(Path("not-yet-written"), self.manifest)
        return validate(Predictor(bundle, backend, threshold=0.0), self.source.validation)


def _references(graph: torch.nn.Module, source: Source, compared: tuple[str, ...]) -> Arrays:
    """Letterboxed validation images with at least `PARITY_OBJECTS` objects, and the model's answers."""
    images, objects = [], 0
    network = (source.width, source.height)
    by_objects = sorted(range(len(source.validation.samples)), key=lambda i: -len(source.validation.samples[i].labels))
    for index in by_objects[:_MAX_PARITY_IMAGES]:
        images.append(letterboxed(source.validation, index, network)[0])
        objects += len(source.validation.samples[index].labels)
        if objects >= PARITY_OBJECTS:
            break
    batch = np.stack(images)
    with torch.no_grad():
        # One by one, as the robot sees them: convolutions of other batch sizes round in another order.
        answers = [graph(torch.from_numpy(image[None])) for image in batch]
    told = {f"fp32.{name}": torch.cat([answer[i] for answer in answers]).numpy() for i, name in enumerate(compared)}
    return {"image": batch, **told}


def _facts(source: Source, task: Task, thresholds: tuple[float, ...]) -> ModelFacts:
    return ModelFacts(
        name=source.name,
        task=task,
        architecture=source.architecture,
        classes=source.train.classes,
        input=Input(width=source.width, height=source.height, batch=1),
        suppression=source.suppression if task == "detection" else None,
        thresholds=thresholds,
        dataset=Dataset(
            train=source.train.name,
            train_sha256=source.train.sha256,
            train_images=len(source.train.samples),
            validation=source.validation.name,
            validation_sha256=source.validation.sha256,
            validation_images=len(source.validation.samples),
            preset=source.train.preset,
        ),
        software={
            "perception_suite": __version__,
            "python": platform.python_version(),
            "torch": str(torch.__version__),
            "onnx": onnx.__version__,
            "onnxruntime": onnxruntime.__version__,
        },
    )
