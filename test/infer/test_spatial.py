"""Boxes in space, against shapes whose place is known exactly (the simulator's: test/sim/test_places_in_space.py)."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from perception_common.errors import UserError
from perception_infer.spatial import Box3D, Camera, Floor, floor_of, place_by_depth, place_on_floor

WIDTH, HEIGHT = 320, 240
CAMERA = Camera((200.0, 0.0, 159.5, 0.0, 210.0, 119.5, 0.0, 0.0, 1.0))
BEHIND = 5.0


def ball(center: tuple[float, float, float], radius: float) -> tuple[np.ndarray, np.ndarray]:
    """Depth float32 [H, W] of a ball before a wall, by intersecting rays, and the box around it."""
    rows, columns = np.mgrid[0:HEIGHT, 0:WIDTH] + 0.5
    rays = CAMERA.rays(np.column_stack([columns.ravel(), rows.ravel()]))
    along, squared = rays @ np.array(center), (rays**2).sum(1)
    root = along**2 - squared * (np.dot(center, center) - radius**2)
    hit = root >= 0
    depth = np.full(rows.size, BEHIND)
    depth[hit] = (along[hit] - np.sqrt(root[hit])) / squared[hit]
    ys, xs = np.nonzero(hit.reshape(HEIGHT, WIDTH))
    box = np.array([[xs.min(), ys.min(), xs.max() + 1, ys.max() + 1]], np.float32)
    return depth.reshape(HEIGHT, WIDTH).astype(np.float32), box


def one(found: list[Box3D | None]) -> Box3D:
    (box,) = found
    assert box is not None
    return box


BALLS = [((0.0, 0.0, 1.0), 0.15), ((0.5, -0.3, 1.6), 0.2), ((-0.9, 0.5, 3.0), 0.1)]


@pytest.mark.parametrize(("center", "radius"), BALLS)
def test_a_ball_is_placed_in_its_middle(center: tuple[float, float, float], radius: float) -> None:
    depth, box = ball(center, radius)
    found = one(place_by_depth(box, depth, (WIDTH, HEIGHT), CAMERA, 0.1, 20.0))
    assert np.abs(found.center - center).max() < 0.15 * radius + 0.01
    assert found.size == pytest.approx([2 * radius] * 3, rel=0.12)
    deviations = np.sqrt(np.diag(found.covariance)[:3])
    assert (np.abs(found.center - center) < 3 * deviations).all()
    assert (deviations < radius).all()
    assert np.linalg.eigvalsh(found.covariance).min() > 0


@pytest.mark.parametrize(("center", "radius"), BALLS)
def test_noise_holes_and_a_pole_in_front_change_little(center: tuple[float, float, float], radius: float) -> None:
    depth, box = ball(center, radius)
    rng = np.random.default_rng(0)
    left, _top, right, _bottom = box[0].astype(int)
    worse = depth * (1 + 0.01 * rng.standard_normal(depth.shape).astype(np.float32))
    worse[rng.random(depth.shape) < 0.4] = 0
    worse[rng.random(depth.shape) < 0.1] = np.nan
    middle = (left + right) // 2
    worse[:, middle : middle + max(1, (right - left) // 5)] = 0.3
    found = one(place_by_depth(box, worse, (WIDTH, HEIGHT), CAMERA, 0.1, 20.0))
    assert np.abs(found.center - center).max() < 0.35 * radius + 0.02 * center[2]


def test_depth_may_have_another_size_than_the_image() -> None:
    depth, box = ball((0.1, 0.1, 1.0), 0.2)
    half = depth[::2, ::2].copy()
    full, small = (one(place_by_depth(box, d, (WIDTH, HEIGHT), CAMERA, 0.1, 20.0)) for d in (depth, half))
    assert np.abs(full.center - small.center).max() < 0.01


@pytest.mark.parametrize("value", [0.0, np.nan, np.inf, 0.05, 30.0])
def test_without_depth_nothing_is_placed(value: float) -> None:
    box = np.array([[10, 10, 60, 60]], np.float32)
    depth = np.full((HEIGHT, WIDTH), value, np.float32)
    assert place_by_depth(box, depth, (WIDTH, HEIGHT), CAMERA, 0.1, 20.0) == [None]
    assert place_by_depth(np.zeros((0, 4), np.float32), depth, (WIDTH, HEIGHT), CAMERA, 0.1, 20.0) == []


@pytest.mark.parametrize("box", [(0, 0, 2, 2), (-5, -5, 3, 3), (300, 230, 330, 250), (318, 238, 320, 240)])
def test_boxes_at_the_border(box: tuple[int, ...]) -> None:
    depth = np.full((HEIGHT, WIDTH), 2.0, np.float32)
    for found in place_by_depth(np.array([box], np.float32), depth, (WIDTH, HEIGHT), CAMERA, 0.1, 20.0):
        assert found is None or np.isfinite(found.center).all()


def test_lenses() -> None:
    """A point is where OpenCV projects it to, with pixel edges in place of pixel centres."""
    point = np.array([[[0.3, -0.2, 1.5]]])
    matrix = np.reshape(CAMERA.k, (3, 3))
    for model, d in (("plumb_bob", (0.1, -0.05, 0.001, 0.002, 0.01)), ("equidistant", (0.02, -0.01, 0.0, 0.0))):
        distortion = np.array(d)
        if model == "equidistant":
            pixel = cv2.fisheye.projectPoints(point, np.zeros(3), np.zeros(3), matrix, distortion)[0]
        else:
            pixel = cv2.projectPoints(point, np.zeros(3), np.zeros(3), matrix, distortion)[0]
        (ray,) = Camera(CAMERA.k, d, model).rays(pixel.reshape(1, 2) + 0.5)
        assert ray == pytest.approx(point[0, 0] / 1.5, abs=1e-4)
    with pytest.raises(UserError, match="no calibration"):
        Camera((0.0,) * 9)


def seen_from(
    floor: Floor, feet: tuple[float, float], size: tuple[float, float, float]
) -> tuple[np.ndarray, np.ndarray]:
    """The box in the image of a cuboid (across, along, high) that stands at (right, ahead), and its middle."""
    down = floor.down
    ahead = np.array([0.0, 0.0, 1.0]) - down[2] * down
    ahead /= np.linalg.norm(ahead)
    right = np.cross(down, ahead)
    foot = floor.height * down + feet[0] * right + feet[1] * ahead
    signs = np.array([(x, y, z) for x in (-0.5, 0.5) for y in (-0.5, 0.5) for z in (0, 1)])
    corners = foot + (signs * size) @ np.array([right, ahead, -down])
    matrix = np.reshape(CAMERA.k, (3, 3))
    uv = (corners @ matrix.T)[:, :2] / corners[:, 2:] + 0.5
    return np.hstack([uv.min(0), uv.max(0)])[None], foot - down * size[2] / 2


@pytest.mark.parametrize("roll", [0.0, 0.1])
@pytest.mark.parametrize("feet", [(0.0, 2.0), (0.5, 2.5), (-1.0, 4.0)])
def test_what_stands_on_the_floor_is_placed_by_its_feet(feet: tuple[float, float], roll: float) -> None:
    floor = Floor(0.9, np.deg2rad(20.0), roll)
    box, middle = seen_from(floor, feet, (0.25, 0.25, 0.5))
    found = one(place_on_floor(box, CAMERA, floor, 20.0))
    deviations = np.sqrt(np.diag(found.covariance)[:3])
    assert np.abs(found.center - middle).max() < 0.15 + 0.03 * feet[1]
    assert (np.abs(found.center - middle) < 3 * deviations).all()


def test_the_farther_on_the_floor_the_less_sure() -> None:
    floor = Floor(0.9, np.deg2rad(20.0))
    near, far = (
        one(place_on_floor(seen_from(floor, (0.0, ahead), (0.3, 0.3, 0.4))[0], CAMERA, floor, 50.0)).covariance[2, 2]
        for ahead in (1.5, 6.0)
    )
    assert far > 4 * near


def test_what_does_not_stand_on_the_floor_is_not_placed() -> None:
    floor = Floor(0.9, 0.0)
    above = np.array([[100, 20, 140, 100]], np.float32)
    assert place_on_floor(above, CAMERA, floor, 20.0) == [None]
    barely = np.array([[100, 20, 140, 122]], np.float32)
    assert place_on_floor(barely, CAMERA, floor, 20.0) == [None], "farther than believed"
    assert floor_of([0.9, 20.0]) == Floor(0.9, pytest.approx(np.deg2rad(20)))
    for wrong in ([], [1.0], [-1.0, 3.0], [1.0, 2.0, 3.0, 4.0]):
        with pytest.raises(UserError, match="does not say where the floor is"):
            floor_of(wrong)
