"""Average precision of resamples: every frame counts as often as it was drawn."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ..evaluation.metrics import IOU_THRESHOLDS, RECALL_POINTS, Bools, Floats, ImageMatches, Ints


class _Row(NamedTuple):
    """Detections at one IoU threshold, sorted by class and score.

    Attributes:
        hits: intp [H], places of those that found an object.
        bounds: intp [C + 1], where among these each class begins, and the end.
        ignored: intp [I], frames of the detections that are ignored.
        before_hit: intp [H], how many of these come before each hit; ``before_class`` intp [C] before each class.
    """

    hits: Ints
    bounds: Ints
    ignored: Ints
    before_hit: Ints
    before_class: Ints


class WeightedPrecision:
    """Average precision with weights, of all classes at once.

    Precision is greatest, and recall grows, at hits alone, so that only these are looked at. Copies of a hit count as
    their last: there its precision is greatest.
    """

    def __init__(self, every: ImageMatches, frames: Ints, present: Bools) -> None:
        self._present = present
        # Of equal scores the earlier frame is first, as in DetectionMetrics.
        order = np.lexsort((-every.scores, every.labels))
        order = order[present[every.labels[order]]]
        self._frames = frames[order]
        self._bounds = np.searchsorted(every.labels[order], np.append(np.flatnonzero(present), len(present)))
        self._rows = []
        for matched, passed in zip(every.matched[:, order], every.ignored[:, order], strict=True):
            hits, ignored = np.flatnonzero(matched), np.flatnonzero(passed)
            before = (np.searchsorted(ignored, places) for places in (hits, self._bounds[:-1]))
            self._rows.append(_Row(hits, np.searchsorted(hits, self._bounds), self._frames[ignored], *before))

    def __call__(self, weights: Ints, objects: Floats) -> Floats:
        """Float64 [10, C], NaN for a class without objects.

        Args:
            weights: intp [F].
            objects: float64 [C], true objects with these weights.
        """
        result = np.full((len(IOU_THRESHOLDS), len(self._present)), np.nan)
        drawn, objects = weights[self._frames], objects[self._present]
        whole, needed = _running(drawn), _hits_needed(objects)
        for values, row in zip(result, self._rows, strict=True):
            found, passed = _running(drawn[row.hits]), _running(weights[row.ignored])
            lengths, ends = np.diff(row.bounds), row.bounds[1:, None]
            # Sums run over all classes, and lose what comes before their own.
            right = found[1:] - np.repeat(found[row.bounds[:-1]], lengths)
            counted = whole[1:][row.hits] - passed[row.before_hit]
            counted -= np.repeat(whole[self._bounds[:-1]] - passed[row.before_class], lengths)
            precision = np.append(right / (counted + np.spacing(1.0)), 0.0)
            # The hit that reaches each recall point, or the end of the class; the best precision from there on.
            at = np.minimum(np.searchsorted(found[1:], found[row.bounds[:-1], None] + needed), ends)
            best = np.where(at < ends, np.maximum.reduceat(precision, at.ravel()).reshape(at.shape), 0.0)
            best = np.maximum.accumulate(best[:, ::-1], axis=1)
            values[self._present] = np.where(objects > 0, best.sum(axis=1) / len(RECALL_POINTS), np.nan)
        return result


def _running(values: Ints) -> Ints:
    """Sums of all values before each, and of all: intp [N + 1]."""
    sums = np.zeros(len(values) + 1, np.intp)
    np.cumsum(values, out=sums[1:])
    return sums


def _hits_needed(objects: Floats) -> Ints:
    """The fewest hits whose recall, as it is rounded, reaches each recall point: intp [C, 101], at least 1."""
    whole = np.maximum(objects, 1)[:, None]
    needed = np.ceil(RECALL_POINTS * whole)
    needed -= (needed - 1) / whole >= RECALL_POINTS
    needed += needed / whole < RECALL_POINTS
    return np.maximum(needed, 1).astype(np.intp)
