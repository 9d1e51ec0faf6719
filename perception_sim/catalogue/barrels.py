"""Barrels: steel drums, plastic drums, wooden barrels and steel kegs."""

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

Profile = list[tuple[float, float]]
_SEGMENTS = 24


@dataclasses.dataclass(frozen=True)
class Barrel:
    """A turned vessel; ``bulge`` is how much wider it is in the middle, ``hoops`` are heights as shares."""

    style: str
    radius: float
    height: float
    bulge: float
    hoops: tuple[float, ...]
    hoop: float
    rim: float
    dents: tuple[bends.Dent, ...]
    squeeze: bends.Squeeze | None

    @classmethod
    def sample(cls, size: float, rng: np.random.Generator) -> Barrel:
        """Draw one of a nominal ``size`` in metres."""
        style = str(rng.choice(("steel", "plastic", "wood", "keg"), p=(0.45, 0.27, 0.18, 0.1)))
        height = size * rng.uniform(0.88, 1.08)
        slender = {"steel": (0.3, 0.36), "plastic": (0.27, 0.34), "wood": (0.3, 0.37), "keg": (0.3, 0.38)}[style]
        radius = height * rng.uniform(*slender)
        hoops: tuple[float, ...] = tuple((np.array([0.333, 0.667]) + rng.uniform(-0.03, 0.03)).tolist())
        if style == "wood":
            ends = rng.uniform(0.02, 0.06), rng.uniform(0.22, 0.34)
            hoops = (*ends, 1.0 - ends[1], 1.0 - ends[0])
        elif rng.random() < 0.25:
            hoops = tuple((0.5 + np.array([-0.28, -0.1, 0.1, 0.28]) * rng.uniform(0.9, 1.1)).tolist())
        dents = []
        if style == "steel":
            for _ in range(int(rng.choice((0, 1, 2, 4), p=(0.5, 0.2, 0.2, 0.1)))):
                angle, depth = rng.uniform(0, 2 * np.pi), radius * rng.uniform(0.1, 0.3)
                out = np.array([np.cos(angle), np.sin(angle), 0.0])
                x, y, _ = (out * radius).tolist()
                push = (-out[0] * depth, -out[1] * depth, 0.0)
                dents.append(bends.Dent((x, y, height * rng.uniform(0.1, 0.9)), push, radius * rng.uniform(0.35, 0.6)))
        squeeze = None
        if style == "plastic" and rng.random() < 0.15:
            squeeze = bends.Squeeze(height / 2, height / 2, rng.uniform(0, 3.1), rng.uniform(0.04, 0.12))
        return cls(
            style=style,
            radius=radius,
            height=height,
            bulge=rng.uniform(0.1, 0.2) if style == "wood" else rng.uniform(0.0, 0.05) if style == "keg" else 0.0,
            hoops=hoops,
            hoop=radius * rng.uniform(0.02, 0.045),
            rim=radius * rng.uniform(0.02, 0.05),
            dents=tuple(dents),
            squeeze=squeeze,
        )

    def build(self) -> Solid:
        """Make its surfaces (side, ends, and hoops of a wooden barrel) and colliders."""
        r, h = self.radius, self.height
        side, ends = {"steel": self._steel, "plastic": self._plastic, "wood": self._wood, "keg": self._keg}[
            self.style
        ]()
        surfaces = [self._turned(side), meshes.merge([meshes.lathe(end, _SEGMENTS) for end in ends])]
        if self.style == "wood":
            surfaces.append(meshes.merge([self._hoop(at) for at in self.hoops]))
        surfaces[1] = forms.planar(surfaces[1])
        fields = [f for f in (*self.dents, self.squeeze) if f is not None]
        if fields:
            surfaces = [bends.displaced(surface, bends.chain(fields)) for surface in surfaces]
        if self.bulge > 0.0:
            at = np.linspace(0.0, 1.0, 5)
            rings = [forms.ring(forms.circle(float(self._stave(a)), _SEGMENTS), float(a) * h) for a in at]
            return shapes.solid(surfaces, [shapes.hull(forms.cloud(rings))])
        return shapes.solid(surfaces, [shapes.drum(r + (self.hoop if self.style == "steel" else 0.0), 0.0, h)])

    def _turned(self, profile: Profile) -> Mesh:
        mesh = meshes.lathe(profile, _SEGMENTS)
        return dataclasses.replace(mesh, uvs=np.stack([mesh.uvs[:, 0], mesh.vertices[:, 2] / self.height], 1))

    def _steel(self) -> tuple[Profile, list[Profile]]:
        r, h, e, rim = self.radius, self.height, self.hoop, self.rim
        side: Profile = [(r + 0.6 * e, 0.0), (r + 0.6 * e, rim), (r, 1.6 * rim)]
        low = 1.6 * rim
        steps = 2 if self.dents else 0
        for at in self.hoops:
            z = at * h
            side += [(r, low + (z - e * 1.6 - low) * (k + 1) / (steps + 1)) for k in range(steps + 1)]
            side += [(r + e, z - 0.5 * e), (r + e, z + 0.5 * e), (r, z + 1.6 * e)]
            low = z + 1.6 * e
        high = h - 1.6 * rim
        side += [(r, low + (high - low) * (k + 1) / (steps + 1)) for k in range(steps + 1)]
        side += [(r + 0.6 * e, h - rim), (r + 0.6 * e, h)]
        lip, deep = r - 1.2 * rim, 1.2 * rim
        top: Profile = [(r + 0.6 * e, h), (lip, h), (lip, h - deep), (0.0, h - deep)]
        bottom: Profile = [(0.0, deep), (lip, deep), (lip, 0.0), (r + 0.6 * e, 0.0)]
        plugs: list[Profile] = [[(0.16 * r, h - deep), (0.14 * r, h - 0.4 * deep), (0.0, h - 0.4 * deep)]]
        return side, [top, bottom, *plugs]

    def _plastic(self) -> tuple[Profile, list[Profile]]:
        r, h, e = self.radius, self.height, self.hoop
        neck, shoulder = 0.82 * r, 0.14 * h
        low, high = 0.06 * h, h - shoulder
        side: Profile = [(0.0, 0.0), (0.85 * r, 0.0), (0.96 * r, 0.02 * h), (r, low)]
        for at in self.hoops:
            side += [(r, at * h - 1.5 * e), (r - e, at * h - e), (r - e, at * h + e), (r, at * h + 1.5 * e)]
        bend = np.linspace(0.0, np.pi / 2, 4)
        side += [(neck + (r - neck) * np.cos(a), high + 0.6 * shoulder * np.sin(a)) for a in bend]
        side += [(neck, h - 0.3 * shoulder), (0.0, h - 0.3 * shoulder)]
        lid = 1.06 * neck
        top: Profile = [
            (lid, h - 0.36 * shoulder),
            (lid, h - 0.06 * shoulder),
            (0.95 * lid, h),
            (0.8 * lid, h),
            (0.78 * lid, h - 0.1 * shoulder),
            (0.0, h - 0.1 * shoulder),
        ]
        under: Profile = [(neck, h - 0.4 * shoulder), (lid, h - 0.36 * shoulder)]
        return side, [top, under]

    def _stave(self, at: np.ndarray | float) -> np.ndarray:
        """A bulging side's radius at a height given as a share."""
        return self.radius * (1.0 - self.bulge * np.square(2.0 * np.asarray(at, float) - 1.0))

    def _wood(self) -> tuple[Profile, list[Profile]]:
        h = self.height
        side = [(float(self._stave(at)), float(at) * h) for at in np.linspace(0.0, 1.0, 9)]
        end, deep = side[0][0], 0.035 * h
        inner = 0.93 * end
        top: Profile = [(end, h), (inner, h), (inner, h - deep), (0.0, h - deep)]
        return side, [top, [(0.0, deep), (inner, deep), (inner, 0.0), (end, 0.0)]]

    def _hoop(self, at: float) -> Mesh:
        half, thick = 0.016 * self.height, 0.25 * self.hoop
        low, high = float(self._stave(at - 0.016)) + thick, float(self._stave(at + 0.016)) + thick
        z = at * self.height
        return meshes.lathe(
            [(0.93 * low, z - half), (low, z - half), (high, z + half), (0.93 * high, z + half)], _SEGMENTS
        )

    def _keg(self) -> tuple[Profile, list[Profile]]:
        r, h, e = self.radius, self.height, 1.5 * self.hoop
        collar, band = 0.86 * r, 0.14 * h
        side: Profile = [(collar, 0.0), (collar, 0.6 * band), (0.9 * r, 0.8 * band), (0.98 * r, band)]
        for at in (0.36, 0.64):
            side += [(r, at * h - 1.5 * e), (r + e, at * h - 0.5 * e), (r + e, at * h + 0.5 * e), (r, at * h + 1.5 * e)]
        side += [(0.98 * r, h - band), (0.9 * r, h - 0.8 * band), (collar, h - 0.6 * band), (collar, h)]
        inner, deep = 0.9 * collar, 0.7 * band
        top: Profile = [
            (collar, h),
            (inner, h),
            (inner, h - deep),
            (0.22 * r, h - 0.8 * deep),
            (0.2 * r, h - 0.4 * deep),
            (0.0, h - 0.4 * deep),
        ]
        return side, [top, [(0.0, deep), (inner, deep), (inner, 0.0), (collar, 0.0)]]

    def dress(self, rng: np.random.Generator) -> tuple[Material, ...]:
        """A material for each surface of the solid."""
        wear = float(rng.beta(1.5, 2.0))
        if self.style == "wood":
            wood = looks.one_of(_WOOD, rng)
            dark = looks.mix(wood, (0.08, 0.05, 0.03), 0.7)
            staves = looks.material(
                rng, (wood, dark), "planks", contrast=0.8, scale=float(rng.integers(12, 20)), size=96
            )
            ends = looks.material(rng, (wood, dark), "planks", contrast=0.8, scale=7.0)
            iron = looks.one_of(_IRON, rng)
            hoops = looks.material(
                rng, (iron, (0.35, 0.18, 0.08)), "noise", contrast=wear, gloss=(0.1, 0.5), metallic=0.7
            )
            return staves, ends, hoops
        if self.style == "keg":
            steel = looks.vary((0.7, 0.71, 0.72), rng, 0.0, 0.02, 0.15)
            grime = looks.mix(steel, (0.2, 0.18, 0.16), 0.6)
            look = {"contrast": wear, "gloss": (0.4, 0.9), "metallic": 0.9}
            return looks.material(rng, (steel, grime), "worn", **look), looks.material(rng, (steel, grime), **look)
        paint = looks.one_of(_PAINT if self.style == "steel" else _PLASTIC, rng)
        rust = looks.vary((0.36, 0.19, 0.1), rng) if self.style == "steel" else looks.mix(paint, (0.3, 0.27, 0.24), 0.6)
        scuff = looks.mix(paint, (0.85, 0.85, 0.85), 0.6)
        printed = rng.random() < 0.4
        paper: Color = (0.9, 0.9, 0.86)
        colors = (paint, looks.mix(rust, paint, 0.2), paper) if printed else (paint, rust, scuff)
        gloss = (0.1, 0.6) if self.style == "steel" else (0.1, 0.4)
        pattern = "labelled" if printed else "worn"
        side = looks.material(
            rng, colors, pattern, contrast=0.2 + 0.8 * wear if not printed else 1.0, gloss=gloss, size=128
        )
        lid = paint if self.style == "steel" and rng.random() < 0.7 else looks.one_of(_LID, rng)
        return side, looks.material(rng, (lid, rust), "noise", contrast=wear, gloss=gloss)


