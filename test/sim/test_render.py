"""Renderers: depth and masks against geometry, and both renderers against each other."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pytest
from worlds import world_of

from perception_common.errors import UserError
from perception_sim.camera import View
from perception_sim.rendering import RENDERERS, open_renderer, skylight
from perception_sim.rendering.classic import ClassicRenderer
from perception_sim.rendering.filament import FilamentRenderer
from perception_sim.rendering.gl import mujoco
from perception_sim.rendering.physical import encoded, linear
from perception_sim.rendering.vulkan import check, open_context
from perception_sim.world import World

SPHERE, BOX = mujoco.mjtGeom.mjGEOM_SPHERE, mujoco.mjtGeom.mjGEOM_BOX
Solid = tuple[Any, Sequence[float], Sequence[float]]


@pytest.fixture(scope="module")
def classic() -> Iterator[ClassicRenderer]:
    with ClassicRenderer(160, 120) as opened:
        yield opened


@pytest.fixture(scope="module")
def filament() -> Iterator[FilamentRenderer]:
    try:
        check()
    except UserError as missing:
        pytest.skip(str(missing))
    with FilamentRenderer(160, 120) as opened:
        yield opened


def bare_world(
    *solids: Solid, floor: bool = True, sun: float = 0.5, alpha: float = 1.0, albedo: float = 1.0, sky: bool = False
) -> World:
    """A world without a scene: primitives, a matt white floor at z = 0, light straight from above."""
    spec = mujoco.MjSpec()
    spec.visual.headlight.ambient, spec.visual.headlight.diffuse = [0.2] * 3, [0.0] * 3
    spec.visual.headlight.specular = [0.0] * 3
    spec.add_material(name="matt", rgba=[albedo] * 3 + [1.0], specular=0.0, shininess=0.0)
    spec.add_material(name="thing", rgba=[0.8, 0.3, 0.3, alpha], specular=0.0, shininess=0.0)
    if sky:
        box = spec.add_texture(name="sky", type=mujoco.mjtTexture.mjTEXTURE_SKYBOX, width=8, height=48)
        box.builtin, box.rgb1, box.rgb2 = mujoco.mjtBuiltin.mjBUILTIN_GRADIENT, [0.3, 0.5, 0.8], [0.7, 0.7, 0.8]
    if floor:
        spec.worldbody.add_geom(type=mujoco.mjtGeom.mjGEOM_PLANE, size=[3.0, 3.0, 0.1], material="matt")
    spec.worldbody.add_light(
        type=mujoco.mjtLightType.mjLIGHT_DIRECTIONAL, pos=[0.0, 0.0, 2.0], dir=[0.0, 0.0, -1.0],
        diffuse=[sun] * 3, ambient=[0.0] * 3, specular=[0.0] * 3,
    )  # fmt: skip
    for kind, size, position in solids:
        body = spec.worldbody.add_body(pos=list(position))
        body.add_geom(type=kind, size=[*size, *[0.0] * (3 - len(size))], material="thing")
    model = spec.compile()
    data = mujoco.MjData(model)
    mujoco.mj_forward(model, data)
    return World(None, (), model, data, model.geom_bodyid.astype(int) - 1)  # type: ignore[arg-type]


@pytest.mark.parametrize("distance", [0.2, 1.0, 3.0, 20.0])
def test_depth_of_a_box_and_what_is_not_there(classic: ClassicRenderer, distance: float) -> None:
    """The near face of a box is a plane of constant z-depth, also towards the image's corners."""
    half = distance / 8.0
    classic.load(bare_world((BOX, [half] * 3, [0.0, 0.0, 0.0]), floor=False, sky=True))
    view = View((distance + half, 0.0, 0.0), (0.0, 0.0, 0.0), 0.0, 40.0)
    seen = classic.geometry(view)
    assert seen.things.dtype == np.int16
    assert seen.depth.dtype == np.float32
    box = seen.things == 0
    assert 1500 < box.sum() < 6000
    assert np.abs(seen.depth[box] - distance).max() < 1e-5 * distance + 1e-5
    assert not seen.depth[~box].any()
    assert (seen.things[~box] == -1).all()


