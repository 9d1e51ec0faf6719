"""Sample frames of a live evaluation: a picture with its truth and detections, some of each version."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from perception_common import durable
from perception_common.images import jpeg

from .live import Boxes, ScoredFrame

Pixels = npt.NDArray[np.uint8]
_JPEG_QUALITY = 85
#: Pictures that may wait for their truth and detections.
_WAITING = 4


@dataclass(frozen=True)
class Sample:
    """A stored picture ``file`` (JPEG, width × height pixels) and what was true and found in it."""

    stamp: int
    file: str
    width: int
    height: int
    truth: list[dict[str, Any]]
    found: list[dict[str, Any]]


class SampleStore:
    """Keeps the first frames of every version, and renews the last of them so that the newest is there too.

    Args:
        directory: where the pictures go.
        per_version: pictures of each version.
        period_s: seconds between two pictures.
        min_score: detections below this are not stored.
    """

    def __init__(self, directory: Path, per_version: int, period_s: float, min_score: float = 0.25) -> None:
        self.directory = directory
        self._per_version, self._period, self._min_score = per_version, int(period_s * 1e9), min_score
        self._next = 0
        self._waiting: OrderedDict[int, Callable[[], Pixels]] = OrderedDict()
        self._kept: dict[int | None, list[Sample]] = {}

    def offer(self, stamp: int, pixels: Callable[[], Pixels]) -> None:
        """An image is here; ``pixels`` gives RGB uint8 [H, W, 3] and is called only when it is chosen."""
        if stamp >= self._next or self._next - stamp > 2 * self._period:  # the latter: time was set back
            self._waiting[stamp] = pixels
            if len(self._waiting) > _WAITING:
                self._waiting.popitem(last=False)

    def take(self, frame: ScoredFrame, version: int | None) -> Sample | None:
        """Store the picture of a scored frame when it was offered and holds an object."""
        pixels = self._waiting.pop(frame.stamp, None)
        if pixels is None or not len(frame.truth.names):
            return None
        image = pixels()
        self._waiting.clear()
        self._next = frame.stamp + self._period
        data = jpeg(image, _JPEG_QUALITY)
        sample = Sample(
            frame.stamp,
            f"{frame.stamp}.jpg",
            image.shape[1],
            image.shape[0],
            _rows(frame.truth, 0.0),
            _rows(frame.found, self._min_score),
        )
        durable.write_bytes(self.directory / sample.file, data)
        kept = self._kept.setdefault(version, [])
        if len(kept) >= self._per_version:
            (self.directory / kept.pop().file).unlink(missing_ok=True)
        kept.append(sample)
        return sample

    def listing(self, version_of: Callable[[int], int | None]) -> list[dict[str, Any]]:
        """All stored samples as JSON-ready data, oldest first; the version is looked up again by stamp."""
        samples = sorted((sample for kept in self._kept.values() for sample in kept), key=lambda sample: sample.stamp)
        return [vars(sample) | {"version": version_of(sample.stamp)} for sample in samples]


def _rows(boxes: Boxes, min_score: float) -> list[dict[str, Any]]:
    scores = [1.0] * len(boxes.names) if boxes.scores is None else boxes.scores.tolist()
    corners = np.asarray(boxes.boxes, float).round(1).tolist()
    rows = zip(corners, boxes.names, scores, strict=True)
    return [{"box": box, "name": name, "score": round(score, 3)} for box, name, score in rows if score >= min_score]
