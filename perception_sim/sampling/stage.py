"""Floor, table, walls, sky and lights, drawn from a preset."""

from __future__ import annotations

import numpy as np

from ..camera import orbit
from ..catalogue import looks
from ..presets import Preset
from ..randomize import Chance, Choice, Color
from ..scene import Light, Material, Stage, Table, Walls
from ..textures import Color as Rgb
from ..textures import Texture, panorama, photographs, terrain, terrain_palettes
from ..textures.ground import TYPICAL

_STAGE_TEXTURE_PX = 256
_TERRAIN_TEXTURE_PX = 512
_WALL_TEXTURE_PX = 192
_SKY_TEXTURE_PX = 256


_PALETTES = {**TYPICAL, **terrain_palettes.PALETTES, **panorama.PALETTES}
_AROUND = frozenset(panorama.PANORAMAS)
_FITTING_DRAWS = 50


def stage_colors(preset: Preset, pattern: str, rng: np.random.Generator) -> tuple[Rgb, ...]:
    """As many colours as a pattern of floor, table, walls, sky or backdrop has: two or more."""
    surface = preset.surface
    if pattern in _PALETTES and Chance(surface.stage_typical)(rng):
        return _varied(Choice(_PALETTES[pattern])(rng), rng)
    saturation = surface.stage_saturation(rng)
    span = (0.6 * saturation, saturation)
    count = len(_PALETTES[pattern][0]) if pattern in _PALETTES else 2
    return Color(span, (0.2, 0.95))(rng), *(Color(span, (0.1, 1.0))(rng) for _ in range(count - 1))


def _varied(colors: tuple[Rgb, ...], rng: np.random.Generator) -> tuple[Rgb, ...]:
    return tuple(looks.vary(color, rng, 0.03, 0.1, 0.2) for color in colors)


def sample_stage(preset: Preset, rng: np.random.Generator, unit: float, reach: float) -> Stage:
    """Everything around things of size ``unit`` that lie within ``reach`` of the origin (both in metres)."""
    surface = preset.surface
    photos = photographs.find(preset.background.images) if preset.background.images else ()
    if not Chance(preset.background.stage)(rng):
        photos = ()
    floor = _stage_material(preset, rng, photos, _AROUND)
    table = None
    if Chance(surface.table)(rng):
        width = max(rng.uniform(4.5, 7.0) * unit, 1.15 * reach)
        table = Table(
            _stage_material(preset, rng, photos, _AROUND), Chance(0.4)(rng), width, rng.uniform(3.5, 8.0) * unit
        )
    walls = None
    if Chance(surface.walls)(rng):
        # Two kinds of wall in turn: painting four took as long as all objects.
        unfit = _AROUND | terrain.LYING
        materials = tuple(_stage_material(preset, rng, photos, unfit, _WALL_TEXTURE_PX) for _ in range(2))
        distance = rng.uniform(2.5, 4.5) * reach
        walls = Walls(materials, distance, rng.uniform(0, 2 * np.pi), distance * rng.uniform(0.8, 1.4))
    sky = (Color((0.0, 0.6), (0.3, 1.0))(rng), Color((0.0, 0.4), (0.4, 1.0))(rng))
    around = _panorama(preset, rng, photos) if walls is None else None
    return Stage(floor, surface.tile(rng) * unit, table, walls, sky, preset.light.ambient(rng), around)


def _panorama(preset: Preset, rng: np.random.Generator, photos: tuple[str, ...]) -> Texture | None:
    """What the sky box shows where it is more than two colours."""
    if photos:
        return _stage_texture(preset, rng, photos, _SKY_TEXTURE_PX)
    kind = preset.surface.sky(rng)
    if kind == "clouds":
        return _clouds(rng)
    if kind not in _AROUND:
        return None
    # Less contrast is more of the first colour, as haze has it.
    colors = _varied(Choice(panorama.PALETTES[kind])(rng), rng)
    contrast = rng.uniform(0.7, 1.0) * preset.surface.detail(rng)
    return Texture(kind, colors, 1.0, 0.0, contrast, int(rng.integers(1 << 31)), _SKY_TEXTURE_PX)


def _stage_material(
    preset: Preset,
    rng: np.random.Generator,
    photos: tuple[str, ...],
    unfit: frozenset[str],
    size: int = _STAGE_TEXTURE_PX,
) -> Material:
    texture = _stage_texture(preset, rng, photos, size, unfit)
    shine = 0.5 * preset.surface.gloss(rng)
    return Material(texture, shine, rng.uniform(0.1, 0.9), roughness=1.0 - 0.7 * shine)


def _stage_texture(
    preset: Preset,
    rng: np.random.Generator,
    photos: tuple[str, ...],
    size: int,
    unfit: frozenset[str] = frozenset(),
) -> Texture:
    surface = preset.surface
    pattern = surface.stage_patterns(rng)
    for _ in range(_FITTING_DRAWS):
        if pattern not in unfit:
            break
        pattern = surface.stage_patterns(rng)
    fine = pattern in terrain.TERRAIN and size == _STAGE_TEXTURE_PX and not photos
    return Texture(
        pattern=pattern,
        colors=stage_colors(preset, pattern, rng),
        scale=float(rng.integers(2, 9)),
        angle=Choice((0.0, np.pi / 2))(rng),
        contrast=surface.stage_contrast(rng) * surface.detail(rng),
        seed=int(rng.integers(1 << 31)),
        size=_TERRAIN_TEXTURE_PX if fine else size,
        file=Choice(photos)(rng) if photos else "",
    )


def _clouds(rng: np.random.Generator) -> Texture:
    """A sky from blue to overcast, with clouds."""
    blue = looks.vary((0.42, 0.6, 0.86), rng, 0.05, 0.35, 0.2)
    white = looks.vary((0.93, 0.94, 0.95), rng, 0.5, 0.05, 0.1)
    seed = int(rng.integers(1 << 31))
    return Texture("noise", (blue, white), rng.uniform(1.5, 4.0), 0.0, rng.uniform(0.2, 1.0), seed, _SKY_TEXTURE_PX)


def sample_lights(preset: Preset, rng: np.random.Generator) -> tuple[Light, ...]:
    """The main light, and further ones of a third of its strength that cast no shadow."""
    light = preset.light
    made, more = [], light.extra
    for index in range(1 + int(more(rng))):
        x, y, z = orbit(np.zeros(3), 1.0, rng.uniform(0, 2 * np.pi), np.radians(light.elevation(rng)))
        strength = light.brightness(rng) * (1.0 if index == 0 else 0.35)
        saturation = light.tint(rng)
        tint = Color((saturation, saturation), (1.0, 1.0))(rng)
        color = (strength * tint[0], strength * tint[1], strength * tint[2])
        made.append(Light((-x, -y, -z), color, index == 0 and Chance(light.shadow)(rng)))
    return tuple(made)
