"""Pots: empty, or with a bush, long leaves, or a cactus in it."""

from __future__ import annotations

import dataclasses

import numpy as np

from .. import shapes
from ..scene import Material
from ..shapes import Solid, forms, many
from ..shapes import bend as bends
from ..shapes import mesh as meshes
from ..shapes.mesh import Mesh
from ..textures import Color
from . import looks
from .kinds import Kind

_SEGMENTS = 24


@dataclasses.dataclass(frozen=True)
class PlantPot:
    """A pot of a turned ``profile`` (radius, z) with soil at ``soil`` and a plant of ``reach`` metres over it."""

    profile: tuple[tuple[float, float], ...]
    wall: float
    soil: float
    square: bool
    plant: str
    reach: float
    ripple: bends.Ripple
    seed: int

    @classmethod
    def sample(cls, size: float, rng: np.random.Generator) -> PlantPot:
        """Draw one of a nominal ``size`` in metres."""
        plant = str(rng.choice(("none", "bush", "leaves", "cactus"), p=(0.28, 0.32, 0.28, 0.12)))
        whole = size * rng.uniform(0.9, 1.1)
        pot = whole * (rng.uniform(0.7, 1.0) if plant == "none" else rng.uniform(0.35, 0.6))
        high = pot * rng.uniform(0.42, 0.6)
        low = high * rng.uniform(0.55, 0.95)
        rim = pot * rng.choice((0.0, rng.uniform(0.1, 0.22)))
        swell = 1.0 + rng.choice((0.0, 0.0, rng.uniform(0.05, 0.25)))
        middle = ((low + high) / 2 * swell, 0.5 * pot)
        profile = [(low, 0.0), middle, (high, pot - rim)]
        profile += [(1.08 * high, pot - rim), (1.08 * high, pot)] if rim else [(high, pot)]
        profile = [p for i, p in enumerate(profile) if i == 0 or p != profile[i - 1]]
        reach = whole - pot if plant != "none" else 0.0
        return cls(
            profile=tuple((float(r), float(z)) for r, z in profile),
            wall=0.07 * high,
            soil=pot * rng.uniform(0.82, 0.94) if plant != "none" or rng.random() < 0.4 else 0.1 * pot,
            square=bool(rng.random() < 0.15),
            plant=plant,
            reach=float(reach),
            ripple=bends.Ripple.sample(0.35 * max(reach, 0.01), 0.22 * reach, 8, rng),
            seed=int(rng.integers(1 << 31)),
        )

    def build(self) -> Solid:
        """Make its surfaces (pot, soil, and a plant if there is one) and colliders."""
        outer = np.asarray(self.profile)
        rim = outer[-1]
        inner = [(rim[0] - self.wall, rim[1]), (self._inner(self.soil), self.soil)]
        soil = [(self._inner(self.soil) + 1e-3 * rim[0], self.soil), (0.0, self.soil + 0.02 * rim[1])]
        pot = self._turned([(0.0, 0.0), *map(tuple, outer), *inner])
        surfaces = [pot, self._turned(soil)]
        colliders = [shapes.hull(forms.cloud([forms.ring(self._outline() * r, z) for r, z in outer]))]
        if self.plant != "none":
            plant, solid = self._plant(float(rim[0]))
            surfaces.append(plant)
            colliders.append(solid)
        return shapes.solid(surfaces, colliders)

    def _inner(self, z: float) -> float:
        rows = np.asarray(self.profile)
        return float(np.interp(z, rows[:, 1], rows[:, 0])) - self.wall

    def _outline(self) -> np.ndarray:
        return forms.rounded_polygon(4, 1.0, 0.2, 3) if self.square else forms.circle(1.0, _SEGMENTS)

    def _turned(self, profile: list[tuple[float, float]]) -> Mesh:
        if self.square:
            mesh = forms.loft([forms.ring(self._outline() * r, z) for r, z in profile])
        else:
            mesh = meshes.lathe(profile, _SEGMENTS)
        return dataclasses.replace(mesh, uvs=np.stack([mesh.uvs[:, 0], mesh.vertices[:, 2] / self.profile[-1][1]], 1))

    def _plant(self, wide: float) -> tuple[Mesh, shapes.Collider]:
        rng, reach = np.random.default_rng(self.seed), self.reach
        if self.plant == "bush":
            ball = meshes.sphere(1.0, 16, 11)
            size = np.array([1.0, 1.0, 0.55 * reach / min(wide * 1.2, 0.6 * reach)]) * min(wide * 1.2, 0.6 * reach)
            bush = forms.scaled(ball, size).moved((0.0, 0.0, self.soil + 0.45 * reach))
            bush = bends.displaced(bush, self.ripple)
            bush = dataclasses.replace(bush, uvs=bush.uvs * 3.0)
            # Facets look more like leaves than a smooth skin does.
            return bush.flat(), shapes.hull(bush)
        if self.plant == "cactus":
            r = min(0.5 * wide, 0.3 * reach)
            ribs = 10
            angle = np.arange(2 * ribs) * np.pi / ribs
            star = np.where(np.arange(2 * ribs) % 2, 0.82, 1.0)[:, None] * np.stack([np.cos(angle), np.sin(angle)], 1)
            levels = np.linspace(0.0, 1.0, 7)
            widths = r * np.sqrt(np.clip(1.0 - np.clip(2.2 * levels - 1.2, 0.0, 1.0) ** 2, 0.0, 1.0))
            rings = [
                forms.ring(star * max(w, 1e-4), self.soil + a * reach) for w, a in zip(widths, levels, strict=True)
            ]
            mesh = forms.skin(np.array(rings))
            return mesh, shapes.hull(forms.cloud(rings))
        count = int(rng.integers(9, 18))
        turn = np.arange(count) * 2.4 + rng.uniform(-0.3, 0.3, count)
        out, up = rng.uniform(0.2, 0.6, count) * reach, rng.uniform(0.5, 1.0, count) * reach
        t = np.linspace(0.0, 1.0, 6)
        along = 0.05 * wide + out[:, None] * t**1.3
        height = self.soil + up[:, None] * np.sin(t * rng.uniform(1.5, 2.1, (count, 1)))
        lines = np.stack([along * np.cos(turn)[:, None], along * np.sin(turn)[:, None], height], -1)
        widths = reach * rng.uniform(0.06, 0.18, (count, 1)) * np.sin(np.pi * np.clip(t * 0.92 + 0.08, 0, 1)) ** 0.7
        leaves = many.blades(lines, np.maximum(widths, 1e-3 * reach), 2e-3 * reach)
        # Leaves give way: only the stalks in the middle push.
        return leaves, shapes.rod((0.0, 0.0, self.soil), (0.0, 0.0, self.soil + 0.6 * reach), 0.15 * reach)

    def dress(self, rng: np.random.Generator) -> tuple[Material, ...]:
        """A material for each surface of the solid."""
        return self.painted(looks.one_of(_POTS, rng), rng)

    def painted(self, color: Color, rng: np.random.Generator) -> tuple[Material, ...]:
        """Materials for a pot of that colour."""
        lime = looks.mix(color, (0.85, 0.82, 0.78), 0.6)
        pattern = str(rng.choice(("worn", "noise", "stripes"), p=(0.5, 0.4, 0.1)))
        pot = looks.material(rng, (color, lime), pattern, contrast=rng.uniform(0.1, 0.7), gloss=(0.0, 0.5))
        earth = looks.vary((0.2, 0.14, 0.09), rng)
        soil = looks.material(
            rng, (earth, looks.mix(earth, (0.5, 0.4, 0.3), 0.5)), "speckle", contrast=0.8, gloss=(0.0, 0.02)
        )
        if self.plant == "none":
            return pot, soil
        green = looks.one_of(_GREENS, rng)
        scale = 5.0 if self.plant == "bush" else 3.0
        leaf = looks.material(
            rng,
            (green, looks.mix(green, (0.03, 0.08, 0.02), 0.6)),
            "speckle" if self.plant == "bush" else "noise",
            contrast=0.9,
            scale=scale,
            gloss=(0.0, 0.4),
        )
        return pot, soil, leaf


_POTS: tuple[tuple[float, Color], ...] = (
    (0.4, (0.72, 0.38, 0.22)),
    (0.2, (0.9, 0.9, 0.88)),
    (0.15, (0.2, 0.2, 0.21)),
    (0.1, (0.45, 0.45, 0.44)),
    (0.08, (0.15, 0.35, 0.55)),
    (0.07, (0.35, 0.25, 0.18)),
)
_GREENS: tuple[tuple[float, Color], ...] = (
    (0.6, (0.18, 0.42, 0.12)),
    (0.25, (0.35, 0.52, 0.2)),
    (0.15, (0.1, 0.28, 0.14)),
)

KINDS: dict[str, Kind] = {
    "plant_pot": Kind(PlantPot.sample, (0.15, 0.8), PlantPot.dress, upright=0.9, density=400.0),
}
