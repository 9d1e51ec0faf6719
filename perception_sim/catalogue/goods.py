"""Odds and ends of a household: bananas, rolls of tape, light bulbs."""

from __future__ import annotations

import dataclasses

import numpy as np

from .. import shapes
from ..scene import Material
from ..shapes import Shape, Solid, forms
from ..shapes import mesh as meshes
from ..shapes.mesh import Mesh
from ..shapes.turned import Profile, Turned
from . import looks
from .kinds import Kind
from .packaging import BLACK, BRIGHT, STEEL, WHITE, Packed


@dataclasses.dataclass(frozen=True)
class Banana:
    """A bent, tapering tube with edges, a stalk and a dark tip."""

    bend: float
    arc: float
    thickness: float
    stalk: float
    edges: float

    @classmethod
    def sample(cls, size: float, rng: np.random.Generator) -> Banana:
        """Draw one of a nominal ``size`` in metres."""
        arc = rng.uniform(0.9, 1.9)
        bend = size * rng.uniform(1.0, 1.2) / arc
        return cls(bend, arc, size * rng.uniform(0.09, 0.125), rng.uniform(0.22, 0.35), rng.uniform(0.0, 0.1))

    def build(self) -> Solid:
        """Make its surfaces (fruit, then stalk and tip) and colliders."""
        t = np.linspace(0.0, 1.0, 17)
        radii = self.thickness * np.interp(
            t, [0, 0.04, 0.12, 0.3, 0.7, 0.82, 0.9, 1], [0.3, 0.5, 0.8, 1, 0.95, 0.7, self.stalk, self.stalk]
        )
        angle = np.arange(15) * 2.0 * np.pi / 15
        five = 1.0 + self.edges * np.cos(5.0 * angle)
        along = (t - 0.5) * self.arc
        path = self.bend * np.stack([np.sin(along), np.cos(along), 0 * along], 1)
        out = np.stack([np.sin(along), np.cos(along), 0 * along], 1)
        ring = radii[:, None, None] * five[None, :, None]
        # Along the path, outwards and up are a right-handed frame with the cross-section counter-clockwise.
        points = path[:, None] + ring * (
            np.cos(angle)[None, :, None] * -out[:, None] + np.sin(angle)[None, :, None] * [0.0, 0.0, 1.0]
        )
        body = forms.skin(points[:, ::-1])
        ends = np.stack([np.cos(along), -np.sin(along), 0 * along], 1)[[0, -1]] * self.thickness
        tip = self._knob(points[0], -ends[0], ((1e-3, 0.22), (0.72, 0.18), (1.02, 0.0)))
        stalk = self._knob(points[-1], ends[1], ((1.0, 0.0), (1.25, 0.1), (1.2, 0.45), (1e-3, 0.45)))
        core = slice(1, 17, 2)
        return shapes.solid([body, meshes.merge([tip, stalk])], shapes.rods(path[core], 0.96 * radii[core]))

    @staticmethod
    def _knob(ring: np.ndarray, way: np.ndarray, levels: tuple[tuple[float, float], ...]) -> Mesh:
        """An end: the last ring at these scales, so far along ``way``."""
        middle = ring.mean(0)
        return forms.skin(np.stack([middle + k * (ring - middle) + f * way for k, f in levels])[:, ::-1])

    def dress(self, rng: np.random.Generator) -> tuple[Material, ...]:
        """Green to brown-spotted."""
        peel = looks.one_of(((5, (0.92, 0.76, 0.15)), (2, (0.75, 0.75, 0.2)), (1, (0.85, 0.62, 0.15))), rng)
        spot = looks.mix(peel, (0.25, 0.14, 0.06), rng.uniform(0.3, 0.9))
        pattern = "speckle" if rng.random() < 0.4 else "noise"
        body = looks.material(rng, (peel, spot), pattern, contrast=rng.uniform(0.1, 0.6), scale=3.0, gloss=(0.0, 0.3))
        return body, looks.material(rng, (looks.mix(peel, (0.2, 0.13, 0.06), rng.uniform(0.4, 1.0)),), gloss=(0.0, 0.2))


