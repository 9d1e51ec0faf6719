"""Is the difference of two replays more than chance? Paired block bootstrap over the frames that both have seen.

Consecutive frames show nearly the same scene, so that single frames are no independent draws. Blocks of them nearly
are: H. R. Künsch, "The jackknife and the bootstrap for general stationary observations", Annals of Statistics 17,
1989; blocks run on from the last frame to the first, so that each frame is drawn equally often: D. N. Politis and
J. P. Romano, "A circular block-resampling procedure for stationary data", 1992.

A resample is how often each frame was drawn, and both replays are scored with the same draw. The figures are those of
`DetectionMetrics` over the frames so repeated, copies of a detection standing together in the order of scores.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from ..evaluation.confusion import BACKGROUND
from ..evaluation.metrics import AT_50, AT_75, Floats, ImageMatches, Ints, finite, joined
from .figures import DETECTION_CLASS_FIGURES, DETECTION_FIGURES, SEGMENTATION_CLASS_FIGURES, SEGMENTATION_FIGURES
from .weighted import WeightedPrecision

#: With fewer blocks in a recording, the spread of resamples says nothing.
FEWEST_BLOCKS = 5
_BATCH = 50  # resamples at a time: bounds memory, changes no result


@dataclass(frozen=True)
class Resampling:
    """How resamples are drawn.

    Attributes:
        block: consecutive frames that are drawn together (see `block_length`).
        resamples: how many are drawn.
        level: share of the resamples that the interval holds, tails of equal size left out.
        seed: the same seed gives the same intervals.
    """

    block: int
    resamples: int = 1000
    level: float = 0.95
    seed: int = 0


class Interval(NamedTuple):
    """A figure of two replays; None is what cannot be known.

    Attributes:
        first: its value there, and ``other`` in the replay that is held against it.
        difference: other − first; its percentile interval goes from ``low`` to ``high``.
        worse: share of the resamples in which the other is worse.
    """

    first: float | None
    other: float | None
    difference: float | None
    low: float | None
    high: float | None
    worse: float | None

    @property
    def is_worse(self) -> bool | None:
        """Whether the whole interval says that the other is worse; None where there is no interval."""
        return None if self.high is None else self.high < 0

    @property
    def verdict(self) -> str:
        """``worse`` or ``better`` where the whole interval says so of the other; empty where it does not."""
        if self.is_worse:
            return "worse"
        return "better" if self.low is not None and self.low > 0 else ""


class Counts(ABC):
    """What the frames of a replay say, ready to be summed with any weights.

    Attributes:
        classes: names.
        truth: float64 [F, C], what there is of each class in each frame: objects or pixels.
        found: float64 [F, C], what was found (of objects, at the model's thresholds).
        right: float64 [F, C], what was found rightly (of objects, at IoU 0.50).
        names: of the figures.
    """

    def __init__(
        self, classes: Sequence[str], counts: Sequence[Floats], figures: Sequence[str], by_class: Sequence[str]
    ) -> None:
        self.classes = tuple(classes)
        self.truth, self.found, self.right = counts
        self.names = (*figures, *(f"{name}[{label}]" for name in by_class for label in classes))

    def __len__(self) -> int:
        return len(self.truth)

    @abstractmethod
    def figures(self, weights: Ints) -> Floats:
        """The figures float64 [R, N], in the order of ``names``; NaN is unknown.

        Args:
            weights: intp [R, F], how often each frame counts.
        """

    def _sums(self, weights: Ints) -> tuple[Floats, Floats, Floats]:
        """Truth, found and right with weights, float64 [R, C] each: exact, for all are whole numbers."""
        factor = weights.astype(np.float64)
        return factor @ self.truth, factor @ self.found, factor @ self.right


class DetectionCounts(Counts):
    """Of a detector.

    Precision, recall and F1 without a class are of all classes' detections together, at the thresholds and IoU 0.50.

    Args:
        images: one of each frame; labels index ``classes``.
        classes: names.
        thresholds: score from which a detection of each class counts.
    """

    def __init__(self, images: Sequence[ImageMatches], classes: Sequence[str], thresholds: Sequence[float]) -> None:
        every = joined(images)
        frames = np.repeat(np.arange(len(images)), [len(image.scores) for image in images])
        objects_of = np.repeat(np.arange(len(images)), [len(image.truth) for image in images])

        def table(frame: Ints, label: Ints) -> Floats:
            shape = len(images), len(classes)
            flat = np.bincount(frame * shape[1] + label, minlength=shape[0] * shape[1])
            return flat.reshape(shape).astype(np.float64)

        kept = (every.scores >= np.asarray(thresholds, np.float64)[every.labels]) & ~every.ignored[AT_50]
        hits = kept & every.matched[AT_50]
        found = (table(frames[chosen], every.labels[chosen]) for chosen in (kept, hits))
        super().__init__(classes, (table(objects_of, every.truth), *found), DETECTION_FIGURES, DETECTION_CLASS_FIGURES)
        self._precision = WeightedPrecision(every, frames, self.truth.sum(axis=0) > 0)

    def figures(self, weights: Ints) -> Floats:
        """As `Counts.figures`; equal to `DetectionMetrics` to rounding."""
        truth, found, right = self._sums(weights)
        ap = np.stack([self._precision(w, objects) for w, objects in zip(weights, truth, strict=True)])
        overall = [_mean(ap, (1, 2)), _mean(ap[:, AT_50], 1), _mean(ap[:, AT_75], 1)]
        hits, kept, objects = right.sum(axis=1), found.sum(axis=1), truth.sum(axis=1)
        f1 = _share(2 * hits, np.where((objects > 0) & (kept > 0), kept + objects, 0))
        overall += [_share(hits, kept), _share(hits, objects), f1]
        by_class = [ap.mean(axis=1), ap[:, AT_50], _share(right, found), _share(right, truth)]
        return np.concatenate([np.stack(overall, axis=1), *by_class], axis=1)


class PixelCounts(Counts):
    """Of a segmenter; the mean IoU is without the background, as in training.

    Args:
        frames: pixels by true and found id of each frame, int [1 + C, 1 + C]; id 0 is the background.
        classes: names, without the background.
    """

    def __init__(self, frames: Iterable[npt.NDArray[np.integer]], classes: Sequence[str]) -> None:
        names = (BACKGROUND, *classes)
        rows = [(frame.sum(axis=1), frame.sum(axis=0), np.diag(frame)) for frame in frames]
        counts = np.array(rows, np.float64).reshape(-1, 3, len(names)).swapaxes(0, 1)
        super().__init__(names, tuple(counts), SEGMENTATION_FIGURES, SEGMENTATION_CLASS_FIGURES)

    def figures(self, weights: Ints) -> Floats:
        truth, found, right = self._sums(weights)
        iou = _share(right, truth + found - right)
        overall = [_mean(iou[:, 1:], 1), _share(right.sum(axis=1), truth.sum(axis=1))]
        return np.concatenate([np.stack(overall, axis=1), iou, _share(right, found), _share(right, truth)], axis=1)


def block_length(frames: int, per_second: float | None) -> int:
    """Frames in a block: about a second's, at most a tenth of the recording, and at least its length's cube root.

    The cube root is the order at which the error of the estimated variance is least (Künsch 1989).
    """
    second = round(per_second) if per_second is not None else 1
    return max(1, round(float(np.cbrt(frames))), min(second, frames // 10))


def compared(replays: Sequence[Counts], resampling: Resampling) -> list[dict[str, Interval]]:
    """Every figure of each further replay and the interval of its difference to the first; the same frames and truth.

    Where a figure is unknown in some resamples (a class that they lack), the others speak, if they are at least half.
    """
    whole = np.ones((1, len(replays[0])), np.intp)
    values = [counts.figures(whole)[0] for counts in replays]
    drawn: list[list[Floats]] = [[np.zeros((0, len(replays[0].names)))] for _ in replays]
    for weights in _resamples(len(replays[0]), resampling):
        for figures, counts in zip(drawn, replays, strict=True):
            figures.append(counts.figures(weights))
    first, *others = (np.concatenate(figures) for figures in drawn)
    return [
        {
            name: _interval(values[0][column], value[column], other[:, column] - first[:, column], resampling)
            for column, name in enumerate(replays[0].names)
        }
        for value, other in zip(values[1:], others, strict=True)
    ]


def _interval(first: float, other: float, differences: Floats, resampling: Resampling) -> Interval:
    known = differences[~np.isnan(differences)]
    spread: tuple[float | None, ...] = (None, None, None)
    if not np.isnan(other - first) and 2 * len(known) >= resampling.resamples:
        tail = (1 - resampling.level) / 2
        low, high = np.quantile(known, (tail, 1 - tail))
        spread = (float(low), float(high), float((known < 0).mean()))
    return Interval(finite(float(first)), finite(float(other)), finite(float(other - first)), *spread)


def _resamples(frames: int, resampling: Resampling) -> Iterator[Ints]:
    """How often each frame is drawn, intp [up to _BATCH, F] at a time; nothing where there are too few blocks."""
    if frames < FEWEST_BLOCKS * resampling.block:
        return
    rng = np.random.default_rng(resampling.seed)
    blocks = -(-frames // resampling.block)
    for start in range(0, resampling.resamples, _BATCH):
        count = min(_BATCH, resampling.resamples - start)
        first = rng.integers(0, frames, (count, blocks, 1))
        drawn = ((first + np.arange(resampling.block)) % frames).reshape(count, -1)[:, :frames]
        flat = drawn + frames * np.arange(count)[:, None]
        yield np.bincount(flat.ravel(), minlength=count * frames).reshape(count, frames)


def _share(part: Floats, whole: Floats) -> Floats:
    """Part of whole, NaN where there is none."""
    share: Floats = np.divide(part, whole, out=np.full(part.shape, np.nan), where=whole > 0)
    return share


def _mean(values: Floats, axis: int | tuple[int, ...]) -> Floats:
    """The mean of what is known, NaN where nothing is."""
    known = ~np.isnan(values)
    return _share(np.where(known, values, 0).sum(axis=axis), known.sum(axis=axis).astype(np.float64))
