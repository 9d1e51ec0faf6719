"""Pictures before a camera, and what it makes of them."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np

from perception_sim.sensor import SensorSettings, expose

EVERYTHING = SensorSettings(
    exposure=1.2,
    balance=(1.1, 1.0, 0.8),
    vignette=0.3,
    aberration=0.8,
    defocus=1.2,
    motion=3.0,
    motion_angle=0.7,
    blur=0.5,
    shot_noise=0.03,
    read_noise=0.004,
    bayer=True,
    saturation=1.2,
    gamma=0.9,
    contrast=1.2,
    sharpening=0.7,
    downscale=1.3,
    jpeg=70,
)


def photo(height: int = 120, width: int = 161) -> np.ndarray:
    """Smooth colours with edges and a little texture."""
    rng = np.random.default_rng(5)
    small = rng.integers(0, 256, (height // 12 + 2, width // 12 + 2, 3), dtype=np.uint8)
    picture = cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC)
    picture[height // 3 : height // 2, width // 4 : width // 2] = (230, 60, 20)
    return cv2.add(picture, rng.integers(0, 9, picture.shape, dtype=np.uint8))


def shoot(picture: np.ndarray, seed: int = 1, **values: Any) -> np.ndarray:
    return expose(picture, SensorSettings(**values), np.random.default_rng(seed))


def flat(*rgb: int, side: int = 32) -> np.ndarray:
    return np.full((side, side, 3), rgb, np.uint8)


def linear(encoded: np.ndarray | float) -> np.ndarray:
    """IEC 61966-2-1, written down once more."""
    x = np.asarray(encoded, float) / 255.0
    return np.where(x <= 0.04045, x / 12.92, ((x + 0.055) / 1.055) ** 2.4)
