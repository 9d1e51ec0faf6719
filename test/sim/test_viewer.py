"""Viewers: pictures through lenses, of renders of many sizes."""

from __future__ import annotations

import dataclasses
from functools import partial

import numpy as np
import pytest
from worlds import world_of

from perception_common.errors import UserError
from perception_sim import rendering
from perception_sim.camera import View, orbit
from perception_sim.lens import Lens
from perception_sim.rendering import RENDERERS, open_renderer
from perception_sim.rendering.viewer import Viewer, source_of
from perception_sim.rendering.vulkan import check

WIDTH, HEIGHT = 160, 128
STRAIGHT = View(orbit(np.zeros(3), 0.6, 0.4, 0.7), (0.0, 0.0, 0.0), 0.0, 45.0)
# With a focal length in pixels as `STRAIGHT` has it, and no distortion: it draws what it is given.
FOCAL = HEIGHT / 2.0 / float(np.tan(np.radians(STRAIGHT.fovy) / 2.0))
FLAT = Lens("plumb_bob", FOCAL, FOCAL, WIDTH / 2.0, HEIGHT / 2.0, (0.0,) * 5)


def test_a_lens_whose_render_is_as_large_as_the_picture_sees_the_world_of_today() -> None:
    source = source_of(FLAT, WIDTH, HEIGHT)
    assert (source.width, source.height) == (WIDTH, HEIGHT)
    with Viewer(WIDTH, HEIGHT, partial(open_renderer, "classic")) as viewer:
        for seed in (1, 2):
            viewer.load(world_of("demo", seed))
            plain = viewer.rgb(STRAIGHT)
            through = viewer.rgb(dataclasses.replace(STRAIGHT, lens=FLAT))
            assert np.abs(plain.astype(int) - through).mean() < 1.0


@pytest.mark.parametrize("name", sorted(RENDERERS))
def test_pictures_do_not_depend_on_the_lenses_before(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if name == "filament":
        try:
            check()
        except UserError as missing:
            pytest.skip(str(missing))
    world = world_of("demo", 1)
    lenses = [Lens.of_field("equidistant", WIDTH, HEIGHT, field) for field in (60, 75, 90, 100, 105, 110, 115)]
    monkeypatch.setattr(rendering, "_KEPT_SIZES", 3)
    sources = [source_of(lens, WIDTH, HEIGHT) for lens in lenses]
    assert len({(source.width, source.height) for source in sources}) > 3
    views = [dataclasses.replace(STRAIGHT, lens=lens) for lens in (None, *lenses)]
    with Viewer(WIDTH, HEIGHT, partial(open_renderer, name)) as viewer:
        viewer.load(world)
        first = [(viewer.rgb(view), viewer.geometry(view), viewer.alone(view, 0, world.points(0))) for view in views]
        viewer.load(world_of("demo", 2))
        assert not np.array_equal(viewer.rgb(STRAIGHT), first[0][0])
        viewer.load(world)
        for view, (rgb, seen, alone) in reversed(list(zip(views, first, strict=True))):
            assert np.array_equal(viewer.rgb(view), rgb)
            assert np.array_equal(viewer.geometry(view).things, seen.things)
            assert np.array_equal(viewer.geometry(view).depth, seen.depth)
            assert viewer.alone(view, 0, world.points(0)) == alone
