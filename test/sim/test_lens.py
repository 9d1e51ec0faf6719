"""Lens geometry against OpenCV's, and labels that follow the picture."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import cv2
import numpy as np
import pytest

from perception_common.errors import UserError
from perception_sim.lens import Lens, Pinhole, distort, plane, source_for, tables, undistort, warp_labels, warp_picture

W, H = 160, 120
LENSES = {
    "none": Lens.of_field("none", W, H, 60.0),
    "phone": Lens.of_field("plumb_bob", W, H, 65.0, (0.12, -0.2, 0.001, -0.0015, 0.05)),
    "wide": Lens.of_field("plumb_bob", W, H, 92.0, (-0.3, 0.08, 0.002, 0.001)),
    "strong": Lens.of_field("plumb_bob", W, H, 60.0, (-0.35,)),
    "shifted": Lens("plumb_bob", 130.0, 124.0, 71.3, 66.1, (-0.2, 0.05, 0.001, 0.002, -0.003)),
    "fisheye": Lens.of_field("equidistant", W, H, 115.0, (0.05, -0.01, 0.004, -0.001)),
    "barrel": Lens.of_field("equidistant", W, H, 150.0, (-0.01, 0.003), circle=77.0),
    "round": Lens("equidistant", 40.0, 40.0, 81.0, 58.0, (0.03,), circle=80.0),
}
DISTORTED = [name for name in LENSES if name != "none"]


def opencv(points: np.ndarray, lens: Lens, source: Pinhole) -> np.ndarray:
    """What OpenCV makes of the render's pixels [N, 2], both in pixel-edge coordinates."""
    k, d, model = lens.camera_model()
    matrix, coefficients = np.array(k).reshape(3, 3), np.array(d)
    pinhole = (points - (source.width / 2.0, source.height / 2.0)) / source.focal
    if model == "equidistant":
        found = cv2.fisheye.distortPoints(pinhole[None].astype(float), matrix, coefficients)
    else:
        rays = np.concatenate([pinhole, np.ones((len(pinhole), 1))], 1)
        found, _ = cv2.projectPoints(rays, np.zeros(3), np.zeros(3), matrix, coefficients)
    return found.reshape(-1, 2) + 0.5


def centers(height: int, width: int) -> np.ndarray:
    x, y = np.meshgrid(np.arange(width) + 0.5, np.arange(height) + 0.5)
    return np.stack([x, y], -1)


@pytest.mark.parametrize("name", LENSES)
def test_distort_is_opencvs_and_undistort_its_inverse(name: str) -> None:
    lens = LENSES[name]
    source = source_for(lens, W, H)
    pixels = centers(H, W)[tables(lens, W, H, source).seen]
    straight = undistort(pixels, lens, source)
    assert not np.isnan(straight).any()
    assert np.abs(opencv(straight, lens, source) - pixels).max() < 1e-5
    assert np.abs(distort(straight, lens, source) - pixels).max() < 1e-5


@pytest.mark.parametrize("name", LENSES)
def test_tables_lead_every_pixel_back_to_itself(name: str) -> None:
    lens = LENSES[name]
    source = source_for(lens, W, H)
    found = tables(lens, W, H, source)
    origins = np.stack([found.x, found.y], -1)[found.seen].astype(float) + 0.5
    assert np.abs(opencv(origins, lens, source) - centers(H, W)[found.seen]).max() < 0.01
    assert origins.min() >= 0.5
    assert (origins.max(0) <= (source.width - 0.5, source.height - 0.5)).all()


@pytest.mark.parametrize("size", [(640, 480), (333, 257), (1280, 720)])
def test_tables_are_as_exact_for_larger_pictures(size: tuple[int, int]) -> None:
    width, height = size
    for model, field, d, circle in (
        ("plumb_bob", 90.0, (-0.32, 0.1, 0.002, -0.002, -0.01), 0.0),
        ("equidistant", 148.0, (0.06, -0.02, 0.01, -0.002), 80.0),
    ):
        lens = Lens.of_field(model, width, height, field, d, circle)
        source = source_for(lens, width, height)
        found = tables(lens, width, height, source)
        # Nodes and checks of the code are elsewhere than every seventh pixel.
        seen, some = found.seen[::7, ::7], (slice(None, None, 7), slice(None, None, 7))
        origins = np.stack([found.x[some], found.y[some]], -1)[seen].astype(float) + 0.5
        assert np.abs(opencv(origins, lens, source) - centers(height, width)[some][seen]).max() < 0.01


