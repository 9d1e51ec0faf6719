"""Boxes with a print on them: packages of food, books, telephones, remotes."""

from __future__ import annotations

import dataclasses

import numpy as np

from .. import shapes
from ..scene import Material
from ..shapes import Solid, forms
from ..shapes import mesh as meshes
from ..shapes.mesh import Mesh
from ..textures import Color
from . import looks
from .kinds import Kind
from .packaging import BLACK, BRIGHT, STEEL, WHITE, brand


def _boxed(half: tuple[float, float, float], u: tuple[tuple[float, float], ...]) -> Mesh:
    """The upright sides of a box: -y (front), +x, +y (back), -x, each with a span of the texture's u; v goes up."""
    x, y, z = half
    ring = [(-x, -y), (x, -y), (x, y), (-x, y)]
    sides = []
    for index, (start, end) in enumerate(u):
        (ax, ay), (bx, by) = ring[index], ring[(index + 1) % 4]
        side = forms.patch([(ax, ay, -z), (bx, by, -z), (bx, by, z), (ax, ay, z)])
        sides.append(dataclasses.replace(side, uvs=side.uvs * [end - start, 1.0] + [start, 0.0]))
    return meshes.merge(sides)


@dataclasses.dataclass(frozen=True)
class Package:
    """A folding carton or a drinks carton with a gable or a cap: half sizes in metres."""

    half: tuple[float, float, float]
    style: str
    roof: float
    cap: tuple[float, float]

    @classmethod
    def sample(cls, size: float, rng: np.random.Generator) -> Package:
        """Draw one of a nominal ``size`` in metres."""
        style = str(rng.choice(("cereal", "flat", "brick", "gable"), p=(0.38, 0.2, 0.22, 0.2)))
        z = size * rng.uniform(0.44, 0.52)
        x, y = {
            "cereal": (rng.uniform(0.55, 0.8), rng.uniform(0.15, 0.32)),
            "flat": (rng.uniform(0.45, 0.9), rng.uniform(0.25, 0.5)),
            "brick": (rng.uniform(0.35, 0.5), rng.uniform(0.28, 0.42)),
            "gable": (rng.uniform(0.32, 0.4), rng.uniform(0.32, 0.4)),
        }[style]
        roof = z * rng.uniform(0.25, 0.4) if style == "gable" else 0.0
        cap = z * rng.uniform(0.09, 0.13) if style in ("brick", "gable") and rng.random() < 0.6 else 0.0
        return cls((x * z, y * z, z - roof / 2), style, roof, (cap, rng.uniform(0.25, 0.6)))

    def build(self) -> Solid:
        """Make its surfaces (printed sides, top and bottom, and a cap where it has one) and colliders."""
        x, y, z = self.half
        print_ = _boxed(self.half, ((0.0, 0.5), (0.5, 0.5 + 0.5 * y / x), (0.5, 1.0), (0.0, 0.5 * y / x)))
        ends = [forms.patch([(-x, y, -z), (x, y, -z), (x, -y, -z), (-x, -y, -z)])]
        colliders = [shapes.block(self.half)]
        radius, at = self.cap
        if self.roof:
            top = z + self.roof
            edge, fin = 0.02 * y, top + 0.3 * self.roof
            ends += [
                forms.patch([(-x, -y, z), (x, -y, z), (x, -edge, top), (-x, -edge, top)]),
                forms.patch([(x, y, z), (-x, y, z), (-x, edge, top), (x, edge, top)]),
                forms.patch([(x, -y, z), (x, y, z), (x, edge, top), (x, -edge, top)]),
                forms.patch([(-x, y, z), (-x, -y, z), (-x, -edge, top), (-x, edge, top)]),
                meshes.box((x, 1.5 * edge, 0.5 * (fin - top))).moved((0, 0, 0.5 * (fin + top))),
            ]
            base = [(-x, -y, z), (x, -y, z), (x, y, z), (-x, y, z), (-x, 0, top), (x, 0, top)]
            colliders += [
                shapes.hull(forms.cloud(base)),
                shapes.block((x, 1.5 * edge, 0.5 * (fin - top)), (0, 0, 0.5 * (fin + top))),
            ]
        else:
            ends.append(forms.patch([(-x, -y, z), (x, -y, z), (x, y, z), (-x, y, z)]))
        surfaces = [print_, meshes.merge(ends)]
        if radius:
            profile = [(radius, 0.0), (radius, 0.8 * radius), (0.9 * radius, 0.95 * radius), (0.0, 0.95 * radius)]
            tilt = np.arctan2(self.roof, y) if self.roof else 0.0
            turn = meshes.rotation_between((0, 0, 1), (0, -np.sin(tilt), np.cos(tilt)))
            place = (
                (0.0, -0.5 * y, z + 0.5 * self.roof - 0.1 * radius) if self.roof else (at * x, 0.0, z - 0.1 * radius)
            )
            cap = meshes.lathe(profile, 14).moved(place, turn)
            surfaces.append(cap)
            colliders.append(shapes.hull(forms.cloud(cap.vertices)))
        return shapes.solid(surfaces, colliders)

    def dress(self, rng: np.random.Generator) -> tuple[Material, ...]:
        """A brand's print; the ends share its ground colour."""
        front = brand(rng, gloss=(0.05, 0.6))
        ends = looks.material(rng, front.texture.colors[:2], "plain", contrast=0.4, gloss=(0.05, 0.5))
        cap = looks.material(rng, (looks.one_of(BRIGHT, rng),), contrast=0.3, gloss=(0.1, 0.6))
        return (front, ends, cap)[: 3 if self.cap[0] else 2]


