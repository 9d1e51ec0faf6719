"""Cardboard boxes: closed and taped, half open, with flaps, crushed."""

from __future__ import annotations

import dataclasses

import numpy as np

from .. import shapes
from ..scene import Material
from ..shapes import Solid, forms
from ..shapes import bend as bends
from ..shapes import mesh as meshes
from ..shapes.mesh import Mesh
from ..textures import Color
from . import looks
from .kinds import Kind

_GRID = 4
# A side's outward axis and sign, and the axis that its width lies along.
_SIDES = ((1, -1.0, 0), (0, 1.0, 1), (1, 1.0, 0), (0, -1.0, 1))


@dataclasses.dataclass(frozen=True)
class Carton:
    """A box of half sizes ``half``; closed without ``flaps``, else the lean of each flap outwards from the vertical."""

    half: tuple[float, float, float]
    wall: float
    flaps: tuple[float, ...]
    reach: tuple[float, float]
    dents: tuple[bends.Dent, ...]

    @classmethod
    def sample(cls, size: float, rng: np.random.Generator) -> Carton:
        """Draw one of a nominal ``size`` in metres."""
        flaps: tuple[float, ...] = ()
        scale = rng.uniform(0.8, 1.1)
        if rng.random() < 0.35:
            flaps, scale = tuple(rng.choice((rng.uniform(-1.2, 0.6), rng.uniform(0.3, 2.6))) for _ in range(4)), 0.72
        sides = scale * size / 2 * np.array([1.0, rng.uniform(0.5, 1.0), rng.uniform(0.22, 1.0)])
        x, y, z = (sides if rng.random() < 0.75 else sides[[2, 1, 0]]).tolist()
        dents = []
        for _ in range(int(rng.choice((0, 1, 2, 3), p=(0.5, 0.2, 0.2, 0.1)))):
            # Corners and edges are where boxes are crushed.
            at = np.sign(rng.normal(size=3)) * [x, y, z]
            at[int(rng.integers(3))] *= rng.uniform(-1.0, 1.0)
            depth = min(x, y, z) * rng.uniform(0.08, 0.3)
            px, py, pz = (-at / np.linalg.norm(at) * depth).tolist()
            dents.append(bends.Dent(tuple(at.tolist()), (px, py, pz), depth * rng.uniform(1.5, 3.5)))
        reach = min(x, y) * rng.uniform(0.85, 1.0)
        return cls((x, y, z), max(0.006 * size, 0.012 * min(x, y)), flaps, (reach, reach), tuple(dents))

    def build(self) -> Solid:
        """Make its surfaces (front and back, ends, top and bottom, inside where it is open) and colliders."""
        faces = [self._face(*side) for side in _SIDES]
        bottom = self._level(-1.0)
        field = bends.chain(self.dents)
        if not self.flaps:
            lids = [bottom, self._level(1.0)]
            parts = [meshes.merge([faces[0], faces[2]]), meshes.merge([faces[1], faces[3]]), meshes.merge(lids)]
            if self.dents:
                parts = [bends.displaced(part, field) for part in parts]
            return shapes.solid(parts, [self._closed_collider(parts)])
        flaps, panels = self._flaps()
        inside = meshes.merge(
            [*(forms.lined(face, self.wall) for face in faces), forms.lined(bottom, self.wall), *flaps]
        )
        parts = [meshes.merge([faces[0], faces[2]]), meshes.merge([faces[1], faces[3]]), bottom, inside]
        if self.dents:
            parts = [bends.displaced(part, field) for part in parts]
        return shapes.solid(parts, [*self._walls(), *panels])

    def _face(self, axis: int, sign: float, across: int) -> Mesh:
        corners = np.zeros((4, 3))
        corners[:, axis] = sign * self.half[axis]
        # Seen from outside, texture coordinates run to the right and up.
        way = sign if axis == 0 else -sign
        corners[:, across] = np.array([-1, 1, 1, -1]) * way * self.half[across]
        corners[:, 2] = np.array([-1, -1, 1, 1]) * self.half[2]
        n = _GRID if self.dents else 1
        return forms.patch(corners, n, n)

    def _level(self, sign: float) -> Mesh:
        x, y, z = self.half
        corners = np.array([[-x, -y, z], [x, -y, z], [x, y, z], [-x, y, z]]) * [1.0, sign, sign]
        n = _GRID if self.dents else 1
        return forms.patch(corners, n, n)

    def _closed_collider(self, parts: list[Mesh]) -> shapes.Collider:
        if not self.dents:
            return shapes.block(self.half)
        return shapes.hull(forms.cloud(np.concatenate([part.vertices for part in parts[:2]])))

    def _walls(self) -> list[shapes.Collider]:
        x, y, z = self.half
        t = self.wall / 2
        return [
            shapes.block((x, y, t), (0, 0, t - z)),
            *(shapes.block((x, t, z), (0, s * (y - t), 0)) for s in (-1, 1)),
            *(shapes.block((t, y, z), (s * (x - t), 0, 0)) for s in (-1, 1)),
        ]

    def _flaps(self) -> tuple[list[Mesh], list[shapes.Collider]]:
        """Panels hinged on the upper edges, as meshes and colliders."""
        found, panels = [], []
        t = self.wall / 2
        for (axis, sign, across), lean in zip(_SIDES, self.flaps, strict=True):
            out = np.zeros(3)
            out[axis] = sign
            along = np.cross(out, [0.0, 0.0, 1.0])
            up = np.array([0.0, 0.0, np.cos(lean)]) + out * np.sin(lean)
            reach = self.reach[axis] / 2
            hinge = out * (self.half[axis] - t) + [0.0, 0.0, self.half[2]]
            turn = np.stack([along, up, np.cross(along, up)], 1)
            # Flaps that lie on one another are cut a little narrower each.
            half = (self.half[across] * (0.99 - 0.02 * axis), reach, 0.8 * t)
            middle = hinge + up * (reach + t)
            found.append(meshes.box(half).moved(middle, turn))
            panels.append(shapes.block(half, middle, turn))
        return found, panels

    def dress(self, rng: np.random.Generator) -> tuple[Material, ...]:
        """A material for each surface of the solid."""
        card = looks.one_of(_CARD, rng)
        ink = looks.one_of(_INK, rng) if card[2] < 0.7 else looks.one_of(_INK[1:], rng)
        dark = looks.mix(card, (0.1, 0.07, 0.04), 0.55)
        tape = looks.mix(looks.one_of(_TAPE, rng), card, rng.uniform(0.0, 0.6))
        paper: Color = (0.93, 0.93, 0.91)

        def side(pattern: str, first: Color, size: int = 96) -> Material:
            return looks.material(rng, (card, first, paper, tape), pattern, contrast=1.0, gloss=(0.0, 0.08), size=size)

        front = side("carton_side", ink, 128)
        ends = side("carton_side", ink) if rng.random() < 0.6 else side("carton_top", dark)
        top = side("carton_top", dark)
        if not self.flaps:
            return front, ends, top
        inner = looks.material(rng, (looks.mix(card, (0.25, 0.17, 0.1), 0.25), dark), "noise", gloss=(0.0, 0.05))
        return front, ends, top, inner


_CARD: tuple[tuple[float, Color], ...] = (
    (0.45, (0.72, 0.55, 0.38)),
    (0.3, (0.62, 0.46, 0.3)),
    (0.1, (0.8, 0.66, 0.48)),
    (0.15, (0.92, 0.91, 0.88)),
)
_INK: tuple[tuple[float, Color], ...] = (
    (0.5, (0.1, 0.08, 0.07)),
    (0.2, (0.1, 0.2, 0.5)),
    (0.2, (0.6, 0.1, 0.1)),
    (0.1, (0.1, 0.35, 0.2)),
)
_TAPE: tuple[tuple[float, Color], ...] = (
    (0.5, (0.6, 0.42, 0.22)),
    (0.35, (0.82, 0.72, 0.55)),
    (0.1, (0.9, 0.9, 0.88)),
    (0.05, (0.8, 0.15, 0.12)),
)

KINDS: dict[str, Kind] = {
    "carton": Kind(Carton.sample, (0.15, 0.6), Carton.dress, upright=0.8, density=120.0),
}