def test_depth_of_a_sphere_is_that_of_its_rays(classic: ClassicRenderer) -> None:
    radius, distance = 0.25, 1.0
    world = bare_world((SPHERE, [radius], [0.0, 0.0, 0.0]))
    world.model.vis.quality.numslices = world.model.vis.quality.numstacks = 200
    classic.load(world)
    view = View((distance + radius, 0.0, 0.0), (0.0, 0.0, 0.0), 0.3, 50.0)
    depth, things = classic.depth(view), classic.things(view)
    k = view.intrinsics(160, 120)
    rows, columns = np.nonzero(things == 0)
    rays = np.stack([(columns + 0.5 - 80.0) / k[0, 0], (rows + 0.5 - 60.0) / k[1, 1], np.ones(len(rows))])
    # |t ray - centre| = radius, the nearer solution; t is the z-depth because the ray's z is 1.
    squared, along = (rays**2).sum(0), rays[2] * (distance + radius)
    inner = along**2 - squared * ((distance + radius) ** 2 - radius**2)
    facing = inner > 0.01
    expected = (along - np.sqrt(np.maximum(inner, 0.0))) / squared
    assert facing.sum() > 1000
    assert np.abs(depth[rows, columns] - expected)[facing].max() < 1e-3


def test_depth_and_things_of_small_and_far_things(classic: ClassicRenderer) -> None:
    """A nut of 2 cm a hand's breadth away, and the floor behind it, three metres off."""
    classic.load(bare_world((SPHERE, [0.01], [0.0, 0.0, 1.5]), (BOX, [0.2, 0.2, 0.9], [-12.0, 0.0, 0.9])))
    seen = classic.geometry(View((0.1, 0.0, 1.5), (0.0, 0.0, 1.5), 0.0, 60.0))
    assert abs(seen.depth[seen.things == 0].min() - 0.09) < 1e-3
    assert np.abs(seen.depth[seen.things == 1] - 11.9).max() < 1e-3


def test_what_is_transparent_is_labelled_as_solid(classic: ClassicRenderer) -> None:
    view = View((1.0, 0.2, 0.6), (0.0, 0.0, 0.2), 0.0, 40.0)
    seen = []
    for alpha in (1.0, 0.3):
        classic.load(bare_world((BOX, [0.1, 0.1, 0.1], [0.0, 0.0, 0.2]), alpha=alpha))
        seen.append(classic.geometry(view))
    assert (seen[0].things == 0).any()
    assert np.array_equal(seen[0].things, seen[1].things)
    assert np.array_equal(seen[0].depth, seen[1].depth)


@pytest.mark.parametrize("target", [(0.0, 0.0, 0.3), (0.0, 0.45, 0.3), (0.0, 0.3, 0.62)])
def test_alone_is_the_same_where_the_image_ends(classic: ClassicRenderer, target: tuple[float, float, float]) -> None:
    """A thing behind another, looked past so that it is cut off: its pixels are those of a wider image."""
    front: Solid = (BOX, [0.05, 0.2, 0.1], [0.4, 0.0, 0.3])
    back: Solid = (SPHERE, [0.2], [0.0, 0.1, 0.3])
    view = View((1.5, 0.0, 0.3), target, 0.1, 35.0)
    classic.load(bare_world(back, front))
    region = (-80, -60, 240, 180)
    whole = classic.alone(view, 0, region)
    assert whole.shape == (240, 320)
    things = classic.things(view)
    inside = whole[60:180, 80:240]
    classic.load(bare_world(back, floor=False))
    assert np.array_equal(classic.things(view) == 0, inside)
    assert not ((things == 0) & ~inside).any()
    # The same focal length in twice the image: the field of view whose half has twice the tangent.
    wide = float(np.degrees(2.0 * np.arctan(2.0 * np.tan(np.radians(view.fovy) / 2.0))))
    with ClassicRenderer(320, 240) as larger:
        larger.load(bare_world(back, floor=False))
        other = larger.things(View(view.position, view.target, view.roll, wide)) == 0
    assert np.array_equal(whole, other)
    part = classic.alone(view, 0, (3, -11, 90, 47))
    assert np.array_equal(part, whole[49:107, 83:170])


def test_regions_that_cannot_be(classic: ClassicRenderer) -> None:
    classic.load(bare_world((SPHERE, [0.1], [0.0, 0.0, 0.1])))
    view = View((1.0, 0.0, 0.5), (0.0, 0.0, 0.1), 0.0, 40.0)
    assert classic.alone(view, 0, (5, 5, 5, 9)).shape == (4, 0)
    with pytest.raises(ValueError, match="larger than 320x240"):
        classic.alone(view, 0, (-1, 0, 320, 10))