def test_what_the_nodes_cannot_follow_is_solved_for_every_pixel(monkeypatch: pytest.MonkeyPatch) -> None:
    lens, source = LENSES["wide"], source_for(LENSES["wide"], W, H)
    quick = tables(lens, W, H, source)
    asked = []
    straighten = type(lens.curve).straighten

    def counted(curve: Any, bent: np.ndarray) -> np.ndarray:
        asked.append(len(bent))
        return straighten(curve, bent)

    monkeypatch.setattr(type(lens.curve), "straighten", counted)
    monkeypatch.setattr(plane, "_NODES", 4)
    plane.pinhole_plane.cache_clear()
    slow = tables.__wrapped__(lens, W, H, source)
    assert asked == [4, 16, W * H]
    assert np.abs(slow.x - quick.x).max() < 1e-3
    assert np.abs(slow.y - quick.y).max() < 1e-3
    plane.pinhole_plane.cache_clear()


@pytest.mark.parametrize("name", LENSES)
def test_pictures_show_at_each_pixel_what_opencv_projects_there(name: str) -> None:
    """Each pixel of the render holds where OpenCV projects it: warped, every pixel has to show its own place."""
    lens = LENSES[name]
    source = source_for(lens, W, H)
    found = tables(lens, W, H, source)
    places = opencv(centers(source.height, source.width).reshape(-1, 2), lens, source)
    render = np.zeros((source.height, source.width, 3), np.float32)
    render[..., :2] = places.reshape(source.height, source.width, 2)
    error = np.abs(warp_picture(render, found)[..., :2] - centers(H, W))[found.seen]
    # OpenCV interpolates between places a 32nd of a pixel apart.
    assert error.max() < 0.02 + 1.0 / 64.0
    assert error.mean() < 0.01


@pytest.mark.parametrize("name", ["none", "phone", "wide", "fisheye"])
def test_corners_of_a_drawn_checkerboard_lie_where_opencv_projects_them(name: str) -> None:
    width, height = 2 * W, 2 * H
    small = LENSES[name]
    lens = dataclasses.replace(small, fx=small.fx * 2, fy=small.fy * 2, cx=small.cx * 2, cy=small.cy * 2)
    # Three pixels of the render to one of the picture, and edges two pixels of the picture wide: no aliasing.
    source = source_for(lens, width, height, density=3.0)
    pitch = 90.0
    x, y = np.moveaxis(centers(source.height, source.width) - (source.width / 2.0, source.height / 2.0), -1, 0)
    waves = [np.clip(np.sin(np.pi * axis / pitch) * pitch / np.pi / 3.0, -1.0, 1.0) for axis in (x, y)]
    render = (127.5 + 100.0 * waves[0] * waves[1])[..., None].repeat(3, 2).round().astype(np.uint8)
    picture = warp_picture(render, tables(lens, width, height, source))
    steps = np.arange(-6, 7) * pitch
    corners = np.stack(np.meshgrid(steps, steps), -1).reshape(-1, 2)
    corners += (source.width / 2.0, source.height / 2.0)
    wanted = opencv(corners, lens, source)
    wanted = wanted[((wanted > 16) & (wanted < (width - 16, height - 16))).all(1)]
    assert len(wanted) > 30
    guess = (wanted - 0.5 + np.random.default_rng(0).uniform(-1, 1, wanted.shape)).astype(np.float32)
    criteria = (cv2.TERM_CRITERIA_EPS + cv2.TERM_CRITERIA_MAX_ITER, 100, 1e-4)
    grey = np.ascontiguousarray(picture[..., 0])
    found = cv2.cornerSubPix(grey, guess.reshape(-1, 1, 2), (5, 5), (-1, -1), criteria)[:, 0] + 0.5
    error = np.linalg.norm(found - wanted, axis=1)
    assert np.abs((found - wanted).mean(0)).max() < 0.005
    # Towards the rim edges are bent within the window, which the search for corners takes for straight.
    inner = np.linalg.norm(wanted - (width / 2.0, height / 2.0), axis=1) < 75.0
    assert np.median(error[inner]) < 0.015
    assert np.median(error) < 0.03


