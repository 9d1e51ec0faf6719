"""Augmentation of images with boxes: geometry here, looks in `appearance`.

Every random choice comes from the generator that is passed in.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from perception_common.params import param
from perception_infer.contract.geometry import PAD_VALUE, Letterbox

# Of what lies outside of the picture, or is covered.
from perception_infer.evaluation.confusion import IGNORED

from .appearance import AppearanceParams, Pixels, photometric

__all__ = ["AugmentParams", "Boxes", "Labelled", "Labels", "Pixels", "mosaic", "photometric", "random_view"]
Boxes = npt.NDArray[np.float32]
Labels = npt.NDArray[np.int64]


class Labelled(NamedTuple):
    """An image with its boxes in the same coordinates, and the class of every pixel (uint8 [H, W]) where wanted."""

    image: Pixels
    boxes: Boxes
    labels: Labels
    mask: Pixels | None = None


@dataclass(frozen=True)
class AugmentParams(AppearanceParams):
    """Strength or probability of each augmentation; 0 switches it off."""

    flip: float = param(0.5, "probability of a left-right flip", minimum=0.0, maximum=1.0)
    flip_vertical: float = param(
        0.0, "probability of a flip upside down: for views from above", minimum=0.0, maximum=1.0
    )
    crop: float = param(
        0.0, "probability of showing a random part of the image instead of zoom and shift", minimum=0.0, maximum=1.0
    )
    crop_area: float = param(0.3, "smallest part that a crop shows, as a share of the area", minimum=0.01, maximum=1.0)
    scale: float = param(0.4, "random zoom between 1 - scale and 1 + scale", minimum=0.0, maximum=0.9)
    aspect: float = param(0.1, "random change of the aspect ratio", minimum=0.0, maximum=0.5)
    translate: float = param(0.15, "random shift, as a share of the image side", minimum=0.0, maximum=0.5)
    cutout: float = param(
        0.0, "probability of covering rectangles; an object that is mostly covered is dropped", minimum=0.0, maximum=1.0
    )
    cutout_size: float = param(
        0.25, "longest side of such a rectangle, as a share of the image's", minimum=0.01, maximum=1.0
    )
    copy_paste: float = param(
        0.1,
        "probability of pasting objects of another image; only where the datasets tell the pixels of objects",
        minimum=0.0,
        maximum=1.0,
    )
    copy_paste_objects: int = param(3, "most objects that are pasted into an image", minimum=1, maximum=100)
    mosaic: float = param(0.5, "probability of joining four images, while mosaic is on", minimum=0.0, maximum=1.0)


#: A box of which less than this share is left after a crop is dropped, as is one below MIN_SIDE pixels.
MIN_VISIBLE = 0.25
MIN_SIDE = 3.0
_MOSAIC_ZOOM = (0.45, 0.9)
_MOST_HOLES = 4
#: Shortest side of a hole, as a share of the image's.
_LEAST_HOLE = 0.05


def warp_matrix(letterbox: Letterbox, params: AugmentParams, rng: np.random.Generator) -> npt.NDArray[np.float64]:
    """Affine 2x3 from source to network pixel-edge coordinates: the letterbox, then a random zoom, shift and flip."""
    network = np.asarray(letterbox.network, np.float64)
    zoom = rng.uniform(1 - params.scale, 1 + params.scale)
    stretch = np.exp(rng.uniform(-params.aspect, params.aspect))
    shift = rng.uniform(-params.translate, params.translate, 2) * network
    return _about_the_centre(letterbox, (zoom * stretch, zoom / stretch), shift, params, rng)


def crop_matrix(
    sample: Labelled, network: tuple[int, int], params: AugmentParams, rng: np.random.Generator
) -> npt.NDArray[np.float64]:
    """As `warp_matrix`, for a random part of the image that holds the middle of one of its objects.

    What the network's frame has room for beside the part is shown too.
    """
    size = np.asarray(sample.image.shape[1::-1], np.float64)
    part = size * np.sqrt(rng.uniform(params.crop_area, 1.0))
    middle = size * rng.random(2)
    if len(sample.boxes):
        middle = sample.boxes[rng.integers(len(sample.boxes))].reshape(2, 2).mean(0)
    corner = rng.uniform(np.maximum(0, middle - part), np.minimum(middle, size - part))
    width, height = np.maximum(1, np.rint(part)).astype(int).tolist()
    stretch = np.exp(rng.uniform(-params.aspect, params.aspect))
    letterbox = Letterbox.fit((width, height), network)
    matrix = _about_the_centre(letterbox, (stretch, 1 / stretch), np.zeros(2), params, rng)
    matrix[:, 2] -= matrix[:, :2] @ corner
    return matrix


def _about_the_centre(
    letterbox: Letterbox,
    zoom: tuple[float, float],
    shift: npt.NDArray[np.float64],
    params: AugmentParams,
    rng: np.random.Generator,
) -> npt.NDArray[np.float64]:
    """The letterbox, then zoom and random flips about the centre of the network's image, then the shift."""
    network = np.asarray(letterbox.network, np.float64)
    base, change = np.eye(3), np.eye(3)
    base[0, 0], base[1, 1] = letterbox.scale
    base[0, 2], base[1, 2] = letterbox.left, letterbox.top
    flips = np.where(rng.random(2) < (params.flip, params.flip_vertical), -1, 1)
    change[0, 0], change[1, 1] = flips * zoom
    change[:2, 2] = network / 2 - change[:2, :2] @ (network / 2) + shift
    return np.asarray((change @ base)[:2], np.float64)


