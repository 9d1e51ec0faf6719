"""Pictures that are laid out for a mesh: shown whole, where the mesh's texture coordinates say."""

from __future__ import annotations

import functools

import cv2
import numpy as np

from perception_common.errors import UserError
from perception_common.images import read_picture

PATTERN = "image"
"""The pattern of such a texture; not one of `textures.PATTERNS`, because it cannot be drawn for another surface."""
_KEPT = 64


def paint(file: str, size: int, gains: tuple[float, float, float], turn: float) -> np.ndarray:
    """The picture as uint8 RGB [size, size, 3]: its hue turned by ``turn`` radians, its channels times ``gains``.

    Raises:
        UserError: it cannot be read.

    """
    return shifted(_read(file, size), gains, turn)


def shifted(pixels: np.ndarray, gains: tuple[float, float, float], turn: float) -> np.ndarray:
    """Pixels uint8 RGB [H, W, 3] with their hue turned by ``turn`` radians and their channels times ``gains``."""
    if turn:
        # Hue in OpenCV's 8-bit HSV counts half degrees.
        hsv = cv2.cvtColor(pixels, cv2.COLOR_RGB2HSV)
        hsv[..., 0] = (hsv[..., 0].astype(np.int16) + round(np.degrees(turn) / 2.0)) % 180
        pixels = cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB)
    return np.clip(pixels * np.asarray(gains, np.float32) + 0.5, 0.0, 255.0).astype(np.uint8)


@functools.lru_cache(maxsize=_KEPT)
def _read(file: str, size: int) -> np.ndarray:
    """The picture, squeezed or stretched to a square: texture coordinates do not know its proportions."""
    picture = read_picture(file)
    if picture is None:
        raise UserError("cannot read the texture of an object", where=file, fix="add the object again")
    way = cv2.INTER_AREA if max(picture.shape[:2]) > size else cv2.INTER_LINEAR
    square = cv2.cvtColor(cv2.resize(picture, (size, size), interpolation=way), cv2.COLOR_BGR2RGB)
    square.flags.writeable = False
    return square