@dataclasses.dataclass(frozen=True)
class Book:
    """A closed book, lying: half width, height and thickness in metres; a hard cover stands out by ``margin``."""

    half: tuple[float, float, float]
    board: float
    margin: float

    @classmethod
    def sample(cls, size: float, rng: np.random.Generator) -> Book:
        """Draw one of a nominal ``size`` in metres."""
        y = size * rng.uniform(0.45, 0.52)
        hard = rng.random() < 0.5
        half = (y * rng.uniform(0.6, 0.8), y, y * rng.uniform(0.04, 0.22))
        return cls(
            half, y * (rng.uniform(0.012, 0.02) if hard else 0.005), y * (rng.uniform(0.015, 0.03) if hard else 0.0)
        )

    def build(self) -> Solid:
        """Make its surfaces (cover, pages) and colliders."""
        x, y, z = self.half
        b, m = self.board, self.margin
        cover = []
        for side in (-1.0, 1.0):
            slab = meshes.box((x, y, b / 2)).moved((0.0, 0.0, side * (z - b / 2)))
            cover.append(forms.planar(slab, 0, 1, (-x, -y, x, y)))
        # A spine, a little round.
        angle = np.linspace(-np.pi / 2, np.pi / 2, 5)
        outer = np.stack([-x - 0.25 * z * np.cos(angle), z * np.sin(angle)], 1)
        inner = np.array([[-x + 1.5 * b, z - b], [-x + 1.5 * b, -z + b]])
        outline = np.concatenate([outer[::-1], inner[::-1]])
        rings = [np.stack([outline[:, 0], 0 * outline[:, 0] + s * y, outline[:, 1]], 1) for s in (1.0, -1.0)]
        middles = [ring.mean(0) + 0.0 * ring for ring in rings]
        cover.append(forms.loft([middles[0], *rings, middles[1]]))
        pages = meshes.box((x - m, y - m, z - b)).moved((0.0, 0.0, 0.0))
        scale = 0.5 / (z - b)
        sheets = dataclasses.replace(
            pages, uvs=np.stack([pages.vertices[:, 0] + pages.vertices[:, 1], pages.vertices[:, 2] * scale + 0.5], 1)
        )
        return shapes.solid([meshes.merge(cover), sheets], [shapes.block((x + 0.1 * z, y, z), (-0.1 * z, 0.0, 0.0))])

    def dress(self, rng: np.random.Generator) -> tuple[Material, ...]:
        """A printed cover and pages."""
        ground, second = looks.one_of((*BRIGHT, (0.2, (0.35, 0.22, 0.14))), rng), looks.one_of(BRIGHT, rng)
        ink = WHITE if sum(ground) < 1.6 else BLACK
        cover = looks.material(
            rng, (ground, second, ink, looks.one_of(BRIGHT, rng)), "cover", contrast=1.0, gloss=(0.1, 0.7), size=96
        )
        paper = looks.vary((0.9, 0.87, 0.78), rng)
        return cover, looks.material(
            rng, (paper, looks.mix(paper, (0.4, 0.36, 0.3), 0.6)), "pages", contrast=0.8, gloss=(0.0, 0.05)
        )


