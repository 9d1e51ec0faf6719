"""Which frames are picked: those of worth, no two alike, some at random. Depends on its arguments alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from .scores import REASONS

Floats = npt.NDArray[np.float64]
Vectors = npt.NDArray[np.float32]
#: Of a recording's frames, so large a share may be like a frame that still is unlike the others.
_RARE = 0.05
#: Frames are compared with no more than so many others, evenly spread.
_MOST_REFERENCES = 2048
_BLOCK = 1024
# Distances below are none.
_NEAREST = 1e-6
_ROUNDING = 1e-3
# The share of frames whose scores are what every frame has.
_USUAL = 0.25
# What even a frame without any worth counts: then those are picked that differ most.
_LEAST = 0.02


class Pick(NamedTuple):
    """A picked frame: its row, whether by lot, and its distance from the nearest pick before it (None: the first)."""

    row: int
    by_lot: bool
    distance: float | None


@dataclass(frozen=True, eq=False)
class Candidates:
    """All frames, one a row.

    Attributes:
        bags: intp [N], which recording.
        times: int64 [N], nanoseconds.
        values: float64 [N], worth from 0 to 1.
        usable: bool [N], whether one could label it at all; others are drawn by lot only.
        embeddings: float32 [N, D].
        thumbnails: uint8 [N, T], T a multiple of 16.
    """

    bags: npt.NDArray[np.intp]
    times: npt.NDArray[np.int64]
    values: Floats
    usable: npt.NDArray[np.bool_]
    embeddings: Vectors
    thumbnails: npt.NDArray[np.uint8]


def values_of(scores: Mapping[str, Floats], quality: Floats, weights: Mapping[str, float]) -> Floats:
    """The worth of frames, float64 [N]: that at least one of `REASONS` holds, each as likely as its weighted score.

    What cannot be labelled (``quality``) is worth nothing, whatever the model makes of it.

    Args:
        scores: float64 [N] of each reason, see `standing_out`.
        quality: float64 [N].
        weights: of each reason.
    """
    left = np.ones(len(quality))
    for name in REASONS:
        left *= 1.0 - weights[name] * scores[name]
    value: Floats = quality * (1.0 - left)
    return value


def standing_out(scores: Mapping[str, Floats], usual: Mapping[str, float]) -> dict[str, Floats]:
    """What of the scores is more than `usual_of` them, as a share of what it can be."""
    return {
        name: np.clip((values - usual[name]) / max(1.0 - usual[name], _NEAREST), 0.0, 1.0)
        for name, values in scores.items()
    }


def usual_of(scores: Mapping[str, Floats]) -> dict[str, float]:
    """Of each score what three frames of four reach: in a world that is new to a model, it doubts everywhere."""
    return {name: float(np.quantile(values, _USUAL)) for name, values in scores.items()}


def novelty(embeddings: Vectors, known: Vectors | None) -> tuple[Floats, Floats]:
    """How unlike what is known frames are, and how many times the usual distance that is; float64 [N] each.

    The score is one less the usual distance over a frame's: 0 for what is as near as usual or nearer, one half for
    what is twice as far. With ``known`` pictures, [K, D], the distance is that to the nearest, and usual is how far
    they lie from each other. Without, it is the one within which a twentieth of all frames lie, and usual is the
    median.
    """
    away, usual = _distances(embeddings, known)
    times = away / max(usual, _NEAREST)
    return np.clip(1.0 - 1.0 / np.maximum(times, 1.0), 0.0, 1.0), times


def balanced(embeddings: Vectors, known: Vectors | None, parts: Sequence[int]) -> tuple[Vectors, Vectors | None]:
    """The same vectors, of which each part (of so many numbers) counts as much: by its usual distance."""
    ends = np.cumsum(parts)
    scale = np.ones(embeddings.shape[1], np.float32)
    for start, end in zip(ends - parts, ends, strict=True):
        part = slice(int(start), int(end))
        away, usual = _distances(embeddings[:, part], None if known is None else known[:, part])
        # Where the usual frames are all the same, by those that are not.
        scale[part] = 1.0 / (max(usual if usual > _NEAREST else float(away.max()), _NEAREST) * len(parts) ** 0.5)
    return embeddings * scale, None if known is None else known * scale


def _distances(embeddings: Vectors, known: Vectors | None) -> tuple[Floats, float]:
    """How far each frame lies from what `novelty` compares it with, and what is usual."""
    if known is not None and len(known) > 1:
        # A picture is its own nearest.
        return _kth_nearest(embeddings, known, 1), float(np.median(_kth_nearest(known, known, 2)))
    references = embeddings[_spread(len(embeddings), _MOST_REFERENCES)]
    away = _kth_nearest(embeddings, references, 1 + max(1, round(_RARE * len(references))))
    return away, float(np.median(away))


def pick(
    candidates: Candidates,
    count: int,
    share_by_lot: float,
    apart_ns: int,
    similar: float,
    seed: int,
    known: npt.NDArray[np.uint8] | None = None,
) -> list[Pick]:
    """Up to ``count`` frames, those that should be labelled first first; fewer where the others are all alike.

    By lot, every frame is as likely. The others are picked one after another: the one of the greatest product of worth
    and distance from all that are picked already (a greedy k-center, O. Sener and S. Savarese, ICLR 2018, weighted).

    Args:
        candidates: all frames.
        count: how many.
        share_by_lot: of them.
        apart_ns: nanoseconds that picks of one recording lie apart at least.
        similar: grey levels; see `HarvestParams.similar`.
        seed: of the lot.
        known: uint8 [K, T], thumbnails of pictures that are not picked again.
    """
    wanted = round(share_by_lot * min(count, len(candidates.values)))
    while True:
        state = _State(candidates, apart_ns, similar)
        for picture in known if known is not None else ():
            state.leave_out_like(picture)
        lots: list[Pick] = []
        for row in np.random.default_rng(seed).permutation(len(candidates.values)).tolist():
            if len(lots) == wanted:
                break
            if state.free[row]:
                lots.append(Pick(row, True, state.take(row)))
        best: list[Pick] = []
        while len(best) + len(lots) < count and (row := state.best()) is not None:
            best.append(Pick(row, False, state.take(row)))
        # Where there are fewer frames than were asked for, the share is that of those.
        share = round(share_by_lot * (len(best) + len(lots)))
        if len(lots) <= share:
            return _mixed(best, lots)
        wanted = share


class _State:
    """What may still be picked, and how far each frame lies from what is."""

    def __init__(self, candidates: Candidates, apart_ns: int, similar: float) -> None:
        self._candidates, self._apart, self._similar = candidates, apart_ns, similar
        self.free = np.ones(len(candidates.values), bool)
        self._coarse = np.concatenate(
            [_coarse(candidates.thumbnails[start : start + _BLOCK]) for start in range(0, len(self.free), _BLOCK)]
        )
        self._distance = np.full(len(candidates.values), np.inf)

    def best(self) -> int | None:
        """The frame that is picked next, of equals the first; None where none is free."""
        free = self.free & self._candidates.usable
        if not free.any():
            return None
        distance = np.where(np.isinf(self._distance), 1.0, self._distance)
        gain = (_LEAST + self._candidates.values) * distance
        return int(np.argmax(np.where(free, gain, -1.0)))

    def take(self, row: int) -> float | None:
        """Pick a frame: neither it nor what is like it is free any more. Its distance from the picks before."""
        known, before = self._candidates, float(self._distance[row])
        away = np.sqrt(((known.embeddings - known.embeddings[row]) ** 2).sum(axis=1, dtype=np.float64))
        self._distance = np.minimum(self._distance, away)
        near = np.abs(known.times - known.times[row]) < self._apart
        self.free &= ~(near & (known.bags == known.bags[row]))
        self.leave_out_like(known.thumbnails[row])
        self.free[row] = False
        return None if np.isinf(before) else before

    def leave_out_like(self, picture: npt.NDArray[np.uint8]) -> None:
        """Frames that show what a thumbnail shows, in more or less light, are not free any more."""
        # Where no part differs by more, neither does the mean of several.
        near = np.abs(self._coarse - _coarse(picture[None])).max(axis=1) <= self._similar + _ROUNDING
        rows = np.flatnonzero(self.free & near)
        for start in range(0, len(rows), _BLOCK):
            part = rows[start : start + _BLOCK]
            away = _centred(self._candidates.thumbnails[part]) - _centred(picture[None])
            self.free[part[np.abs(away).max(axis=1) <= self._similar]] = False


def _centred(thumbnails: npt.NDArray[np.uint8]) -> Vectors:
    """Without the light: float32 [N, T] with a mean of zero."""
    values = thumbnails.astype(np.float32)
    return np.asarray(values - values.mean(axis=1, keepdims=True), np.float32)


def _coarse(thumbnails: npt.NDArray[np.uint8]) -> Vectors:
    """Means of sixteenths of centred thumbnails, float32 [N, 16]."""
    return np.asarray(_centred(thumbnails).reshape(len(thumbnails), 16, -1).mean(axis=2), np.float32)


def _mixed(best: list[Pick], lots: list[Pick]) -> list[Pick]:
    """Both kinds evenly mixed, so that who labels the first of them only still has both."""
    total, mixed, taken = len(best) + len(lots), [], 0
    for place in range(total):
        by_lot = (place + 1) * len(lots) // total > taken
        mixed.append(lots[taken] if by_lot else best[place - taken])
        taken += by_lot
    return mixed


def _kth_nearest(rows: Vectors, others: Vectors, k: int) -> Floats:
    """float64 [N]: the distance of each row from its ``k``-th nearest of the others."""
    k = min(k, len(others))
    other = others.astype(np.float64)
    squares = (other**2).sum(axis=1)
    found = np.zeros(len(rows))
    for start in range(0, len(rows), _BLOCK):
        part = rows[start : start + _BLOCK].astype(np.float64)
        away = (part**2).sum(axis=1)[:, None] + squares[None, :] - 2 * part @ other.T
        found[start : start + len(part)] = np.sqrt(np.maximum(np.partition(away, k - 1, axis=1)[:, k - 1], 0))
    return found


def _spread(count: int, most: int) -> npt.NDArray[np.intp]:
    rows: npt.NDArray[np.intp] = np.linspace(0, count - 1, min(count, most)).round().astype(np.intp)
    return rows
