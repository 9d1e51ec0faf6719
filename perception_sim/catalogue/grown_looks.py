"""What skins of fruit, shells of nuts and foil are dressed with."""

from __future__ import annotations

import numpy as np

from ..scene import Material
from ..textures import Color
from . import looks
from .looks import Palette

FOILS: Palette = (
    (6, (0.85, 0.56, 0.05)),
    (2, (0.88, 0.68, 0.1)),
    (1, (0.78, 0.45, 0.1)),
    (1, (0.75, 0.76, 0.78)),
    (0.7, (0.75, 0.1, 0.12)),
    (0.5, (0.12, 0.25, 0.65)),
    (0.5, (0.1, 0.45, 0.2)),
    (0.4, (0.5, 0.15, 0.5)),
)


def new_seed(rng: np.random.Generator) -> int:
    """A number that fixes what is random in one shape."""
    return int(rng.integers(1 << 31))


def darker(color: Color, share: float) -> Color:
    """That ``share`` of a colour's brightness."""
    return (share * color[0], share * color[1], share * color[2])


def plain_skin(color: Color, rng: np.random.Generator, pattern: str = "noise", **how: object) -> Material:
    """A skin of one colour with darker blotches (or another pattern)."""
    options: dict[str, object] = {"contrast": 0.6, "scale": 4.0, "gloss": (0.0, 0.2), **how}
    return looks.material(rng, (color, darker(color, 0.6)), pattern, **options)  # type: ignore[arg-type]


def foil(rng: np.random.Generator, scale: float, palette: Palette = FOILS) -> Material:
    """Metal foil of one of the colours, crumpled finer with ``scale``."""
    metal = looks.one_of(palette, rng)
    dark = looks.mix(darker(metal, rng.uniform(0.2, 0.45)), (0.25, 0.12, 0.02), 0.3)
    glare = looks.mix(metal, (1.0, 0.97, 0.8), rng.uniform(0.5, 0.9))
    return looks.material(
        rng, (dark, metal, glare), "foil", contrast=1.0, scale=scale, gloss=(0.6, 1.0), metallic=0.9, size=96
    )
