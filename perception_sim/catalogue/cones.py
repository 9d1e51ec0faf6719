"""Traffic cones: from sport cones of 15 cm to road cones of a metre, upright, dented or with a bent tip."""

from __future__ import annotations

import dataclasses
import itertools

import numpy as np

from .. import shapes
from ..scene import Material
from ..shapes import Solid, forms
from ..shapes import bend as bends
from ..shapes import mesh as meshes
from ..shapes.mesh import Mesh
from . import cone_styles as styles
from . import looks
from .kinds import Kind

_SEGMENTS = 20


@dataclasses.dataclass(frozen=True)
class TrafficCone:
    """A hollow cone on a base plate; lengths in metres, heights on the body as shares of it (0 foot, 1 tip)."""

    style: str
    height: float
    base: float
    plate: float
    corners: int
    rounding: float
    foot: float
    tip: float
    curve: float
    steps: tuple[tuple[float, float], ...]
    ribs: tuple[tuple[float, float], ...]
    bands: tuple[styles.Span, ...]
    proud: float
    lip: float
    open_tip: bool
    wall: float
    turn: float
    bend: bends.Bend | None
    squeeze: bends.Squeeze | None
    dents: tuple[bends.Dent, ...]

    @classmethod
    def sample(cls, size: float, rng: np.random.Generator) -> TrafficCone:
        """Draw one of a nominal ``size`` in metres."""
        names = list(styles.STYLES)
        chances = np.array([styles.STYLES[name].weight[size < 0.38] for name in names])
        name = names[int(rng.choice(len(names), p=chances / chances.sum()))]
        style = styles.STYLES[name]
        height = size * rng.uniform(*style.height)
        base = height * rng.uniform(*style.base)
        foot, tip = base * rng.uniform(*style.foot) / 2, height * rng.uniform(*style.tip) / 2
        count = int(rng.choice(style.steps))
        steps = tuple((height * rng.uniform(0.012, 0.045), height * rng.uniform(0.006, 0.016)) for _ in range(count))
        ribs = tuple((float(at), height * 0.006) for at in 0.08 + 0.05 * np.arange(rng.integers(2, 5)))
        bend, squeeze, dents = styles.damage(height, foot, rng) if name != "disc" else (None, None, ())
        return cls(
            style=name,
            height=height,
            base=base,
            plate=height * rng.uniform(*style.plate),
            corners=int(rng.choice(style.corners)),
            rounding=rng.uniform(0.1, 0.45),
            foot=foot,
            tip=tip,
            curve=rng.uniform(*style.curve),
            steps=steps,
            ribs=ribs if count == 0 and rng.random() < 0.15 else (),
            bands=styles.bands(style, rng),
            proud=height * rng.choice((0.0015, 0.0025, -0.004)),
            lip=tip * rng.choice((0.0, 0.0, 0.12, 0.2)),
            open_tip=bool(rng.random() < 0.75),
            wall=max(0.06 * tip, 0.006 * height) * rng.uniform(0.9, 1.5),
            turn=rng.uniform(0.0, 0.6),
            bend=bend,
            squeeze=squeeze,
            dents=dents,
        )

    def build(self) -> Solid:
        """Make its surfaces (body, base, inside, and bands where it has some) and colliders."""
        field = bends.chain([f for f in (self.squeeze, *self.dents, self.bend) if f is not None])
        body, inside, bands = self._body()
        surfaces = [body, self._base(), inside, *bands]
        if self.bend or self.squeeze or self.dents:
            surfaces = [s if i == 1 else bends.displaced(s, field) for i, s in enumerate(surfaces)]
        return shapes.solid(surfaces, self._colliders(field))

    def _radius(self, at: np.ndarray | float) -> np.ndarray:
        return np.asarray(self.tip + (self.foot - self.tip) * (1.0 - np.asarray(at, float)) ** self.curve)

    def _z(self, at: np.ndarray | float) -> np.ndarray:
        low = self.plate + sum(height for height, _ in self.steps)
        return np.asarray(low + (self.height - low) * np.asarray(at, float))

    def _body(self) -> tuple[Mesh, Mesh, list[Mesh]]:
        damaged = self.bend is not None or self.squeeze is not None or bool(self.dents)
        straight = self.curve < 1.03
        marks = np.linspace(0.0, 1.0, 11 if damaged else 2 if straight else 5)
        edges = [edge for band in self.bands for edge in band]
        pieces: list[Mesh] = []
        bands: list[Mesh] = []
        for low, high in zip([0.0, *edges], [*edges, 1.0], strict=True):
            # The marks are shared by both sides of a wall, so that dents do not push one through the other.
            at = np.unique(np.r_[low, marks[(marks > low + 0.02) & (marks < high - 0.02)], high])
            profile = np.stack([self._radius(at), self._z(at)], 1)
            if (low, high) in self.bands:
                raised = profile + np.array([self.proud, 0.0])
                bands.append(self._turned(np.concatenate([profile[:1], raised, profile[-1:]])))
                continue
            if low == 0.0:
                profile = np.concatenate([self._foot_profile(), self._ribbed(profile)])
            if high == 1.0:
                profile = np.concatenate([profile, self._tip_profile()])
            pieces.append(self._turned(profile))
        at = np.unique(np.r_[marks, edges])[::-1]
        inner = np.stack([np.maximum(self._radius(at) - self.wall, 1e-3 * self.height), self._z(at)], 1)
        inner[0, 1] -= 0.0 if self.open_tip else self.wall
        floor = [[self.foot - self.wall, self.plate], [self.foot - self.wall, 0.0]]
        top = [] if self.open_tip else [[0.0, inner[0, 1]]]
        inside = self._turned(np.array([*top, *inner.tolist(), *floor]))
        return meshes.merge(pieces), inside, [meshes.merge(bands)] if bands else []

    def _foot_profile(self) -> np.ndarray:
        """From the plate up over the steps, radius and z [P, 2]."""
        out, z = sum(width for _, width in self.steps), self.plate
        points = []
        for height, width in self.steps:
            slope = 0.25 * width
            points += [(self.foot + out, z), (self.foot + out - slope, z + height)]
            out, z = out - width, z + height
        return np.asarray(points, float).reshape(-1, 2)

    def _ribbed(self, profile: np.ndarray) -> np.ndarray:
        """A profile with the ribs put in."""
        half = 0.012
        keep = np.ones(len(profile), bool)
        points = []
        for at, out in self.ribs:
            keep &= abs(profile[:, 1] - self._z(at)) > self._z(2 * half) - self._z(0)
            points += [(self._radius(at + d) + o, self._z(at + d)) for d, o in ((-half, 0.0), (0.0, out), (half, 0.0))]
        if not points:
            return profile
        joined = np.concatenate([profile[keep], np.asarray(points, float)])
        return joined[np.argsort(joined[:, 1], kind="stable")]

    def _tip_profile(self) -> np.ndarray:
        """From the body's end over the rim to the hole, or to the middle of a closed tip."""
        r, h, lip = self.tip, self.height, self.lip
        rim = [(r + lip, h), (r + lip, h + 3 * lip)] if lip else []
        top = h + (3 * lip if lip else 0.0)
        if self.open_tip:
            inner = max(r - self.wall, 1e-3 * self.height)
            return np.asarray([*rim, (inner, top), *([(inner, h)] if lip else [])], float)
        return np.asarray([*rim, (0.7 * (r + lip), top + 0.12 * r), (0.0, top + 0.2 * r)], float)

    def _turned(self, profile: np.ndarray) -> Mesh:
        """A lathe whose texture runs from 0 at the ground to 1 at the tip, and once around."""
        mesh = meshes.lathe([(float(r), float(z)) for r, z in profile], _SEGMENTS)
        uvs = np.stack([mesh.uvs[:, 0], mesh.vertices[:, 2] / self.height], 1)
        return dataclasses.replace(mesh, uvs=uvs)

    def _outline(self) -> np.ndarray:
        if not self.corners:
            return forms.circle(self.base / 2, _SEGMENTS)
        half = self.base / 2
        corner = self.rounding * half * (0.5 if self.corners > 4 else 1.0)
        points = forms.rounded_polygon(self.corners, half, corner, *((3, 2) if self.corners == 4 else (2, 1)))
        cos, sin = np.cos(self.turn), np.sin(self.turn)
        return points @ np.array([[cos, sin], [-sin, cos]])

    def _base(self) -> Mesh:
        outline = self._outline()
        reach = np.linalg.norm(outline, axis=1, keepdims=True)
        hub = outline / reach
        outer = self.foot + sum(width for _, width in self.steps)
        bevel = min(0.5 * self.plate, 0.03 * self.base)
        inset = 1.0 - bevel / (self.base / 2)
        rings = [
            forms.ring(hub * (self.foot - self.wall), 0.0),
            forms.ring(outline, 0.0),
            forms.ring(outline, self.plate - bevel, 0.5 + 0.5 * inset),
            forms.ring(outline, self.plate, inset),
            forms.ring(hub * min(outer, 0.97 * float(reach.min())) * 0.98, self.plate),
        ]
        return forms.planar(forms.loft(rings))

    def _colliders(self, field: bends.Field) -> list[shapes.Collider]:
        outline = self._outline()
        plate = forms.cloud([forms.ring(outline, 0.0), forms.ring(outline, self.plate)])
        levels = (0.0, 0.5, 1.0) if self.bend is None else (0.0, 0.35, 0.6, 0.8, 1.0)
        rings = [forms.ring(forms.circle(1.0, 12) * self._radius(at), float(self._z(at))) for at in levels]
        rings[0][:, 2] = self.plate
        if self.bend is not None:
            rings = [field(points) for points in rings]
        pieces = [forms.cloud(pair) for pair in itertools.pairwise(rings)]
        return [shapes.hull(points) for points in (plate, *pieces)]

    def dress(self, rng: np.random.Generator) -> tuple[Material, ...]:
        """A material for each surface of the solid."""
        color = looks.one_of(styles.BODY, rng)
        wear = float(rng.beta(1.4, 2.2))
        faded = looks.mix(color, (0.95, 0.8, 0.7), rng.uniform(0.0, 0.35) * wear)
        dirt = looks.mix(faded, (0.2, 0.17, 0.14), rng.uniform(0.45, 0.9))
        scuff = looks.mix(faded, (0.1, 0.1, 0.1) if rng.random() < 0.6 else (0.95, 0.9, 0.85), 0.7)
        gloss = (0.0, 0.35)
        glow = looks.glow(faded, rng)
        if self.style != "disc" and rng.random() < 0.08:
            letters = looks.one_of(styles.LETTERS, rng)
            body = looks.material(
                rng, (faded, dirt, letters), "stencilled", contrast=1.0, gloss=gloss, size=128, emission=glow
            )
        else:
            contrast = 0.15 + 0.85 * wear
            body = looks.material(
                rng, (faded, dirt, scuff), "worn", contrast=contrast, gloss=gloss, size=96, emission=glow
            )
        if rng.random() < styles.STYLES[self.style].one_colour:
            plate = looks.material(
                rng, (looks.vary(faded, rng, 0.01, 0.05, 0.08), dirt), "noise", contrast=wear, gloss=gloss
            )
        else:
            black = looks.one_of(styles.RUBBER, rng)
            pattern = "speckle" if rng.random() < 0.35 else "noise"
            light = looks.mix(black, (0.6, 0.56, 0.5), rng.uniform(0.2, 0.7))
            plate = looks.material(rng, (black, light), pattern, contrast=0.2 + 0.6 * wear, gloss=(0.0, 0.2))
        shade = looks.mix(faded, (0.05, 0.03, 0.02), rng.uniform(0.3, 0.6))
        inside = looks.material(rng, (shade,), gloss=(0.0, 0.05))
        if not self.bands:
            return body, plate, inside
        sheet = looks.one_of(styles.SHEETING if color[0] > 0.5 else styles.SHEETING[:2], rng)
        grime = looks.mix(sheet, dirt, 0.7)
        tape = looks.material(
            rng,
            (sheet, grime, looks.mix(sheet, faded, 0.8)),
            "worn",
            contrast=0.1 + 0.8 * wear,
            gloss=(0.1, 0.6),
            emission=0.6 * glow,
            size=96,
        )
        return body, plate, inside, tape


KINDS: dict[str, Kind] = {
    "traffic_cone": Kind(TrafficCone.sample, (0.2, 1.0), TrafficCone.dress, upright=0.85, density=120.0),
}
