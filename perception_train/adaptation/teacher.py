"""A teacher's detections as labels: which of them are sure enough, and what the student is shown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F

from perception_infer.contract.geometry import Pixels
from perception_infer.contract.manifest import Suppression
from perception_infer.evaluation.metrics import DetectionMetrics
from perception_infer.predictor import Predictor

from ..data.augment import AugmentParams, Labelled, photometric, random_view
from ..data.coco import CocoDataset
from ..data.loader import Batch, collate
from ..export.graph import DetectionGraph
from ..models.losses import Targets
from ..models.network import Detector

#: What the student sees: everything that training does to a picture, and holes in most of them.
STRONG = AugmentParams(cutout=0.7)
#: A class of which no score is precise enough is taught only where the teacher is all but certain.
_CERTAIN = 0.95


def thresholds_for_precision(
    predictor: Predictor, dataset: CocoDataset, recommended: Sequence[float], target: float, most: int = 200
) -> tuple[float, ...]:
    """The least score of each class, at least the recommended one, from which on the detections are so precise.

    Args:
        predictor: of the teacher's bundle, with threshold 0.
        dataset: labelled images; the first ``most`` are looked at.
        recommended: scores of the manifest.
        target: share of the detections that is to be right at IoU 0.50, 0 to 1.
        most: images.
    """
    metrics = DetectionMetrics()
    for sample in dataset.samples[:most]:
        found = predictor.predict(sample.read())
        metrics.update(found.boxes, found.scores, found.labels, sample.boxes, sample.labels)
    chosen = []
    for label, least in enumerate(recommended):
        curve = metrics.curve(label)
        precise = curve.scores[curve.precision >= target]
        chosen.append(max(least, float(precise.min()) if len(precise) else _CERTAIN))
    return tuple(chosen)


@dataclass(frozen=True)
class Teacher:
    """Labels pictures.

    Attributes:
        model: in evaluation mode; may change between calls.
        suppression: as in the bundle's graph.
        thresholds: score of each class from which on a detection is taken for an object.
    """

    model: Detector
    suppression: Suppression
    thresholds: tuple[float, ...]

    @torch.no_grad()
    def label(self, pictures: Sequence[Pixels]) -> list[Labelled]:
        """Pictures uint8 [H, W, 3] of the network's size, with what was found in each."""
        boxes, scores, labels = DetectionGraph(self.model, self.suppression)(torch.from_numpy(np.stack(pictures)))
        limits = torch.tensor([*self.thresholds, np.inf], dtype=torch.float32)
        sure = (labels >= 0) & (scores >= limits[labels.long()])
        return [
            Labelled(picture, boxes[i][sure[i]].numpy(), labels[i][sure[i]].numpy().astype(np.int64))
            for i, picture in enumerate(pictures)
        ]


def weak_view(picture: Pixels, rng: np.random.Generator) -> Pixels:
    """What the teacher sees: the picture, mirrored or not."""
    return np.ascontiguousarray(picture[:, ::-1]) if rng.random() < 0.5 else picture


def strong_views(labelled: Sequence[Labelled], rng: np.random.Generator) -> Batch:
    """What the student sees of them: zoomed, shifted, mirrored, in other light, and partly covered."""
    views = []
    for sample in labelled:
        height, width = sample.image.shape[:2]
        view = random_view(sample, (width, height), STRONG, rng)
        views.append(view._replace(image=photometric(view.image, STRONG, rng)))
    return collate(views)


def joined(first: Batch, second: Batch) -> Batch:
    """Two batches of images of one size as one, without masks."""
    most = max(first.targets.labels.shape[1], second.targets.labels.shape[1])
    parts = []
    for targets in (first.targets, second.targets):
        more = most - targets.labels.shape[1]
        parts.append(
            (F.pad(targets.boxes, (0, 0, 0, more)), F.pad(targets.labels, (0, more)), F.pad(targets.mask, (0, more)))
        )
    boxes, labels, mask = (torch.cat(tensors) for tensors in zip(*parts, strict=True))
    return Batch(torch.cat((first.images, second.images)), Targets(boxes, labels, mask, None))


def picked(count: int, batch: int, step: int, seed: int) -> npt.NDArray[np.int64]:
    """Which of ``count`` pictures a step shows: each once before any comes again, a pure function of its arguments."""
    places = np.arange(step * batch, (step + 1) * batch)
    orders = {
        int(epoch): np.random.default_rng(np.random.SeedSequence([seed, 2, int(epoch)])).permutation(count)
        for epoch in np.unique(places // count)
    }
    return np.array([orders[int(place // count)][place % count] for place in places], np.int64)
