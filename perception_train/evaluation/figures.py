"""The figures of a validation, as frozen data that goes through JSON and a checkpoint unharmed.

Everything here is numbers, texts and tuples of them, so that ``dataclasses.asdict`` and ``msgspec.convert`` are each
other's inverse. A figure that cannot be known (no objects, no detections) is None.
"""

from __future__ import annotations

from dataclasses import dataclass

BACKGROUND = "background"


@dataclass(frozen=True)
class Calibration:
    """How far confidence is from being right as often as it says.

    ``error`` is the expected calibration error: the gap between mean confidence and the share that is right, averaged
    over equally wide bins by how much lies in each (Naeini et al., AAAI 2015; Guo et al., "On Calibration of Modern
    Neural Networks", ICML 2017). For detections "right" means precision at IoU 0.50, as in Küppers et al.,
    "Multivariate Confidence Calibration for Object Detection", CVPR Workshops 2020. Bins span 0 to 1.
    """

    error: float
    confidence: tuple[float | None, ...]
    right: tuple[float | None, ...]
    count: tuple[int, ...]


@dataclass(frozen=True)
class Confusion:
    """``counts[truth][found]``: objects at the chosen thresholds, or pixels. One of the names is the background."""

    names: tuple[str, ...]
    counts: tuple[tuple[int, ...], ...]


@dataclass(frozen=True)
class Stratum:
    """Objects of one kind (a range of sizes, of occlusion); ``recall`` is that at the chosen thresholds, IoU 0.50."""

    name: str
    objects: int
    ap: float | None
    ap50: float | None
    recall: float | None


@dataclass(frozen=True)
class ClassFigures:
    """A class of a detector; precision and recall are those at its threshold, IoU 0.50.

    ``curve`` is the precision at recall 0, 0.01 to 1 (IoU 0.50, made monotonous as COCO does); empty without objects.
    """

    name: str
    objects: int
    ap: float | None
    ap50: float | None
    threshold: float
    precision: float | None
    recall: float | None
    curve: tuple[float, ...]


@dataclass(frozen=True)
class Example:
    """What was found in one picture: boxes xyxy in its pixels with labels and scores above the thresholds, or a mask.

    ``index`` is that of the dataset's sample, ``mask`` a PNG in base64, ``note`` says what is wrong.
    """

    index: int
    image: str
    note: str
    boxes: tuple[tuple[float, float, float, float], ...] = ()
    labels: tuple[int, ...] = ()
    scores: tuple[float, ...] = ()
    mask: str | None = None


@dataclass(frozen=True)
class DetectionFigures:
    """A detector; sizes are areas of boxes in pixels of the original pictures, not of the network's input.

    ``by_size`` has COCO's small, medium and large, ``by_occlusion`` is empty where the dataset does not say.
    ``examples`` are the pictures with the most errors, worst first.
    """

    classes: tuple[ClassFigures, ...]
    by_size: tuple[Stratum, ...]
    by_occlusion: tuple[Stratum, ...]
    calibration: Calibration
    confusion: Confusion
    examples: tuple[Example, ...]


@dataclass(frozen=True)
class ClassPixels:
    """A class of a segmenter: its true pixels and, over all pictures together, IoU, precision and recall."""

    name: str
    pixels: int
    iou: float | None
    precision: float | None
    recall: float | None


@dataclass(frozen=True)
class SegmentationFigures:
    """A segmenter; ``examples`` are the pictures with the greatest share of wrong pixels, worst first."""

    classes: tuple[ClassPixels, ...]
    calibration: Calibration
    confusion: Confusion
    examples: tuple[Example, ...]


Figures = DetectionFigures | SegmentationFigures
