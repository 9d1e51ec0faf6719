"""What is around a scene, as a sky box shows it on each side: a skyline under clouds, or the far side of a indoors.

A side covers 90 degrees; its middle row is the horizon. Nothing below is seen but a narrow strip: the ground hides
the rest. Overhead is the sky or ceiling of the topmost rows (`lid`).
Patterns are ``skyline`` and ``indoors``, members of `textures.PATTERNS`, each drawn in the module of its name.
"""

from __future__ import annotations

import cv2
import numpy as np

from . import indoors, skyline
from .base import Palette, Pattern, Texture

_LID_OF_SIDE = 16
PANORAMAS: dict[str, Pattern] = {"indoors": indoors.indoors, "skyline": skyline.skyline}
PALETTES: dict[str, tuple[Palette, ...]] = {"skyline": skyline.PALETTES, "indoors": indoors.PALETTES}
"""Colours that each of them usually has."""


def lid(texture: Texture, around: np.ndarray) -> np.ndarray:
    """What is overhead where ``around``, uint8 RGB [size, size, 3], is on every side: sky or ceiling alone."""
    if texture.file or texture.pattern not in PANORAMAS:
        return around
    size = len(around)
    return cv2.resize(around[: size // _LID_OF_SIDE], (size, size), interpolation=cv2.INTER_LINEAR)
