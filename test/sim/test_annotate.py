"""Labels against brute force."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from functools import partial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from pycocotools import mask as coco_mask
from worlds import world_of

from perception_sim import rle
from perception_sim.annotate import annotate, label, tight_box
from perception_sim.camera import View
from perception_sim.presets import load_preset
from perception_sim.rendering import open_renderer
from perception_sim.rendering.viewer import Alone, Viewer
from perception_sim.sampling import Optics, group
from perception_sim.sections import Labels
from perception_sim.staging import propose_view

ALL = Labels(min_box_px=1.0, max_occlusion=1.0, max_truncation=1.0, min_visible_px=1)


@pytest.fixture(scope="module")
def viewer() -> Iterator[Viewer]:
    with Viewer(320, 240, partial(open_renderer, "classic")) as opened:
        yield opened


@given(arrays.arrays(bool, st.tuples(st.integers(1, 40), st.integers(1, 40))))
@settings(max_examples=150, deadline=None)
def test_rle_is_what_pycocotools_writes_and_reads(mask: np.ndarray) -> None:
    encoded = rle.encode(mask)
    theirs = coco_mask.encode(np.asfortranarray(mask.astype(np.uint8)))
    assert encoded["counts"] == theirs["counts"].decode()
    assert encoded["size"] == theirs["size"]
    assert np.array_equal(coco_mask.decode(encoded).astype(bool), mask)
    assert np.array_equal(rle.decode(encoded), mask)


def test_rle_of_long_runs() -> None:
    mask = np.zeros((1000, 1500), bool)
    mask[:, 700:] = True
    mask[3, 4] = True
    assert rle.encode(mask)["counts"] == coco_mask.encode(np.asfortranarray(mask.astype(np.uint8)))["counts"].decode()
    assert np.array_equal(rle.decode(rle.encode(mask)), mask)


@pytest.mark.parametrize("counts", ["", "0", "o0", "000", "oooooooooooo"])
def test_damaged_rle_is_refused(counts: str) -> None:
    with pytest.raises(ValueError, match="runs of"):
        rle.decode({"size": [2, 3], "counts": counts})


def test_occlusion_truncation_and_limits_by_hand() -> None:
    # A 10x10 thing of which 4 columns are hidden by a distractor and 2 are outside the image.
    things = np.full((20, 30), -1)
    things[5:15, 0:8] = 0
    things[5:15, 4:8] = 1
    asked = []

    def measure(thing: int) -> Alone:
        asked.append(thing)
        return Alone(80, 100, (-2.0, 5.0, 8.0, 15.0))

    found = label(things, ["mug", ""], measure, ("ball", "mug"), ALL)
    assert asked == [0]
    (instance,) = found.instances
    assert instance.label == "mug"
    assert instance.category == 2
    assert instance.box == (0.0, 5.0, 4.0, 15.0)
    assert instance.amodal == (-2.0, 5.0, 8.0, 15.0)
    assert instance.occlusion == pytest.approx(0.5)
    assert instance.truncation == pytest.approx(0.2)
    assert instance.labelled
    assert (found.mask == 2).sum() == 40
    for limits in ({"max_occlusion": 0.4}, {"max_truncation": 0.1}, {"min_box_px": 11.0}, {"min_visible_px": 41}):
        strict = label(things, ["mug", ""], measure, ("ball", "mug"), dataclasses.replace(ALL, **limits))
        assert not strict.instances[0].labelled, limits
        assert (strict.mask == 2).sum() == 40


@pytest.mark.parametrize("seed", range(4))
def test_labels_against_renders_of_each_object_alone(viewer: Viewer, seed: int) -> None:
    preset = load_preset("tabletop")
    world = world_of(preset, seed)
    viewer.load(world)
    renderer = viewer.plain
    center, radius = group(world)
    rng = np.random.default_rng(seed)
    views = [propose_view(world, preset, rng, viewer, Optics(45.0, None))]
    # From the side, with objects before each other, and aimed past the objects so that some are cut off.
    side = tuple((center + radius * np.array([2.2, 0.0, 0.7])).tolist())
    views.append(View(side, tuple((center + radius * np.array([0.0, 1.2, 0.0])).tolist()), 0.1, 45.0))
    compared = 0
    for view in views:
        things = renderer.things(view)
        for instance in annotate(world, viewer, view, preset.content.classes, ALL).instances:
            # The whole image plane at once instead of the region that `annotate` looks at.
            whole = renderer.alone(view, instance.thing, (-160, -120, 480, 360))
            inside = whole[120:360, 160:480]
            visible = things == instance.thing
            assert np.array_equal(instance.mask, visible)
            assert not (visible & ~inside).any()
            assert instance.occlusion == pytest.approx(1.0 - visible.sum() / inside.sum(), abs=1e-9)
            assert instance.truncation == pytest.approx(1.0 - inside.sum() / whole.sum(), abs=1e-9)
            assert instance.box == tight_box(visible)
            compared += 1
    assert compared >= 2


def test_renders_fit_the_projection(viewer: Viewer) -> None:
    preset = load_preset("demo")
    world = world_of(preset, 3)
    viewer.load(world)
    renderer = viewer.plain
    view = propose_view(world, preset, np.random.default_rng(0), viewer, Optics(45.0, None))
    for thing in range(len(world.scene.things)):
        uv, depth = view.project(world.points(thing), 320, 240)
        if depth.min() < 0.05 or uv.min() < -100 or uv[0].max() > 420 or uv[1].max() > 340:
            continue
        rows, columns = np.nonzero(renderer.alone(view, thing, (-160, -120, 480, 360)))
        low, high = uv.min(1), uv.max(1)
        box = [columns.min() - 160, rows.min() - 120, columns.max() + 1 - 160, rows.max() + 1 - 120]
        assert np.allclose(box, [*low, *high], atol=1.01)


def test_a_renderer_without_a_world_says_so() -> None:
    with open_renderer("classic", 64, 48) as empty, pytest.raises(RuntimeError, match="load a world"):
        empty.rgb(View((1.0, 0.0, 1.0), (0.0, 0.0, 0.0), 0.0, 45.0))
