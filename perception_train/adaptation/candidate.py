"""The bundle of an adapted model: as every other, but with pictures that nobody labelled as references."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from perception_common.errors import UserError
from perception_infer.contract.manifest import Dataset, Manifest
from perception_infer.contract.parity import MIN_SCORE

from ..data.coco import CocoDataset, Sample
from ..export.bundle import Graph, Precision, write_bundle
from ..export.candidate import PARITY_OBJECTS, Candidate, Source
from ..models.network import Detector
from ..training.detection import DetectionValidation
from .objects import Found
from .selftraining import SelfTraining

if TYPE_CHECKING:
    from ..signing.signer import Signer

#: Detections of at least this score prove something: clearly above what the parity check leaves out.
_SURE = 2 * MIN_SCORE


@dataclass(frozen=True)
class Adaptation:
    """What the manifest says of an adaptation: from which version, on what pictures, and how far."""

    source: str
    images: int
    images_sha256: str
    blend: float
    layers: str

    def provenance(self) -> dict[str, str]:
        """As entries of the manifest's ``software``."""
        return {
            "adapted_from": self.source,
            "adapted_images": str(self.images),
            "adapted_images_sha256": self.images_sha256,
            "adapted_blend": f"{self.blend:g}",
            "adapted_layers": self.layers,
        }


class AdaptedCandidate(Candidate):
    """An adapted model on its way into the repository.

    Args:
        model: the adapted network.
        manifest: of the bundle that it was adapted from.
        adaptation: what is told of it.
        pictures: what it was adapted to; references of the parity check unless there is a validation set.
        found: what the adapted model finds in each picture (the parity check needs something).
        thresholds: recommended score per class, unless a validation set says better.
        validation: labelled images, or None.
        threads: CPU threads of the proof and the validation (0: the backend's default).

    Raises:
        UserError: the model finds nothing in any picture, so that nothing could be proven.
    """

    def __init__(
        self,
        model: Detector,
        manifest: Manifest,
        adaptation: Adaptation | SelfTraining,
        pictures: CocoDataset,
        found: Found,
        thresholds: tuple[float, ...],
        validation: CocoDataset | None = None,
        threads: int = 0,
    ) -> None:
        if manifest.suppression is None:
            raise ValueError("a detection model says how its graph suppresses")
        self._before, self._adaptation, self._thresholds = manifest, adaptation, thresholds
        self._pictures, self._labelled = pictures, validation
        references = validation or replace(
            pictures, samples=_telling(pictures, found.counts((_SURE,) * len(manifest.classes)))
        )
        size = manifest.input
        source = Source(
            manifest.name, manifest.architecture, pictures, references, size.width, size.height, manifest.suppression
        )
        super().__init__(model, source, threads)

    def publish(self, repository: Path, scores: DetectionValidation | None, signer: Signer | None = None) -> Path:
        """Prove parity and write the next version; its directory.

        Without ``scores`` the metrics stay empty: there are no labels to measure them on.

        Raises:
            UserError: the graph does not answer as the model does, or the repository cannot be written.
        """
        self.prove()
        known, facts = self._before.dataset, self._facts
        told = self._labelled or self._pictures
        facts = replace(
            facts,
            thresholds=self._thresholds if scores is None else scores.thresholds,
            dataset=Dataset(
                train=known.train,
                train_sha256=known.train_sha256,
                train_images=known.train_images,
                validation=told.root.name,
                validation_sha256=told.sha256,
                validation_images=len(told.samples),
                preset=known.preset,
            ),
            software={**facts.software, **self._adaptation.provenance()},
        )
        metrics = {} if scores is None else scores.metrics()
        graphs: dict[Precision, Graph] = {"fp32": Graph(self.onnx, metrics)}
        return write_bundle(repository, facts, graphs, self.weights, self.references, signer)


def _telling(pictures: CocoDataset, found: Sequence[int]) -> tuple[Sample, ...]:
    """The pictures with most objects, until they hold as many as a parity check wants."""
    chosen, objects = [], 0
    for index in np.argsort(-np.asarray(found), kind="stable"):
        if objects >= PARITY_OBJECTS or not found[index]:
            break
        chosen.append(pictures.samples[index])
        objects += found[index]
    if not chosen:
        raise UserError(
            "the adapted model finds nothing in the pictures",
            where=pictures.root,
            fix="give pictures that show the classes, lower blend, or give a labelled validation set",
        )
    return tuple(chosen)