def warp(image: Pixels, matrix: npt.NDArray[np.float64], size: tuple[int, int]) -> Pixels:
    """The image, or mask [H, W], under an affine in pixel-edge coordinates, in a canvas of ``size`` (width, height)."""
    # OpenCV's coordinates are of pixel centres, half a pixel off the edges.
    centred = matrix.copy()
    centred[:, 2] += matrix[:, :2] @ (0.5, 0.5) - 0.5
    if image.ndim == 2:
        # Class ids: nothing lies between two of them.
        return cv2.warpAffine(image, centred, size, flags=cv2.INTER_NEAREST, borderValue=IGNORED)  # type: ignore[return-value]
    border = (PAD_VALUE, PAD_VALUE, PAD_VALUE)
    return cv2.warpAffine(image, centred, size, flags=cv2.INTER_LINEAR, borderValue=border)  # type: ignore[return-value]


def warp_boxes(
    boxes: Boxes, labels: Labels, matrix: npt.NDArray[np.float64], area: tuple[float, float, float, float]
) -> tuple[Boxes, Labels]:
    """Boxes under the affine, clipped to ``area`` (xyxy); what the clip leaves too little of is dropped."""
    if len(boxes) == 0:
        return boxes, labels
    corners = boxes.reshape(-1, 2, 2) @ matrix[:, :2].T + matrix[:, 2]
    low, high = corners.min(1), corners.max(1)
    clipped_low = np.clip(low, area[:2], area[2:])
    clipped_high = np.clip(high, area[:2], area[2:])
    side = clipped_high - clipped_low
    visible = side.prod(1) / np.maximum((high - low).prod(1), 1e-9)
    keep = (visible >= MIN_VISIBLE) & (side.min(1) >= MIN_SIDE)
    return np.concatenate((clipped_low, clipped_high), 1)[keep].astype(np.float32), labels[keep]


def random_view(
    sample: Labelled, network: tuple[int, int], params: AugmentParams, rng: np.random.Generator
) -> Labelled:
    """One image, randomly zoomed and shifted or cropped, and flipped, at the network's size (width, height)."""
    image, boxes, labels, mask = sample = Labelled(*sample)
    if rng.random() < params.crop:
        matrix = crop_matrix(sample, network, params, rng)
    else:
        matrix = warp_matrix(Letterbox.fit((image.shape[1], image.shape[0]), network), params, rng)
    boxes, labels = warp_boxes(boxes, labels, matrix, (0, 0, *network))
    warped = None if mask is None else warp(mask, matrix, network)
    return cutout(Labelled(warp(image, matrix, network), boxes, labels, warped), params, rng)


