"""Viewers: which renderer draws for a lens, and what they hold on to."""

from __future__ import annotations

import dataclasses
from functools import partial

import numpy as np
import pytest
from worlds import world_of

from perception_sim.camera import View, orbit
from perception_sim.lens import Lens
from perception_sim.rendering import open_renderer
from perception_sim.rendering.viewer import Viewer, source_of

WIDTH, HEIGHT = 160, 128
STRAIGHT = View(orbit(np.zeros(3), 0.6, 0.4, 0.7), (0.0, 0.0, 0.0), 0.0, 45.0)
# With a focal length in pixels as `STRAIGHT` has it, and no distortion: it draws what it is given.
FOCAL = HEIGHT / 2.0 / float(np.tan(np.radians(STRAIGHT.fovy) / 2.0))
FLAT = Lens("plumb_bob", FOCAL, FOCAL, WIDTH / 2.0, HEIGHT / 2.0, (0.0,) * 5)
BENT = dataclasses.replace(FLAT, d=(-0.3, 0.1, 0.0, 0.0, 0.0))


def test_a_lens_whose_render_is_as_large_as_the_picture_sees_the_world_of_today() -> None:
    source = source_of(FLAT, WIDTH, HEIGHT)
    assert (source.width, source.height) == (WIDTH, HEIGHT)
    with Viewer(WIDTH, HEIGHT, partial(open_renderer, "classic")) as viewer:
        for seed in (1, 2):
            viewer.load(world_of("demo", seed))
            plain = viewer.rgb(STRAIGHT)
            through = viewer.rgb(dataclasses.replace(STRAIGHT, lens=FLAT))
            assert np.abs(plain.astype(int) - through).mean() < 1.0


def test_worlds_of_the_past_are_let_go() -> None:
    with Viewer(WIDTH, HEIGHT, partial(open_renderer, "classic")) as viewer:
        viewer.load(world_of("demo", 1))
        viewer.rgb(STRAIGHT)
        viewer.rgb(dataclasses.replace(STRAIGHT, lens=BENT))
        kept = viewer.plain
        viewer.load(world_of("demo", 2))
        with pytest.raises(RuntimeError, match="load a world first"):
            kept.rgb(STRAIGHT)
        # Whoever asks the viewer gets the new one.
        assert viewer.rgb(STRAIGHT).std() > 1.0
        assert viewer.rgb(dataclasses.replace(STRAIGHT, lens=BENT)).std() > 1.0
