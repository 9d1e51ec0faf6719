"""The moving cameras, without ROS."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from perception_common.errors import UserError
from perception_sim.annotate import tight_box
from perception_sim.camera import View
from perception_sim.depth import in_millimetres
from perception_sim.live import Frame, LiveWorld
from perception_sim.live.boxes import Box3D
from perception_sim.live.clock import SimTime
from perception_sim.live.meter import RateMeter, StageTimes
from perception_sim.live.path import Mount, read_mounts

TIMES = [0.0, 0.5, 1.0, 1.5, 2.0, 2.5, 3.1, 4.5, 6.2]
# On the ground under the sky, so that there is something without a distance.
LENSES = {
    "plumb_bob": "camera: {lens: [plumb_bob], distortion: -0.3, fovy: [60, 70]}",
    "equidistant": "camera: {lens: [equidistant], fisheye: [130, 145], elevation: [8, 20]}",
}


@pytest.fixture(scope="module")
def frames() -> Iterator[list[Frame]]:
    with LiveWorld("demo", seed=3, scene_seconds=3.0) as world:
        yield [world.frame(t) for t in TIMES]


def project(points: np.ndarray, frame: Frame) -> np.ndarray:
    """Pixel-edge coordinates [N, 2] of points in the optical frame, by OpenCV from what CameraInfo says."""
    k, d = np.reshape(frame.model.k, (3, 3)), np.array(frame.model.d)
    by = cv2.fisheye if frame.model.distortion_model == "equidistant" else cv2
    return by.projectPoints(points.reshape(-1, 1, 3), np.zeros(3), np.zeros(3), k, d)[0].reshape(-1, 2) + 0.5


def filled(box: Box3D) -> np.ndarray:
    """Points throughout a box, [N, 3]: a lens bends its edges outwards."""
    steps = np.stack(np.meshgrid(*[np.linspace(-0.5, 0.5, 9)] * 3), -1).reshape(-1, 3)
    return box.center + (steps * box.size) @ box.rotation.T


def check_boxes(frame: Frame) -> None:
    for instance, box in zip(frame.instances, frame.boxes_3d(), strict=True):
        assert np.allclose(box.rotation @ box.rotation.T, np.eye(3))
        assert np.linalg.det(box.rotation) > 0.0
        uv = project(filled(box), frame)
        x0, y0, x1, y1 = instance.box
        assert (uv.min(0) <= (x0 + 1.0, y0 + 1.0)).all()
        assert (uv.max(0) >= (x1 - 1.0, y1 - 1.0)).all()
        # It holds the object closely: nothing is as large as its box from every side.
        left, top, right, bottom = instance.amodal
        assert np.prod(np.ptp(uv, axis=0)) < 6.0 * (right - left) * (bottom - top)


def test_frames_are_labelled_pictures(frames: list[Frame]) -> None:
    for frame in frames:
        assert frame.rgb.shape == (240, 320, 3)
        assert frame.rgb.dtype == np.uint8
        assert frame.rgb.std() > 3.0
        numbers = frame.instance_mask()
        for number, instance in enumerate(frame.instances, 1):
            assert instance.labelled
            assert instance.box == tight_box(instance.mask)
            assert (frame.mask[instance.mask] == instance.category).all()
            assert np.array_equal(numbers == number, instance.mask)
            assert max(instance.box[2] - instance.box[0], instance.box[3] - instance.box[1]) >= 24
    assert sum(len(frame.instances) for frame in frames) > len(frames)


def test_the_camera_moves_smoothly_and_the_scene_changes(frames: list[Frame]) -> None:
    assert [frame.scene for frame in frames] == [0, 0, 0, 0, 0, 0, 1, 1, 2]
    positions = np.array([frame.view.position for frame in frames])
    steps = np.linalg.norm(np.diff(positions[:6], axis=0), axis=1)
    assert (steps > 0.005).all()
    assert (steps < 0.4).all()
    assert not np.array_equal(frames[0].rgb, frames[1].rgb)
    fx, _, cx, _, fy, cy, *_ = frames[0].model.k
    assert (cx, cy) == (159.5, 119.5)
    assert fx == fy == pytest.approx(120.0 / np.tan(np.radians(frames[0].view.fovy) / 2))


def test_boxes_in_space_hold_the_objects(frames: list[Frame]) -> None:
    for frame in frames:
        check_boxes(frame)


def test_a_frame_depends_on_seed_name_and_time_alone(frames: list[Frame]) -> None:
    # Straight to the second scene and back, beside another camera: neither makes a difference.
    with LiveWorld("demo", seed=3, scene_seconds=3.0, cameras=("other", "one")) as pair:
        one = [pair.frame(TIMES[index], "one").rgb for index in (7, 1)]
        assert not np.array_equal(pair.frame(TIMES[1], "other").rgb, one[1])
        assert pair.frame(TIMES[1], "one", labels=False, depth=True).mask is None
    with LiveWorld("demo", seed=3, scene_seconds=3.0, cameras=("one",)) as alone:
        assert np.array_equal(alone.frame(TIMES[1]).rgb, one[1])
        assert np.array_equal(alone.frame(TIMES[7]).rgb, one[0])
    with LiveWorld("demo", seed=4, scene_seconds=3.0) as other:
        assert not np.array_equal(other.frame(TIMES[1]).rgb, frames[1].rgb)


def test_a_process_that_dies_while_it_builds_is_replaced_once(frames: list[Frame]) -> None:
    with LiveWorld("demo", seed=3, scene_seconds=3.0) as world:
        builder = world._builder
        builder._process.kill()
        again = world.frame(TIMES[7])
        assert np.array_equal(again.rgb, frames[7].rgb)
        assert [i.box for i in again.instances] == [i.box for i in frames[7].instances]
        builder.order(2).result()
        builder._ended[9] += 1
        builder.order(9)
        builder._process.kill()
        with pytest.raises(UserError, match=r"scene 9 of preset 'demo', seed 3, ended two processes"):
            builder.order(9).result()


def test_objects_stay_in_view(frames: list[Frame]) -> None:
    counts = [len(frame.instances) for frame in frames if frame.scene == 0]
    assert min(counts) >= max(counts) - 1


@pytest.mark.parametrize("lens", list(LENSES))
def test_lenses_bend_labels_depth_and_calibration_alike(lens: str, tmp_path: Path) -> None:
    preset = tmp_path / "bent.yaml"
    preset.write_text(f"base: demo\ncontent: {{negatives: 0}}\nsurface: {{walls: 0, table: 0}}\n{LENSES[lens]}\n")
    seen, models, without = 0, set(), 0
    with LiveWorld(str(preset), 5, 160, 120, 1.0, ("a", "b"), fixed_optics=True) as world:
        for t in (0.3, 1.3, 2.3):
            for name in ("a", "b"):
                frame = world.frame(t, name, depth=True)
                assert frame.model.distortion_model == lens
                models.add((name, frame.model))
                check_boxes(frame)
                for instance, box in zip(frame.instances, frame.boxes_3d(), strict=True):
                    near, far = np.sort(box.corners()[:, 2])[[0, -1]]
                    distance = frame.depth[instance.mask]
                    assert (distance > near - 2e-3).all()
                    assert (distance < far + 2e-3).all()
                    seen += 1
                millimetres = in_millimetres(frame.depth)
                known = np.isfinite(frame.depth)
                assert np.array_equal(millimetres == 0, ~known)
                assert np.abs(millimetres[known] - 1e3 * frame.depth[known]).max() <= 0.501
                without += np.count_nonzero(np.isnan(frame.depth))
                assert np.isnan(frame.depth).any() == np.isnan(frame.depth[0, 0])
    assert seen > 6
    assert len(models) == 2
    # A fisheye's picture ends at its barrel; the other lens fills it.
    assert (without > 0) == (lens == "equidistant")


def test_a_rig_moves_as_one(frames: list[Frame]) -> None:
    mounts = read_mounts((0.06, 0.0, 0.0, 0.0, 0.0, -0.02, 0.01, 30.0))
    with LiveWorld("demo", 3, 320, 240, 3.0, ("left", "right", "turned"), mounts) as world:
        for t in (0.2, 2.0):
            left, right, turned = (world.frame(t, name) for name in ("left", "right", "turned"))
            assert right.model == left.model == turned.model
            where = {i.thing: box for i, box in zip(left.instances, left.boxes_3d(), strict=True)}
            common = 0
            for frame, back in ((right, shifted), (turned, unturned)):
                for instance, box in zip(frame.instances, frame.boxes_3d(), strict=True):
                    if instance.thing in where:
                        assert back(box.center) == pytest.approx(where[instance.thing].center)
                        common += 1
            assert common > 2
            # Rectified: the same rows.
            for instance, box in zip(right.instances, right.boxes_3d(), strict=True):
                if instance.thing in where:
                    rows = [project(b.center, f)[0, 1] for b, f in ((box, right), (where[instance.thing], left))]
                    assert rows[0] == pytest.approx(rows[1])


def shifted(center: np.ndarray) -> np.ndarray:
    """From the frame of the second camera above to that of the first."""
    return center + np.array([0.06, 0.0, 0.0])


def unturned(center: np.ndarray) -> np.ndarray:
    """From the frame of the third camera above to that of the first."""
    x, y, z = center
    cos, sin = math.cos(math.radians(30.0)), math.sin(math.radians(30.0))
    return np.array([cos * x + sin * z, y - 0.02, cos * z - sin * x + 0.01])


def test_a_mounted_camera_keeps_the_tilt() -> None:
    first = View((1.0, 0.5, 0.8), (0.0, 0.1, 0.0), 0.3, 50.0)
    assert Mount().view(first).axes == pytest.approx(first.axes)
    assert Mount(right=0.1).sideways
    assert not Mount(right=0.1, yaw=0.1).sideways
    beside = Mount(right=0.1).view(first)
    assert beside.axes == pytest.approx(first.axes)
    assert first.axes @ np.subtract(beside.position, first.position) == pytest.approx([0.1, 0.0, 0.0])


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (dict(preset="tabeltop"), "did you mean 'tabletop'"),
        (dict(cameras=("a", "a")), "none twice"),
        (dict(cameras=("front/left",)), "cannot be a camera's name"),
        (dict(cameras=("a", "")), "cannot be a camera's name"),
        (dict(cameras=("a", "b", "c"), mounts=[Mount()]), "1 mounts for 3 cameras"),
    ],
)
def test_wrong_arguments_are_told(given: dict, told: str) -> None:
    with pytest.raises(UserError, match=told):
        LiveWorld(**{"preset": "demo", "seed": 1, **given})
    with pytest.raises(UserError, match="3 numbers"):
        read_mounts((0.1, 0.0, 0.0))


def test_what_goes_wrong_in_the_building_is_told(tmp_path: Path) -> None:
    preset = tmp_path / "bad.yaml"
    preset.write_text(f"base: demo\nbackground: {{images: [{tmp_path / 'nowhere'}], stage: 1.0}}\n")
    with LiveWorld(str(preset), 1, 64, 48) as world, pytest.raises(UserError, match="nowhere"):
        world.frame(0.0)


def test_rates() -> None:
    now = 100.0
    meter = RateMeter(10.0, lambda: now)
    assert meter.rate() == 0.0
    for _ in range(40):
        now += 0.1
        meter.count()
    now += 0.05
    assert meter.rate() == pytest.approx(10.0)
    # Overdue, and then gone.
    now += 2.05
    assert 5.0 < meter.rate() < 7.0
    now += 10.0
    assert meter.rate() == 0.0
    slow = RateMeter(0.2, lambda: now)
    for _ in range(4):
        slow.count()
        now += 5.0
    assert slow.rate() == pytest.approx(0.2)


def test_stages_are_means_over_frames() -> None:
    times = StageTimes()
    assert times.means() == {}
    for _ in range(2):
        for _ in range(2):
            with times.stage("render"):
                pass
        times.next_frame()
    with times.stage("publish"):
        pass
    assert list(times.means()) == ["render"]
    assert 0.0 < times.means()["render"] < 1e3


def test_simulated_time_is_exact_and_never_zero() -> None:
    times = SimTime(rate=30.0, start=5.0, clock_rate=100.0)
    assert times.ticks == 3
    assert SimTime(10.0).ticks == 1
    assert SimTime(10.0).at(0) == 100_000_000
    assert times.at(29) == 6_000_000_000
    assert times.at(30 * 86_400 * 365 - 1) == (5 + 86_400 * 365) * 1_000_000_000
    every = [times.at(frame, tick) for frame in range(100) for tick in range(3)]
    assert all(a < b for a, b in itertools.pairwise(every))
    assert times.at(7, 3) == times.at(8)
