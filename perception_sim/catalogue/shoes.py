"""Shoes."""

from __future__ import annotations

import dataclasses

import numpy as np

from .. import shapes
from ..scene import Material
from ..shapes import Solid, forms
from ..shapes import mesh as meshes
from . import looks
from .kinds import Kind
from .packaging import BLACK, BRIGHT, WHITE


@dataclasses.dataclass(frozen=True)
class Shoe:
    """A shoe, toes towards +x: ``length`` in metres, the rest in shares of it; ``ankle`` is how high it reaches."""

    length: float
    width: float
    sole: float
    instep: float
    ankle: float
    toe: float
    left: float
    laces: int

    @classmethod
    def sample(cls, size: float, rng: np.random.Generator) -> Shoe:
        """Draw one of a nominal ``size`` in metres."""
        return cls(
            size * rng.uniform(0.92, 1.05),
            rng.uniform(0.165, 0.2),
            rng.uniform(0.05, 0.1),
            rng.uniform(0.2, 0.26),
            rng.uniform(0.3, 0.36) if rng.random() < 0.65 else rng.uniform(0.42, 0.6),
            rng.uniform(0.14, 0.19),
            rng.choice((-1.0, 1.0)),
            int(rng.choice((0, 4, 5, 6))),
        )

    def _outline(self, count: int = 24) -> np.ndarray:
        """The sole's edge [count, 2], counter-clockwise, heel at x = -0.5."""
        angle = np.arange(count) * 2.0 * np.pi / count
        x = 0.5 * np.cos(angle)
        ball = np.interp(x, [-0.5, -0.3, -0.05, 0.25, 0.5], [0.72, 0.8, 0.74, 1.0, 0.85])
        y = self.width * ball * np.sign(np.sin(angle)) * np.abs(np.sin(angle)) ** 0.75
        inward = 0.05 * self.left * np.clip(x + 0.1, 0.0, 1.0) ** 1.5
        return np.stack([x, y + inward], 1)

    def _ridge(self, x: np.ndarray) -> np.ndarray:
        """How high the upper is above the ground at places along the shoe."""
        knots = [-0.5, -0.1, 0.1, 0.3, 0.5]
        heights = [self.ankle, self.ankle, self.instep + 0.04, self.toe, 0.75 * self.toe]
        near = np.asarray(x)[..., None] + np.linspace(-0.1, 0.1, 5)
        return np.asarray(np.interp(near, knots, heights).mean(-1))

    def build(self) -> Solid:
        """Make its surfaces (sole, upper, lining, laces) and colliders."""
        edge = self._outline()
        heel, s = -0.5, self.sole
        rings = [
            forms.ring(edge * 0.97, 0.0),
            forms.ring(edge * 1.02, 0.25 * s),
            forms.ring(edge * 1.02, s),
            forms.ring(edge * 0.96, 1.02 * s),
        ]
        sole = forms.loft([rings[0] * [0, 0, 1.0], *rings, rings[-1] * [0, 0, 1.0] + [0, 0, 1e-4]])
        levels = np.linspace(0.0, 1.0, 7)
        upper = []
        for a in levels:
            # Rings tilt: their front rises from the toe cap to the instep, and they shrink towards the ankle.
            reach = 1.0 - 0.52 * a**0.8
            wide = 1.0 - 0.42 * a**1.6
            x = heel + 0.02 * a + (edge[:, 0] * 0.97 - heel) * reach
            top = self._ridge(x)
            z = s + (top - s) * a ** (0.9)
            upper.append(np.stack([x, edge[:, 1] * 0.97 * wide, z], 1))
        top_ring = upper[-1]
        middle = top_ring.mean(0)
        inner = [
            middle + (top_ring - middle) * k + [0.0, 0.0, f]
            for k, f in ((0.86, 0.0), (0.8, -0.4 * (self.ankle - s)), (0.78, -0.75 * (self.ankle - s)))
        ]
        outside = forms.skin(np.array(upper))
        lining = forms.loft([top_ring, *inner, inner[-1].mean(0) + 0.0 * inner[-1]])
        surfaces = [sole, outside, lining]
        bars = []
        for k in range(self.laces):
            x = -0.02 + 0.2 * (k / max(self.laces - 1, 1))
            half, up = 0.05, 0.97 * float(self._ridge(np.array(x)))
            bars.append(
                meshes.tube(
                    np.array(
                        [
                            (x - 0.01, -half * 1.3, up - 0.03),
                            (x, -half, up),
                            (x, half, up),
                            (x - 0.01, half * 1.3, up - 0.03),
                        ]
                    ),
                    0.009,
                    6,
                )
            )
        if bars:
            surfaces.append(meshes.merge(bars))
        scale = self.length
        made = [forms.scaled(surface, (scale, scale, scale)) for surface in surfaces]
        hulls = [
            shapes.hull(forms.cloud(np.array(rings[:3]) * scale)),
            shapes.hull(forms.cloud(np.array(upper[:4]) * scale)),
            shapes.hull(forms.cloud(np.array(upper[3:]) * scale)),
        ]
        return shapes.solid(made, hulls)

    def dress(self, rng: np.random.Generator) -> tuple[Material, ...]:
        """Leather, canvas or mesh with a sole of rubber."""
        color = looks.one_of(((2, WHITE), (2, BLACK), (1, (0.4, 0.24, 0.14)), (0.7, (0.3, 0.31, 0.34)), *BRIGHT), rng)
        other = looks.one_of(((2, WHITE), (1, BLACK), *BRIGHT), rng)
        rubber = looks.one_of(((3, WHITE), (2, BLACK), (1, (0.55, 0.38, 0.22)), (0.5, color)), rng)
        pattern = str(rng.choice(("plain", "noise", "shirt_print", "stripes"), p=(0.45, 0.2, 0.25, 0.1)))
        upper = looks.material(
            rng,
            (color, other),
            pattern,
            contrast=0.7 if pattern in ("shirt_print", "stripes") else 0.3,
            scale=float(rng.integers(2, 6)),
            gloss=(0.0, 0.5),
            size=96,
        )
        dirt = looks.mix(rubber, (0.35, 0.3, 0.25), 0.5)
        sole = looks.material(rng, (rubber, dirt), "noise", contrast=rng.uniform(0.1, 0.7), gloss=(0.0, 0.3))
        lining = looks.material(rng, (looks.mix(other, BLACK, rng.uniform(0.3, 0.9)),), gloss=(0.0, 0.05))
        lace = looks.material(rng, (looks.one_of(((2, WHITE), (1, BLACK), (1, other)), rng),), gloss=(0.0, 0.1))
        return (sole, upper, lining, lace)[: 4 if self.laces else 3]


KINDS: dict[str, Kind] = {
    "shoe": Kind(Shoe.sample, (0.18, 0.31), Shoe.dress, upright=0.85, density=250.0),
}
