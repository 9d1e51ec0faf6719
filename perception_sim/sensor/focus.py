"""Depth of field: what is nearer or farther than the focus is blurred, whatever else the camera does."""

from __future__ import annotations

from itertools import pairwise

import cv2
import numpy as np

_SHARP_PX = 0.5
"""Circles of confusion up to this radius show nothing."""
_LAYERS = 3
_NEAREST = 2.5
"""What is near the lens would be blurred without bounds: at most so many times as what is infinitely far."""
_FINE_PX = 1.6
"""A layer is blurred at a size at which its circle has about this radius."""


def focus(rgb: np.ndarray, depth: np.ndarray, distance: float, blur: float) -> np.ndarray:
    """The picture of a lens that is focused at ``distance``: uint8 RGB [H, W, 3] in and out.

    The circle of confusion of a thin lens grows with abs(1 - distance / depth) (Potmesil and Chakravarty, "A Lens and
    Aperture Camera Model for Synthetic Image Generation", 1981). The picture is blurred in a few layers, each of
    pixels that are out of focus alone, so that what is sharp leaves no halo on what is behind it.

    Args:
        rgb: the picture of a pinhole camera.
        depth: float32 [H, W], metres along the optical axis; 0 is infinitely far.
        distance: metres.
        blur: radius in pixels of the circle of something infinitely far.

    """
    near = np.where(depth > 0.0, np.float32(distance) / np.maximum(depth, np.float32(1e-6)), np.float32(0.0))
    radius = np.minimum(np.abs(near - np.float32(1.0)), np.float32(_NEAREST)) * np.float32(blur)
    most = float(radius.max())
    if most <= _SHARP_PX:
        return rgb
    out = (radius > _SHARP_PX).astype(np.uint8)
    result = source = np.ascontiguousarray(rgb)
    for below, level in pairwise(np.geomspace(_SHARP_PX, most, _LAYERS + 1).tolist()):
        share = np.clip((radius - np.float32(below)) * np.float32(1.0 / (level - below)), 0.0, 1.0)
        result = cv2.blendLinear(_blurred(source, out, level), result, share, np.float32(1.0) - share)
    return result


def _blurred(source: np.ndarray, out: np.ndarray, radius: float) -> np.ndarray:
    """The mean over about a circle of the pixels that are out of focus, uint8 [H, W, 3]; the source where none are."""
    height, width = out.shape
    shrink = max(radius / _FINE_PX, 1.0)
    size = (max(round(width / shrink), 1), max(round(height / shrink), 1))
    # A Gaussian has the variance of a disc when its deviation is half of the disc's radius.
    deviation = 0.5 * radius / shrink

    def mean(picture: np.ndarray) -> np.ndarray:
        small = cv2.resize(picture, size, interpolation=cv2.INTER_AREA).astype(np.float32)
        return cv2.GaussianBlur(small, (0, 0), deviation, borderType=cv2.BORDER_REPLICATE)

    total = mean(255 * out)[..., None] * np.float32(1.0 / 255.0)
    small = np.where(
        total > 0.01,
        mean(cv2.bitwise_and(source, source, mask=out)) / np.maximum(total, np.float32(0.01)),
        cv2.resize(source, size, interpolation=cv2.INTER_AREA),
    )
    levels = np.clip(small + np.float32(0.5), 0.0, 255.0).astype(np.uint8)
    return cv2.resize(levels, (width, height), interpolation=cv2.INTER_LINEAR)
