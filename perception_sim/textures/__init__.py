"""Procedural textures: a texture is a few numbers, and `paint` turns them into pixels."""

from __future__ import annotations

import cv2
import numpy as np

from . import balls, general, ground, organic, packs, panorama, photographs, prints, signs, terrain
from . import picture as texture_image
from .base import Color, Palette, Pattern, Texture, noise

_BLEND_STEPS = 256
PATTERNS: dict[str, Pattern] = {
    **general.ANY_SURFACE,
    **balls.BALLS,
    **ground.GROUND,
    **organic.ORGANIC,
    **prints.PRINTS,
    **packs.PACKS,
    **panorama.PANORAMAS,
    **signs.SIGNS,
    **terrain.TERRAIN,
}
GENERAL = tuple(general.ANY_SURFACE)
"""Names of the patterns that suit any surface."""


def paint(texture: Texture) -> np.ndarray:
    """The tile, uint8 RGB [size, size, 3]."""
    rng = np.random.default_rng(texture.seed)
    if texture.pattern == texture_image.PATTERN:
        return texture_image.paint(texture.file, texture.size, texture.colors[0], texture.angle)
    if texture.file:
        return photographs.tile(texture.file, texture.size, rng)
    axis = (np.arange(texture.size, dtype=np.float32) + 0.5) / texture.size
    x, y = axis[None], axis[:, None]
    cos, sin = np.cos(texture.angle), np.sin(texture.angle)
    u, v = (x * cos + y * sin).astype(np.float32), (y * cos - x * sin).astype(np.float32)
    weight = PATTERNS[texture.pattern](u, v, texture, rng)
    colors = np.asarray(texture.colors, np.float32)
    if weight.dtype == np.uint8:
        return _looked_up(colors, weight, texture.contrast)
    return _blend(colors, weight, texture.contrast)


def _blend(colors: np.ndarray, weight: np.ndarray, contrast: float) -> np.ndarray:
    """Pixels between neighbouring colours: weight 0 is the first, 1 the second, 2 the third, and so on."""
    faded = np.clip(colors[0] + (colors - colors[0]) * contrast, 0.0, 1.0) * 255.0
    last = len(colors) - 1
    # Looked up instead of computed for every pixel: finer than eight bits can tell.
    steps = np.linspace(0.0, last, last * _BLEND_STEPS + 1)
    table = np.stack([np.interp(steps, np.arange(last + 1), channel) for channel in faded.T], 1)
    place = np.clip(weight, 0.0, last) * np.float32(_BLEND_STEPS) + np.float32(0.5)
    return (table + 0.5).astype(np.uint8)[place.astype(np.uint16)]


def _looked_up(colors: np.ndarray, way: np.ndarray, contrast: float) -> np.ndarray:
    """Pixels by the way through all colours in 255ths, uint8 [H, W]: as `_blend`, at a tenth of the cost."""
    steps = np.linspace(0.0, len(colors) - 1.0, 256, dtype=np.float32)
    return cv2.LUT(cv2.merge([way] * 3), _blend(colors, steps, contrast)[None])


__all__ = ["GENERAL", "PATTERNS", "Color", "Palette", "Pattern", "Texture", "noise", "paint"]
