"""Hand tools: hammer, screwdriver, wrench, pliers, scissors, and `tool`, which is any of the first four."""

from __future__ import annotations

import dataclasses

import numpy as np

from .. import shapes
from ..scene import Material
from ..shapes import Shape, Solid
from ..shapes import mesh as meshes
from ..shapes.assembly import Assembly, Block, Disc, Part, Rod
from ..shapes.flatware import Flatware, Tube
from ..textures import Color
from . import looks
from .flat_tools import pliers, scissors, wrench
from .kinds import Kind
from .packaging import BLACK, BRIGHT, STEEL

_GRIPS = ((0.35, (0.8, 0.08, 0.06)), (0.3, BLACK), (0.25, (0.95, 0.75, 0.08)), *BRIGHT)
_ASH: Color = (0.72, 0.54, 0.32)


@dataclasses.dataclass(frozen=True)
class Hammer:
    """A handle through a stout head, round, square or with a claw, of another material."""

    length: float
    grip: float
    head: float
    thickness: float
    style: str

    @classmethod
    def sample(cls, size: float, rng: np.random.Generator) -> Hammer:
        """Draw one of a nominal ``size`` in metres."""
        length = size * rng.uniform(1.1, 1.35)
        return cls(
            length,
            length * rng.uniform(0.045, 0.07),
            length * rng.uniform(0.22, 0.32),
            length * rng.uniform(0.075, 0.13),
            str(rng.choice(("round", "square", "claw"), p=(0.35, 0.4, 0.25))),
        )

    def build(self) -> Solid:
        """Make its surfaces (handle, head) and colliders."""
        top = self.length - self.thickness
        handle = meshes.capsule((0, 0, 0), (0, 0, top + 0.8 * self.thickness), self.grip)
        colliders = [shapes.rod((0, 0, 0), (0, 0, top), self.grip)]
        t, h = self.thickness, self.head
        across = meshes.rotation_between((0, 0, 1), (1, 0, 0))
        if self.style == "square":
            half = (h, 0.85 * t, 0.85 * t)
            head = meshes.box(half).moved((0, 0, top))
            colliders.append(shapes.block(half, (0, 0, top)))
        elif self.style == "round":
            profile = [
                (0, -h),
                (0.9 * t, -h),
                (t, -0.9 * h),
                (t, -0.6 * h),
                (0.75 * t, -0.5 * h),
                (0.75 * t, 0.5 * h),
                (t, 0.6 * h),
                (t, 0.9 * h),
                (0.9 * t, h),
                (0, h),
            ]
            head = meshes.lathe(profile, 20).moved((0, 0, top), across)
            colliders.append(shapes.rod((-h, 0, top), (h, 0, top), t, "cylinder"))
        else:
            profile = [
                (0, -0.25 * h),
                (0.8 * t, -0.25 * h),
                (0.7 * t, 0.3 * h),
                (0.65 * t, 0.5 * h),
                (t, 0.6 * h),
                (t, 0.95 * h),
                (0.9 * t, h),
                (0, h),
            ]
            parts = [meshes.lathe(profile, 18).moved((0, 0, top), across)]
            colliders.append(shapes.rod((-0.2 * h, 0, top), (h, 0, top), 0.85 * t, "cylinder"))
            # Two curved prongs.
            s = np.linspace(0.0, 1.0, 6)
            for side in (-1.0, 1.0):
                path = np.stack(
                    [-0.15 * h - 0.95 * h * s, side * 0.42 * t * (0.6 + 0.6 * s), top + 0.25 * t - 1.1 * t * s**2], 1
                )
                size = 0.42 * t * (1.0 - 0.75 * s)
                prong = Tube(tuple(map(tuple, path.tolist())), tuple(size.tolist()))
                parts.append(prong.mesh())
                colliders += prong.colliders()
            head = meshes.merge(parts)
        # Laid down: a hammer balanced on the end of its handle is not a resting pose.
        down = meshes.rotation_between((0, 0, 1), (0, 1, 0))
        turned = [dataclasses.replace(c, position=down @ c.position, rotation=down @ c.rotation) for c in colliders]
        return shapes.solid([handle.moved(rotation=down), head.moved(rotation=down)], turned)


