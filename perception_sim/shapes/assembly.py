"""Things put together from rods, blocks and turned parts: the shape of furniture, signs and the like."""

from __future__ import annotations

import dataclasses
from typing import TypeAlias

import numpy as np

from .. import shapes
from . import Collider, Solid, forms, many
from . import mesh as meshes
from .mesh import Mesh

Point: TypeAlias = tuple[float, float, float]


@dataclasses.dataclass(frozen=True)
class Rod:
    """A round rod between two points (metres); ``radius`` at its start and ``radius * taper`` at its end."""

    start: Point
    end: Point
    radius: float
    taper: float = 1.0
    solid: bool = True

    def collider(self) -> Collider:
        """A cylinder of its mean radius."""
        return shapes.rod(self.start, self.end, self.radius * (1.0 + self.taper) / 2.0, "cylinder")


@dataclasses.dataclass(frozen=True)
class Block:
    """A box of half sizes ``half``, turned by ``tilt`` (radians about x, then y, then z), edges rounded by ``edge``."""

    centre: Point
    half: Point
    tilt: Point = (0.0, 0.0, 0.0)
    edge: float = 0.0
    solid: bool = True

    def turn(self) -> np.ndarray:
        """Its rotation [3, 3]."""
        (cx, cy, cz), (sx, sy, sz) = np.cos(self.tilt), np.sin(self.tilt)
        x = np.array([[1, 0, 0], [0, cx, -sx], [0, sx, cx]])
        y = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
        return np.array([[cz, -sz, 0], [sz, cz, 0], [0, 0, 1]]) @ y @ x

    def collider(self) -> Collider:
        """The whole box."""
        return shapes.block(self.half, self.centre, self.turn())


@dataclasses.dataclass(frozen=True)
class Disc:
    """A turned body: a profile (radius, z) about an axis through ``centre``; its collider is its hull."""

    profile: tuple[tuple[float, float], ...]
    centre: Point = (0.0, 0.0, 0.0)
    axis: Point = (0.0, 0.0, 1.0)
    segments: int = 20
    solid: bool = True

    def mesh(self) -> Mesh:
        """Its surface; on a tall one the texture runs from 0 at the foot to 1 at the top."""
        mesh = meshes.lathe(self.profile, self.segments)
        z = mesh.vertices[:, 2]
        if np.ptp(z) > 0.3 * mesh.vertices[:, 0].max():
            mesh = dataclasses.replace(mesh, uvs=np.stack([mesh.uvs[:, 0], (z - z.min()) / np.ptp(z)], 1))
        return mesh.moved(self.centre, self.turn())

    def turn(self) -> np.ndarray:
        """Its rotation [3, 3]."""
        return meshes.rotation_between((0.0, 0.0, 1.0), self.axis)

    def collider(self) -> Collider:
        """The convex hull."""
        rings = [forms.ring(forms.circle(r, self.segments), z) for r, z in self.profile if r > 0.0]
        return shapes.hull(forms.cloud(np.concatenate(rings) @ self.turn().T + self.centre))


@dataclasses.dataclass(frozen=True)
class Plate:
    """A flat plate with a plane ``outline`` [P, 2] of that thickness, upright: outline x is y, outline y is z.

    It faces +x after being turned about y by ``pitch``; its texture is 0..1 over the outline's box.
    """

    outline: tuple[tuple[float, float], ...]
    thickness: float
    centre: Point
    pitch: float = 0.0
    solid: bool = True

    def mesh(self) -> Mesh:
        """Its surface."""
        points = np.asarray(self.outline)
        low, high = points.min(0), points.max(0)
        # Drawn lying, then set up: outline x to y, outline y to z.
        plate = forms.slab(points, -self.thickness / 2, self.thickness / 2)
        plate = forms.planar(plate, 0, 1, (float(low[0]), float(low[1]), float(high[0]), float(high[1])))
        back = plate.normals[:, 2] < -0.5
        plate.uvs[back, 0] = 1.0 - plate.uvs[back, 0]
        return plate.moved(self.centre, self.turn())

    def turn(self) -> np.ndarray:
        """Its rotation [3, 3]."""
        cos, sin = np.cos(self.pitch), np.sin(self.pitch)
        return np.array([[cos, 0, sin], [0, 1, 0], [-sin, 0, cos]]) @ np.array([[0, 0, 1.0], [1, 0, 0], [0, 1, 0]])

    def collider(self) -> Collider:
        """The convex hull."""
        points = np.asarray(self.outline)
        rings = [forms.ring(points, z) for z in (-self.thickness / 2, self.thickness / 2)]
        return shapes.hull(forms.cloud(np.concatenate(rings) @ self.turn().T + self.centre))


Part: TypeAlias = Rod | Block | Disc | Plate


@dataclasses.dataclass(frozen=True)
class Assembly:
    """Surfaces of parts (metres, the ground at z = 0); ``style`` is for whoever dresses it.

    Every part that is ``solid`` is a collider as well.
    """

    surfaces: tuple[tuple[Part, ...], ...]
    style: str = ""

    def build(self) -> Solid:
        """Make its surfaces and colliders."""
        colliders = [part.collider() for parts in self.surfaces for part in parts if part.solid]
        return shapes.solid([_surface(parts) for parts in self.surfaces], colliders)


def _surface(parts: tuple[Part, ...]) -> Mesh:
    bars = [part for part in parts if isinstance(part, Rod)]
    boxes = [part for part in parts if isinstance(part, Block) and not part.edge]
    made = [part.mesh() for part in parts if isinstance(part, Disc | Plate)]
    made += [
        forms.rounded_box(part.half, part.edge).moved(part.centre, part.turn())
        for part in parts
        if isinstance(part, Block) and part.edge
    ]
    if bars:
        sizes = np.array([[part.radius, part.radius * part.taper] for part in bars])
        made.append(many.rods([part.start for part in bars], [part.end for part in bars], sizes))
    if boxes:
        turns = np.array([part.turn() for part in boxes])
        made.append(many.boxes([part.centre for part in boxes], [part.half for part in boxes], turns))
    return meshes.merge(made)
