"""Look-alikes of nuts in foil: sweets, pralines, chocolate eggs."""

from __future__ import annotations

import dataclasses

import numpy as np

from ... import shapes
from ...scene import Material
from ...shapes import Shape, Solid, forms
from ...shapes import bend as bends
from ...shapes import mesh as meshes
from ...shapes.grown import Grown, Relief, oval
from ...shapes.mesh import Mesh
from ...shapes.turned import Profile
from .. import looks
from ..grown_looks import FOILS, darker, foil, new_seed, plain_skin
from ..kinds import Kind

_NUTS = ("date", "fig", "hazelnut")


@dataclasses.dataclass(frozen=True)
class Sweet:
    """A bar in foil: a flat face with a raised panel, a rounded back, folded ends; ``twist`` ends instead, if not 0.

    ``half`` are its half sizes in metres, ``panel`` the raised panel's share of the face, ``belly`` how far the back
    narrows, ``peak`` how much the ends are drawn out at the face.
    """

    half: tuple[float, float, float]
    corner: float
    panel: tuple[float, float]
    belly: float
    peak: float
    crumple: bends.Ripple
    facets: bends.Ripple
    twist: float
    fan: float

    @classmethod
    def sample(cls, size: float, rng: np.random.Generator) -> Sweet:
        """Draw one of a nominal ``size`` in metres."""
        twisted = rng.random() < 0.2
        x = size * rng.uniform(0.44, 0.52) * (0.62 if twisted else 1.0)
        y = x * rng.uniform(0.36, 0.56) * (1.25 if twisted else 1.0)
        z = y * rng.uniform(0.62, 0.95)
        panel = (rng.uniform(0.3, 0.5), rng.uniform(0.4, 0.62)) if rng.random() < 0.7 else (0.0, 0.0)
        return cls(
            (x, y, z),
            y * rng.uniform(0.25, 0.7),
            panel,
            rng.uniform(0.2, 0.75),
            rng.uniform(0.0, 0.3),
            bends.Ripple.sample(1.6 * y, rng.uniform(0.03, 0.08) * y, 5, rng),
            bends.Ripple.sample(0.5 * y, rng.uniform(0.01, 0.025) * y, 5, rng),
            rng.uniform(0.3, 0.5) if twisted else 0.0,
            rng.uniform(0.7, 1.2),
        )

    def build(self) -> Solid:
        """Make its surface and colliders."""
        rings = [self._ring(level, share) for level, share in self._levels()]
        body = forms.loft([rings[0] * [0.0, 0.0, 1.0], *rings, rings[-1] * [0.0, 0.0, 1.0]])
        body = forms.planar(body)
        parts, colliders = [body], [shapes.hull(forms.cloud(rings[:6]))]
        if self.twist:
            for sign in (-1.0, 1.0):
                fan = self._fan(sign)
                parts.append(fan)
                colliders.append(shapes.hull(forms.cloud(fan.vertices)))
        crumpled = bends.displaced(meshes.merge(parts), bends.chain((self.crumple, self.facets)))
        return shapes.solid([crumpled], colliders)

    def _levels(self) -> list[tuple[float, tuple[float, float]]]:
        """Heights and how wide the bar is there, along x and y: from its back up to the panel."""
        _, _, z = self.half
        b = 1.0 - self.belly
        bend = [(-0.97, 0.45), (-0.8, 0.72), (-0.4, 0.9), (0.3, 0.99), (0.8, 1.0), (0.95, 0.97)]
        levels = [(z * h, ((b + (1.0 - b) * w**2) * w + self.peak * 0.15 * (h + 1.0), w)) for h, w in bend]
        levels.append((z, (levels[-1][1][0] * 0.9, 0.86)))
        p, q = self.panel
        if p:
            levels += [(0.97 * z, (1.25 * p, 1.2 * q)), (1.1 * z, (1.1 * p, 1.02 * q)), (1.12 * z, (p, 0.85 * q))]
        return levels

    def _ring(self, height: float, share: tuple[float, float]) -> np.ndarray:
        x, y, _ = self.half
        wide, deep = x * share[0], y * share[1]
        return forms.ring(_dense_rectangle(wide, deep, min(self.corner, 0.9 * deep, 0.9 * wide)), height)

    def _fan(self, sign: float) -> Mesh:
        """The gathered foil beyond a twist."""
        x, y, _ = self.half
        start, length, out = 0.9 * x, self.twist * x * 2.0, self.fan * y
        folds = np.where(np.arange(13) % 2, 1.0, 0.35)
        angle = np.arange(13) * 2.0 * np.pi / 13
        outline = np.stack([np.cos(angle), np.sin(angle)], 1)
        rings = []
        for along, reach in ((0.0, 0.5), (0.35, 0.22), (0.7, 0.75), (1.0, 1.0)):
            flat = outline * (out * reach * (1.0 + (folds - 1.0) * along))[:, None] * [1.0, 0.55]
            rings.append(np.stack([sign * (start + along * length) + 0 * angle, sign * flat[:, 0], flat[:, 1]], 1))
        inner = rings[-1] * [1.0, 0.2, 0.2] - [sign * 0.5 * length, 0.0, 0.0]
        return forms.loft([*rings, inner, inner * [1.0, 0.0, 0.0]])

    def dress(self, rng: np.random.Generator) -> tuple[Material, ...]:
        """Its foil."""
        return (foil(rng, float(rng.uniform(5.0, 14.0))),)


