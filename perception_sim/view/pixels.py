"""What pictures look like in numbers, measured on a random sample of them."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence

import cv2
import numpy as np

from .annotations import Dataset
from .files import leads_out
from .masks import BrokenMaskError, extent

# Pictures are measured at this length of their longer side, so that sharpness compares between cameras.
MEASURED_AT = 320
# A box and its mask may differ by rounding (whole-numbered boxes around fractional polygons), not by more.
MASK_TOLERANCE_PX = 2.0


@dataclasses.dataclass(frozen=True, eq=False)
class Pixels:
    """Measurements of K readable pictures of a sample.

    ``brightness`` (mean), ``contrast`` (standard deviation) of luma and ``color`` float [K, 3] (mean R, G, B)
    are on a scale of 0 to 255, ``saturation`` (mean of HSV's) is a share, ``sharpness`` is the standard deviation of
    the Laplacian of luma; all float [K], of the picture made `MEASURED_AT` pixels long. ``readable`` int [K] are
    their indices; ``unreadable`` and ``other_size`` name files that are no pictures, or not of the annotated size.
    ``masks`` of the sample's objects were checked, ``broken_masks`` could not be decoded and ``loose_masks`` differ
    from the box.
    """

    readable: np.ndarray
    brightness: np.ndarray
    contrast: np.ndarray
    saturation: np.ndarray
    sharpness: np.ndarray
    color: np.ndarray
    unreadable: tuple[str, ...]
    other_size: tuple[str, ...]
    masks: int
    broken_masks: int
    loose_masks: int


def read_picture(dataset: Dataset, image: int) -> np.ndarray | None:
    """A picture as BGR uint8 [H, W, 3], or None where it cannot be read."""
    if leads_out(dataset.file_names[image]):
        return None
    try:
        data = np.frombuffer(dataset.path(image).read_bytes(), np.uint8)
        return cv2.imdecode(data, cv2.IMREAD_COLOR) if data.size else None
    except (OSError, cv2.error):
        return None


def measure(dataset: Dataset, sample: Sequence[int], advance: Callable[[int], None]) -> Pixels:
    """Read the pictures ``sample`` (indices) once and measure them; ``advance`` hears of every one."""
    readable, rows, unreadable, other_size = [], [], [], []
    masks = broken = loose = 0
    for image in sample:
        picture = read_picture(dataset, image)
        advance(1)
        if picture is None:
            unreadable.append(dataset.file_names[image])
            continue
        if picture.shape[1::-1] != tuple(dataset.sizes[image]):
            other_size.append(dataset.file_names[image])
        readable.append(image)
        rows.append(_numbers(picture))
        counts = _check_masks(dataset, image)
        masks, broken, loose = masks + counts[0], broken + counts[1], loose + counts[2]
    table = np.array(rows, float).reshape(-1, 7)
    return Pixels(
        np.array(readable, np.int64),
        *table[:, :4].T,
        table[:, 4:],
        tuple(unreadable),
        tuple(other_size),
        masks,
        broken,
        loose,
    )


def _numbers(picture: np.ndarray) -> tuple[float, ...]:
    scale = MEASURED_AT / max(picture.shape[:2])
    if scale < 1:
        picture = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    luma = cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY).astype(np.float32)
    saturation = cv2.cvtColor(picture, cv2.COLOR_BGR2HSV)[..., 1].mean() / 255
    blue, green, red = picture.reshape(-1, 3).mean(0).tolist()
    sharpness = cv2.Laplacian(luma, cv2.CV_32F).std()
    return float(luma.mean()), float(luma.std()), float(saturation), float(sharpness), red, green, blue


def _check_masks(dataset: Dataset, image: int) -> tuple[int, int, int]:
    """Masks, broken masks, and masks whose extent is not their box, of an image."""
    masks = broken = loose = 0
    width, height = dataset.sizes[image].tolist()
    for index in dataset.of(image):
        segmentation = dataset.segmentation(index)
        if segmentation is None:
            continue
        masks += 1
        try:
            around = extent(segmentation, width, height)
        except BrokenMaskError:
            broken += 1
            continue
        loose += around is None or float(np.abs(np.subtract(around, dataset.boxes[index])).max()) >= MASK_TOLERANCE_PX
    return masks, broken, loose
