"""Instances of a user's object: their shapes and looks, drawn from the generator."""

from __future__ import annotations

import dataclasses
import functools
from pathlib import Path

import numpy as np

from perception_common.errors import UserError

from .. import shapes
from ..catalogue import looks
from ..params import ObjectParams
from ..randomize import Chance, Choice, Color
from ..scene import Material
from ..shapes import Shape, Solid
from ..shapes.forms import cloud, scaled
from ..textures import GENERAL, Texture
from ..textures import picture as texture_image
from . import folder as folders

_KEPT = 32


@dataclasses.dataclass(frozen=True)
class MeshShape:
    """An instance of the object in ``folder`` whose files have that digest (`folder.sha256`).

    ``scale`` are metres along x, y and z for one unit of the stored mesh, whose longest side is 1.
    """

    folder: str
    sha256: str
    scale: tuple[float, float, float]

    def build(self) -> Solid:
        """Make its surfaces and colliders.

        Raises:
            UserError: the object is gone, or is not the one that was sampled.

        """
        whole = _solid(self.folder, self.sha256)
        colliders = [shapes.hull(cloud(piece.mesh.vertices * self.scale)) for piece in whole.colliders if piece.mesh]
        return shapes.solid([scaled(surface, self.scale) for surface in whole.surfaces], colliders)


@functools.lru_cache(maxsize=_KEPT)
def _solid(folder: str, sha256: str) -> Solid:
    """The object in a folder, longest side 1 m."""
    if folders.sha256(Path(folder)) != sha256:
        raise UserError(
            "the object was changed since it was first used here",
            where=folder,
            fix="start again, with an output directory of its own",
        )
    return folders.read_solid(Path(folder))


@dataclasses.dataclass(frozen=True)
class Sampler:
    """Draws instances of an object: `catalogue.kinds.Kind.sample`."""

    folder: str
    sha256: str
    stretch: float

    def __call__(self, size: float, rng: np.random.Generator) -> MeshShape:
        """Draw one of a nominal ``size`` (longest side) in metres."""
        x, y, z = (size * np.exp(rng.uniform(-self.stretch, self.stretch, 3))).tolist()
        return MeshShape(self.folder, self.sha256, (x, y, z))


@dataclasses.dataclass(frozen=True)
class Dresser:
    """Draws what an instance wears: `catalogue.kinds.Kind.dress`."""

    folder: str
    params: ObjectParams
    materials: tuple[folders.Material, ...]

    def __call__(self, shape: Shape, rng: np.random.Generator) -> tuple[Material, ...]:
        """One material for each surface: the object's own, a little off, or with some probability any."""
        if not Chance(self.params.keep_texture)(rng):
            return tuple(_any(rng) for _ in self.materials)
        turn = float(rng.uniform(-self.params.hue, self.params.hue))
        gain = float(np.exp(rng.uniform(-self.params.brightness, self.params.brightness)))
        variant = float(rng.uniform())
        return tuple(self._own(material, turn, gain, variant, rng) for material in self.materials)

    def _own(
        self, own: folders.Material, turn: float, gain: float, variant: float, rng: np.random.Generator
    ) -> Material:
        size, seed = self.params.texture_px, int(rng.integers(1 << 31))
        if own.textures:
            # All surfaces of an instance take the same place in their lists: a set of textures goes together.
            file = str(Path(self.folder) / own.textures[int(variant * len(own.textures))])
            gains = (gain, gain, gain)
            texture = Texture(texture_image.PATTERN, (gains,), 1.0, 2.0 * np.pi * turn, 1.0, seed, size, file)
        elif own.color is not None:
            color = _shifted(own.color, turn, gain)
            texture = Texture("plain", (color, color), 1.0, 0.0, 0.0, seed, 16)
        else:
            return _any(rng)
        shine = (1.0 - own.roughness) * 0.8
        return Material(texture, shine, 0.1 + 0.85 * shine, own.roughness, own.metallic, own.alpha)


def _shifted(color: tuple[float, float, float], turn: float, gain: float) -> tuple[float, float, float]:
    """A colour as `texture_image.paint` shifts a picture's."""
    pixel = np.rint(np.array([[color]]) * 255.0).astype(np.uint8)
    red, green, blue = (texture_image.shifted(pixel, (gain, gain, gain), 2.0 * np.pi * turn)[0, 0] / 255.0).tolist()
    return red, green, blue


def _any(rng: np.random.Generator) -> Material:
    """Any colours in any pattern."""
    colors = [Color((0.0, 1.0), (0.1, 1.0))(rng) for _ in range(2)]
    scale = float(rng.integers(1, 7))
    return looks.material(rng, colors, Choice(GENERAL)(rng), contrast=rng.uniform(0.2, 1.0), scale=scale)
