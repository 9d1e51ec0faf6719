"""The moving camera."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from perception_common.errors import UserError
from perception_sim.annotate import tight_box
from perception_sim.live import Frame, LiveWorld

TIMES = [0.0, 0.5, 1.0, 1.5, 2.0, 2.5, 3.1, 4.5, 6.2]


@pytest.fixture(scope="module")
def frames() -> Iterator[list[Frame]]:
    with LiveWorld("demo", seed=3, scene_seconds=3.0) as world:
        yield [world.frame(t) for t in TIMES]


def test_frames_are_labelled_pictures(frames: list[Frame]) -> None:
    for frame in frames:
        assert frame.rgb.shape == (240, 320, 3)
        assert frame.rgb.dtype == np.uint8
        assert frame.rgb.std() > 3.0
        for instance in frame.instances:
            assert instance.labelled
            assert instance.box == tight_box(instance.mask)
            assert (frame.mask[instance.mask] == instance.category).all()
            assert max(instance.box[2] - instance.box[0], instance.box[3] - instance.box[1]) >= 24
    assert sum(len(frame.instances) for frame in frames) > len(frames)


def test_the_camera_moves_smoothly_and_the_scene_changes(frames: list[Frame]) -> None:
    assert [frame.scene for frame in frames] == [0, 0, 0, 0, 0, 0, 1, 1, 2]
    positions = np.array([frame.view.position for frame in frames])
    steps = np.linalg.norm(np.diff(positions[:6], axis=0), axis=1)
    assert (steps > 0.005).all()
    assert (steps < 0.4).all()
    assert not np.array_equal(frames[0].rgb, frames[1].rgb)
    k = frames[0].intrinsics
    assert k[0, 2] == 160.0
    assert k[1, 2] == 120.0
    assert k[0, 0] == k[1, 1] == pytest.approx(120.0 / np.tan(np.radians(frames[0].view.fovy) / 2))


def test_a_frame_depends_on_seed_and_time_alone(frames: list[Frame]) -> None:
    with LiveWorld("demo", seed=3, scene_seconds=3.0) as again:
        # Straight to the second scene and back: order and what was built before make no difference.
        for index in (7, 1):
            frame = again.frame(TIMES[index])
            assert np.array_equal(frame.rgb, frames[index].rgb)
            assert [i.box for i in frame.instances] == [i.box for i in frames[index].instances]
    with LiveWorld("demo", seed=4, scene_seconds=3.0) as other:
        assert not np.array_equal(other.frame(TIMES[1]).rgb, frames[1].rgb)


def test_objects_stay_in_view(frames: list[Frame]) -> None:
    counts = [len(frame.instances) for frame in frames if frame.scene == 0]
    assert min(counts) >= max(counts) - 1


def test_an_unknown_preset_is_told() -> None:
    with pytest.raises(UserError, match="did you mean 'tabletop'"):
        LiveWorld("tabeltop", seed=1)
