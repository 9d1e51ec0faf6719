"""The distributions that a dataset is described, drawn and compared by; each is declared once."""

from __future__ import annotations

import dataclasses

import numpy as np

from .annotations import Dataset
from .pixels import MEASURED_AT, Pixels

# COCO's bands of object size: up to 32², up to 96², and more square pixels (here: of the box).
COCO_BANDS_PX = (32.0, 96.0)


@dataclasses.dataclass(frozen=True)
class Feature:
    """A number that every object or picture (``of``) has.

    ``low`` and ``high`` bound its histogram (None: the data do). A ``mostly_zero`` feature's histogram is of what
    is above zero, lest nothing but one bar be seen.
    """

    key: str
    title: str
    unit: str
    of: str
    low: float | None = None
    high: float | None = None
    log: bool = False
    mostly_zero: bool = False


OBJECTS, IMAGES = "objects", "images"
FEATURES = (
    Feature("size_px", "Object size", "√(width × height), px", OBJECTS, log=True),
    Feature("size_relative", "Object size relative to the image", "√(box area ÷ image area), %", OBJECTS, log=True),
    Feature("aspect", "Aspect ratio", "width ÷ height", OBJECTS, log=True),
    Feature("objects_per_image", "Objects per image", "labelled objects", IMAGES, low=0),
    Feature("occlusion", "Occlusion", "hidden share of the object, %", OBJECTS, 0, 100, mostly_zero=True),
    Feature("truncation", "Truncation", "share outside the image, %", OBJECTS, 0, 100, mostly_zero=True),
    Feature("center_x", "Position across", "box centre from the left, % of the width", OBJECTS, 0, 100),
    Feature("center_y", "Position down", "box centre from the top, % of the height", OBJECTS, 0, 100),
    Feature("brightness", "Brightness", "mean luma, 0 to 255", IMAGES, 0, 255),
    Feature("contrast", "Contrast", "standard deviation of luma, 0 to 255", IMAGES, low=0),
    Feature("saturation", "Saturation", "mean of HSV's, %", IMAGES, 0, 100),
    Feature("sharpness", "Sharpness", f"std. dev. of the Laplacian at {MEASURED_AT} px", IMAGES, log=True),
)
Values = dict[str, np.ndarray]


def feature_values(dataset: Dataset, pixels: Pixels) -> Values:
    """The values of every feature, float [number of labelled objects, or of images]; not known ones are left out."""
    labelled = ~dataset.crowd
    boxes, sizes = dataset.boxes[labelled], dataset.sizes[dataset.image[labelled]]
    extent = boxes[:, 2:] - boxes[:, :2]
    centers = (boxes[:, :2] + boxes[:, 2:]) / 2 / sizes * 100
    values = {
        "size_px": np.sqrt(extent.prod(1)),
        "size_relative": np.sqrt((extent / sizes).prod(1)) * 100,
        "aspect": extent[:, 0] / extent[:, 1],
        "objects_per_image": np.bincount(dataset.image[labelled], minlength=len(dataset.file_names)).astype(float),
        "occlusion": dataset.occlusion[labelled] * 100,
        "truncation": dataset.truncation[labelled] * 100,
        "center_x": centers[:, 0],
        "center_y": centers[:, 1],
        "brightness": pixels.brightness,
        "contrast": pixels.contrast,
        "saturation": pixels.saturation * 100,
        # A picture of one colour has no edges, and no logarithm either.
        "sharpness": np.maximum(pixels.sharpness, 0.1),
    }
    return {key: array[np.isfinite(array)] for key, array in values.items()}