def test_pictures_do_not_depend_on_what_was_drawn_before(classic: ClassicRenderer) -> None:
    """Two renderers that share a thread, worlds loaded again, label passes in between."""
    view = View((1.0, 0.3, 0.8), (0.0, 0.0, 0.1), 0.0, 45.0)
    first, second = bare_world((SPHERE, [0.2], [0.0, 0.0, 0.2])), bare_world((BOX, [0.1, 0.2, 0.1], [0.0, 0.0, 0.1]))
    classic.load(first)
    picture, seen = classic.rgb(view), classic.geometry(view)
    with ClassicRenderer(80, 60) as other:
        other.load(second)
        other.rgb(view)
        classic.load(second)
        classic.alone(view, 0, (0, 0, 160, 120))
        classic.load(first)
        assert np.array_equal(classic.rgb(view), picture)
    assert np.array_equal(classic.geometry(view).things, seen.things)
    assert np.array_equal(classic.geometry(view).depth, seen.depth)
    # Edges of pictures are anti-aliased; the shadow is darker than the lit floor.
    assert len(np.unique(picture.reshape(-1, 3), axis=0)) > 30


def test_software_rendering_starts_no_threads() -> None:
    """A rasteriser thread of llvmpipe races with the freeing of its fences, and now and then kills the process."""
    code = (
        "from pathlib import Path\n"
        "from perception_sim.rendering.classic import ClassicRenderer\n"
        "with ClassicRenderer(64, 48) as renderer:\n"
        "    names = [task.read_text().strip() for task in Path('/proc/self/task').glob('*/comm')]\n"
        "print(renderer.device, [name for name in names if name.startswith('llvmpipe')], sep='|')\n"
    )
    as_users_have_it = {name: value for name, value in os.environ.items() if name != "LP_NUM_THREADS"}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=as_users_have_it, timeout=60
    )
    device, threads = done.stdout.strip().split("|")
    assert device
    assert threads == "[]"


def test_renderers_by_name() -> None:
    assert set(RENDERERS) == {"classic", "filament"}
    with open_renderer("classic", 32, 24) as renderer:
        assert (renderer.width, renderer.height, renderer.buffer) == (32, 24, (64, 48))
        assert renderer.device  # type: ignore[attr-defined]
    with pytest.raises(UserError, match="did you mean 'filament'"):
        open_renderer("filamnet", 32, 24)


def test_linear_light_and_back() -> None:
    values = np.linspace(0.0, 1.0, 256)
    assert np.allclose(encoded(linear(values)), values, atol=1e-6)
    assert linear(np.array(0.5)) == pytest.approx(0.2140, abs=1e-4)


def test_light_from_the_sky() -> None:
    white = np.ones((6, 16, 16, 3))
    bands = skylight.sky_bands(white)
    assert np.allclose(bands, 1.0)
    assert np.allclose(skylight.irradiance(bands), 1.0)
    # Under a white sky a matt grey ground sends back its albedo, and lights what looks down with it.
    over_ground = skylight.with_ground(bands, np.full(3, 0.25))
    assert skylight.irradiance(over_ground)[0] == pytest.approx(0.25, abs=0.01)
    assert skylight.irradiance(over_ground)[-1] == pytest.approx(1.0, abs=0.01)
    assert skylight.irradiance(over_ground)[32] == pytest.approx(0.625, abs=0.03)
    blue_above = white.copy()
    blue_above[2] = (0.1, 0.2, 0.9)
    overhead = skylight.sky_bands(blue_above)[-1]
    assert np.allclose(overhead, (0.1, 0.2, 0.9))
    # Header, one key, and for every level its size and six faces of four bytes a pixel.
    packed = skylight.ktx(bands)
    pixels = sum(6 * size * size for size in (32, 16, 8, 4, 2))
    assert packed.startswith(b"\xabKTX 11\xbb\r\n\x1a\n")
    assert len(packed) == 64 + int.from_bytes(packed[60:64], "little") + 5 * 4 + 4 * pixels


def test_a_mujoco_without_filament_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(mujoco, "studio", raising=False)
    monkeypatch.setitem(sys.modules, "mujoco.studio", None)
    with pytest.raises(UserError, match=f"MuJoCo {mujoco.__version__} comes without the renderer Filament"):
        open_context()


def test_filament_is_refused_in_one_line_where_it_cannot_run() -> None:
    """Without a Vulkan driver Filament aborts; the process that asked for it must not."""
    code = (
        "from perception_sim.rendering import open_renderer\n"
        "try:\n open_renderer('filament', 32, 24)\n"
        "except Exception as error:\n print(repr(error))\n"
    )
    nowhere = {**os.environ, "VK_ICD_FILENAMES": "/nonexistent.json", "VK_DRIVER_FILES": "/nonexistent.json"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=nowhere, timeout=60)
    assert done.returncode == 0
    assert done.stdout.startswith("UserError(")
    assert len(done.stdout.splitlines()) == 1
    assert "mesa-vulkan-drivers" in done.stdout
    assert "'classic'" in done.stdout


