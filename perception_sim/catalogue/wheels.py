"""Tyres and wheels, upright as they roll or lying flat."""

from __future__ import annotations

import dataclasses

import numpy as np

from .. import shapes
from ..scene import Material
from ..shapes import Solid, forms
from ..shapes import mesh as meshes
from ..shapes.mesh import Mesh
from . import looks
from .kinds import Kind

_SEGMENTS = 22


@dataclasses.dataclass(frozen=True)
class Tyre:
    """A tyre, lying or ``standing``; ``rim`` is the hole's radius; a wheel's disc may fill it."""

    radius: float
    rim: float
    half: float
    shoulder: float
    wheel: bool
    dish: float
    bolts: int
    grooves: tuple[float, ...]
    standing: bool

    @classmethod
    def sample(cls, size: float, rng: np.random.Generator) -> Tyre:
        """Draw one of a nominal ``size`` in metres."""
        radius = size * rng.uniform(0.46, 0.52)
        half = radius * rng.uniform(0.22, 0.4)
        grooves = np.linspace(-0.6, 0.6, int(rng.integers(2, 4))).tolist()
        return cls(
            radius=radius,
            rim=radius * rng.uniform(0.45, 0.66),
            half=half,
            shoulder=half * rng.uniform(0.25, 0.45),
            wheel=bool(rng.random() < 0.4),
            dish=rng.uniform(0.2, 0.8),
            bolts=int(rng.integers(3, 7)),
            grooves=tuple(grooves),
            standing=bool(rng.random() < 0.4),
        )

    def build(self) -> Solid:
        """Make its surfaces (rubber, then the wheel if it has one) and colliders."""
        r, s, w = self.radius, self.shoulder, self.half
        bead, belly = 0.8 * w, 1.0 * w
        middle = (self.rim + r) / 2
        lower = [(self.rim, -bead), (middle, -belly), (r - s, -0.95 * w), (r - 0.2 * s, -0.8 * w)]
        tread = []
        deep, wide = 0.035 * r, 0.05 * w
        for at in self.grooves:
            z = at * w
            tread += [(r, z - wide), (r - deep, z - wide), (r - deep, z + wide), (r, z + wide)]
        upper = [(x, -z) for x, z in reversed(lower)]
        inner = [
            (self.rim + 0.3 * s, bead - 0.1 * w),
            (r - 0.5 * s, 0.5 * w),
            (r - 0.5 * s, -0.5 * w),
            (self.rim + 0.3 * s, 0.1 * w - bead),
            (self.rim, -bead),
        ]
        rubber = meshes.lathe([*lower, *tread, *upper, *inner], _SEGMENTS)
        surfaces = [dataclasses.replace(rubber, uvs=rubber.uvs * [8.0, 4.0])]
        if self.wheel:
            surfaces.append(self._wheel())
        outline = forms.circle(1.0, _SEGMENTS)
        pieces = [forms.ring(outline * x, z) for x, z in (*lower[1:], *upper[:-1])]
        hulls = [forms.cloud(pieces)] if self.wheel else self._segments([*lower, *upper])
        turn = meshes.rotation_between((0.0, 0.0, 1.0), (0.0, 1.0, 0.0)) if self.standing else np.eye(3)
        surfaces = [surface.moved(rotation=turn) for surface in surfaces]
        return shapes.solid(surfaces, [shapes.hull(piece.moved(rotation=turn)) for piece in hulls])

    def _segments(self, profile: list[tuple[float, float]]) -> list[Mesh]:
        """Convex pieces around the axis, so that the hole stays open."""
        step = 2 * np.pi / 8
        rows = np.asarray(profile)
        found = []
        for k in range(8):
            angle = k * step + np.array([0.0, step / 3, 2 * step / 3, step])
            points = [
                np.outer(rows[:, 0], np.cos(angle)),
                np.outer(rows[:, 0], np.sin(angle)),
                np.outer(rows[:, 1], 0 * angle + 1),
            ]
            found.append(forms.cloud(np.stack(points, -1)))
        return found

    def _wheel(self) -> Mesh:
        r, w = self.rim, 0.75 * self.half
        face = self.dish * w
        disc = meshes.lathe(
            [
                (r, -w),
                (1.03 * r, -w),
                (1.03 * r, w),
                (r, w),
                (0.9 * r, face),
                (0.6 * r, 0.8 * face),
                (0.5 * r, face),
                (0.2 * r, face),
                (0.18 * r, face + 0.08 * r),
                (0.0, face + 0.08 * r),
            ],
            _SEGMENTS,
        )
        back = meshes.lathe([(0.0, -0.4 * w), (0.93 * r, -0.4 * w), (r, -w)], _SEGMENTS)
        angle = np.arange(self.bolts) * 2 * np.pi / self.bolts
        bolt = meshes.lathe([(0.05 * r, face), (0.05 * r, face + 0.06 * r), (0.0, face + 0.06 * r)], 6)
        return meshes.merge(
            [disc, back, *(bolt.moved((0.33 * r * np.cos(a), 0.33 * r * np.sin(a), 0.0)) for a in angle)]
        )

    def dress(self, rng: np.random.Generator) -> tuple[Material, ...]:
        """A material for each surface of the solid."""
        rubber = looks.vary((0.12, 0.12, 0.125), rng, 0.0, 0.03, 0.06)
        dust = looks.mix(rubber, looks.vary((0.5, 0.45, 0.38), rng), rng.uniform(0.1, 0.7))
        tyre = looks.material(rng, (rubber, dust), "noise", contrast=rng.uniform(0.2, 0.9), gloss=(0.0, 0.2))
        rim = looks.one_of(
            ((0.5, (0.7, 0.71, 0.72)), (0.2, (0.12, 0.12, 0.12)), (0.15, (0.9, 0.9, 0.9)), (0.15, (0.75, 0.6, 0.1))),
            rng,
        )
        rust = looks.mix(rim, (0.35, 0.22, 0.12), 0.5)
        wheel = looks.material(
            rng, (rim, rust), "noise", contrast=rng.uniform(0.0, 0.6), gloss=(0.2, 0.9), metallic=0.7
        )
        return (tyre, wheel)[: 2 if self.wheel else 1]


KINDS: dict[str, Kind] = {
    "tyre": Kind(Tyre.sample, (0.3, 0.8), Tyre.dress, upright=0.5, density=250.0, resembles=("ball",)),
}
