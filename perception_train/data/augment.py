"""Augmentation of images with boxes. Every random choice comes from the generator that is passed in."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from perception_common.params import param
from perception_infer.contract.geometry import PAD_VALUE, Letterbox

Pixels = npt.NDArray[np.uint8]
Boxes = npt.NDArray[np.float32]
Labels = npt.NDArray[np.int64]
#: An image with its boxes in the same coordinates.
Labelled = tuple[Pixels, Boxes, Labels]


@dataclass(frozen=True)
class AugmentParams:
    """Strength of each augmentation; 0 switches it off."""

    flip: float = param(0.5, "probability of a left-right flip", minimum=0.0, maximum=1.0)
    scale: float = param(0.4, "random zoom between 1 - scale and 1 + scale", minimum=0.0, maximum=0.9)
    aspect: float = param(0.1, "random change of the aspect ratio", minimum=0.0, maximum=0.5)
    translate: float = param(0.15, "random shift, as a share of the image side", minimum=0.0, maximum=0.5)
    hue: float = param(0.02, "random turn of the hue, as a share of the circle", minimum=0.0, maximum=0.5)
    saturation: float = param(0.5, "random change of the saturation", minimum=0.0, maximum=1.0)
    brightness: float = param(0.4, "random change of the brightness", minimum=0.0, maximum=1.0)
    blur: float = param(0.05, "probability of a slight blur", minimum=0.0, maximum=1.0)
    noise: float = param(0.1, "probability of sensor noise", minimum=0.0, maximum=1.0)
    mosaic: float = param(0.5, "probability of joining four images, while mosaic is on", minimum=0.0, maximum=1.0)


#: A box of which less than this share is left after a crop is dropped, as is one below MIN_SIDE pixels.
MIN_VISIBLE = 0.25
MIN_SIDE = 3.0
_MOSAIC_ZOOM = (0.45, 0.9)


def warp_matrix(letterbox: Letterbox, params: AugmentParams, rng: np.random.Generator) -> npt.NDArray[np.float64]:
    """Affine 2x3 from source to network pixel-edge coordinates: the letterbox, then a random zoom, shift and flip."""
    network = np.asarray(letterbox.network, np.float64)
    base = np.eye(3)
    base[0, 0], base[1, 1] = letterbox.scale
    base[0, 2], base[1, 2] = letterbox.left, letterbox.top
    zoom = rng.uniform(1 - params.scale, 1 + params.scale)
    stretch = np.exp(rng.uniform(-params.aspect, params.aspect))
    shift = rng.uniform(-params.translate, params.translate, 2) * network
    change = np.eye(3)
    change[0, 0], change[1, 1] = zoom * stretch, zoom / stretch
    if rng.random() < params.flip:
        change[0, 0] *= -1
    # Zoom and flip about the centre.
    change[:2, 2] = network / 2 - change[:2, :2] @ (network / 2) + shift
    return np.asarray((change @ base)[:2], np.float64)


def warp(image: Pixels, matrix: npt.NDArray[np.float64], size: tuple[int, int]) -> Pixels:
    """The image under an affine given in pixel-edge coordinates, in a canvas of ``size`` (width, height)."""
    # OpenCV's coordinates are of pixel centres, half a pixel off the edges.
    centred = matrix.copy()
    centred[:, 2] += matrix[:, :2] @ (0.5, 0.5) - 0.5
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
    """One image, randomly zoomed, shifted and flipped, at the network's size (width, height)."""
    image, boxes, labels = sample
    letterbox = Letterbox.fit((image.shape[1], image.shape[0]), network)
    matrix = warp_matrix(letterbox, params, rng)
    boxes, labels = warp_boxes(boxes, labels, matrix, (0, 0, *network))
    return warp(image, matrix, network), boxes, labels


def mosaic(
    samples: list[Labelled], network: tuple[int, int], params: AugmentParams, rng: np.random.Generator
) -> Labelled:
    """Four images, one in each quarter about a random centre (Bochkovskiy et al. 2020, YOLOv4)."""
    width, height = network
    canvas = np.full((height, width, 3), PAD_VALUE, np.uint8)
    cx, cy = round(rng.uniform(0.35, 0.65) * width), round(rng.uniform(0.35, 0.65) * height)
    quarters = ((0, 0, cx, cy), (cx, 0, width, cy), (0, cy, cx, height), (cx, cy, width, height))
    all_boxes, all_labels = [], []
    for (image, boxes, labels), (left, top, right, bottom) in zip(samples, quarters, strict=True):
        source = (image.shape[1], image.shape[0])
        zoom = rng.uniform(*_MOSAIC_ZOOM) * min(network[0] / source[0], network[1] / source[1])
        zoom = max(zoom, (right - left) / source[0], (bottom - top) / source[1])
        # Where the scaled image hangs over its quarter, a random part of it is shown.
        slack = np.asarray((source[0] * zoom - (right - left), source[1] * zoom - (bottom - top)))
        offset = np.asarray((left, top)) - slack * rng.random(2)
        matrix = np.array([[zoom, 0, offset[0]], [0, zoom, offset[1]]])
        if rng.random() < params.flip:
            matrix[0] = (-zoom, 0, offset[0] + source[0] * zoom)
        local = matrix.copy()
        local[:, 2] -= (left, top)
        canvas[top:bottom, left:right] = warp(image, local, (right - left, bottom - top))
        boxes, labels = warp_boxes(boxes, labels, matrix, (left, top, right, bottom))
        all_boxes.append(boxes)
        all_labels.append(labels)
    return canvas, np.concatenate(all_boxes).astype(np.float32), np.concatenate(all_labels)


def photometric(image: Pixels, params: AugmentParams, rng: np.random.Generator) -> Pixels:
    """Random hue, saturation, brightness, blur and noise."""
    turn = rng.uniform(-params.hue, params.hue) * 180
    saturation = 1 + rng.uniform(-params.saturation, params.saturation)
    brightness = 1 + rng.uniform(-params.brightness, params.brightness)
    steps = np.arange(256, dtype=np.float32)
    tables = np.stack(
        (np.mod(steps + turn, 180), np.clip(steps * saturation, 0, 255), np.clip(steps * brightness, 0, 255)), 1
    ).astype(np.uint8)
    image = cv2.cvtColor(cv2.LUT(cv2.cvtColor(image, cv2.COLOR_RGB2HSV), tables[None]), cv2.COLOR_HSV2RGB)  # type: ignore[assignment]
    if rng.random() < params.blur:
        image = cv2.GaussianBlur(image, (3, 3), 0)  # type: ignore[assignment]
    if rng.random() < params.noise:
        noise = rng.normal(0, rng.uniform(2, 10), image.shape[:2]).astype(np.int16)[..., None]
        image = np.clip(image + noise, 0, 255).astype(np.uint8)
    return image