@pytest.mark.parametrize("seed", range(3))
def test_both_renderers_see_the_same_geometry(filament: FilamentRenderer, seed: int) -> None:
    world = world_of("tabletop", seed)
    filament.load(world)
    rng = np.random.default_rng(seed)
    for _ in range(2):
        angle, height, roll = rng.uniform(0.0, 6.28), rng.uniform(0.2, 0.6), rng.uniform(-0.2, 0.2)
        view = View((0.6 * np.cos(angle), 0.6 * np.sin(angle), height), (0.0, 0.0, 0.05), roll, 45.0)
        ours, theirs = filament.things(view), filament.segmentation(view)
        for thing in np.unique(ours[ours >= 0]):
            overlap = ((ours == thing) & (theirs == thing)).sum() / ((ours == thing) | (theirs == thing)).sum()
            assert overlap > 0.99
        assert (ours != theirs).mean() < 0.001


def test_both_renderers_are_equally_bright(filament: FilamentRenderer) -> None:
    """A matt floor that the sun hits straight, in the light and in the shade: the same values in both."""
    with ClassicRenderer(160, 120) as classic:
        for albedo, sun in ((1.0, 0.5), (0.6, 0.2)):
            world = bare_world((BOX, [0.3, 0.3, 0.02], [0.0, 0.0, 0.6]), sun=sun, albedo=albedo)
            view = View((0.0, -2.0, 1.0), (0.0, 0.0, 0.2), 0.0, 50.0)
            shown = []
            for renderer in (classic, filament):
                renderer.load(world)
                shown.append(renderer.rgb(view).astype(int))
            floor = classic.things(view) == -1
            bright = floor & (shown[0].sum(-1) == shown[0][floor].sum(-1).max())
            assert bright.sum() > 3000
            assert np.abs(shown[0][bright] - shown[1][bright]).mean() < 4.0
            uv, _ = view.project(np.array([[0.0, 0.0, 0.0]]), 160, 120)
            shade = tuple(uv[::-1, 0].astype(int))
            assert shown[1][shade].sum() < 0.8 * shown[1][bright].sum(-1).mean()
            assert np.abs(shown[0][shade] - shown[1][shade]).max() < 20


def test_filament_pictures_are_the_same_every_time(filament: FilamentRenderer) -> None:
    world, other = world_of("tabletop", 0), world_of("tabletop", 1)
    view = View((0.5, 0.2, 0.4), (0.0, 0.0, 0.05), 0.0, 50.0)
    filament.load(world)
    first = filament.rgb(view)
    assert first.shape == (120, 160, 3)
    assert first.dtype == np.uint8
    assert first.std() > 5.0
    textures = world.model.tex_data.copy()
    filament.load(other)
    filament.rgb(view)
    filament.load(world)
    assert np.array_equal(filament.rgb(view), first)
    assert np.array_equal(world.model.tex_data, textures)


def test_roughness_and_metal_show(filament: FilamentRenderer) -> None:
    view = View((0.7, 0.0, 0.5), (0.0, 0.0, 0.2), 0.0, 40.0)
    pictures = []
    for rough, metal in ((1.0, 0.0), (0.15, 0.0), (0.15, 1.0)):
        world = bare_world((SPHERE, [0.2], [0.0, 0.0, 0.2]), sky=True)
        world.model.mat_roughness[1], world.model.mat_metallic[1] = rough, metal
        filament.load(world)
        pictures.append(filament.rgb(view)[filament.things(view) == 0].astype(int))
    matt, glossy, metal = pictures
    assert glossy.max() > matt.max() + 20
    assert np.abs(glossy - metal).mean() > 10


def test_filament_needs_a_world(filament: FilamentRenderer) -> None:
    with FilamentRenderer(32, 24) as empty, pytest.raises(RuntimeError, match="load a world"):
        empty.rgb(View((1.0, 0.0, 1.0), (0.0, 0.0, 0.0), 0.0, 45.0))


def test_a_process_may_render_and_train() -> None:
    pytest.importorskip("torch", reason="training needs torch")
    code = """
import torch
from perception_sim.rendering import open_renderer
with open_renderer("classic", 64, 48): pass
model = torch.nn.Linear(2, 2)
torch.optim.SGD(model.parameters(), 0.1).step()
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
