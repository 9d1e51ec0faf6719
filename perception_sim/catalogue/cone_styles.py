"""What traffic cones are like: families of proportions, layouts of bands, colours, damage.

A 28 inch cone of the MUTCD's kind has a body 7.5 to 10.5 inches wide at its foot on a base 14 to 15 inches wide, a
white band of 6 inches that begins 3 to 4 inches below the tip, and another of 4 inches 2 inches below that (MUTCD
2009, section 6F.64); small cones are wider for their height.
"""

from __future__ import annotations

import dataclasses

import numpy as np

from ..shapes import bend as bends
from ..textures import Color

Span = tuple[float, float]


@dataclasses.dataclass(frozen=True)
class Style:
    """A family of cones: ranges of proportions, as shares of the height where nothing else is said."""

    weight: tuple[float, float]
    """How common it is among large and among small cones."""
    base: Span
    """Width of the base plate."""
    plate: Span
    """Thickness of the base plate."""
    foot: Span
    """The body's width at its foot, as a share of the base plate's."""
    tip: Span
    """The body's width at its tip."""
    curve: Span
    """Above 1 the sides are concave, below convex."""
    corners: tuple[int, ...]
    """Sides of the base plate; 0 is round."""
    steps: tuple[int, ...]
    """How many steps the foot has."""
    bands: tuple[float, ...]
    """Chances of the layouts of `LAYOUTS`."""
    one_colour: float
    """How often the base has the body's colour."""
    height: Span = (0.88, 1.12)
    """As a share of the nominal size."""


STYLES = {
    # Soft PVC body on a flat base, the common road cone.
    "road": Style(
        weight=(0.5, 0.25), base=(0.46, 0.58), plate=(0.015, 0.04), foot=(0.62, 0.8), tip=(0.055, 0.09),
        curve=(1.0, 1.1), corners=(4, 4, 8), steps=(0, 0, 1), bands=(0.22, 0.33, 0.12, 0.13, 0.1, 0.05, 0.05),
        one_colour=0.35,
    ),
    # One-piece polyethylene with steps to stack by, its base of the same colour.
    "plastic": Style(
        weight=(0.3, 0.3), base=(0.5, 0.68), plate=(0.025, 0.055), foot=(0.66, 0.84), tip=(0.06, 0.1),
        curve=(1.0, 1.2), corners=(4, 4, 4, 8, 0), steps=(1, 2, 3), bands=(0.3, 0.1, 0.25, 0.15, 0.15, 0.05, 0.0),
        one_colour=0.7,
    ),
    # A tall body on a thick base of recycled rubber.
    "heavy": Style(
        weight=(0.16, 0.03), base=(0.46, 0.58), plate=(0.05, 0.09), foot=(0.55, 0.72), tip=(0.055, 0.085),
        curve=(1.0, 1.08), corners=(4, 4, 8, 6), steps=(0, 1), bands=(0.05, 0.25, 0.3, 0.15, 0.15, 0.1, 0.0),
        one_colour=0.15,
    ),
    # Small cones for sport and floors, on a thin square flange.
    "sport": Style(
        weight=(0.03, 0.3), base=(0.6, 0.78), plate=(0.01, 0.03), foot=(0.7, 0.9), tip=(0.08, 0.17),
        curve=(1.0, 1.25), corners=(4, 4, 0), steps=(0, 0, 1), bands=(0.75, 0.02, 0.1, 0.1, 0.03, 0.0, 0.0),
        one_colour=0.85,
    ),
    # Training cones that end in a narrow round rim.
    "rim": Style(
        weight=(0.01, 0.09), base=(0.5, 0.65), plate=(0.008, 0.02), foot=(0.82, 0.94), tip=(0.09, 0.2),
        curve=(1.0, 1.15), corners=(0,), steps=(0,), bands=(0.9, 0.0, 0.1, 0.0, 0.0, 0.0, 0.0), one_colour=1.0,
    ),
    # Marker discs of a sports field.
    "disc": Style(
        weight=(0.0, 0.04), base=(3.2, 4.2), plate=(0.02, 0.04), foot=(0.92, 0.97), tip=(0.9, 1.4),
        curve=(0.75, 0.95), corners=(0,), steps=(0,), bands=(1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0), one_colour=1.0,
        height=(0.24, 0.3),
    ),
}  # fmt: skip

