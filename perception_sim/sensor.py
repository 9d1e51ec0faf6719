"""What a camera's optics and sensor do to a clean render."""

from __future__ import annotations

import dataclasses

import cv2
import numpy as np


@dataclasses.dataclass(frozen=True)
class SensorSettings:
    """How a sensor is set.

    ``exposure`` scales brightness, ``balance`` each channel, ``gamma`` bends the tone curve; ``noise`` is its
    standard deviation as a share of full scale; ``blur`` is its standard deviation in pixels.
    """

    exposure: float
    gamma: float
    balance: tuple[float, float, float]
    noise: float
    blur: float


def expose(rgb: np.ndarray, settings: SensorSettings, rng: np.random.Generator) -> np.ndarray:
    """The picture as the sensor saw it: uint8 RGB [H, W, 3] in and out, noise drawn from ``rng``."""
    picture = rgb
    if settings.blur > 0.15:
        picture = cv2.GaussianBlur(picture, (0, 0), settings.blur)
    levels = np.arange(256) / 255.0
    curves = [
        (np.clip(levels * settings.exposure * gain, 0.0, 1.0) ** settings.gamma * 255.0 + 0.5)
        for gain in settings.balance
    ]
    table = np.stack(curves, 1).astype(np.uint8)[None]
    picture = cv2.LUT(picture, table)
    if settings.noise > 0.0:
        # Noise of the same strength for every channel and pixel, drawn once as int8 to stay cheap.
        grain = rng.standard_normal(picture.shape, np.float32)
        grain *= 255.0 * settings.noise
        picture = cv2.add(picture, grain.astype(np.int16), dtype=cv2.CV_8U)
    return picture
