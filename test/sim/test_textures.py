"""Ground and surroundings: textures that tile, have detail near and far, and stand where they belong."""

from __future__ import annotations

import numpy as np
import pytest

from perception_sim.presets import load_preset
from perception_sim.sampling import stage_colors
from perception_sim.sampling.stage import sample_stage
from perception_sim.textures import Texture, fields, paint, panorama, terrain, terrain_palettes

PALETTES = {**terrain_palettes.PALETTES, **panorama.PALETTES}
KINDS = ("grain", "fractal", "patches", "blades", "strands", "stones4", "stones12", "stones40")


def _texture(pattern: str, seed: int, size: int) -> Texture:
    palettes = PALETTES[pattern]
    return Texture(pattern, palettes[seed % len(palettes)], 4.0, 0.0, 1.0, seed, size)


@pytest.mark.parametrize("kind", KINDS)
def test_fields_tile_and_come_from_another_side_each_time(kind: str) -> None:
    rng = np.random.default_rng(1)
    field, other = fields.window(kind, 128, rng), fields.window(kind, 128, rng)
    assert field.shape == (128, 128)
    assert field.dtype == np.float32
    assert not np.array_equal(field, other)
    assert 0.1 < field.std() < 0.35
    for edge in (np.abs(field[0] - field[-1]), np.abs(field[:, 0] - field[:, -1])):
        inside = max(np.abs(np.diff(field, axis=0)).mean(), np.abs(np.diff(field, axis=1)).mean())
        assert edge.mean() < 1.6 * inside


@pytest.mark.parametrize("pattern", sorted(PALETTES))
def test_palettes_have_one_number_of_colours(pattern: str) -> None:
    assert len({len(palette) for palette in PALETTES[pattern]}) == 1
    preset = load_preset("outdoor")
    drawn = {len(stage_colors(preset, pattern, np.random.default_rng(seed))) for seed in range(20)}
    assert drawn == {len(PALETTES[pattern][0])}


@pytest.mark.parametrize("pattern", sorted(terrain.TERRAIN))
def test_ground_has_something_to_see_near_and_far(pattern: str) -> None:
    grains, patches = [], []
    for seed in range(6):
        grey = paint(_texture(pattern, seed, 256)).mean(2)
        cells = grey.reshape(16, 16, 16, 16)
        patches.append(cells.mean((1, 3)).std())
        grains.append(cells.std((1, 3)).mean())
    assert np.mean(grains) > 4.0
    assert np.mean(patches) > 3.0


@pytest.mark.parametrize("pattern", sorted(panorama.PANORAMAS))
def test_panoramas_differ_and_have_their_horizon_in_the_middle(pattern: str) -> None:
    sides = [paint(_texture(pattern, seed, 128)).astype(float) for seed in range(8)]
    assert min(np.abs(one - sides[0]).mean() for one in sides[1:]) > 5.0
    # More happens just above the horizon than at the same distance from the upper edge.
    assert np.mean([side[52:64].std(1).mean() for side in sides]) > np.mean(
        [side[4:16].std(1).mean() for side in sides]
    )


@pytest.mark.parametrize("preset", ["floor_robot", "outdoor", "tabletop", "warehouse"])
def test_what_lies_lies_and_what_stands_stands(preset: str) -> None:
    chosen, walls = load_preset(preset), 0
    for seed in range(120):
        stage = sample_stage(chosen, np.random.default_rng(seed), 0.3, 2.0)
        assert stage.floor.texture.pattern not in panorama.PANORAMAS
        if stage.walls:
            walls += 1
            assert not {one.texture.pattern for one in stage.walls.materials} & (
                terrain.LYING | set(panorama.PANORAMAS)
            )
            assert stage.panorama is None
    assert walls


def test_no_trees_overhead() -> None:
    for seed in range(8):
        texture = _texture("skyline", seed, 128)
        side = paint(texture)
        lid = panorama.lid(texture, side)
        assert lid.shape == side.shape
        # Nothing but what the topmost tenth has, and its near edge is the side's upper one.
        top = side[:12].reshape(-1, 3)
        assert ((lid >= top.min(0)) & (lid <= top.max(0))).all()
        assert np.abs(lid[0].astype(int) - side[0]).max() <= 2
    photograph = np.zeros((8, 8, 3), np.uint8)
    assert panorama.lid(Texture("skyline", texture.colors, 1.0, 0.0, 1.0, 0, 8, "photo.jpg"), photograph) is photograph
