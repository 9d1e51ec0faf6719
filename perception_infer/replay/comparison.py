"""Replays of the same frames by different models, side by side; each is held against the first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest
from typing import Any

import numpy as np
import numpy.typing as npt

from perception_common.errors import UserError

from ..evaluation.confusion import BACKGROUND
from ..evaluation.metrics import Floats, ImageMatches, Ints
from .bootstrap import (
    FEWEST_BLOCKS,
    Counts,
    DetectionCounts,
    Interval,
    PixelCounts,
    Resampling,
    block_length,
    compared,
)
from .figures import CLASS_FIGURES, FIGURES, Name, Summary

SCHEMA = "perception_suite/comparison/1"
#: Frames that are named for pictures.
FRAMES = 12
_MOST = 26  # each has a letter in the table
_SAME_BAG = ("topic", "start_ns", "end_ns", "messages")


@dataclass(frozen=True, eq=False)
class Scored:
    """A replay, and how each of its frames with truth was scored.

    Attributes:
        summary: what replay.json holds.
        keys: index in the recording of each frame with truth, ascending.
        images: of a detector, one for each key; labels index ``summary["classes"]``.
        pixels: of a segmenter, one for each key: pixels by true and found id, int [1 + C, 1 + C]; id 0 is the
            background, the others count ``summary["classes"]`` from 1.
    """

    summary: Summary
    keys: Sequence[int]
    images: Sequence[ImageMatches] = ()
    pixels: Sequence[npt.NDArray[np.integer]] = ()

    @property
    def title(self) -> str:
        """Model and how it ran, as people tell replays apart."""
        running = self.summary["running"]
        return f"{self.summary['model']['title']} ({running['backend']}, {running['precision']})"


def compare(
    replays: Sequence[Scored], resamples: int = 1000, block: int | None = None, level: float = 0.95, seed: int = 0
) -> dict[str, Any]:
    """Figures, and differences to the first with their intervals, as JSON-ready data; what is unknown is None.

    ``table`` has the figures of every model. ``pairs`` has, of each further model, the rows of `Interval` (figures
    that come from no single frames, such as latencies, have a difference and no interval), and the frames where the
    two fare most differently, a block apart at least: ``errors`` of both are false alarms and missed objects at the
    thresholds, or shares of wrong pixels.

    Args:
        replays: the first is the baseline.
        resamples: how many resamples an interval is made of.
        block: consecutive frames that are drawn together; None: see `block_length`.
        level: of the intervals.
        seed: of the resamples.

    Raises:
        UserError: they are not of the same frames, truth and task.
    """
    if not 2 <= len(replays) <= _MOST:
        raise UserError(f"{len(replays)} replays to compare", fix=f"name 2 to {_MOST}")
    for other in replays[1:]:
        _require_same_frames(replays[0], other)
    classes = tuple(dict.fromkeys(name for replay in replays for name in replay.summary["classes"]))
    counts = [_counts(replay, classes) for replay in replays]
    for other, counted in zip(replays[1:], counts[1:], strict=True):
        _require_same_truth(replays[0], counts[0], other, counted)
    frames, bag = len(replays[0].keys), replays[0].summary["bag"]
    # Frames with truth may be a few of all.
    per_second = bag["camera_hz"] * frames / bag["frames"] if bag["camera_hz"] else None
    drawn = Resampling(block_length(frames, per_second) if block is None else block, resamples, level, seed)
    names = _names(replays[0].summary["model"]["task"], classes)
    return {
        "schema": SCHEMA,
        "frames": frames,
        "resampling": {"block": drawn.block, "resamples": resamples, "level": level, "seed": seed},
        "notes": _notes(replays, drawn),
        "models": [_model(replay.summary) for replay in replays],
        "table": _table([replay.summary for replay in replays], names),
        "pairs": [
            {
                "first": 0,
                "other": index,
                "figures": _rows(replays[0].summary, replays[index].summary, names, intervals),
                "frames": _frames(replays[0].keys, counts[0], counts[index], drawn.block),
            }
            for index, intervals in enumerate(compared(counts, drawn), start=1)
        ],
    }


def intervals_of(comparison: Mapping[str, Any]) -> dict[str, Interval]:
    """Of the last model against the first, by name of the figure: what a gate wants to know."""
    rows = comparison["pairs"][-1]["figures"]
    return {row["name"]: interval_of(row) for row in rows}


def _require_same_frames(first: Scored, other: Scored) -> None:
    def refuse(what: str) -> UserError:
        return UserError(
            f"{other.title} cannot be held against {first.title}: {what}", fix="replay one bag with one truth"
        )

    task, other_task = first.summary["model"]["task"], other.summary["model"]["task"]
    if task != other_task:
        raise UserError(
            f"{other.title} is for {other_task}, {first.title} for {task}", fix="compare models of one task"
        )
    for key in _SAME_BAG:
        one, two = first.summary["bag"][key], other.summary["bag"][key]
        if one != two:
            raise refuse(f"the bag's {key} is {two}, not {one}")
    lone = next((pair for pair in zip_longest(first.keys, other.keys) if pair[0] != pair[1]), None)
    if lone is not None:
        index = min(key for key in lone if key is not None)
        raise refuse(f"{len(other.keys)} frames have truth, not {len(first.keys)}; frame {index} only in one of them")


def _require_same_truth(first: Scored, counts: Counts, other: Scored, other_counts: Counts) -> None:
    differs = np.flatnonzero((counts.truth != other_counts.truth).any(axis=1))
    if len(differs):
        raise UserError(
            f"{other.title} was scored against another truth than {first.title}: "
            f"{len(differs)} of {len(counts)} frames differ, frame {first.keys[differs[0]]} is the first",
            fix="replay both with one truth, segmenters with the same classes",
        )


def _counts(replay: Scored, classes: Sequence[str]) -> Counts:
    """What a replay says of the classes of all, which no two models need number alike."""
    place: Ints = np.array([classes.index(name) for name in replay.summary["classes"]], np.intp)
    if replay.summary["model"]["task"] == "segmentation":
        ids = np.concatenate([[0], place + 1])
        counts: Counts = PixelCounts((_renumbered(frame, ids, len(classes)) for frame in replay.pixels), classes)
    else:
        # A class that a model does not know, it does not find, whatever the threshold.
        rows = replay.summary["figures"]["classes"] if replay.images else ()
        applied = {row["name"]: row["threshold"] for row in rows if row["threshold"] is not None}
        thresholds = [applied.get(name, 0.0) for name in classes]
        images = [replace(image, labels=place[image.labels], truth=place[image.truth]) for image in replay.images]
        counts = DetectionCounts(images, classes, thresholds)
    if len(counts) != len(replay.keys):
        raise ValueError(f"{len(counts)} frames were scored, and {len(replay.keys)} have a key")
    return counts


def _renumbered(frame: npt.NDArray[np.integer], ids: Ints, classes: int) -> Ints:
    # A model need not know all names that the truth has.
    own = ids[: len(frame)]
    whole = np.zeros((classes + 1, classes + 1), np.intp)
    whole[np.ix_(own, own)] = frame
    return whole


def _names(task: str, classes: Sequence[str]) -> tuple[Name, ...]:
    known = (BACKGROUND, *classes) if task == "segmentation" else tuple(classes)
    return (
        *(Name(figure) for figure, kind in FIGURES.items() if kind.task in (None, task)),
        *(Name(figure, label) for figure, tasks in CLASS_FIGURES.items() if task in tasks for label in known),
    )


def _notes(replays: Sequence[Scored], drawn: Resampling) -> list[str]:
    frames = len(replays[0].keys)
    notes = []
    if not frames:
        notes.append("no frame has a truth: nothing tells which model is right")
    elif frames < FEWEST_BLOCKS * drawn.block:
        notes.append(f"no intervals: {frames} frames are fewer than {FEWEST_BLOCKS} blocks of {drawn.block}")
    known = [set(replay.summary["model"]["classes"]) for replay in replays]
    for replay, own in zip(replays, known, strict=True):
        unknown = sorted(set().union(*known) - own)
        if unknown:
            notes.append(f"{replay.title} does not know " + ", ".join(unknown))
    return notes


def _model(summary: Summary) -> dict[str, Any]:
    running = summary["running"]
    return {"title": summary["model"]["title"], "backend": running["backend"], "precision": running["precision"]}


def _described(name: Name) -> dict[str, Any]:
    return {"name": str(name), "figure": name.figure, "of": name.of, "more_is_better": name.kind.more_is_better}


def _table(summaries: Sequence[Summary], names: Sequence[Name]) -> list[dict[str, Any]]:
    rows = [{**_described(name), "values": [name.value(summary) for summary in summaries]} for name in names]
    return [row for row in rows if any(value is not None for value in row["values"])]


def _rows(
    first: Summary, other: Summary, names: Sequence[Name], intervals: Mapping[str, Interval]
) -> list[dict[str, Any]]:
    rows = []
    for name in names:
        row = intervals.get(str(name))
        if row is None:
            one, two = name.value(first), name.value(other)
            row = Interval(one, two, None if one is None or two is None else two - one, None, None, None)
        if row.first is not None or row.other is not None:
            rows.append({**_described(name), **row._asdict()})
    return rows


def _frames(keys: Sequence[int], first: Counts, other: Counts, apart: int) -> list[dict[str, Any]]:
    """The frames of the greatest disagreement, of which one stands for its neighbours."""
    degree, errors = _disagreement(first, other), (_errors(first), _errors(other))
    chosen: list[int] = []
    for place in np.argsort(-degree, kind="stable").tolist():
        if len(chosen) == FRAMES or degree[place] <= 0:
            break
        if all(abs(place - taken) >= apart for taken in chosen):
            chosen.append(place)
    return [
        {"index": int(keys[i]), "disagreement": float(degree[i]), "errors": [float(values[i]) for values in errors]}
        for i in chosen
    ]


def _errors(counts: Counts) -> Floats:
    wrong: Floats = (counts.truth + counts.found - 2 * counts.right).sum(axis=1) / _unit(counts)
    return wrong


def _disagreement(first: Counts, other: Counts) -> Floats:
    """How differently two replays fare in each frame, in the unit of `_errors`: what one did that the other did not."""
    right = np.abs(first.right - other.right)
    wrong = np.abs((first.found - first.right) - (other.found - other.right))
    degree: Floats = (right + wrong).sum(axis=1) / _unit(first)
    return degree


def _unit(counts: Counts) -> Floats:
    # A wrong pixel is missed by one class and a false alarm of another.
    pixels = isinstance(counts, PixelCounts)
    return np.maximum(2 * counts.truth.sum(axis=1), 1) if pixels else np.ones(len(counts))


def interval_of(row: Mapping[str, Any]) -> Interval:
    """Of a row of a pair's figures."""
    return Interval(*(row[field] for field in Interval._fields))


def shown_in(row: Mapping[str, Any], value: float | None, sign: str = "") -> str:
    """A value in a row of figures, for people; see `Name.shown`."""
    return "–" if value is None else Name(row["figure"], row["of"]).shown(value, sign)
