"""Small helpers that kinds dress themselves with: colours with a spread, and materials made of them."""

from __future__ import annotations

import colorsys
from collections.abc import Sequence

import numpy as np

from ..scene import Material
from ..textures import Color, Texture

OBJECT_TEXTURE_PX = 64
#: Colours by their weights.
Palette = Sequence[tuple[float, Color]]


def vary(
    color: Color, rng: np.random.Generator, hue: float = 0.015, saturation: float = 0.12, value: float = 0.12
) -> Color:
    """A colour near ``color`` (RGB in 0..1): hue, saturation and value moved by up to these amounts."""
    h, s, v = colorsys.rgb_to_hsv(*color)
    h = (h + rng.uniform(-hue, hue)) % 1.0
    s = min(max(s + rng.uniform(-saturation, saturation), 0.0), 1.0)
    v = min(max(v + rng.uniform(-value, value), 0.02), 1.0)
    return colorsys.hsv_to_rgb(h, s, v)


def mix(first: Color, second: Color, share: float) -> Color:
    """``share`` (0..1) of the second colour in the first."""
    a, b, c = (x + (y - x) * share for x, y in zip(first, second, strict=True))
    return a, b, c


def one_of(palette: Palette, rng: np.random.Generator) -> Color:
    """A colour of a palette, varied."""
    weights = np.array([weight for weight, _ in palette])
    return vary(palette[int(rng.choice(len(palette), p=weights / weights.sum()))][1], rng)


def glow(color: Color, rng: np.random.Generator) -> float:
    """An emission for what may be fluorescent: pure and bright colours that do not darken in the shade as others do."""
    high, low = max(color), min(color)
    return float(rng.uniform(0.0, 0.45)) * max(high - low, 0.0) * high


def material(
    rng: np.random.Generator,
    colors: Sequence[Color],
    pattern: str = "plain",
    *,
    contrast: float = 0.5,
    scale: float = 3.0,
    angle: float = 0.0,
    gloss: tuple[float, float] = (0.0, 0.3),
    metallic: float = 0.0,
    alpha: float = 1.0,
    emission: float = 0.0,
    size: int = OBJECT_TEXTURE_PX,
) -> Material:
    """A material of that pattern; ``gloss`` is the range of its specular reflection, from 0 (matt) to 1 (polished).

    One colour is enough for patterns that only need a darker shade of it.
    """
    first = colors[0]
    shade = (first[0] * 0.6, first[1] * 0.6, first[2] * 0.6)
    chosen = tuple(colors) if len(colors) > 1 else (first, shade)
    texture = Texture(pattern, chosen, scale, angle, contrast, int(rng.integers(1 << 31)), size)
    shine = float(rng.uniform(*gloss))
    return Material(
        texture,
        specular=shine,
        shininess=0.1 + 0.85 * shine,
        roughness=float(np.clip(0.9 - 0.8 * shine + rng.uniform(-0.1, 0.1), 0.05, 1.0)),
        metallic=metallic,
        alpha=alpha,
        emission=emission,
    )