def test_no_distortion_changes_nothing() -> None:
    lens = LENSES["none"]
    source = source_for(lens, W, H)
    assert (source.width, source.height, source.focal) == (W, H, lens.fx)
    assert source.fovy == pytest.approx(np.degrees(2 * np.arctan(np.tan(np.radians(30.0)) * H / W)))
    render = np.random.default_rng(0).integers(0, 256, (H, W, 3), dtype=np.uint8)
    assert np.array_equal(warp_picture(render, tables(lens, W, H, source)), render)
    ids = np.arange(H * W, dtype=np.int32).reshape(H, W) + (1 << 26)
    assert np.array_equal(warp_labels(ids, tables(lens, W, H, source), -1), ids)


@pytest.mark.parametrize("name", LENSES)
def test_labels_cover_what_the_picture_shows(name: str) -> None:
    lens = LENSES[name]
    source = source_for(lens, W, H)
    found = tables(lens, W, H, source)
    rng = np.random.default_rng(2)
    places = centers(source.height, source.width)
    for _ in range(12):
        ray = rng.uniform((25, 25), (W - 25, H - 25))
        middle = undistort(ray[None], lens, source)[0]
        stretch = np.linalg.norm(middle - undistort(ray[None] + (1.0, 0.0), lens, source)[0])
        things = (np.linalg.norm(places - middle, axis=-1) < 9.0 * stretch).astype(np.int16) * 7 - 1
        render = ((things == 6) * 255).astype(np.uint8)[..., None].repeat(3, 2)
        ids = warp_labels(things, found, -1)
        assert ids.dtype == np.int16
        assert set(np.unique(ids).tolist()) == {-1, 6}
        shown = warp_picture(render, found)[..., 0] > 127
        for axis in (0, 1):
            labelled, visible = (np.flatnonzero(mask.any(axis)) for mask in (ids == 6, shown))
            assert abs(labelled[0] - visible[0]) <= 1
            assert abs(labelled[-1] - visible[-1]) <= 1
        assert np.mean((ids == 6) != shown) < 0.01


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int16, np.int32, np.float32, np.float64])
def test_labels_and_depth_keep_their_values_and_type(dtype: type) -> None:
    lens = LENSES["barrel"]
    source = source_for(lens, W, H)
    found = tables(lens, W, H, source)
    largest = 255 if dtype is np.uint8 else 32000 if dtype in (np.int16, np.uint16) else 2_000_000_011
    values = np.random.default_rng(1).integers(1, largest, (source.height, source.width)).astype(dtype)
    warped = warp_labels(values, found, 0)
    assert warped.dtype == dtype
    assert not warped[~found.seen].any()
    rows, columns = np.rint(found.y[found.seen]).astype(int), np.rint(found.x[found.seen]).astype(int)
    # Halfway between two pixels either is the nearest.
    assert np.mean(warped[found.seen] == values[rows, columns]) > 0.97
    assert np.isin(warped[found.seen], values).all()


@pytest.mark.parametrize("name", ["barrel", "round"])
def test_behind_the_barrel_it_is_black(name: str) -> None:
    lens = LENSES[name]
    source = source_for(lens, W, H)
    found = tables(lens, W, H, source)
    assert 0.3 < found.seen.mean() < 1.0
    picture = warp_picture(np.full((source.height, source.width, 3), 255, np.uint8), found)
    assert (picture[found.seen] == 255).all()
    assert not picture[~found.seen].any()
    right = source.width / 2.0 + source.focal * np.tan(np.radians(lens.circle))
    rim = distort(np.array([[right, source.height / 2.0]]), lens, source)[0, 0]
    row = found.seen[int(lens.cy)]
    assert np.flatnonzero(row)[-1] + 1 == pytest.approx(min(rim, W), abs=1.0)


@pytest.mark.parametrize("name", DISTORTED)
def test_the_render_is_as_large_as_it_has_to_be(name: str) -> None:
    lens = LENSES[name]
    source = source_for(lens, W, H)
    for smaller in (
        dataclasses.replace(source, width=source.width - 3),
        dataclasses.replace(source, height=source.height - 3),
    ):
        with pytest.raises(UserError, match=f"{source.width} x {source.height}"):
            tables(lens, W, H, smaller)
    larger = dataclasses.replace(source, width=source.width + 31, height=source.height + 8)
    assert (
        np.abs((tables(lens, W, H, larger).x - tables(lens, W, H, source).x) - 15.5)[
            tables(lens, W, H, source).seen
        ].max()
        < 0.01
    )
    coarse = source_for(lens, W, H, density=0.5)
    assert coarse.focal == pytest.approx(source.focal / 2.0)
    assert coarse.width == pytest.approx(source.width / 2.0, abs=2)