@dataclasses.dataclass(frozen=True)
class Handset:
    """A telephone or a remote control, lying face up: half sizes in metres; ``edge`` rounds it."""

    half: tuple[float, float, float]
    edge: float
    style: str
    lens: tuple[float, float]

    @classmethod
    def phone(cls, size: float, rng: np.random.Generator) -> Handset:
        """Draw a telephone of a nominal ``size`` in metres."""
        y = size * rng.uniform(0.46, 0.52)
        z = y * rng.uniform(0.048, 0.075)
        return cls(
            (y * rng.uniform(0.45, 0.53), y, z), 0.9 * z, "phone", (rng.uniform(-0.5, -0.3), rng.uniform(0.6, 0.8))
        )

    @classmethod
    def remote(cls, size: float, rng: np.random.Generator) -> Handset:
        """Draw a remote control of a nominal ``size`` in metres."""
        y = size * rng.uniform(0.46, 0.52)
        x = y * rng.uniform(0.2, 0.32)
        z = min(y * rng.uniform(0.07, 0.12), 0.8 * x)
        return cls((x, y, z), z * rng.uniform(0.3, 0.8), "remote", (0.0, 0.0))

    def build(self) -> Solid:
        """Make its surfaces (case, face) and colliders."""
        x, y, z = self.half
        case = forms.rounded_box(self.half, self.edge)
        inset = 0.25 * self.edge if self.style == "phone" else 1.02 * self.edge
        face = forms.patch(
            [
                (inset - x, inset - y, 1.01 * z),
                (x - inset, inset - y, 1.01 * z),
                (x - inset, y - inset, 1.01 * z),
                (inset - x, y - inset, 1.01 * z),
            ]
        )
        if self.style == "phone":
            u, v = self.lens
            bump = meshes.lathe([(0.0, -1.3 * z), (0.16 * x, -1.3 * z), (0.18 * x, -0.9 * z)], 12)
            case = meshes.merge([case, bump.moved((u * x, v * y, 0.0))])
        return shapes.solid([case, face], [shapes.block(self.half)])

    def dress(self, rng: np.random.Generator) -> tuple[Material, ...]:
        """Dark mostly; a screen or keys."""
        if self.style == "phone":
            case = looks.one_of(((3, BLACK), (1, STEEL), *BRIGHT), rng)
            colors = ((0.02, 0.02, 0.03), looks.one_of(BRIGHT, rng), WHITE, looks.one_of(BRIGHT, rng))
            screen = looks.material(rng, colors, "screen", contrast=1.0, gloss=(0.7, 1.0), size=96)
            return looks.material(rng, (case,), contrast=0.3, gloss=(0.2, 0.9)), screen
        case = looks.one_of(((4, BLACK), (1.5, (0.35, 0.36, 0.38)), (1, WHITE), (0.5, STEEL)), rng)
        light = sum(case) < 1.5
        key = looks.mix(case, WHITE if light else BLACK, rng.uniform(0.15, 0.8))
        ink: Color = WHITE if light else BLACK
        keys = looks.material(
            rng,
            (case, key, ink, (0.75, 0.1, 0.1)),
            "keys",
            contrast=1.0,
            scale=float(rng.integers(8, 14)),
            gloss=(0.05, 0.4),
            size=96,
        )
        return looks.material(rng, (case,), contrast=0.3, gloss=(0.1, 0.6)), keys


KINDS: dict[str, Kind] = {
    "book": Kind(Book.sample, (0.15, 0.32), Book.dress, upright=0.85, density=700.0),
    "package": Kind(Package.sample, (0.12, 0.32), Package.dress, upright=0.75, density=300.0),
    "phone": Kind(Handset.phone, (0.12, 0.17), Handset.dress, upright=0.85, density=2000.0),
    "remote": Kind(Handset.remote, (0.13, 0.23), Handset.dress, upright=0.85, density=900.0),
}