def _dense_rectangle(half_x: float, half_y: float, corner: float) -> np.ndarray:
    """A rounded rectangle with points along its sides too, float64 [20, 2]."""
    points = forms.rounded_rectangle(half_x, half_y, corner, 3)
    out = []
    for index, point in enumerate(points):
        out.append(point)
        if index % 3 == 2:
            after = points[(index + 1) % len(points)]
            out += [point + (after - point) * share for share in (0.33, 0.67)]
    return np.array(out)


def _praline(size: float, rng: np.random.Generator) -> Grown:
    """A ball in crumpled foil, mostly in a paper cup."""
    r = size * rng.uniform(0.42, 0.5)
    profile = oval(r, 0.0, 1.9 * r, 14)
    reliefs = Relief(0.05, 4, 7), Relief(0.04, 6, 12, True)
    parts: tuple[Profile, ...] = ()
    if rng.random() < 0.6:
        low, high, top = 0.75 * r, 1.12 * r, r * rng.uniform(0.5, 0.8)
        parts = (((0.0, -0.06 * r), (low, -0.06 * r), (high, top), (0.97 * high, top), (0.9 * low, 0.02 * r)),)
    return Grown(profile, reliefs, new_seed(rng), parts=parts, segments=24, lying=False)


def _dress_praline(shape: Shape, rng: np.random.Generator) -> tuple[Material, ...]:
    assert isinstance(shape, Grown)
    cup = looks.one_of(((0.7, (0.3, 0.16, 0.09)), (0.3, (0.9, 0.88, 0.82))), rng)
    paper = looks.material(rng, (cup, darker(cup, 0.5)), "stripes", contrast=0.7, scale=24.0, gloss=(0.0, 0.3))
    return (foil(rng, float(rng.uniform(9.0, 20.0))), paper)[: 1 + bool(shape.parts)]


def _chocolate_egg(size: float, rng: np.random.Generator) -> Grown:
    h = size * rng.uniform(0.85, 1.05)
    reliefs = Relief(0.02, 4, 7), Relief(rng.uniform(0.0, 0.02), 6, 11, True)
    return Grown(oval(h * rng.uniform(0.32, 0.38), 0.0, h, 18, rng.uniform(0.05, 0.18), 0.95), reliefs, new_seed(rng))


def _dress_chocolate_egg(shape: Shape, rng: np.random.Generator) -> tuple[Material, ...]:
    if rng.random() < 0.3:
        brown = looks.vary((0.27, 0.14, 0.08), rng)
        return (plain_skin(brown, rng, contrast=0.3, gloss=(0.2, 0.6)),)
    return (foil(rng, float(rng.uniform(6.0, 14.0)), tuple((1.0, color) for _, color in FOILS)),)


KINDS: dict[str, Kind] = {
    "sweet": Kind(Sweet.sample, (0.024, 0.045), Sweet.dress, density=900.0, resembles=_NUTS),
    "praline": Kind(_praline, (0.022, 0.035), _dress_praline, upright=0.7, density=700.0, resembles=(*_NUTS, "ball")),
    "chocolate_egg": Kind(
        _chocolate_egg, (0.02, 0.06), _dress_chocolate_egg, density=600.0, resembles=(*_NUTS, "ball")
    ),
}
