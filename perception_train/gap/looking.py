"""One pass over a source: of every picture what the model finds, what is true, how it looks, and a small copy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from perception_common.errors import UserError
from perception_infer.contract.detections import Detections, Segmentation
from perception_infer.draw import draw_mask
from perception_infer.predictor import Predictor
from perception_infer.replay.truth import FrameTruth, TrueBoxes

from ..evaluation.pictures import jpeg
from ..harvest.embedding import Embedding
from ..progress import Meter
from .looks import look_of
from .regions import Regions, regions_of_detections, regions_of_mask, regions_of_truth
from .scoring import BoxScoring, MaskScoring
from .sources import Picture, Source

#: Detections that score less are not even scored, as in a replay.
_MIN_SCORE = 0.001
_SHOWN_PX = 420


class Seen(NamedTuple):
    """A picture that was looked at.

    Attributes:
        name: of the file or frame.
        width, height: in pixels.
        look: the measures of the group `LOOK`.
        vector: float32 [D], what it is compared by.
        found: what reaches the thresholds.
        best: the greatest score of all, or the mean confidence of a segmenter's pixels; 0 to 1.
        true: objects that are there; None where nothing is known.
        errors: how many, or which share of the pixels; None without truth.
        note: what is wrong with the answer, in words.
        small: a small copy as JPEG, with the mask drawn over it for segmenters.
    """

    name: str
    width: int
    height: int
    look: dict[str, float]
    vector: npt.NDArray[np.float32]
    found: Regions
    best: float
    true: Regions | None
    errors: float | None
    note: str
    small: bytes


@dataclass(frozen=True, eq=False)
class Looked:
    """A source that was looked at: its name, and what `scoring` says of it (None where nothing is labelled)."""

    label: str
    source: Source
    seen: Sequence[Seen]
    accuracy: dict[str, Any] | None

    @property
    def vectors(self) -> npt.NDArray[np.float32]:
        """float32 [N, D]."""
        return np.stack([one.vector for one in self.seen])

    @property
    def labelled(self) -> int:
        """Pictures of which it is known what is true in them."""
        return sum(one.true is not None for one in self.seen)


def look_at(label: str, source: Source, most: int, predictor: Predictor, embedding: Embedding) -> Looked:
    """Look at the pictures of a source.

    Raises:
        UserError: it cannot be read, or no picture of it can be used.
    """
    segments = predictor.task == "segmentation"
    scoring: BoxScoring | MaskScoring = MaskScoring(predictor.classes) if segments else BoxScoring(predictor)
    predictor.set_threshold(_MIN_SCORE)
    seen = []
    with Meter(f"looking at {label}", min(most, source.total)) as meter:
        for picture in source.pictures(most):
            seen.append(_look(picture, predictor, embedding, scoring))
            meter.advance()
    if not seen:
        reason = next(iter((*source.skips.counts, *source.notes)), "it is empty")
        raise UserError("no picture could be used", where=source.path, fix=reason)
    return Looked(label, source, seen, scoring.figures())


def _look(picture: Picture, predictor: Predictor, embedding: Embedding, scoring: BoxScoring | MaskScoring) -> Seen:
    rgb = picture.rgb
    found: Detections | Segmentation
    if isinstance(scoring, MaskScoring):
        found = predictor.segment(rgb)
        errors, note = scoring.add(found, picture.truth)
        best = float(found.confidence.mean()) / 255
        regions = regions_of_mask(found.mask, found.confidence)
    else:
        found = predictor.predict(rgb)
        errors, note = scoring.add(found, picture.truth)
        best = float(found.scores.max(initial=0.0))
        regions = regions_of_detections(found[scoring.kept(found)], rgb.shape)
    return Seen(
        picture.name,
        rgb.shape[1],
        rgb.shape[0],
        look_of(rgb, predictor.network),
        embedding.of(rgb),
        regions,
        best,
        _true(picture.truth, rgb),
        errors,
        note,
        _small(rgb, found),
    )


def _true(truth: FrameTruth | None, rgb: npt.NDArray[np.uint8]) -> Regions | None:
    if truth is None:
        return None
    return regions_of_truth(truth, rgb.shape) if isinstance(truth, TrueBoxes) else regions_of_mask(truth.mask)


def _small(rgb: npt.NDArray[np.uint8], found: Detections | Segmentation) -> bytes:
    scale = min(1.0, _SHOWN_PX / max(rgb.shape[:2]))
    # At least one row and column, of however long a strip.
    size = max(round(rgb.shape[1] * scale), 1), max(round(rgb.shape[0] * scale), 1)
    small = np.asarray(cv2.resize(rgb, size, interpolation=cv2.INTER_AREA), np.uint8)
    if isinstance(found, Segmentation):
        mask = cv2.resize(found.mask, size, interpolation=cv2.INTER_NEAREST_EXACT)
        small = draw_mask(small, np.asarray(mask, np.uint8))
    return jpeg(small)
