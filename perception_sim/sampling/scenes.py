"""Scenes, drawn from a preset: what lies where, before physics."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from ..catalogue import looks
from ..catalogue.kinds import Kind
from ..presets import Preset
from ..randomize import Chance, Choice, Color, LogUniform, Orientation
from ..scene import Material, Quaternion, Scene, Thing
from ..shapes import Shape, built
from ..textures import Color as Rgb
from .stage import sample_lights, sample_stage

_USUAL_M = 0.1
"""The size of things for which lengths of the stage are written below; others follow in proportion."""


def sample_scene(preset: Preset, rng: np.random.Generator, negative: bool) -> Scene:
    """A scene with its things above the ground, not yet settled; ``negative`` leaves out objects of any class."""
    drafts = _drafts(preset, rng, negative)
    unit = float(np.median([draft.size for draft in drafts])) if drafts else _USUAL_M
    floating = Chance(preset.content.floating)(rng)
    spots, area = _spots([draft.radius for draft in drafts], preset, rng)
    reach = max(6.0 * unit, area)
    stage = sample_stage(preset, rng, unit, reach)
    ground = stage.table.material if stage.table else stage.floor
    things = tuple(
        _thing(draft, spot, preset, rng, ground.texture.colors, floating, reach)
        for draft, spot in zip(drafts, spots, strict=True)
    )
    return Scene(things, sample_lights(preset, rng), stage, unit, reach, floating)


class _Draft:
    """A thing before its place is known."""

    def __init__(
        self, label: str, name: str, kind: Kind, size: float, preset: Preset, rng: np.random.Generator
    ) -> None:
        self.label, self.name, self.kind, self.size = label, name, kind, size
        self.shape: Shape = kind.sample(size, rng)
        upright = preset.content.upright
        self.orientation: Quaternion = Orientation(kind.upright if upright is None else upright(rng))(rng)
        self.solid = built(self.shape)
        points = self.solid.points @ matrix(self.orientation).T
        self.low, self.radius = float(points[:, 2].min()), float(np.linalg.norm(points[:, :2], axis=1).max())


def _drafts(preset: Preset, rng: np.random.Generator, negative: bool) -> list[_Draft]:
    content = preset.content
    labels = [] if negative else [Choice(content.classes)(rng) for _ in range(int(content.objects(rng)))]
    count = int(content.distractors(rng))
    names = [_distractor(preset, rng) for _ in range(max(count, 2) if negative else count)]
    drafts = []
    for label in labels:
        kind = preset.kinds[label]
        drafts.append(_Draft(label, label, kind, _size(preset, label, rng), preset, rng))
    others = preset.others if names else {}
    for name in names:
        # As large as the objects it lies among, whatever it is in reality: a toy chair beside a nut.
        size = _size(preset, Choice(content.classes)(rng), rng) * content.distractor_size(rng)
        drafts.append(_Draft("", name, others[name], size, preset, rng))
    return drafts


def _size(preset: Preset, name: str, rng: np.random.Generator) -> float:
    """A nominal size in metres for an object of that class."""
    own = preset.content.size
    return (LogUniform(*preset.kinds[name].size) if own is None else own)(rng)


def _distractor(preset: Preset, rng: np.random.Generator) -> str:
    """The name of a kind that is no class; a group stands for each of its members."""
    name = preset.content.distractor_kinds(rng)
    groups = preset.groups
    # A world without look-alikes of its classes has shapes in their place.
    members = groups.get(name, (name,)) or groups["shapes"]
    return Choice(members)(rng)


def _thing(
    draft: _Draft,
    spot: tuple[float, float],
    preset: Preset,
    rng: np.random.Generator,
    ground: tuple[Rgb, ...],
    floating: bool,
    reach: float,
) -> Thing:
    drop = preset.content.drop * draft.size * rng.uniform()
    lift = (rng.uniform(0.0, reach) if floating else drop) + 0.01 * draft.size - draft.low
    if draft.kind.dress is not None and Chance(preset.surface.typical)(rng):
        materials = draft.kind.dress(draft.shape, rng)
    else:
        materials = tuple(_object_material(preset, rng, ground) for _ in range(min(len(draft.solid.surfaces), 3) + 1))
    detail = preset.surface.detail(rng)
    if detail < 1.0:
        materials = tuple(_faded(material, detail) for material in materials)
    return Thing(draft.label, draft.name, draft.shape, materials, (*spot, lift), draft.orientation, draft.kind.density)


def _faded(material: Material, detail: float) -> Material:
    texture = dataclasses.replace(material.texture, contrast=material.texture.contrast * detail)
    return dataclasses.replace(material, texture=texture)


def _object_material(preset: Preset, rng: np.random.Generator, ground: tuple[Rgb, ...]) -> Material:
    surface = preset.surface
    saturation = surface.saturation.bounds

    def color() -> Rgb:
        return Color(saturation, (0.15, 1.0))(rng)

    first = color()
    for _ in range(20):
        if min(float(np.linalg.norm(np.subtract(first, other))) for other in ground) >= surface.stand_out:
            break
        first = color()
    gloss = surface.gloss(rng)
    return looks.material(
        rng,
        (first, color()),
        surface.object_patterns(rng),
        contrast=surface.contrast(rng),
        scale=float(rng.integers(1, 7)),
        angle=rng.uniform(0, np.pi),
        gloss=(gloss, gloss),
    )


def _spots(radii: list[float], preset: Preset, rng: np.random.Generator) -> tuple[list[tuple[float, float]], float]:
    """Where things are let go: apart by the preset's gap, in an area that grows when they do not fit; its radius."""
    area = preset.content.spread(rng) * float(np.sqrt(np.sum(np.square(radii)))) if radii else 0.0
    placed: list[tuple[float, float]] = []
    for index, radius in enumerate(radii):
        attempt = 0
        while True:
            reach, angle = area * np.sqrt(rng.random()), rng.uniform(0, 2 * np.pi)
            x, y = float(reach * np.cos(angle)), float(reach * np.sin(angle))
            gaps = [preset.content.gap * (radius + other) for other in radii[:index]]
            if all(np.hypot(x - a, y - b) >= gap for (a, b), gap in zip(placed, gaps, strict=True)):
                placed.append((x, y))
                break
            attempt += 1
            if attempt % 20 == 0:
                area *= 1.1
    return placed, max([area] + [float(np.hypot(*spot)) + radius for spot, radius in zip(placed, radii, strict=True)])


def matrix(quaternion: Sequence[float]) -> np.ndarray:
    """The rotation matrix [3, 3] of a unit quaternion (w, x, y, z)."""
    w, x, y, z = quaternion
    return np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
            [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
            [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
        ]
    )
