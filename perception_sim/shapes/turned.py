"""Turned bodies from lists of profiles: the shape of many simple things, given by numbers alone."""

from __future__ import annotations

import dataclasses

import numpy as np

from .. import shapes
from . import Collider, Solid, forms
from . import bend as bends
from . import mesh as meshes
from .mesh import Mesh

Profile = tuple[tuple[float, float], ...]
"""Radius and z in metres, from the outer bottom upwards (and down again inside an open vessel)."""


@dataclasses.dataclass(frozen=True)
class Turned:
    """Surfaces turned about z, each of one or more profiles, and convex cores (profiles too) for the physics.

    A profile's texture runs around along u and from the ground (0) to the top (1) along v. ``fields`` displace the
    surfaces, ``stretch`` scales x and y; ``style`` is for whoever dresses it.
    """

    parts: tuple[tuple[Profile, ...], ...]
    cores: tuple[Profile, ...]
    segments: int = 24
    stretch: tuple[float, float] = (1.0, 1.0)
    fields: tuple[bends.Dent | bends.Bend | bends.Squeeze | bends.Ripple, ...] = ()
    style: str = ""

    def build(self) -> Solid:
        """Make its surfaces and colliders."""
        height = max(z for part in self.parts for profile in part for _, z in profile)
        surfaces = [meshes.merge([self._surface(profile, height) for profile in part]) for part in self.parts]
        if self.fields:
            surfaces = [bends.displaced(surface, bends.chain(self.fields)) for surface in surfaces]
        if any(isinstance(field, bends.Ripple) for field in self.fields):
            surfaces = [bends.reshaded(surface) for surface in surfaces]
        return shapes.solid(surfaces, [self._core(profile) for profile in self.cores])

    def _surface(self, profile: Profile, height: float) -> Mesh:
        mesh = meshes.lathe(profile, self.segments)
        mesh = dataclasses.replace(mesh, uvs=np.stack([mesh.uvs[:, 0], mesh.vertices[:, 2] / height], 1))
        return mesh if self.stretch == (1.0, 1.0) else forms.scaled(mesh, (*self.stretch, 1.0))

    def _core(self, profile: Profile) -> Collider:
        radii = {r for r, _ in profile}
        if len(radii) == 1 and self.stretch == (1.0, 1.0) and not self.fields:
            heights = [z for _, z in profile]
            return shapes.drum(radii.pop(), min(heights), max(heights))
        outline = forms.circle(1.0, self.segments) * self.stretch
        points = np.concatenate([forms.ring(outline * r, z) for r, z in profile])
        return shapes.hull(forms.cloud(bends.chain(self.fields)(points)))


def open_vessel(outer: Profile, wall: float, floor: float | None = None) -> Profile:
    """A profile continued over its rim and down inside, ``wall`` metres thick, to a floor at that height (or open)."""
    inner = [(max(r - wall, 1e-4), z) for r, z in reversed(outer) if floor is None or z > floor]
    bottom = [] if floor is None else [(max(inner[-1][0] - 0.2 * wall, 1e-4), floor), (0.0, floor)]
    return (*outer, *inner, *bottom)


def dome(radius: float, low: float, high: float, steps: int = 6) -> Profile:
    """A quarter ellipse from (radius, low) up to the axis at ``high``."""
    angle = np.linspace(0.0, np.pi / 2, steps + 1)
    return tuple((float(radius * np.cos(a)), float(low + (high - low) * np.sin(a))) for a in angle)
