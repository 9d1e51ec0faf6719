"""Bottles and cans."""

from __future__ import annotations

import numpy as np

from ..scene import Material
from ..shapes import Shape
from ..shapes import bend as bends
from ..shapes.turned import Profile, Turned
from . import looks
from .kinds import Kind
from .looks import Palette
from .packaging import BRIGHT, STEEL, Packed, brand


def _bow(r0: float, r1: float, z0: float, z1: float, steps: int = 6) -> Profile:
    """A smooth shoulder from one radius and height to another."""
    share = (1.0 - np.cos(np.linspace(0.0, np.pi, steps))) / 2.0
    z = np.linspace(z0, z1, steps)
    return tuple((float(r0 + (r1 - r0) * a), float(b)) for a, b in zip(share, z, strict=True))


def _bottle(size: float, rng: np.random.Generator) -> Packed:
    """One of a nominal ``size`` in metres: surfaces are the body, the cap, and where there is one the label."""
    style = str(
        rng.choice(("water", "soda", "wine", "beer", "detergent", "flask"), p=(0.28, 0.16, 0.17, 0.14, 0.15, 0.1))
    )
    h = size * rng.uniform(0.88, 1.05)
    slender = {
        "water": (0.12, 0.17),
        "soda": (0.12, 0.16),
        "wine": (0.11, 0.14),
        "beer": (0.12, 0.15),
        "detergent": (0.17, 0.23),
        "flask": (0.13, 0.18),
    }[style]
    r = h * rng.uniform(*slender)
    shoulder = {
        "water": (0.68, 0.78),
        "soda": (0.6, 0.72),
        "wine": (0.58, 0.68),
        "beer": (0.5, 0.64),
        "detergent": (0.6, 0.76),
        "flask": (0.72, 0.85),
    }[style]
    neck = {
        "water": (0.36, 0.45),
        "soda": (0.33, 0.42),
        "wine": (0.34, 0.42),
        "beer": (0.38, 0.46),
        "detergent": (0.35, 0.6),
        "flask": (0.5, 0.85),
    }[style]
    low, n = h * rng.uniform(*shoulder), r * rng.uniform(*neck)
    rise = h * rng.uniform(0.1, 0.17) if style != "flask" else h * rng.uniform(0.04, 0.08)
    cap = (
        {"water": 0.06, "soda": 0.07, "wine": 0.16, "beer": 0.02, "detergent": 0.1, "flask": 0.11}[style]
        * h
        * rng.uniform(0.8, 1.2)
    )
    foot = rng.uniform(0.82, 0.95)
    side: list[tuple[float, float]] = [(0.0, 0.012 * h), (0.7 * foot * r, 0.0), (foot * r, 0.0), (r, 0.04 * h)]
    band = sorted(rng.uniform(0.1, 0.9, 2) * low)
    if band[1] - band[0] < 0.25 * low:
        band = [0.3 * low, 0.65 * low]
    if style == "water":
        for z in np.linspace(0.08 * h, low, int(rng.integers(5, 9)))[:-1]:
            if not band[0] - 0.02 * h < z < band[1] + 0.02 * h:
                side += [(r, float(z) - 0.012 * h), (0.95 * r, float(z)), (r, float(z) + 0.012 * h)]
    elif style == "soda" and rng.random() < 0.6:
        side += [(r, 0.25 * low), (r * rng.uniform(0.85, 0.94), 0.4 * low), (r, 0.62 * low)]
        band = [0.68 * low, 0.95 * low]
    top = low + rise
    side += [*_bow(r, n, low, top), (n, h - 0.3 * cap), (0.0, h - 0.3 * cap)]
    wide = n * (1.06 if style in ("wine", "beer") else rng.uniform(1.1, 1.3))
    lid: Profile = ((n, h - cap), (wide, h - cap), (wide, h - 0.1 * cap), (0.9 * wide, h), (0.0, h))
    parts: list[tuple[Profile, ...]] = [(tuple(side),), (lid,)]
    if rng.random() < {"flask": 0.2, "wine": 0.9}.get(style, 0.95):
        out = 1.012 * r
        parts.append((((0.99 * r, band[0]), (out, band[0]), (out, band[1]), (0.99 * r, band[1])),))
    stretch = (1.0, rng.uniform(0.5, 0.75)) if style == "detergent" else (1.0, 1.0)
    cores: tuple[Profile, ...] = (
        ((foot * r, 0.0), (r, 0.04 * h), (r, low)),
        _bow(r, n, low, top, 4),
        ((wide, top), (wide, h)),
    )
    fields: tuple[bends.Squeeze, ...] = ()
    if style == "water" and rng.random() < 0.2:
        fields = (bends.Squeeze(0.5 * low, 0.3 * low, rng.uniform(0, 3.1), rng.uniform(0.08, 0.3)),)
    return Packed(tuple(parts), cores, 24, stretch, fields, style)


