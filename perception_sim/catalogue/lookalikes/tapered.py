"""Look-alikes of traffic cones by their outline: funnels, loud-hailers, lampshades, pots."""

from __future__ import annotations

import numpy as np

from ...scene import Material
from ...shapes import Shape
from ...shapes.turned import Profile, Turned, open_vessel
from .. import looks
from ..kinds import Kind
from ..plants import PlantPot
from .street import BLACK, ORANGE, WHITE


def _funnel(size: float, rng: np.random.Generator) -> Turned:
    """A funnel, mouth down (on its spout none would stand)."""
    h, r = size * rng.uniform(0.85, 1.1), size * rng.uniform(0.32, 0.48)
    spout, knee = r * rng.uniform(0.1, 0.18), h * rng.uniform(0.45, 0.65)
    mouth: Profile = ((r, 0.0), (r, 0.06 * h), (0.97 * r, 0.07 * h), (1.3 * spout, knee))
    tip: Profile = ((1.3 * spout, knee), (spout, h))
    outer = (*mouth, tip[1])
    inner = tuple((max(x - 0.04 * r, 1e-4), z) for x, z in reversed(outer))
    return Turned(((outer,), ((*inner, outer[0]),)), (mouth, tip), 22)


def _megaphone(size: float, rng: np.random.Generator) -> Turned:
    """A loud-hailer: a horn with a body of another colour behind it."""
    h, r = size * rng.uniform(0.9, 1.1), size * rng.uniform(0.25, 0.36)
    throat = r * rng.uniform(0.25, 0.4)
    t = np.linspace(0.0, 1.0, 6)
    bell = tuple((float(throat + (r - throat) * (1 - a) ** 1.5), float(0.62 * h * a)) for a in t)
    horn = ((0.93 * r, 0.03 * h), (r, 0.0), *bell[1:])
    inside = tuple((0.93 * x, z) for x, z in reversed(bell))
    body = ((throat, 0.62 * h), (1.25 * throat, 0.64 * h), (1.25 * throat, h * 0.97), (1.1 * throat, h), (0.0, h))
    return Turned(((horn,), (body,), (inside,)), (bell, ((1.25 * throat, 0.6 * h), (1.25 * throat, h))), 22)


def _dress_horn(shape: Shape, rng: np.random.Generator) -> tuple[Material, ...]:
    color = looks.one_of((*ORANGE, (0.4, WHITE), (0.3, (0.8, 0.8, 0.1)), (0.2, (0.1, 0.3, 0.7))), rng)
    other = looks.one_of(((0.6, WHITE), (0.4, BLACK)), rng)
    return tuple(looks.material(rng, (c,), gloss=(0.1, 0.6)) for c in (color, other, looks.mix(color, BLACK, 0.3)))


def _dress_funnel(shape: Shape, rng: np.random.Generator) -> tuple[Material, ...]:
    color = looks.one_of((*ORANGE, (0.3, (0.1, 0.3, 0.7)), (0.3, (0.75, 0.76, 0.77)), (0.2, (0.9, 0.75, 0.1))), rng)
    return tuple(looks.material(rng, (c,), gloss=(0.1, 0.6)) for c in (color, looks.mix(color, BLACK, 0.3)))


def _shade(size: float, rng: np.random.Generator) -> Turned:
    """A lampshade, alone or on a foot."""
    h = size * rng.uniform(0.85, 1.05)
    tall = h if rng.random() < 0.5 else h * rng.uniform(0.4, 0.6)
    low = h - tall
    r = tall * rng.uniform(0.45, 0.62)
    top = r * rng.uniform(0.3, 0.7)
    outer: Profile = ((r, low), (top, h))
    shade = ((0.98 * r, low), *open_vessel(outer, 0.02 * r))
    if not low:
        return Turned(((shade,),), (outer,), 24)
    foot, stem = r * rng.uniform(0.55, 0.8), 0.06 * r
    stand = ((0.0, 0.0), (foot, 0.0), (foot, 0.04 * h), (stem, 0.07 * h), (rng.uniform(1.0, 5.0) * stem, 0.5 * low),
             (stem, low), (stem, low + 0.6 * tall), (0.0, low + 0.6 * tall))  # fmt: skip
    cores = (outer, ((foot, 0.0), (foot, 0.04 * h)), ((2 * stem, 0.04 * h), (2 * stem, low)))
    return Turned(((shade,), (stand,)), cores, 24)


def _dress_shade(shape: Shape, rng: np.random.Generator) -> tuple[Material, ...]:
    assert isinstance(shape, Turned)
    color = looks.one_of((*ORANGE, (0.5, (0.93, 0.88, 0.76)), (0.2, (0.7, 0.15, 0.12)), (0.2, (0.3, 0.35, 0.4))), rng)
    pattern = str(rng.choice(("plain", "stripes", "noise"), p=(0.6, 0.15, 0.25)))
    shade = looks.material(rng, (color, looks.mix(color, WHITE, 0.4)), pattern, gloss=(0.0, 0.1))
    stand = looks.material(
        rng, (looks.one_of(((0.4, BLACK), (0.4, (0.7, 0.6, 0.4)), (0.2, WHITE)), rng),), gloss=(0.2, 0.8)
    )
    return (shade, stand)[: len(shape.parts)]


def _dress_flowerpot(shape: Shape, rng: np.random.Generator) -> tuple[Material, ...]:
    assert isinstance(shape, PlantPot)
    return shape.painted(looks.one_of((*ORANGE, (0.6, (0.8, 0.36, 0.18))), rng), rng)


KINDS: dict[str, Kind] = {
    "flowerpot": Kind(
        PlantPot.sample, (0.15, 0.6), _dress_flowerpot, upright=0.6, also=("plant_pot",), resembles=("traffic_cone",)
    ),
    "funnel": Kind(_funnel, (0.12, 0.3), _dress_funnel, upright=0.5, density=80.0, resembles=("traffic_cone",)),
    "lampshade": Kind(_shade, (0.2, 0.5), _dress_shade, upright=0.85, density=80.0, resembles=("traffic_cone",)),
    "megaphone": Kind(_megaphone, (0.25, 0.4), _dress_horn, upright=0.5, density=80.0, resembles=("traffic_cone",)),
}
