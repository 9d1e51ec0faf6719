"""Pictures and labels of every preset: rendered, set before a backdrop, put together; through every lens."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from worlds import world_of

from perception_common.errors import UserError
from perception_sim import rle
from perception_sim.annotate import Annotation
from perception_sim.composite import Cutout, Placement, before, paste
from perception_sim.depth import millimetres
from perception_sim.presets import Preset, load_preset, parse_preset, preset_names
from perception_sim.rendering import open_renderer
from perception_sim.rendering.viewer import Viewer
from perception_sim.sections import Labels
from perception_sim.shot import PASTED, RENDERED, Shot, Studio
from perception_sim.staging import settled_world

_WIDTH, _HEIGHT = 128, 96
_SCENES, _VIEWS = 26, 8
_ALL = Labels(min_box_px=1.0, max_occlusion=1.0, max_truncation=1.0, min_visible_px=1)


@pytest.fixture(scope="module")
def viewer() -> Iterator[Viewer]:
    with Viewer(_WIDTH, _HEIGHT, partial(open_renderer, "classic")) as opened:
        yield opened


def _changed(name: str, **sections: dict[str, Any]) -> Preset:
    values = load_preset(name).as_dict()
    for section, change in sections.items():
        values[section] |= change
    return parse_preset(values.pop("name"), values)


def _sound(annotation: Annotation) -> int:
    """Check that labels are what the masks say; the number of instances."""
    for instance in annotation.instances:
        rows, columns = np.nonzero(rle.decode(rle.encode(instance.mask)))
        assert len(rows) > 0, "labelled without a pixel"
        assert instance.box == (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)
        x0, y0, x1, y1 = instance.amodal
        assert x0 <= instance.box[0]
        assert y0 <= instance.box[1]
        assert x1 >= instance.box[2]
        assert y1 >= instance.box[3]
        assert 0.0 <= instance.occlusion <= 1.0
        assert 0.0 <= instance.truncation <= 1.0
        assert (annotation.mask[instance.mask] == instance.category).all()
    covered = np.zeros(annotation.mask.shape, int)
    for instance in annotation.instances:
        covered += instance.mask
    assert np.array_equal(covered > 0, annotation.mask > 0)
    assert covered.max() <= 1
    return len(annotation.instances)


def _shots(preset: Preset, viewer: Viewer, scenes: int, views: int, seed: int) -> Iterator[Shot]:
    for scene in range(scenes):
        rng = np.random.default_rng([seed, scene])
        studio = Studio(settled_world(preset, rng, False), viewer, preset, with_depth=True)
        for _ in range(views):
            yield studio.shoot(rng)


@pytest.mark.parametrize("name", preset_names())
def test_boxes_are_the_extents_of_masks(viewer: Viewer, name: str) -> None:
    """Over a thousand pictures in all, in every way that there is to make one."""
    preset = _changed(
        name,
        background={"composite": 0.2, "paste": 0.2},
        camera={"lens": {"none": 6, "plumb_bob": 1, "equidistant": 1}},
    )
    ways, instances = Counter[str](), 0
    for shot in _shots(preset, viewer, _SCENES, _VIEWS, 4):
        assert shot.rgb.shape == (_HEIGHT, _WIDTH, 3)
        assert shot.rgb.dtype == np.uint8
        ways[shot.way] += 1
        instances += _sound(shot.annotation)
    assert len(ways) == 3
    assert instances > 200


def test_what_was_drawn_is_recorded(viewer: Viewer) -> None:
    preset = _changed("outdoor", background={"paste": 0.5}, camera={"lens": "plumb_bob"})
    for shot in _shots(preset, viewer, 2, 6, 1):
        told = shot.as_dict(viewer)
        assert told["way"] == shot.way
        assert told["sensor"]["exposure"] > 0.0
        if shot.way == PASTED:
            assert told["camera_info"] is None
            assert len(told["pasted"]) >= 1
            assert told["backdrop"]["layers"]
        else:
            assert told["camera"]["lens"]["model"] == "plumb_bob"
            assert told["camera_info"]["distortion_model"] == "plumb_bob"
            assert len(told["camera_info"]["k"]) == 9


def test_depth_is_where_things_are(viewer: Viewer) -> None:
    preset = _changed("demo", background={"composite": 0.5}, camera={"lens": "none"})
    for shot in _shots(preset, viewer, 2, 4, 2):
        assert shot.depth is not None
        labelled = shot.annotation.mask > 0
        assert (shot.depth[labelled] > 0.0).all()
        if shot.way == RENDERED:
            continue
        # Beyond the things there is a picture, of which nobody knows how far it is.
        assert (shot.depth == 0.0).any()


def test_depth_in_millimetres() -> None:
    depth = np.array([[0.0, 0.0004, 0.0006, 1.2345, 65.535, 80.0]], np.float32)
    assert millimetres(depth).tolist() == [[0, 0, 1, 1235, 65535, 65535]]
    assert millimetres(depth).dtype == np.uint16


def test_a_bent_thing_has_the_box_of_its_bent_picture(viewer: Viewer) -> None:
    """Through a strong fisheye, amodal boxes of things that nothing hides are their visible ones, give or take one."""
    preset = _changed(
        "demo", camera={"lens": "equidistant", "fisheye": 110.0}, content={"objects": 1, "distractors": 0}
    )
    compared = 0
    for scene in range(6):
        rng = np.random.default_rng([9, scene])
        world = world_of(preset, scene)
        studio = Studio(world, viewer, preset)
        shot = studio.shoot(rng)
        for instance in shot.annotation.instances:
            assert shot.view is not None
            alone = viewer.alone(shot.view, instance.thing, world.points(instance.thing))
            if instance.truncation == 0.0:
                assert np.allclose(alone.box, instance.box, atol=1.6)
                assert alone.inside == pytest.approx(instance.area, rel=0.02)
                compared += 1
    assert compared >= 3


def _square(label: str, color: int, side: int = 10) -> Cutout:
    return Cutout(np.full((side, side, 3), color, np.uint8), np.ones((side, side), bool), label)


def test_pasting_by_hand() -> None:
    picture = np.zeros((40, 60, 3), np.uint8)
    cutouts = [_square("ball", 200), _square("", 100)]
    placements = (
        Placement(0, 1.0, 0.0, False, 15.0, 15.0),
        Placement(0, 1.0, 0.0, True, 60.0, 30.0),
        Placement(1, 1.0, 0.0, False, 20.0, 15.0),
        Placement(0, 1.0, 0.0, False, 200.0, 200.0),
    )
    rgb, found = paste(picture, cutouts, placements, 0.0, ("cup", "ball"), _ALL)
    hidden, cut = found.instances
    assert hidden.box == (10.0, 10.0, 15.0, 20.0)
    assert hidden.amodal == (10.0, 10.0, 20.0, 20.0)
    assert hidden.occlusion == 0.5
    assert cut.box == (55.0, 25.0, 60.0, 35.0)
    assert cut.amodal == (55.0, 25.0, 65.0, 35.0)
    assert cut.truncation == 0.5
    assert {hidden.category, cut.category} == {2}
    assert rgb[12, 12].tolist() == [200] * 3
    assert rgb[12, 22].tolist() == [100] * 3
    assert rgb[0, 0].tolist() == [0] * 3
    assert picture.max() == 0


def test_edges_are_blended_inwards() -> None:
    picture, rgb = np.zeros((30, 30, 3), np.uint8), np.full((30, 30, 3), 200, np.uint8)
    mask = np.zeros((30, 30), bool)
    mask[8:22, 8:22] = True
    hard, soft = before(picture, rgb, mask, 0.0), before(picture, rgb, mask, 1.0)
    assert set(np.unique(hard).tolist()) == {0, 200}
    assert soft[~mask].max() == 0
    assert soft[15, 15, 0] == 200
    assert 0 < soft[15, 8, 0] < 200


def test_backgrounds_from_a_folder(tmp_path: Path, viewer: Viewer) -> None:
    (tmp_path / "deep").mkdir()
    green = np.zeros((60, 90, 3), np.uint8)
    green[:] = (40, 220, 40)
    cv2.imwrite(str(tmp_path / "deep" / "green.PNG"), green)
    (tmp_path / "notes.txt").write_text("no picture")
    plain = {"exposure": 1.0, "white_balance": 0.0, "blur": 0.0, "gamma": 1.0, "noise": 0.0}
    preset = _changed("demo", background={"images": [str(tmp_path)], "composite": 1.0}, sensor=plain)
    shot = next(_shots(preset, viewer, 1, 1, 3))
    assert shot.backdrop is not None
    assert shot.backdrop.file.endswith("green.PNG")
    assert shot.rgb[0, 0].tolist() == [40, 220, 40] or shot.annotation.mask[0, 0] > 0
    floor = _changed("demo", background={"images": [str(tmp_path)], "stage": 1.0}, surface={"walls": 0.0, "table": 0.0})
    stage = world_of(floor, 0).scene.stage
    assert stage.floor.texture.file.endswith("green.PNG")
    assert stage.panorama is not None


@pytest.mark.parametrize(("make", "told"), [("missing", "does not exist"), ("empty", "holds no photographs")])
def test_a_wrong_folder_of_backgrounds_is_told(tmp_path: Path, make: str, told: str) -> None:
    folder = tmp_path / make
    if make == "empty":
        folder.mkdir()
    preset = _changed("demo", background={"images": [str(folder)], "stage": 1.0})
    with pytest.raises(UserError, match=told):
        world_of(preset, 0)


def test_a_damaged_background_is_named(tmp_path: Path) -> None:
    (tmp_path / "broken.jpg").write_bytes(b"no picture")
    preset = _changed("demo", background={"images": [str(tmp_path)], "stage": 1.0})
    with pytest.raises(UserError, match=r"broken\.jpg"):
        world_of(preset, 0)