def _tape(size: float, rng: np.random.Generator) -> Turned:
    """A roll of tape or a spool: surfaces are the tape's outside, its sides, and the core."""
    r = size * rng.uniform(0.45, 0.51)
    h, bore = r * rng.uniform(0.22, 0.95), r * rng.uniform(0.5, 0.86)
    core = max(bore * rng.uniform(0.88, 0.95), bore - 0.004)
    out: Profile = ((r, 0.0), (r, h))
    sides: tuple[Profile, ...] = (((bore, 0.0), (r, 0.0)), ((r, h), (bore, h)))
    inner: Profile = ((bore, h), (core, h), (core, 0.0), (bore, 0.0))
    return Turned(((out,), sides, (inner,)), (((r, 0.0), (r, h)),), 30)


def _dress_tape(shape: Shape, rng: np.random.Generator) -> tuple[Material, ...]:
    tape = looks.one_of(
        ((3, (0.68, 0.5, 0.28)), (2, (0.62, 0.63, 0.65)), (2, BLACK), (1, (0.92, 0.86, 0.65)), *BRIGHT), rng
    )
    outside = looks.material(rng, (tape,), contrast=0.4, gloss=(0.2, 0.8))
    side = looks.mix(tape, (0.5, 0.45, 0.35), rng.uniform(0.0, 0.4))
    wound = looks.material(rng, (side, looks.mix(side, BLACK, 0.3)), "noise", contrast=0.4, scale=8.0, gloss=(0.0, 0.3))
    core = looks.one_of(((3, (0.6, 0.48, 0.34)), (2, WHITE), (1, BLACK)), rng)
    return outside, wound, looks.material(rng, (core,), gloss=(0.0, 0.2))


def _bulb(size: float, rng: np.random.Generator) -> Packed:
    """A lamp: a pear, a globe or a candle of glass on a screw base; surfaces are the glass and the base."""
    h = size * rng.uniform(0.92, 1.05)
    style = str(rng.choice(("pear", "globe", "candle"), p=(0.6, 0.2, 0.2)))
    r = h * {"pear": rng.uniform(0.26, 0.31), "globe": rng.uniform(0.34, 0.4), "candle": rng.uniform(0.15, 0.18)}[style]
    screw, s = 0.24 * h, min(0.13 * h, 0.8 * r)
    middle = h - (r if style != "candle" else 0.45 * h)
    tall = h - middle
    a = np.linspace(np.arcsin(min(-0.55, -0.2)), np.pi / 2, 10)
    ball = [(float(r * np.cos(x)), float(middle + (tall if x > 0 else r) * np.sin(x))) for x in a]
    glass: Profile = ((s, screw), (1.02 * s, screw + 0.04 * h), *ball[:-1], (0.0, h))
    base = [(0.0, 0.0), (0.35 * s, 0.0), (0.45 * s, 0.03 * h), (0.9 * s, 0.05 * h)]
    for z in np.linspace(0.07 * h, screw - 0.02 * h, 5):
        base += [(0.93 * s, float(z)), (s, float(z) + 0.015 * h)]
    cores: tuple[Profile, ...] = (((0.5 * s, 0.0), (s, 0.05 * h), (s, screw)), glass)
    return Packed(((glass,), ((*base, (0.95 * s, screw + 0.005 * h)),)), cores, 22, style=style)


def _dress_bulb(shape: Shape, rng: np.random.Generator) -> tuple[Material, ...]:
    clear = rng.random() < 0.35
    glass = looks.one_of(
        ((4, (0.96, 0.95, 0.92)), (1, (0.95, 0.85, 0.6)), (0.5, (0.8, 0.15, 0.1)), (0.5, (0.1, 0.3, 0.8))), rng
    )
    bulb = looks.material(rng, (glass,), contrast=0.1, gloss=(0.4, 1.0), alpha=rng.uniform(0.35, 0.6) if clear else 1.0)
    metal = looks.one_of(((3, STEEL), (1, (0.75, 0.6, 0.3))), rng)
    return bulb, looks.material(
        rng, (metal, looks.mix(metal, BLACK, 0.5)), "noise", contrast=0.5, gloss=(0.5, 0.9), metallic=0.9
    )


KINDS: dict[str, Kind] = {
    "banana": Kind(Banana.sample, (0.13, 0.22), Banana.dress, upright=0.85, density=900.0),
    "light_bulb": Kind(_bulb, (0.07, 0.14), _dress_bulb, upright=0.1, density=200.0),
    "tape_roll": Kind(_tape, (0.05, 0.13), _dress_tape, upright=0.7, density=600.0),
}
