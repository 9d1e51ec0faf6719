"""All frames of a harvest with their scores, and what is told of those that are picked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from perception_common.errors import UserError

from .choice import Candidates, Floats, Pick, balanced, novelty, pick, standing_out, usual_of, values_of
from .looking import Looked, Seen
from .params import HarvestParams
from .scores import REASONS

#: Of figures in files.
DIGITS = 4
_NS = 1_000_000_000
# Of less, nothing could be labelled.
_LEAST_QUALITY = 0.05
# What contributes less to a frame's worth is no reason.
_TELLING = 0.1
Known = tuple[npt.NDArray[np.float32], npt.NDArray[np.uint8]] | None


@dataclass(frozen=True, eq=False)
class Judged:
    """All frames with what decides about them; arrays have an entry for each.

    Attributes:
        looked: what the first pass found.
        candidates: what picking needs.
        scores: float64 [N] of each of `REASONS`.
        usual: of each score, see `usual_of`.
        counted: float64 [N] of each score, what counts of it: see `standing_out`.
        times_usual: float64 [N], see `novelty`.
        known: vectors and thumbnails of known pictures, see `look_at_known`; None without.
    """

    looked: Looked
    candidates: Candidates
    scores: Mapping[str, Floats]
    usual: Mapping[str, float]
    counted: Mapping[str, Floats]
    times_usual: Floats
    known: Known

    @classmethod
    def of(cls, looked: Looked, known: Known, parts: Sequence[int], params: HarvestParams) -> Judged:
        """Of what was looked at."""
        vectors = np.stack(looked.embeddings)
        embeddings, known_embeddings = balanced(vectors, None if known is None else known[0], parts)
        new, times_usual = novelty(embeddings, known_embeddings)
        scores = {
            "uncertainty": np.array([seen.uncertainty.value for seen in looked.seen]),
            "disagreement": np.array([seen.disagreement.value for seen in looked.seen]),
            "inconsistency": np.array([score.value for score in looked.inconsistency]),
            "novelty": new,
        }
        usual = usual_of(scores)
        counted = standing_out(scores, usual)
        quality = np.array([seen.quality.value for seen in looked.seen])
        candidates = Candidates(
            np.array([seen.bag for seen in looked.seen], np.intp),
            np.array([seen.when for seen in looked.seen], np.int64),
            values_of(counted, quality, params.weights()),
            quality >= _LEAST_QUALITY,
            embeddings,
            np.stack(looked.thumbnails),
        )
        return cls(looked, candidates, scores, usual, counted, times_usual, known)

    def pick(self, params: HarvestParams) -> list[Pick]:
        """The picks, those that should be labelled first first.

        Raises:
            UserError: every frame looks like a known picture, or cannot be labelled.
        """
        pictures = None if self.known is None else self.known[1]
        picks = pick(
            self.candidates,
            params.count,
            params.random,
            round(params.apart * _NS),
            params.similar,
            params.seed,
            pictures,
        )
        if not picks:
            raise UserError(
                "no frame is left: all are in the known datasets already, or black, blown out or blurred",
                where=", ".join(params.bag),
                fix="give other recordings, or lower --similar",
            )
        return picks

    def told(self, picked: Pick, params: HarvestParams, compared: bool) -> dict[str, Any]:
        """A pick as in harvest.json, but for its file."""
        row, seen = picked.row, self.looked.seen[picked.row]
        scores: dict[str, float | None] = {name: round(float(self.scores[name][row]), DIGITS) for name in REASONS}
        if not compared:
            scores["disagreement"] = None
        read = self.looked.bags[seen.bag]
        return {
            "picked": "random" if picked.by_lot else "worth",
            "bag": read.path,
            "topic": read.topic,
            "frame": seen.frame,
            "stamp_ns": seen.stamp,
            "time_ns": seen.time,
            "value": round(float(self.candidates.values[row]), DIGITS),
            "scores": {**scores, "quality": round(seen.quality.value, DIGITS)},
            "distance": None if picked.distance is None else round(picked.distance, DIGITS),
            "reasons": self._reasons(picked, seen, params),
        }

    def _reasons(self, picked: Pick, seen: Seen, params: HarvestParams) -> list[str]:
        """Why a frame was picked, in words, the weightiest first."""
        row, weights = picked.row, params.weights()
        words = {
            "uncertainty": seen.uncertainty.reason,
            "disagreement": seen.disagreement.reason,
            "inconsistency": self.looked.inconsistency[row].reason,
            "novelty": f"{self.times_usual[row]:.1f} times as far from {others(self.known)} as usual",
        }
        counts = {name: weights[name] * float(self.counted[name][row]) for name in REASONS}
        told = [words[name] for name in sorted(REASONS, key=lambda name: -counts[name]) if counts[name] >= _TELLING]
        if picked.by_lot:
            told.insert(0, "drawn at random")
        elif not told:
            told.append("unlike the frames picked before it" if picked.distance else "nothing stands out")
        if seen.quality.reason:
            told.append(f"counts less: {seen.quality.reason}")
        return told


def others(known: object) -> str:
    """From what the distance of a frame is its novelty, in words."""
    return "the nearest known picture" if known is not None else "the nearest twentieth of all frames"
