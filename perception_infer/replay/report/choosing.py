"""Which frames and which errors are worth a look."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from perception_infer.contract.geometry import iou_matrix
from perception_infer.evaluation.metrics import Floats, Ints

from .frames import Boxes, FrameLine, read_areas, read_boxes, read_frames

# Shares of the pictures, in the order in which frames are taken; what is left becomes an even sample.
_SHARES = {"worst": 0.25, "false alarm": 0.2, "miss": 0.2, "best": 0.1, "uncertain": 0.5}
# Errors of one class closer together than this share of the bag are most likely one error, seen again and again.
_APART = 0.04
# How far from its threshold a score still says that the model was in doubt.
_DOUBT = 0.2
#: Errors that a page lists of each kind.
MOST_ERRORS = 12
# Boxes with this IoU are of the same thing, and those with the second may be meant to be.
_SAME, _NEAR = 0.5, 0.1


def choose_pictures(summary: Mapping[str, Any], frames: Sequence[FrameLine], most: int) -> dict[int, str]:
    """The frames whose pictures the page should hold: their index, and why; the same for the same frames.

    With truth the worst, those of the greatest single errors and the best; without truth the most uncertain. What is
    left of ``most`` is spread over the bag.
    """
    rankings = _rank_areas(summary, frames) if summary["model"]["task"] == "segmentation" else _rank(summary, frames)
    count = min(most, len(frames))
    apart = len(frames) // (4 * max(count, 1)) + 1
    chosen: dict[int, str] = {}
    for role, order in rankings.items():
        wanted = round(_SHARES[role] * count)
        # Neighbouring frames look alike: one of them is enough.
        taken: list[int] = []
        for position in order:
            if len(taken) == wanted:
                break
            if position not in chosen and all(abs(position - other) >= apart for other in taken):
                taken.append(int(position))
        chosen |= dict.fromkeys(taken, role)
    free = [position for position in range(len(frames)) if position not in chosen]
    wanted = count - len(chosen)
    chosen |= {free[(2 * step + 1) * len(free) // (2 * wanted)]: "sample" for step in range(wanted)}
    return {int(frames[position]["index"]): chosen[position] for position in sorted(chosen)}


def worst_misses(boxes: Boxes, count: int) -> Ints:
    """True objects that were missed, the largest first, without repetitions."""
    missed = np.flatnonzero(boxes.missed)
    sides = boxes.true_boxes[missed, 2:] - boxes.true_boxes[missed, :2]
    order = missed[np.argsort(-sides.prod(1), kind="stable")]
    return _distinct(order, boxes.true_frame, boxes.true_labels, count)


def worst_false_alarms(boxes: Boxes, count: int) -> Ints:
    """Detections of nothing, the most confident first, without repetitions."""
    false = np.flatnonzero(boxes.false)
    order = false[np.argsort(-boxes.scores[false], kind="stable")]
    return _distinct(order, boxes.frame, boxes.labels, count)


def why_missed(boxes: Boxes, item: int, names: Sequence[str]) -> str:
    """What was found where an object was missed."""
    if boxes.finder[item] >= 0:
        return f"found, but at {boxes.scores[boxes.finder[item]]:.2f}"
    there = np.flatnonzero((boxes.frame == boxes.true_frame[item]) & boxes.kept)
    overlap = iou_matrix(boxes.true_boxes[[item]], boxes.boxes[there])[0]
    kind, label, iou = _nearest(overlap, boxes.labels[there], boxes.true_labels[item])
    words = {"own": "its box is another's", "other": f"found as {names[label]}", "loose": f"loose box, IoU {iou:.2f}"}
    return words.get(kind, "nothing found there")


def why_false(boxes: Boxes, item: int, names: Sequence[str]) -> str:
    """What is true where a false alarm is."""
    there = np.flatnonzero(boxes.true_frame == boxes.frame[item])
    overlap = iou_matrix(boxes.boxes[[item]], boxes.true_boxes[there])[0]
    kind, label, iou = _nearest(overlap, boxes.true_labels[there], boxes.labels[item])
    words = {"own": "a second box", "other": f"is {names[label]}", "loose": f"loose box, IoU {iou:.2f}"}
    return words.get(kind, "nothing there")


def _nearest(overlap: Floats, labels: Ints, label: int) -> tuple[str, int, float]:
    """How the nearest thing at a place is related to the class that was expected, its class, and how near it is."""
    own = np.where(labels == label, overlap, 0.0)
    if own.max(initial=0) >= _SAME:
        return "own", label, float(own.max())
    if overlap.max(initial=0) >= _SAME:
        return "other", int(labels[overlap.argmax()]), float(overlap.max())
    nearest = float(own.max(initial=0))
    return "loose" if nearest >= _NEAR else "none", label, nearest


def _rank(summary: Mapping[str, Any], frames: Sequence[FrameLine]) -> dict[str, Sequence[int]]:
    """Positions of frames by role, the fittest first."""
    boxes = read_boxes(frames, summary["model"]["thresholds"])
    known = read_frames(frames).known
    count = len(frames)
    if not known.any():
        limits = np.asarray(summary["model"]["thresholds"])[boxes.labels]
        doubt = _summed(boxes.frame, np.clip(1 - np.abs(boxes.scores - limits) / _DOUBT, 0, None), count)
        return {"uncertain": _descending(doubt, doubt > 0)}
    missed = np.flatnonzero(boxes.missed)
    finder = boxes.finder[missed]
    # An object that was found below the threshold is half a miss.
    nearly = np.where(finder >= 0, boxes.scores[finder], 0.0) if len(boxes.scores) else np.zeros(len(missed))
    cost = _summed(boxes.frame[boxes.false], boxes.scores[boxes.false], count)
    cost += _summed(boxes.true_frame[missed], 1 - nearly, count)
    hits = _summed(boxes.frame, boxes.scores * (boxes.right & boxes.kept), count)
    return {
        "worst": _descending(cost, cost > 0),
        "false alarm": boxes.frame[worst_false_alarms(boxes, MOST_ERRORS)].tolist(),
        "miss": boxes.true_frame[worst_misses(boxes, MOST_ERRORS)].tolist(),
        "best": _descending(hits, (cost == 0) & (hits > 0)),
    }


def _rank_areas(summary: Mapping[str, Any], frames: Sequence[FrameLine]) -> dict[str, Sequence[int]]:
    iou = read_areas(frames, len(summary["model"]["classes"])).mean_iou
    known = ~np.isnan(iou)
    return {"worst": _descending(-iou, known & (iou < 1)), "best": _descending(iou, known)}


def _distinct(order: Ints, frame_of: Ints, labels: Ints, count: int) -> Ints:
    """The first ``count`` of ``order`` that are no neighbours of an earlier one of their class."""
    apart = max(1, round(_APART * (int(frame_of.max(initial=0)) + 1)))
    taken: list[int] = []
    for item in order.tolist():
        if len(taken) == count:
            break
        if all(labels[item] != labels[other] or abs(frame_of[item] - frame_of[other]) >= apart for other in taken):
            taken.append(item)
    return np.array(taken, np.intp)


def _descending(values: Floats, allowed: np.ndarray[Any, np.dtype[np.bool_]]) -> list[int]:
    order = np.argsort(-values, kind="stable")
    return [int(position) for position in order[allowed[order]]]


def _summed(frame_of: Ints, values: Floats, count: int) -> Floats:
    return np.bincount(frame_of, weights=values, minlength=count).astype(np.float64)
