"""What a segmenter tells right and wrong: pixels by class, by confidence, and in which pictures."""

from __future__ import annotations

import base64
import heapq
from dataclasses import dataclass, field

import cv2
import numpy as np
import numpy.typing as npt

from perception_infer.contract.detections import Segmentation
from perception_infer.evaluation.confusion import IGNORED, count_pixels, pixel_iou

from ..data.coco import CocoDataset, Pixels
from .calibration import CalibrationCounter
from .detection import EXAMPLES
from .figures import BACKGROUND, ClassPixels, Confusion, Example, SegmentationFigures


@dataclass(order=True)
class _Rated:
    """A picture by the share of its pixels that are wrong; of equals, the first is the worse."""

    wrong: float
    before: int
    mask: Pixels = field(compare=False)


class SegmentationRecord:
    """Collects the pictures of a validation with `add`."""

    def __init__(self, dataset: CocoDataset) -> None:
        self._dataset = dataset
        self._count = len(dataset.classes) + 1
        self.confusion = np.zeros((self._count, self._count), np.int64)
        self._by_confidence = np.zeros((256, 2), np.int64)
        self._worst: list[_Rated] = []

    def add(self, index: int, truth: Pixels, found: Segmentation) -> None:
        """A picture of the dataset: its true mask uint8 [H, W], and what was found."""
        counted = truth != IGNORED
        sure, right = found.confidence[counted], (truth == found.mask)[counted]
        self.confusion += count_pixels(truth, found.mask, self._count - 1)
        self._by_confidence[:, 0] += np.bincount(sure, minlength=256)
        self._by_confidence[:, 1] += np.bincount(sure[right], minlength=256)
        heapq.heappush(self._worst, _Rated(1.0 - float(right.mean()) if len(right) else 0.0, -index, found.mask))
        if len(self._worst) > EXAMPLES:
            heapq.heappop(self._worst)

    def iou(self) -> npt.NDArray[np.float64]:
        """IoU [1 + classes] of all pictures together, see `pixel_iou`."""
        return pixel_iou(self.confusion)

    def figures(self) -> SegmentationFigures:
        """All that is known of the pictures so far."""
        counter = CalibrationCounter()
        counter.add_counted(np.arange(256) / 255.0, self._by_confidence[:, 0], self._by_confidence[:, 1])
        names = (BACKGROUND, *self._dataset.classes)
        right, truth, found = np.diag(self.confusion), self.confusion.sum(1), self.confusion.sum(0)
        iou = self.iou()
        return SegmentationFigures(
            classes=tuple(
                ClassPixels(
                    name,
                    int(truth[i]),
                    None if np.isnan(iou[i]) else float(iou[i]),
                    _share(right[i], found[i]),
                    _share(right[i], truth[i]),
                )
                for i, name in enumerate(names)
            ),
            calibration=counter.result(),
            confusion=Confusion(names, tuple(tuple(row) for row in self.confusion.tolist())),
            examples=tuple(self._example(rated) for rated in sorted(self._worst, reverse=True)),
        )

    def _example(self, rated: _Rated) -> Example:
        index = -rated.before
        done, data = cv2.imencode(".png", rated.mask)
        if not done:
            raise RuntimeError("OpenCV could not encode a mask")
        return Example(
            index=index,
            image=self._dataset.samples[index].path.name,
            note=f"{rated.wrong:.1%} of the pixels wrong",
            mask=base64.b64encode(data.tobytes()).decode(),
        )


def _share(part: np.int64, whole: np.int64) -> float | None:
    return float(part / whole) if whole else None
