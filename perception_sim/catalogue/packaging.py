"""What packages, bottles and dishes share: colours, prints, and turned bodies that carry them."""

from __future__ import annotations

import dataclasses

import numpy as np

from ..scene import Material
from ..shapes.mesh import Mesh
from ..shapes.turned import Profile, Turned
from ..textures import Color
from . import looks
from .looks import Palette

WHITE: Color = (0.93, 0.93, 0.91)
BLACK: Color = (0.07, 0.07, 0.08)
STEEL: Color = (0.72, 0.73, 0.74)
BRIGHT: Palette = (
    (0.2, (0.78, 0.08, 0.08)),
    (0.18, (0.08, 0.25, 0.65)),
    (0.12, (0.95, 0.78, 0.08)),
    (0.14, (0.1, 0.5, 0.22)),
    (0.1, (0.95, 0.45, 0.08)),
    (0.06, (0.4, 0.15, 0.5)),
    (0.05, (0.1, 0.6, 0.65)),
    (0.05, (0.9, 0.4, 0.55)),
    (0.1, BLACK),
    (0.15, WHITE),
)


@dataclasses.dataclass(frozen=True)
class Packed(Turned):
    """A turned body whose prints run from 0 at the foot to 1 at the top of each profile, not of the whole."""

    def _surface(self, profile: Profile, height: float) -> Mesh:
        mesh = super()._surface(profile, height)
        z = mesh.vertices[:, 2]
        v = (z - z.min()) / max(float(np.ptp(z)), 1e-9)
        return dataclasses.replace(mesh, uvs=np.stack([mesh.uvs[:, 0], v], 1))


def brand(
    rng: np.random.Generator, *, gloss: tuple[float, float] = (0.2, 0.8), size: int = 128, metallic: float = 0.0
) -> Material:
    """A product's print in colours that stand out from each other."""
    ground, second, third = (looks.one_of(BRIGHT, rng) for _ in range(3))
    ink: Color = (
        WHITE if sum(ground) < 1.5 else looks.one_of(((1, BLACK), (1, (0.7, 0.05, 0.05)), (1, (0.05, 0.15, 0.5))), rng)
    )
    return looks.material(
        rng, (ground, second, ink, third), "brand", contrast=1.0, gloss=gloss, size=size, metallic=metallic
    )
