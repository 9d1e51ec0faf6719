"""Scores masks against true masks, frame by frame."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..contract.detections import Segmentation
from ..evaluation.confusion import BACKGROUND, Counts, count_pixels, pixel_iou
from ..evaluation.metrics import finite
from .truth import TrueMask


class SegmentationScorer:
    """Takes every frame by `add`.

    Args:
        classes: how many the model has, without the background.
    """

    def __init__(self, classes: int) -> None:
        self._classes = classes
        self._shares = np.zeros(classes + 1)
        self._frames = 0
        #: Pixels by true and found class of every frame that has truth, int64 [1 + classes, 1 + classes].
        self.confusions: list[Counts] = []

    def add(self, found: Segmentation, truth: TrueMask | None) -> dict[str, Any]:
        """What was found in the next frame, and what is true in it: its part of frames.jsonl."""
        share = np.bincount(found.mask.ravel(), minlength=self._classes + 1)[: self._classes + 1] / found.mask.size
        self._shares += share
        self._frames += 1
        told = None
        if truth is not None:
            counts = count_pixels(truth.mask, found.mask, self._classes)
            self.confusions.append(counts)
            places = np.argwhere(counts)
            told = {"confusion": [[int(t), int(f), int(counts[t, f])] for t, f in places]}
        return {"found": {"shares": [round(value, 6) for value in share.tolist()]}, "truth": told}

    def counts(self, names: Sequence[str]) -> dict[str, Any]:
        """The mean share of every class; the key ``counts`` of replay.json."""
        mean = self._shares / max(1, self._frames)
        return {"shares": dict(zip((BACKGROUND, *names), mean.tolist(), strict=False))}

    def figures(self, names: Sequence[str]) -> dict[str, Any] | None:
        """The key ``figures`` of replay.json; None without truth. The mean IoU is without the background, as usual."""
        if not self.confusions:
            return None
        counts = np.sum(self.confusions, axis=0)
        right, truth, found, iou = np.diag(counts), counts.sum(1), counts.sum(0), pixel_iou(counts)
        known = iou[1:][np.isfinite(iou[1:])]
        total = int(counts.sum())
        listed = (BACKGROUND, *names)[: len(counts)]
        return {
            "miou": float(known.mean()) if len(known) else None,
            "pixel_accuracy": float(right.sum() / total) if total else None,
            "classes": [
                {
                    "name": name,
                    "pixels": int(truth[label]),
                    "iou": finite(float(iou[label])),
                    "precision": float(right[label] / found[label]) if found[label] else None,
                    "recall": float(right[label] / truth[label]) if truth[label] else None,
                }
                for label, name in enumerate(listed)
            ],
            "confusion": {"names": list(listed), "counts": counts.tolist()},
        }
