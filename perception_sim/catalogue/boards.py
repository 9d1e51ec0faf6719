"""What pallets and crates are built of: boards, and the wood that they are cut from."""

from __future__ import annotations

import numpy as np

from ..scene import Material
from ..shapes import many
from ..shapes.mesh import Mesh
from ..textures import Color
from . import looks

Board = tuple[tuple[float, float, float], tuple[float, float, float], float]
"""Middle and half sizes of a board in metres, and its turn about z in radians."""


def board_mesh(boards: tuple[Board, ...], seed: int) -> Mesh:
    """All boards in one mesh; ``seed`` fixes which part of the grain each shows."""
    turns = np.array([about_z(turn) for *_, turn in boards])
    middles, halves = np.array([b[0] for b in boards]), np.array([b[1] for b in boards])
    return many.boxes(middles, halves, turns, np.random.default_rng(seed))


def about_z(angle: float) -> np.ndarray:
    """The rotation [3, 3] about z by an angle in radians."""
    cos, sin = np.cos(angle), np.sin(angle)
    return np.array([[cos, -sin, 0.0], [sin, cos, 0.0], [0.0, 0.0, 1.0]])


def row(count: int, span: float, half: float, rng: np.random.Generator, jitter: float) -> np.ndarray:
    """Middles of ``count`` boards of width 2 · half over a width ``span``, the outer ones flush."""
    return np.linspace(half - span / 2, span / 2 - half, count) + rng.uniform(-jitter, jitter, count)


def timber(rng: np.random.Generator) -> Material:
    """Rough wood, new or weathered."""
    wood = looks.one_of(TIMBER, rng)
    dark = looks.mix(wood, (0.12, 0.09, 0.07), rng.uniform(0.4, 0.7))
    scale = float(rng.integers(3, 9))
    return looks.material(
        rng, (wood, dark), "wood", contrast=rng.uniform(0.4, 0.8), scale=scale, gloss=(0.0, 0.05), size=128
    )


TIMBER: tuple[tuple[float, Color], ...] = (
    (0.35, (0.78, 0.62, 0.42)),
    (0.25, (0.66, 0.5, 0.33)),
    (0.2, (0.52, 0.47, 0.42)),
    (0.1, (0.4, 0.28, 0.18)),
    (0.1, (0.62, 0.57, 0.5)),
)
