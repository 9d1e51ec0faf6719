"""Every frame of a replay as arrays: what was found, what was true, and which of the two belong together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from perception_infer.contract.geometry import iou_matrix
from perception_infer.evaluation.confusion import pixel_iou
from perception_infer.evaluation.metrics import AT_50, Bools, Floats, Ints, best_per_class, found_crowds, match_objects

#: One line of frames.jsonl.
FrameLine = Mapping[str, Any]

#: Detections below this score, or half of their class's threshold, are not on the page.
FLOOR = 0.05


@dataclass(frozen=True, eq=False)
class Frames:
    """What a page knows of each frame, in the bag's order.

    Attributes:
        index: [F], the frame's number in the bag.
        seconds: [F], since the first frame by the bag's clock.
        stamps: [F], nanoseconds of the image's header.
        sizes: [F, 2], width and height.
        known: [F], whether there is truth.
    """

    index: Ints
    seconds: Floats
    stamps: npt.NDArray[np.int64]
    sizes: Ints
    known: Bools

    def __len__(self) -> int:
        return len(self.index)


@dataclass(frozen=True, eq=False)
class Boxes:
    """The detections and true objects of all frames, one after the other.

    Whether a detection is right depends only on those that score more: so what is told here holds at every threshold.

    Attributes:
        frame: [N], position of the detection's frame.
        boxes: [N, 4], xyxy.
        scores: [N], descending within a frame.
        labels: [N].
        kept: [N], at or above the model's threshold.
        right: [N], found a true object (IoU 0.5).
        neutral: [N], neither right nor wrong: there is no truth, or it found an object that does not count.
        true_frame: [G], position of the true object's frame.
        true_boxes: [G, 4].
        true_labels: [G].
        ignored: [G], objects that do not count.
        metres: [G], NaN where unknown.
        finder: [G], the detection that found it, −1 for none.
    """

    frame: Ints
    boxes: Floats
    scores: Floats
    labels: Ints
    kept: Bools
    right: Bools
    neutral: Bools
    true_frame: Ints
    true_boxes: Floats
    true_labels: Ints
    ignored: Bools
    metres: Floats
    finder: Ints

    @property
    def false(self) -> Bools:
        """[N], the false alarms at the model's thresholds."""
        return self.kept & ~self.right & ~self.neutral

    @property
    def missed(self) -> Bools:
        """[G], the misses at the model's thresholds."""
        found = self.finder >= 0
        found[found] = self.kept[self.finder[found]]
        return ~self.ignored & ~found


@dataclass(frozen=True, eq=False)
class Areas:
    """Of a segmenter, per frame and class (background first): shares of the pixels, and the IoU where known.

    Attributes:
        found: [F, C].
        true: [F, C], NaN without truth.
        iou: [F, C], NaN without truth, and where the class is neither true nor found.
    """

    found: Floats
    true: Floats
    iou: Floats

    @property
    def mean_iou(self) -> Floats:
        """[F], mean over the classes that a frame has, without the background; NaN where there is none."""
        there = ~np.isnan(self.iou[:, 1:])
        count = there.sum(1)
        mean = np.full(len(count), np.nan)
        np.divide(np.where(there, self.iou[:, 1:], 0).sum(1), count, out=mean, where=count > 0)
        return mean


def read_frames(frames: Sequence[FrameLine]) -> Frames:
    """What detectors and segmenters have in common."""
    times = np.array([frame["time"] for frame in frames], np.int64)
    return Frames(
        index=np.array([frame["index"] for frame in frames], np.intp),
        seconds=(times - times[:1]) / 1e9,
        stamps=np.array([frame["stamp"] for frame in frames], np.int64),
        sizes=np.array([(frame["width"], frame["height"]) for frame in frames], np.intp).reshape(-1, 2),
        known=np.array([frame["truth"] is not None for frame in frames], bool),
    )


def read_boxes(frames: Sequence[FrameLine], thresholds: Sequence[float]) -> Boxes:
    """Match every frame's detections to its true objects, as replay.json's figures do."""
    limits = np.asarray(thresholds, np.float64)
    floors = np.minimum(FLOOR, limits / 2)
    # The first part is empty, for bags without frames.
    none, no = np.zeros(0, np.intp), np.zeros(0, bool)
    parts = [(none, np.zeros((0, 6)), no, no, none, np.zeros((0, 7)), none)]
    count = 0
    for position, frame in enumerate(frames):
        rows = np.array(frame["found"], np.float64).reshape(-1, 6)
        rows = rows[rows[:, 4] >= floors[rows[:, 5].astype(np.intp)]]
        # No more of a class than metrics count.
        rows = rows[best_per_class(rows[:, 4], rows[:, 5].astype(np.intp))]
        truth = np.array(frame["truth"] or [], np.float64).reshape(-1, 7)
        right, neutral, finder = _matched(rows, truth)
        if frame["truth"] is None:
            neutral[:] = True
        parts.append((np.full(len(rows), position), rows, right, neutral, np.full(len(truth), position), truth, finder))
        # From a place in the frame to a place in all of them.
        finder[finder >= 0] += count
        count += len(rows)
    frame_of, rows, right, neutral, true_frame, truth, finder = map(np.concatenate, zip(*parts, strict=True))
    labels = rows[:, 5].astype(np.intp)
    return Boxes(
        frame=frame_of,
        boxes=rows[:, :4],
        scores=rows[:, 4],
        labels=labels,
        kept=rows[:, 4] >= limits[labels],
        right=right,
        neutral=neutral,
        true_frame=true_frame,
        true_boxes=truth[:, :4],
        true_labels=truth[:, 4].astype(np.intp),
        ignored=truth[:, 5] > 0,
        metres=truth[:, 6],
        finder=finder,
    )


def read_areas(frames: Sequence[FrameLine], classes: int) -> Areas:
    """What segmentation frames hold; ``classes`` are the model's, without the background."""
    size = classes + 1
    found = np.array([frame["found"]["shares"] for frame in frames], np.float64).reshape(-1, size)
    true = np.full((len(frames), size), np.nan)
    iou = np.full((len(frames), size), np.nan)
    for position, frame in enumerate(frames):
        if frame["truth"] is None:
            continue
        counts = np.zeros((size, size), np.int64)
        for truth, told, pixels in frame["truth"]["confusion"]:
            counts[truth, told] = pixels
        true[position] = counts.sum(1) / max(counts.sum(), 1)
        iou[position] = pixel_iou(counts)
    return Areas(found, true, iou)


def _matched(rows: Floats, truth: Floats) -> tuple[Bools, Bools, Ints]:
    """Which detections are right and which are neutral, and the detection that found each true object."""
    finder = np.full(len(truth), -1, np.intp)
    ignored = truth[:, 5] > 0
    labels, true_labels = rows[:, 5].astype(np.intp), truth[:, 4].astype(np.intp)
    iou = iou_matrix(rows[:, :4], truth[:, :4])
    iou[(labels[:, None] != true_labels) | ignored] = -1.0
    object_of = match_objects(iou)[AT_50]
    right = object_of >= 0
    finder[object_of[right]] = np.flatnonzero(right)
    neutral = ~right & found_crowds(rows[:, :4], labels, truth[ignored, :4], true_labels[ignored])[AT_50]
    return right, neutral, finder
