"""What a detector finds and misses: by occlusion, by confidence, which class for which, and in which pictures."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from perception_infer.contract.detections import Detections
from perception_infer.contract.geometry import iou_matrix
from perception_infer.evaluation.confusion import pair_up
from perception_infer.evaluation.metrics import AT_50, DetectionMetrics, ImageMatches, match_objects

from ..data.coco import CocoDataset, Sample
from .calibration import CalibrationCounter
from .figures import BACKGROUND, Calibration, Confusion, Example, Stratum

Bools = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.intp]

OCCLUSION_EDGES = (0.0, 0.1, 0.4, 0.8, 1.0)
CALIBRATED_FROM = 0.1
"""Confidences below are left out of the calibration: no threshold of ours lies there, and they would outnumber all."""
EXAMPLES = 12


class _Image:
    """One picture: what is there, what was found, and the object that each detection found [10, D] (or −1)."""

    def __init__(self, sample: Sample, found: Detections) -> None:
        self.sample, self.found = sample, found
        self.iou = iou_matrix(found.boxes, sample.boxes)
        other = found.labels[:, None] != sample.labels[None, :]
        self.objects = match_objects(np.where(other, -1.0, self.iou))

    def matches(self, counted: Bools) -> ImageMatches:
        """As the metrics take it, if only some objects [G] count; who finds another one is neither right nor wrong."""
        some = self.objects >= 0
        hit = some & (counted[self.objects] if len(counted) else False)
        labels = self.sample.labels[counted].astype(np.intp)
        scores = self.found.scores.astype(np.float64)
        return ImageMatches(scores, self.found.labels.astype(np.intp), hit, some & ~hit, labels)


class DetectionRecord:
    """Collects the pictures of a validation with `add`; the methods below tell of all of them."""

    def __init__(self, dataset: CocoDataset) -> None:
        self._dataset = dataset
        self._images: list[_Image] = []

    def add(self, sample: Sample, found: Detections) -> ImageMatches:
        """A picture and its detections, best first; what it adds to the metrics."""
        image = _Image(sample, found)
        self._images.append(image)
        return image.matches(np.ones(len(sample.labels), bool))

    def calibration(self) -> Calibration:
        """Confidence against precision at IoU 0.50."""
        counter = CalibrationCounter()
        for image in self._images:
            kept = image.found.scores >= CALIBRATED_FROM
            counter.add(image.found.scores[kept], image.objects[AT_50, kept] >= 0)
        return counter.result()

    def recall(self, chosen: Sequence[Bools], thresholds: npt.NDArray[np.floating]) -> tuple[int, float | None]:
        """How many of the objects are chosen (bool [G] of every picture), and the share found above the thresholds."""
        objects = found = 0
        for image, counted in zip(self._images, chosen, strict=True):
            seen = image.objects[AT_50, image.found.scores >= thresholds[image.found.labels]]
            objects += int(counted.sum())
            found += int(counted[seen[seen >= 0]].sum())
        return objects, found / objects if objects else None

    def by_size(
        self,
        bands: Sequence[tuple[str, float, float]],
        ap: Sequence[tuple[float | None, float | None]],
        at: Sequence[float],
    ) -> tuple[Stratum, ...]:
        """Bands of box areas (name, from, to in px²), whose AP and AP50 COCO's own code has computed."""
        found = []
        for (name, low, high), (mean, at_50) in zip(bands, ap, strict=True):
            chosen = [(low <= area) & (area < high) for area in (_areas(image.sample) for image in self._images)]
            objects, recall = self.recall(chosen, np.asarray(at))
            found.append(Stratum(name, objects, mean, at_50, recall))
        return tuple(found)

    def by_occlusion(self, at: Sequence[float]) -> tuple[Stratum, ...]:
        """Ranges of the share that others hide; empty where no object's share is known.

        As in KITTI, objects of other ranges are ignored; false alarms, of which nobody can say how hidden they are,
        count in every range.
        """
        if all(image.sample.occlusion is None for image in self._images):
            return ()
        found = []
        for low, high in pairwise(OCCLUSION_EDGES):
            chosen = [_hidden_between(image.sample, low, high) for image in self._images]
            objects, recall = self.recall(chosen, np.asarray(at))
            told = DetectionMetrics(image.matches(c) for image, c in zip(self._images, chosen, strict=True)).compute()
            name = f"{low:.0%} to {high:.0%} hidden"
            found.append(Stratum(name, objects, _known(told.map), _known(told.map50), recall))
        return tuple(found)

    def confusion(self, at: Sequence[float]) -> Confusion:
        """Objects by what they were taken for by detections above their thresholds (see `pair_up`)."""
        names = (*self._dataset.classes, BACKGROUND)
        counts = np.zeros((len(names), len(names)), np.int64)
        for image in self._images:
            truth, found = _pairs(image, np.asarray(at))
            np.add.at(counts, (truth, found), 1)
        return Confusion(names, tuple(tuple(row) for row in counts.tolist()))

    def worst(self, at: Sequence[float]) -> tuple[Example, ...]:
        """The pictures with the most errors at the thresholds; of equals, the first."""
        thresholds, none = np.asarray(at), len(self._dataset.classes)
        rated = []
        for index, image in enumerate(self._images):
            truth, found = _pairs(image, thresholds)
            parts = {
                "missed": int((found == none).sum()),
                "of the wrong class": int(((truth != found) & (truth != none) & (found != none)).sum()),
                "false": int((truth == none).sum()),
            }
            note = ", ".join(f"{count} {what}" for what, count in parts.items() if count) or "all right"
            rated.append((-sum(parts.values()), index, note))
        return tuple(self._example(index, note, thresholds) for _, index, note in sorted(rated)[:EXAMPLES])

    def _example(self, index: int, note: str, thresholds: npt.NDArray[np.floating]) -> Example:
        sample, found = self._images[index].sample, self._images[index].found
        kept = found.scores >= thresholds[found.labels]
        return Example(
            index=index,
            image=sample.path.name,
            note=note,
            boxes=tuple((a, b, c, d) for a, b, c, d in np.round(found.boxes[kept].astype(float), 2).tolist()),
            labels=tuple(found.labels[kept].tolist()),
            scores=tuple(np.round(found.scores[kept].astype(float), 4).tolist()),
        )


def _pairs(image: _Image, thresholds: npt.NDArray[np.floating]) -> tuple[Ints, Ints]:
    """See `pair_up`; the number of classes is the background."""
    found = image.found
    kept = found.scores >= thresholds[found.labels]
    return pair_up(image.iou, image.objects[AT_50], kept, found.labels, image.sample.labels, len(thresholds))


def _areas(sample: Sample) -> npt.NDArray[np.float64]:
    """Areas of the boxes [G] in px²."""
    sides = sample.boxes[:, 2:].astype(np.float64) - sample.boxes[:, :2]
    areas: npt.NDArray[np.float64] = sides.prod(axis=1)
    return areas


def _hidden_between(sample: Sample, low: float, high: float) -> Bools:
    """Which objects [G] are hidden by a share in [low, high); 1 belongs to the last range."""
    if sample.occlusion is None:
        return np.zeros(len(sample.labels), bool)
    return (sample.occlusion >= low) & ((sample.occlusion < high) | (high >= 1.0))


def _known(value: float) -> float | None:
    return None if math.isnan(value) else value
