"""IoU of a segmenter on a dataset: the robot's own code path, image by image, at the images' own size."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from perception_infer.predictor import Predictor

from ..data.coco import CocoDataset
from ..evaluation.figures import SegmentationFigures
from ..evaluation.segmentation import SegmentationRecord

_ANY_CLASS = 0.5
"""Every pixel has a class: there is no threshold to be found."""


@dataclass(frozen=True)
class SegmentationValidation:
    """Mean IoU of the classes that occur, IoU per class (background apart), and the share of pixels that are right.

    ``figures`` is all the rest; None in checkpoints of earlier versions.
    """

    miou: float
    pixel_accuracy: float
    iou: dict[str, float]
    thresholds: tuple[float, ...]
    images: int
    figures: SegmentationFigures | None = None

    def metrics(self) -> dict[str, float]:
        """What a manifest says of a variant."""
        return {"miou": self.miou, "pixel_accuracy": self.pixel_accuracy}

    @property
    def per_class(self) -> tuple[str, dict[str, float]]:
        """The name of the figure per class, and the figures."""
        return "iou", self.iou

    def __str__(self) -> str:
        return f"mIoU {self.miou:.3f}, {self.pixel_accuracy:.1%} of the pixels right"


def validate_segmentation(predictor: Predictor, dataset: CocoDataset) -> SegmentationValidation:
    """Run every image of the dataset through the predictor and compare with its mask.

    IoU is that of all images together. The mean is over classes that are there or found; the background is not one.

    Raises:
        UserError: the classes differ, or an image or mask cannot be read.
    """
    dataset.require_classes(predictor.classes, "model")
    dataset.require_masks()
    record = SegmentationRecord(dataset)
    for index, sample in enumerate(dataset.samples):
        record.add(index, dataset.mask(index), predictor.segment(sample.read()))
    iou = {
        name: float(value) for name, value in zip(dataset.classes, record.iou()[1:], strict=True) if np.isfinite(value)
    }
    confusion = record.confusion
    return SegmentationValidation(
        miou=float(np.mean(list(iou.values()))) if iou else 0.0,
        pixel_accuracy=float(np.diag(confusion).sum() / max(confusion.sum(), 1)),
        iou=iou,
        thresholds=(_ANY_CLASS,) * len(dataset.classes),
        images=len(dataset.samples),
        figures=record.figures(),
    )
