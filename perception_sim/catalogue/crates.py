"""Crates: open boxes of wooden slats or moulded plastic."""

from __future__ import annotations

import dataclasses

import numpy as np

from .. import shapes
from ..scene import Material
from ..shapes import Solid
from ..textures import Color
from . import looks
from .boards import Board, board_mesh, row, timber
from .kinds import Kind


@dataclasses.dataclass(frozen=True)
class Crate:
    """An open box of bars: wooden slats with gaps, or plastic walls with openings."""

    wood: bool
    half: tuple[float, float, float]
    boards: tuple[Board, ...]
    wall: float
    seed: int

    @classmethod
    def sample(cls, size: float, rng: np.random.Generator) -> Crate:
        """Draw one of a nominal ``size`` in metres."""
        x = size * rng.uniform(0.44, 0.52)
        y, z = x * rng.uniform(0.6, 0.95), x * rng.uniform(0.35, 0.85)
        wood = bool(rng.random() < 0.5)
        wall = x * (rng.uniform(0.03, 0.05) if wood else rng.uniform(0.025, 0.045))
        boards = (_slats if wood else _grating)(x, y, z, wall, rng)
        return cls(wood, (x, y, z), tuple(boards), wall, int(rng.integers(1 << 31)))

    def build(self) -> Solid:
        """Make its surface and colliders (floor and walls as blocks)."""
        x, y, z = self.half
        t = self.wall / 2
        colliders = [shapes.block((x, y, t), (0.0, 0.0, t))]
        colliders += [shapes.block((x, t, z), (0.0, s * (y - t), z)) for s in (-1, 1)]
        colliders += [shapes.block((t, y, z), (s * (x - t), 0.0, z)) for s in (-1, 1)]
        return shapes.solid([board_mesh(self.boards, self.seed)], colliders)

    def dress(self, rng: np.random.Generator) -> tuple[Material, ...]:
        """A material for each surface of the solid."""
        if self.wood:
            return (timber(rng),)
        color = looks.one_of(_CRATE, rng)
        dirt = looks.mix(color, (0.3, 0.27, 0.24), 0.5)
        return (looks.material(rng, (color, dirt), "noise", contrast=rng.uniform(0.1, 0.7), gloss=(0.05, 0.4)),)


def _slats(x: float, y: float, z: float, wall: float, rng: np.random.Generator) -> list[Board]:
    """Wooden slats nailed to posts in the corners (the longer sides outside), boards as a floor."""
    t = wall / 2
    post = 1.6 * wall
    count = int(rng.integers(2, 5))
    half = z / count * rng.uniform(0.72, 0.92)
    jitter = 0.06 * half
    boards: list[Board] = []
    for sx in (-1, 1):
        for sy in (-1, 1):
            boards.append(((sx * (x - wall - post), sy * (y - wall - post), z), (post, post, 0.995 * z), 0.0))
    for level in row(count, 2 * z, half, rng, 0.0) + z:
        for s in (-1, 1):
            up = float(level) + rng.uniform(-1, 1) * jitter * (0.0 if level in (half, 2 * z - half) else 1.0)
            boards.append(((0.0, s * (y - t), up), (x, t, half), 0.0))
            boards.append(((s * (x - t), 0.0, up), (t, y - wall, half), 0.0))
    floor = int(rng.integers(3, 7))
    width = y / floor * rng.uniform(0.75, 0.97)
    for at in row(floor, 2 * (y - wall), width, rng, 0.0):
        boards.append(((0.0, float(at), t), (x - wall, width * 0.99, t), 0.0))
    return boards


def _grating(x: float, y: float, z: float, wall: float, rng: np.random.Generator) -> list[Board]:
    """Plastic: posts and rims around openings, ribs between, and a handle hole in each short side."""
    t = wall / 2
    rim, sill = z * rng.uniform(0.08, 0.2), z * rng.choice((rng.uniform(0.1, 0.35), rng.uniform(0.4, 0.72)))
    boards: list[Board] = [((0.0, 0.0, t), (x, y, t), 0.0)]
    ribs = (int(rng.integers(3, 9)), int(rng.integers(2, 6)))
    bars = int(rng.integers(0, 3))
    for s in (-1, 1):
        for axis, (reach, side) in enumerate(((x, y), (y, x))):
            deep = t if axis == 0 else 0.99 * t

            def bar(
                along: float, up: float, half_along: float, half_up: float,
                axis: int = axis, s: int = s, side: float = side, deep: float = deep,
            ) -> Board:  # fmt: skip
                across = s * (side - t)
                if axis == 0:
                    return (along, across, up), (half_along, deep, half_up), 0.0
                return (across, along, up), (deep, half_along, half_up), 0.0

            boards.append(bar(0.0, 2 * z - rim, reach, rim))
            boards.append(bar(0.0, sill, reach, sill))
            width = reach * rng.uniform(0.03, 0.06)
            middle, half = z + sill - rim, z - sill - rim
            boards += [bar(float(at), middle, width, half) for at in row(ribs[axis], 2 * reach, width, rng, 0.0)]
            for level in range(bars):
                up = 2 * sill + 2 * half * (level + 1) / (bars + 1)
                boards.append(bar(0.0, up, 0.98 * reach, 0.05 * z))
    # A rim that stands out, by which such crates are stacked.
    edge = 0.6 * wall
    for s in (-1, 1):
        boards.append(((0.0, s * (y + edge / 2), 2 * z - 0.6 * rim), (x + edge, edge / 2, 0.5 * rim), 0.0))
        boards.append(((s * (x + edge / 2), 0.0, 2 * z - 0.6 * rim), (edge / 2, y, 0.5 * rim), 0.0))
    return boards


_CRATE: tuple[tuple[float, Color], ...] = (
    (0.25, (0.1, 0.25, 0.6)),
    (0.2, (0.12, 0.4, 0.2)),
    (0.2, (0.7, 0.1, 0.08)),
    (0.12, (0.9, 0.7, 0.1)),
    (0.13, (0.45, 0.46, 0.47)),
    (0.1, (0.1, 0.1, 0.1)),
)

KINDS: dict[str, Kind] = {
    "crate": Kind(Crate.sample, (0.3, 0.7), Crate.dress, upright=0.85, density=60.0),
}