def _screwdriver(size: float, rng: np.random.Generator) -> Assembly:
    """Along x: surfaces are the handle, the blade, and a ring of another colour."""
    length = size * rng.uniform(0.9, 1.1)
    grip, r = length * rng.uniform(0.38, 0.55), length * rng.uniform(0.055, 0.085)
    waist = rng.uniform(0.6, 0.85)
    profile = (
        (0.0, 0.0),
        (0.6 * r, 0.0),
        (0.9 * r, 0.08 * grip),
        (r, 0.3 * grip),
        (0.95 * r, 0.6 * grip),
        (waist * r, 0.78 * grip),
        (0.85 * r, 0.92 * grip),
        (0.5 * r, grip),
        (0.0, grip),
    )
    axis = (1.0, 0.0, 0.0)
    # Six-sided handles do not roll away.
    handle = Disc(profile, axis=axis, segments=int(rng.choice((6, 8, 14))))
    shaft = r * rng.uniform(0.22, 0.34)
    end = length - 0.05 * length
    blade: list[Part] = [
        Rod((grip, 0.0, 0.0), (end, 0.0, 0.0), shaft),
        Rod((end, 0.0, 0.0), (length, 0.0, 0.0), shaft, 0.35),
    ]
    if rng.random() < 0.5:
        blade[1] = Rod((end, 0.0, 0.0), (end + 0.001, 0.0, 0.0), shaft)
        blade.append(Block((end + 0.02 * length, 0.0, 0.0), (0.03 * length, 1.25 * shaft, 0.4 * shaft)))
    at = rng.uniform(0.06, 0.12) * grip
    ring = Disc(
        ((0.9 * r, 0.0), (1.03 * r, 0.0), (1.03 * r, 0.08 * grip), (0.9 * r, 0.08 * grip)),
        (at + 0.1 * grip, 0.0, 0.0),
        axis,
        14,
    )
    return Assembly(((handle,), tuple(blade), (ring,)), "screwdriver")


def _tool(size: float, rng: np.random.Generator) -> Shape:
    sample = (Hammer.sample, _screwdriver, wrench, pliers)[int(rng.integers(4))]
    return sample(size * (0.75 if sample == Hammer.sample else 1.0), rng)


def _iron(rng: np.random.Generator, rust: float = 0.4) -> Material:
    metal = looks.one_of(((3, STEEL), (2, (0.4, 0.41, 0.42)), (1, (0.16, 0.16, 0.17))), rng)
    worn = looks.mix(metal, (0.35, 0.2, 0.12) if rng.random() < rust else (0.2, 0.2, 0.2), 0.7)
    return looks.material(rng, (metal, worn), "noise", contrast=rng.uniform(0.1, 0.9), gloss=(0.3, 0.9), metallic=0.9)


def _grip(rng: np.random.Generator, wood: float = 0.0) -> Material:
    if rng.random() < wood:
        ash = looks.vary(_ASH, rng)
        return looks.material(rng, (ash, looks.mix(ash, BLACK, 0.4)), "wood", contrast=0.6, gloss=(0.0, 0.3))
    color = looks.one_of(_GRIPS, rng)
    pattern = "stripes" if rng.random() < 0.25 else "plain"
    return looks.material(
        rng,
        (color, looks.one_of(_GRIPS, rng)),
        pattern,
        contrast=0.6 if pattern == "stripes" else 0.3,
        gloss=(0.1, 0.6),
    )


def dress(shape: Shape, rng: np.random.Generator) -> tuple[Material, ...]:
    """What tools look like: steel, painted or wooden grips."""
    if isinstance(shape, Hammer):
        return _grip(rng, 0.6), _iron(rng)
    if isinstance(shape, Assembly):
        return _grip(rng, 0.1), _iron(rng, 0.2), looks.material(rng, (looks.one_of(_GRIPS, rng),), gloss=(0.1, 0.6))
    assert isinstance(shape, Flatware)
    return (_iron(rng, 0.2), _grip(rng))[: len(shape.surfaces)]


_TOOLS = ("hammer", "screwdriver", "wrench", "pliers")


KINDS: dict[str, Kind] = {
    "hammer": Kind(Hammer.sample, (0.16, 0.3), dress, density=900.0, also=("tool",)),
    "pliers": Kind(pliers, (0.13, 0.23), dress, upright=0.8, density=3000.0, also=("tool",)),
    "scissors": Kind(scissors, (0.12, 0.24), dress, upright=0.8, density=2000.0),
    "screwdriver": Kind(_screwdriver, (0.12, 0.28), dress, density=1500.0, also=("tool",)),
    # Any of those: so it is never beside one of them as a thing of no class.
    "tool": Kind(_tool, (0.14, 0.28), dress, density=2000.0, also=_TOOLS),
    "wrench": Kind(wrench, (0.12, 0.3), dress, upright=0.8, density=4000.0, also=("tool",)),
}
