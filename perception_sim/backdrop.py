"""Pictures to stand before: photographs, or layers of procedural textures where there are none."""

from __future__ import annotations

import dataclasses

import cv2
import numpy as np

from .presets import Preset
from .randomize import Choice
from .sampling import stage_colors
from .textures import Texture, noise, paint, photographs

_TILE_PX = 192


@dataclasses.dataclass(frozen=True)
class Backdrop:
    """A picture: part of a photograph (``file``), or ``layers`` over each other; ``seed`` fixes what is random."""

    file: str
    layers: tuple[Texture, ...]
    seed: int

    def paint(self, width: int, height: int) -> np.ndarray:
        """The picture, uint8 RGB [height, width, 3].

        Raises:
            UserError: the photograph cannot be read.

        """
        rng = np.random.default_rng(self.seed)
        if self.file:
            return photographs.crop(self.file, width, height, rng)
        picture = _fitted(paint(self.layers[0]), width, height, rng)
        for layer in self.layers[1:]:
            above = _fitted(paint(layer), width, height, rng)
            picture = np.where(_patch(width, height, rng)[..., None], above, picture)
        return picture


def sample_backdrop(preset: Preset, rng: np.random.Generator) -> Backdrop:
    """A picture of the preset's photographs, or of its stage's patterns where it has none."""
    seed = int(rng.integers(1 << 31))
    if preset.background.images:
        return Backdrop(Choice(photographs.find(preset.background.images))(rng), (), seed)
    surface = preset.surface
    patterns = [surface.stage_patterns(rng) for _ in range(int(rng.integers(1, 5)))]
    layers = tuple(
        Texture(
            pattern=pattern,
            colors=stage_colors(preset, pattern, rng),
            scale=float(rng.integers(1, 12)),
            angle=rng.uniform(0.0, np.pi),
            contrast=surface.stage_contrast(rng) * surface.detail(rng),
            seed=int(rng.integers(1 << 31)),
            size=_TILE_PX,
        )
        for pattern in patterns
    )
    return Backdrop("", layers, seed)


def _fitted(tile: np.ndarray, width: int, height: int, rng: np.random.Generator) -> np.ndarray:
    """A random part of a tile at that size."""
    share = rng.uniform(0.4, 1.0)
    side = tile.shape[0]
    w, h = round(side * share * min(1.0, width / height)), round(side * share * min(1.0, height / width))
    left, top = int(rng.integers(0, side - w + 1)), int(rng.integers(0, side - h + 1))
    return cv2.resize(tile[top : top + h, left : left + w], (width, height), interpolation=cv2.INTER_LINEAR)


def _patch(width: int, height: int, rng: np.random.Generator) -> np.ndarray:
    """Where a layer lies, bool [height, width]: beyond a slanting line, in a rectangle, or in blobs."""
    shape = int(rng.integers(3))
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    if shape == 0:
        angle = rng.uniform(0.0, 2.0 * np.pi)
        off = (x / width - 0.5) * np.cos(angle) + (y / height - 0.5) * np.sin(angle)
        return off > rng.uniform(-0.35, 0.35)
    if shape == 1:
        (x0, x1), (y0, y1) = np.sort(rng.random((2, 2)), axis=1)
        return (x >= x0 * width) & (x <= x1 * width) & (y >= y0 * height) & (y <= y1 * height)
    blobs = cv2.resize(noise(rng, 64, int(rng.integers(2, 6)), 3), (width, height), interpolation=cv2.INTER_LINEAR)
    return blobs > rng.uniform(0.4, 0.7)