LAYOUTS: tuple[tuple[Span, ...], ...] = (
    (),
    ((0.44, 0.585), (0.655, 0.87)),
    ((0.34, 0.82),),
    ((0.52, 0.7),),
    ((0.25, 0.45), (0.6, 0.8)),
    ((0.2, 0.35), (0.46, 0.61), (0.72, 0.87)),
    ((0.06, 0.28), (0.5, 0.72)),
)
"""Reflective bands as (low, high) shares of the body, from the bottom up."""

BODY: tuple[tuple[float, Color], ...] = (
    (0.46, (1.0, 0.34, 0.05)),
    (0.2, (1.0, 0.25, 0.06)),
    (0.1, (0.98, 0.42, 0.1)),
    (0.06, (0.88, 0.16, 0.08)),
    (0.06, (0.78, 0.08, 0.08)),
    (0.06, (0.98, 0.8, 0.08)),
    (0.03, (0.68, 0.9, 0.12)),
    (0.03, (0.1, 0.3, 0.75)),
    (0.02, (0.1, 0.55, 0.25)),
    (0.02, (0.95, 0.3, 0.5)),
)
RUBBER: tuple[tuple[float, Color], ...] = (
    (0.7, (0.08, 0.08, 0.08)),
    (0.2, (0.2, 0.2, 0.2)),
    (0.1, (0.33, 0.31, 0.29)),
)
SHEETING: tuple[tuple[float, Color], ...] = (
    (0.6, (0.95, 0.95, 0.94)),
    (0.3, (0.76, 0.77, 0.78)),
    (0.1, (0.95, 0.85, 0.2)),
)


LETTERS: tuple[tuple[float, Color], ...] = ((0.7, (0.06, 0.06, 0.06)), (0.3, (0.93, 0.93, 0.92)))


def bands(style: Style, rng: np.random.Generator) -> tuple[Span, ...]:
    """Draw reflective bands: a layout, moved and stretched a little."""
    chances = np.array(style.bands)
    chosen = LAYOUTS[int(rng.choice(len(LAYOUTS), p=chances / chances.sum()))]
    shift, spread = rng.uniform(-0.06, 0.06), rng.uniform(0.85, 1.12)
    edges = [0.55 + (edge - 0.55) * spread + shift + rng.uniform(-0.02, 0.02) for band in chosen for edge in band]
    limited = np.clip(edges, 0.03, 0.95).tolist()
    return tuple(zip(limited[::2], limited[1::2], strict=True))


def damage(
    height: float, foot: float, rng: np.random.Generator
) -> tuple[bends.Bend | None, bends.Squeeze | None, tuple[bends.Dent, ...]]:
    """What use does to a cone: mostly nothing; a lean, a folded tip, a squeezed body, dents."""
    bend = squeeze = None
    dents: list[bends.Dent] = []
    turn = rng.uniform(0.0, 2 * np.pi)
    fate = rng.random()
    if fate < 0.09:
        bend = bends.Bend(0.1 * height, 0.8 * height, turn, rng.uniform(0.03, 0.22))
    elif fate < 0.13:
        start = rng.uniform(0.4, 0.7) * height
        bend = bends.Bend(start, rng.uniform(0.15, 0.25) * height, turn, rng.uniform(0.4, 1.1))
    if rng.random() < 0.12:
        squeeze = bends.Squeeze(rng.uniform(0.3, 1.0) * height, 0.3 * height, turn, rng.uniform(0.15, 0.45))
    for _ in range(int(rng.choice((0, 1, 2), p=(0.82, 0.12, 0.06)))):
        at, angle = rng.uniform(0.25, 0.75), rng.uniform(0.0, 2 * np.pi)
        radius = foot * (1.0 - 0.7 * at)
        out = np.array([np.cos(angle), np.sin(angle)])
        x, y = (out * radius).tolist()
        depth = radius * rng.uniform(0.25, 0.6)
        dents.append(bends.Dent((x, y, at * height), (-out[0] * depth, -out[1] * depth, 0.0), radius * 1.3))
    return bend, squeeze, tuple(dents)