def mosaic(
    samples: list[Labelled], network: tuple[int, int], params: AugmentParams, rng: np.random.Generator
) -> Labelled:
    """Four images, one in each quarter about a random centre (Bochkovskiy et al. 2020, YOLOv4)."""
    width, height = network
    canvas = np.full((height, width, 3), PAD_VALUE, np.uint8)
    cx, cy = round(rng.uniform(0.35, 0.65) * width), round(rng.uniform(0.35, 0.65) * height)
    quarters = ((0, 0, cx, cy), (cx, 0, width, cy), (0, cy, cx, height), (cx, cy, width, height))
    all_boxes, all_labels = [], []
    pixels = None if Labelled(*samples[0]).mask is None else np.full((height, width), IGNORED, np.uint8)
    for sample, (left, top, right, bottom) in zip(samples, quarters, strict=True):
        image, boxes, labels, mask = Labelled(*sample)
        source = (image.shape[1], image.shape[0])
        zoom = rng.uniform(*_MOSAIC_ZOOM) * min(network[0] / source[0], network[1] / source[1])
        zoom = max(zoom, (right - left) / source[0], (bottom - top) / source[1])
        # Where the scaled image hangs over its quarter, a random part of it is shown.
        slack = np.asarray((source[0] * zoom - (right - left), source[1] * zoom - (bottom - top)))
        offset = np.asarray((left, top)) - slack * rng.random(2)
        matrix = np.array([[zoom, 0, offset[0]], [0, zoom, offset[1]]])
        for axis, flip in enumerate((params.flip, params.flip_vertical)):
            if rng.random() < flip:
                matrix[axis, axis] = -zoom
                matrix[axis, 2] += source[axis] * zoom
        local = matrix.copy()
        local[:, 2] -= (left, top)
        canvas[top:bottom, left:right] = warp(image, local, (right - left, bottom - top))
        if pixels is not None and mask is not None:
            pixels[top:bottom, left:right] = warp(mask, local, (right - left, bottom - top))
        boxes, labels = warp_boxes(boxes, labels, matrix, (left, top, right, bottom))
        all_boxes.append(boxes)
        all_labels.append(labels)
    joined = Labelled(canvas, np.concatenate(all_boxes).astype(np.float32), np.concatenate(all_labels), pixels)
    return cutout(joined, params, rng)


def cutout(sample: Labelled, params: AugmentParams, rng: np.random.Generator) -> Labelled:
    """With the probability that ``params`` tells: some rectangles filled with a colour or noise.

    After DeVries and Taylor 2017 and, for the fill, Zhong et al. 2020. A box of which less than `MIN_VISIBLE` stays
    visible goes; the others keep their extent. Covered pixels have no class.
    """
    if rng.random() >= params.cutout:
        return sample
    image, boxes, labels, mask = sample
    image = image.copy()
    height, width = image.shape[:2]
    covered = np.zeros((height, width), np.bool_)
    for _ in range(rng.integers(1, _MOST_HOLES + 1)):
        w, h = (
            max(1, round(rng.uniform(min(_LEAST_HOLE, params.cutout_size), params.cutout_size) * side))
            for side in (width, height)
        )
        x, y = int(rng.integers(0, width - w + 1)), int(rng.integers(0, height - h + 1))
        texture = (h, w, 3) if rng.random() < 0.5 else (1, 1, 3)
        image[y : y + h, x : x + w] = rng.integers(0, 256, texture, dtype=np.uint8)
        covered[y : y + h, x : x + w] = True
    corners = np.rint(boxes).astype(int)
    hidden = [covered[top:bottom, left:right].mean() for left, top, right, bottom in corners]
    keep = np.asarray(hidden, float) <= 1 - MIN_VISIBLE
    return Labelled(image, boxes[keep], labels[keep], None if mask is None else np.where(covered, IGNORED, mask))