_WOOD: tuple[tuple[float, Color], ...] = ((0.5, (0.55, 0.36, 0.2)), (0.3, (0.42, 0.27, 0.15)), (0.2, (0.5, 0.45, 0.4)))
_IRON: tuple[tuple[float, Color], ...] = ((0.6, (0.2, 0.2, 0.21)), (0.4, (0.5, 0.5, 0.5)))
_PAINT: tuple[tuple[float, Color], ...] = (
    (0.3, (0.08, 0.2, 0.5)),
    (0.15, (0.1, 0.1, 0.1)),
    (0.12, (0.65, 0.1, 0.08)),
    (0.12, (0.1, 0.35, 0.2)),
    (0.1, (0.85, 0.68, 0.1)),
    (0.08, (0.85, 0.85, 0.83)),
    (0.08, (0.5, 0.52, 0.53)),
    (0.05, (0.85, 0.35, 0.1)),
)
_PLASTIC: tuple[tuple[float, Color], ...] = (
    (0.6, (0.06, 0.22, 0.6)),
    (0.15, (0.9, 0.9, 0.88)),
    (0.15, (0.08, 0.08, 0.08)),
    (0.1, (0.1, 0.4, 0.25)),
)
_LID: tuple[tuple[float, Color], ...] = ((0.6, (0.08, 0.08, 0.08)), (0.2, (0.85, 0.85, 0.83)), (0.2, (0.65, 0.1, 0.08)))

KINDS: dict[str, Kind] = {
    "barrel": Kind(Barrel.sample, (0.3, 0.95), Barrel.dress, upright=0.75, density=120.0),
}
