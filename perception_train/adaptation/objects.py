"""What a model finds in pictures of which nobody knows what is in them, and the thresholds that follow."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from perception_infer.contract.geometry import Pixels
from perception_infer.contract.manifest import Suppression

from ..export.graph import DetectionGraph
from ..models.network import Detector

#: A threshold may fall to this share of what it was.
_LOWEST = 0.5

Thresholds = tuple[float, ...]


@dataclass(frozen=True, eq=False)
class Found:
    """Everything that a model found in each picture: scores float32 [N] and labels int32 [N]."""

    pictures: tuple[tuple[npt.NDArray[np.float32], npt.NDArray[np.int32]], ...]

    @classmethod
    def by(cls, model: Detector, pictures: Sequence[Pixels], suppression: Suppression) -> Found:
        """What a detector finds in letterboxed pictures, uint8 [H, W, 3], with its graph's suppression."""
        graph = DetectionGraph(model, suppression).eval()
        found = []
        with torch.no_grad():
            for picture in pictures:
                _, scores, labels = graph(torch.from_numpy(picture[None]))
                filled = labels[0] >= 0
                found.append((scores[0][filled].numpy(), labels[0][filled].numpy()))
        return cls(tuple(found))

    def scores(self, label: int) -> npt.NDArray[np.float32]:
        """All scores of a class, best first."""
        of_class = [scores[labels == label] for scores, labels in self.pictures]
        return -np.sort(-np.concatenate(of_class))

    def counts(self, thresholds: Thresholds) -> list[int]:
        """How many objects reach their class's threshold in each picture."""
        limits = np.asarray(thresholds, np.float32)
        return [int((scores >= limits[labels]).sum()) for scores, labels in self.pictures]


def keep_counts(before: Found, after: Found, thresholds: Thresholds) -> Thresholds:
    """Thresholds at which the adapted model tells of as many objects of each class as the model before it.

    Adaptation ranks detections better, but lowers their scores; at the old thresholds it would seem to find less.
    Thresholds are never raised, and at most halved.
    """
    chosen = []
    for label, threshold in enumerate(thresholds):
        count = int((before.scores(label) >= np.float32(threshold)).sum())
        scores = after.scores(label)
        lowest = float(scores[min(count, len(scores)) - 1]) if count and len(scores) else threshold
        # Rounded down, so that the score that was chosen still reaches it.
        chosen.append(min(threshold, max(_LOWEST * threshold, np.floor(lowest * 1e4) / 1e4)))
    return tuple(map(float, chosen))
