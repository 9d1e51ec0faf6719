"""What people wear: skin, cloth, shoes, hair, high-visibility vests."""

from __future__ import annotations

import dataclasses

import numpy as np

from ..scene import Material
from ..shapes.mesh import Mesh
from ..textures import Color
from . import looks


def spread(mesh: Mesh) -> Mesh:
    """The mesh with its texture stretched so that v runs once from its lowest to its highest point."""
    z = mesh.vertices[:, 2]
    v = (z - z.min()) / (z.max() - z.min() + 1e-12)
    return dataclasses.replace(mesh, uvs=np.stack([mesh.uvs[:, 0], v], 1))


def outfit(head: str, vest: bool, rng: np.random.Generator) -> tuple[Material, ...]:
    """Materials for skin, upper and lower clothes, shoes, what is on the ``head`` and a ``vest``, as far as worn."""
    tone = looks.one_of(_SKIN, rng)
    skin = looks.material(rng, (tone, looks.mix(tone, (0.5, 0.2, 0.15), 0.3)), gloss=(0.0, 0.2))
    worn = [skin, _cloth(_UPPER, rng), _cloth(_LOWER, rng, plain=0.95), _cloth(_SHOES, rng, plain=1.0)]
    if head != "bald":
        worn.append(_cloth(_HATS if head == "hat" else _HAIR, rng, plain=0.9))
    if vest:
        color = looks.vary((0.75, 0.95, 0.12) if rng.random() < 0.5 else (1.0, 0.36, 0.06), rng)
        grey = looks.vary((0.75, 0.76, 0.78), rng, 0.0, 0.02, 0.15)
        worn.append(looks.material(rng, (color, looks.mix(color, (0, 0, 0), 0.5), grey), "vest", contrast=1.0))
    return tuple(worn)


def _cloth(palette: tuple[tuple[float, Color], ...], rng: np.random.Generator, plain: float = 0.6) -> Material:
    color = looks.one_of(palette, rng)
    fold = looks.mix(color, (0.0, 0.0, 0.0), 0.4)
    if rng.random() < plain:
        return looks.material(rng, (color, fold), "noise", contrast=rng.uniform(0.2, 0.6), scale=4.0, gloss=(0.0, 0.1))
    pattern = str(rng.choice(("stripes", "checker", "dots", "shirt_print")))
    angle = float(rng.choice((0.0, np.pi / 2)))
    second = looks.one_of(palette, rng)
    scale = float(rng.integers(4, 14))
    return looks.material(
        rng, (color, second, second), pattern, contrast=0.8, scale=scale, angle=angle, gloss=(0.0, 0.1)
    )


_SKIN: tuple[tuple[float, Color], ...] = (
    (0.3, (0.87, 0.68, 0.56)),
    (0.25, (0.76, 0.56, 0.43)),
    (0.25, (0.55, 0.37, 0.26)),
    (0.2, (0.33, 0.21, 0.15)),
)
_UPPER: tuple[tuple[float, Color], ...] = (
    (0.18, (0.1, 0.1, 0.11)),
    (0.15, (0.88, 0.88, 0.86)),
    (0.12, (0.14, 0.18, 0.32)),
    (0.12, (0.45, 0.45, 0.46)),
    (0.1, (0.6, 0.1, 0.1)),
    (0.1, (0.2, 0.35, 0.6)),
    (0.08, (0.2, 0.35, 0.22)),
    (0.07, (0.8, 0.7, 0.3)),
    (0.05, (0.9, 0.45, 0.15)),
    (0.05, (0.75, 0.45, 0.55)),
)
_LOWER: tuple[tuple[float, Color], ...] = (
    (0.35, (0.18, 0.24, 0.38)),
    (0.3, (0.1, 0.1, 0.11)),
    (0.15, (0.4, 0.38, 0.34)),
    (0.12, (0.62, 0.55, 0.42)),
    (0.08, (0.75, 0.75, 0.73)),
)
_SHOES: tuple[tuple[float, Color], ...] = (
    (0.5, (0.08, 0.08, 0.08)),
    (0.25, (0.35, 0.22, 0.13)),
    (0.25, (0.88, 0.88, 0.88)),
)
_HAIR: tuple[tuple[float, Color], ...] = (
    (0.4, (0.06, 0.05, 0.04)),
    (0.3, (0.22, 0.14, 0.08)),
    (0.15, (0.6, 0.45, 0.25)),
    (0.15, (0.55, 0.55, 0.55)),
)
_HATS: tuple[tuple[float, Color], ...] = (
    (0.3, (0.95, 0.8, 0.1)),
    (0.25, (0.92, 0.92, 0.9)),
    (0.2, (0.1, 0.1, 0.12)),
    (0.15, (0.15, 0.25, 0.5)),
    (0.1, (0.7, 0.12, 0.1)),
)
