"""Expected calibration error over equally wide bins; see `figures.Calibration` for what it means and its sources."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from .figures import Calibration

BINS = 10


class CalibrationCounter:
    """Adds up confidences and what was right among them, bin by bin, so that pictures need not be kept."""

    def __init__(self) -> None:
        self._count, self._right = np.zeros(BINS, np.int64), np.zeros(BINS, np.int64)
        self._confidence = np.zeros(BINS)

    def add(self, confidence: npt.NDArray[np.floating], right: npt.NDArray[np.bool_]) -> None:
        """Confidences [N], 0 to 1, and whether each was right [N]."""
        self.add_counted(confidence, np.ones(len(confidence), np.int64), right.astype(np.int64))

    def add_counted(
        self, confidence: npt.NDArray[np.floating], count: npt.NDArray[np.int64], right: npt.NDArray[np.int64]
    ) -> None:
        """Confidences [N] of which each occurred ``count`` times and was right ``right`` times."""
        bins = np.minimum((confidence * BINS).astype(np.int64), BINS - 1)
        np.add.at(self._count, bins, count)
        np.add.at(self._right, bins, right)
        np.add.at(self._confidence, bins, confidence * count)

    def result(self) -> Calibration:
        """The error and the bins; the error is 0 where nothing was counted."""
        some = np.maximum(self._count, 1)
        confidence, right = self._confidence / some, self._right / some
        error = (np.abs(confidence - right) * self._count).sum() / max(self._count.sum(), 1)
        filled = self._count > 0
        return Calibration(
            error=float(error),
            confidence=tuple(float(x) if f else None for x, f in zip(confidence, filled, strict=True)),
            right=tuple(float(x) if f else None for x, f in zip(right, filled, strict=True)),
            count=tuple(self._count.tolist()),
        )