def _dress_bottle(shape: Shape, rng: np.random.Generator) -> tuple[Material, ...]:
    assert isinstance(shape, Turned)
    clear = {"water": 0.8, "soda": 0.7, "wine": 0.5, "beer": 0.5, "detergent": 0.15, "flask": 0.2}[shape.style]
    glass: Palette = {
        "water": ((3, (0.75, 0.85, 0.92)), (1, (0.45, 0.7, 0.9)), (1, (0.5, 0.75, 0.55))),
        "soda": ((3, (0.22, 0.09, 0.05)), (1, (0.9, 0.5, 0.08)), (1, (0.75, 0.85, 0.8)), (1, (0.2, 0.5, 0.2))),
        "wine": ((3, (0.06, 0.12, 0.06)), (1, (0.2, 0.28, 0.1)), (1, (0.75, 0.78, 0.6)), (1, (0.08, 0.05, 0.04))),
        "beer": ((3, (0.3, 0.13, 0.04)), (2, (0.1, 0.3, 0.12)), (1, (0.8, 0.82, 0.75))),
    }.get(shape.style, BRIGHT)
    color = looks.one_of(glass, rng)
    alpha = rng.uniform(0.35, 0.75) if rng.random() < clear else 1.0
    steel = shape.style == "flask" and rng.random() < 0.4
    body = looks.material(
        rng, (STEEL if steel else color,), contrast=0.4, gloss=(0.5, 1.0), alpha=alpha, metallic=0.9 if steel else 0.0
    )
    lid = looks.material(
        rng,
        (looks.one_of(BRIGHT, rng),),
        contrast=0.4,
        gloss=(0.1, 0.6),
        metallic=0.8 if shape.style == "beer" else 0.0,
    )
    return (body, lid, brand(rng))[: len(shape.parts)]


def _can(size: float, rng: np.random.Generator) -> Packed:
    """A drinks can, slim or stout, or a tin of food with ribs; surfaces are the side and the ends."""
    drinks = rng.random() < 0.6
    h = size * rng.uniform(0.9, 1.08)
    r = h * (rng.uniform(0.2, 0.29) if drinks else rng.uniform(0.32, 0.55))
    ends: list[Profile]
    if drinks:
        neck, low = 0.82 * r, 0.05 * h
        side = ((0.78 * r, 0.0), (0.8 * r, 0.008 * h), (r, low), (r, 0.9 * h), (neck, 0.965 * h))
        lid = 0.9 * neck
        ends = [
            ((0.0, 0.05 * h), (0.7 * r, 0.02 * h), (0.74 * r, 0.0), (0.78 * r, 0.0)),
            ((neck, 0.965 * h), (neck * 1.04, h), (0.96 * neck, h), (lid, 0.975 * h), (0.0, 0.975 * h)),
            ((0.3 * r, 0.98 * h), (0.26 * r, 0.99 * h), (0.0, 0.99 * h)),
        ]
        return Packed(
            ((side,), tuple(ends)), (((0.8 * r, 0.0), (r, low), (r, 0.9 * h), (neck, h)),), 26, style="drinks"
        )
    rim, lip = 0.02 * h, 0.012 * r
    paper = rng.random() < 0.7
    out = r - lip
    side_list = [(out, rim)]
    if not paper:
        for z in np.linspace(0.3, 0.7, int(rng.integers(3, 6))) * h:
            side_list += [(out, float(z) - 0.02 * h), (out - 1.5 * lip, float(z)), (out, float(z) + 0.02 * h)]
    side_list.append((out, h - rim))
    ends = []
    for a, b, c in ((0.0, rim, 1), (h, h - rim, -1)):
        ring = [
            (out, b),
            (r, b),
            (r, a),
            (0.96 * r, a),
            (0.94 * r, a + 0.8 * c * rim),
            (0.6 * r, a + 0.8 * c * rim),
            (0.58 * r, a + 0.4 * c * rim),
            (0.0, a + 0.4 * c * rim),
        ]
        ends.append(tuple(ring if c < 0 else reversed(ring)))
    return Packed(((tuple(side_list),), tuple(ends)), (((r, 0.0), (r, h)),), 26, style="paper" if paper else "tin")


def _dress_can(shape: Shape, rng: np.random.Generator) -> tuple[Material, ...]:
    assert isinstance(shape, Turned)
    metal = looks.material(rng, (looks.vary(STEEL, rng),), contrast=0.5, gloss=(0.5, 1.0), metallic=0.95)
    if shape.style == "tin":
        brass = looks.one_of(((3, STEEL), (1, (0.75, 0.62, 0.35))), rng)
        return looks.material(rng, (brass,), "noise", contrast=0.3, gloss=(0.5, 1.0), metallic=0.95), metal
    gloss = (0.4, 0.9) if shape.style == "drinks" else (0.1, 0.5)
    return brand(rng, gloss=gloss, metallic=0.5 if shape.style == "drinks" else 0.0), metal


KINDS: dict[str, Kind] = {
    "bottle": Kind(_bottle, (0.16, 0.35), _dress_bottle, upright=0.7, density=400.0),
    "can": Kind(_can, (0.09, 0.18), _dress_can, upright=0.75, density=500.0),
}
