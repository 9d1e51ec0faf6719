"""Pallets: of boards on blocks, on stringers, or moulded."""

from __future__ import annotations

import dataclasses

import numpy as np

from .. import shapes
from ..scene import Material
from ..shapes import Solid
from ..textures import Color
from . import looks
from .boards import Board, about_z, board_mesh, row, timber
from .kinds import Kind


@dataclasses.dataclass(frozen=True)
class Pallet:
    """A pallet of boards on blocks or stringers, or moulded of plastic; forks fit in between."""

    plastic: bool
    boards: tuple[Board, ...]
    deck: tuple[float, float, float, float]  # half length, half width, low and high z of the top boards
    supports: int
    seed: int

    @classmethod
    def sample(cls, size: float, rng: np.random.Generator) -> Pallet:
        """Draw one of a nominal ``size`` in metres."""
        length = size * rng.uniform(0.94, 1.06)
        width = length * rng.choice((0.667, 0.667, 0.8, 0.833, 1.0)) * rng.uniform(0.98, 1.02)
        style = str(rng.choice(("block", "stringer", "plastic"), p=(0.55, 0.28, 0.17)))
        thick, tall = length * rng.uniform(0.016, 0.021), length * rng.uniform(0.062, 0.082)
        make = {"block": _on_blocks, "stringer": _on_stringers, "plastic": _moulded}[style]
        supports, top = make(length, width, thick, tall, rng)
        low = min(board[0][2] - board[1][2] for board in top)
        high = max(board[0][2] + board[1][2] for board in top)
        if style != "plastic" and rng.random() < 0.2:
            # A board is missing from the middle.
            top.pop(int(rng.integers(1, len(top) - 1)))
        deck = (length / 2, width / 2, low, high)
        return cls(style == "plastic", (*supports, *top), deck, len(supports), int(rng.integers(1 << 31)))

    def build(self) -> Solid:
        """Make its surface and colliders (the deck as one block, whatever gaps it has)."""
        x, y, low, high = self.deck
        colliders = [shapes.block((x, y, (high - low) / 2), (0.0, 0.0, (low + high) / 2))]
        colliders += [shapes.block(half, at, about_z(turn)) for at, half, turn in self.boards[: self.supports]]
        return shapes.solid([board_mesh(self.boards, self.seed)], colliders)

    def dress(self, rng: np.random.Generator) -> tuple[Material, ...]:
        """A material for each surface of the solid."""
        if self.plastic:
            color = looks.one_of(_PLASTIC, rng)
            dirt = looks.mix(color, (0.35, 0.32, 0.28), 0.6)
            return (looks.material(rng, (color, dirt), "noise", contrast=rng.uniform(0.1, 0.8), gloss=(0.05, 0.3)),)
        return (timber(rng),)


def _on_blocks(
    length: float, width: float, thick: float, tall: float, rng: np.random.Generator
) -> tuple[list[Board], list[Board]]:
    """Nine blocks on three skids under cross boards and a deck, as EUR pallets have."""
    t, jitter = thick / 2, 0.004 * length
    block = length * rng.uniform(0.05, 0.062)
    low = thick + tall
    supports: list[Board] = []
    for y in row(3, width, block * 0.8, rng, 0.0):
        supports.append(((0.0, float(y), t), (length / 2, 0.8 * block, t), 0.0))
        for x in row(3, length, block, rng, jitter):
            supports.append(((float(x), float(y), thick + tall / 2), (block, 0.78 * block, tall / 2), 0.0))
    top: list[Board] = []
    for x in row(3, length, block, rng, 0.0):
        top.append(((float(x), 0.0, low + t), (block, width / 2, t), 0.0))
    count = int(rng.choice((5, 5, 7)))
    half = width / count * rng.uniform(0.38, 0.46)
    for y in row(count, width, half, rng, jitter):
        wide = half * rng.uniform(0.8, 1.05)
        turn = rng.normal() * 0.004
        top.append(((rng.uniform(-1, 1) * jitter, float(y), low + thick + t), (length / 2, wide, t), turn))
    return supports, top


def _on_stringers(
    length: float, width: float, thick: float, tall: float, rng: np.random.Generator
) -> tuple[list[Board], list[Board]]:
    """Three long beams between boards across, as in America."""
    t, jitter = thick / 2, 0.004 * length
    beam = length * rng.uniform(0.014, 0.02)
    half = length * rng.uniform(0.034, 0.045)
    supports: list[Board] = []
    for x in row(int(rng.choice((3, 5))), length, half, rng, jitter):
        supports.append(((float(x), 0.0, t), (half, width / 2, t), rng.normal() * 0.004))
    for y in row(3, width, beam, rng, jitter):
        supports.append(((0.0, float(y), thick + tall / 2), (length / 2, beam, tall / 2), 0.0))
    top: list[Board] = []
    for x in row(int(rng.integers(6, 9)), length, half, rng, jitter):
        turn = rng.normal() * 0.006
        top.append(((float(x), rng.uniform(-1, 1) * jitter, thick + tall + t), (half, width / 2, t), turn))
    return supports, top


def _moulded(
    length: float, width: float, thick: float, tall: float, rng: np.random.Generator
) -> tuple[list[Board], list[Board]]:
    """Nine feet under a frame with a grid."""
    foot = length * rng.uniform(0.05, 0.07)
    t = 0.6 * thick
    low = tall + thick
    supports: list[Board] = []
    for y in row(3, width, foot, rng, 0.0):
        supports += [
            ((float(x), float(y), low / 2), (foot, foot, low / 2), 0.0) for x in row(3, length, foot, rng, 0.0)
        ]
    top: list[Board] = []
    across, along = int(rng.integers(6, 11)), int(rng.integers(4, 8))
    rib = length * rng.uniform(0.012, 0.03)
    for x in row(across, length, rib, rng, 0.0):
        top.append(((float(x), 0.0, low + t), (rib, width / 2, t), 0.0))
    for y in row(along, width, rib, rng, 0.0):
        top.append(((0.0, float(y), low + 0.98 * t), (length / 2, rib, 0.98 * t), 0.0))
    return supports, top


_PLASTIC: tuple[tuple[float, Color], ...] = (
    (0.45, (0.1, 0.25, 0.6)),
    (0.3, (0.1, 0.1, 0.1)),
    (0.15, (0.5, 0.5, 0.5)),
    (0.1, (0.65, 0.12, 0.1)),
)
KINDS: dict[str, Kind] = {
    "pallet": Kind(Pallet.sample, (0.8, 1.25), Pallet.dress, upright=0.95, density=400.0),
}