@pytest.mark.parametrize(
    ("name", "wanted"),
    [("none", 60.0), ("phone", 65.0), ("wide", 92.0), ("strong", 60.0), ("fisheye", 115.0), ("barrel", 150.0)],
)
def test_of_field_sees_the_field(name: str, wanted: float) -> None:
    source = Pinhole(100, 100, 50.0)
    edges = undistort(np.array([[0.0, H / 2.0], [W, H / 2.0]]), LENSES[name], source)
    angles = np.degrees(np.arctan((edges[:, 0] - 50.0) / 50.0))
    # The tangential terms are not the same on both sides.
    assert angles[1] - angles[0] == pytest.approx(wanted, abs=0.4)


@pytest.mark.parametrize("name", DISTORTED)
def test_points_far_outside_stay_outside(name: str) -> None:
    lens = LENSES[name]
    source = source_for(lens, W, H)
    turn = np.linspace(0.0, 2 * np.pi, 60)
    far = np.stack([np.cos(turn), np.sin(turn)], 1) * 50.0 * source.width
    placed = distort(far, lens, source)
    inside = ((placed > 0.5) & (placed < (W - 0.5, H - 0.5))).all(1)
    behind = ~tables(lens, W, H, source).seen
    for x, y in placed[inside]:
        # Only behind the barrel, or on its rim.
        assert behind[max(int(y) - 1, 0) : int(y) + 2, max(int(x) - 1, 0) : int(x) + 2].any()


def test_camera_info_counts_from_the_middle_of_the_first_pixel() -> None:
    k, d, model = LENSES["shifted"].camera_model()
    assert model == "plumb_bob"
    assert k == (130.0, 0.0, 71.3 - 0.5, 0.0, 124.0, 66.1 - 0.5, 0.0, 0.0, 1.0)
    assert d == (-0.2, 0.05, 0.001, 0.002, -0.003)
    assert LENSES["none"].camera_model()[1:] == ((0.0,) * 5, "plumb_bob")
    assert LENSES["round"].camera_model()[1:] == ((0.03, 0.0, 0.0, 0.0), "equidistant")


@pytest.mark.parametrize("name", LENSES)
def test_lenses_survive_json(name: str) -> None:
    assert Lens(**json.loads(json.dumps(dataclasses.asdict(LENSES[name])))) == LENSES[name]


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"model": "fish"}, "model"),
        ({"fx": 0.0}, "fx"),
        ({"cy": float("inf")}, "cy"),
        ({"model": "plumb_bob", "d": (float("nan"),)}, "'d'"),
        ({"model": "equidistant", "d": (0.0,) * 5}, "give 4"),
        ({"d": (0.1,)}, "give 0"),
        ({"circle": 90.0}, "circle"),
        ({"model": "equidistant", "d": (-0.3,), "circle": 75.0}, "folds back"),
    ],
)
def test_wrong_lenses_are_refused(values: dict[str, Any], says: str) -> None:
    with pytest.raises(UserError, match=says):
        Lens(**values)


def test_what_cannot_be_drawn_is_refused() -> None:
    with pytest.raises(UserError, match="corners"):
        source_for(Lens.of_field("equidistant", 640, 480, 150.0), 640, 480)
    with pytest.raises(UserError, match="corners"):
        source_for(Lens("plumb_bob", 300.0, 300.0, 320.0, 240.0, (-0.35,)), 640, 480)
    with pytest.raises(UserError, match="at most 160"):
        Lens.of_field("equidistant", 640, 480, 165.0)
    with pytest.raises(UserError, match="at most"):
        Lens.of_field("plumb_bob", 640, 480, 100.0, (-0.35,))
    with pytest.raises(UserError, match="density"):
        source_for(LENSES["barrel"], W, H, density=100.0)
    with pytest.raises(UserError, match="density"):
        source_for(LENSES["barrel"], W, H, density=0.0)
    with pytest.raises(UserError, match="0 x 120"):
        source_for(LENSES["none"], 0, H)
    with pytest.raises(UserError, match="nothing but the barrel"):
        source_for(dataclasses.replace(LENSES["barrel"], cx=-1e4), W, H)
    source = source_for(LENSES["wide"], W, H)
    by = tables(LENSES["wide"], W, H, source)
    with pytest.raises(UserError, match="rows and columns"):
        warp_picture(np.zeros((H, W, 3), np.uint8), by)
