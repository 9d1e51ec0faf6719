"""Every change of looks, and the rectangles of cutout: what they do, and what they leave alone."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from perception_common.params import specs
from perception_train.data.appearance import AppearanceParams, photometric
from perception_train.data.augment import MIN_VISIBLE, AugmentParams, Labelled, mosaic, random_view

STRENGTHS = ("blur_sigma", "motion_length", "noise_level", "jpeg_quality")
OFF = dict.fromkeys((name for name in specs(AppearanceParams) if name not in STRENGTHS), 0.0)


def picture() -> np.ndarray:
    """Smooth colours with some edges, uint8 [48, 64, 3]: every change shows on it."""
    y, x = np.mgrid[:48, :64]
    image = np.stack((40 + 2 * x, 60 + 3 * y, 200 - x - y), -1).astype(np.uint8)
    cv2.rectangle(image, (20, 12), (40, 30), (230, 40, 90), -1)
    return image


def changed(seed: int = 0, **strength: float) -> np.ndarray:
    return photometric(picture(), AppearanceParams(**(OFF | strength)), np.random.default_rng(seed))


def test_all_off_is_the_image() -> None:
    # The way through HSV rounds.
    assert np.abs(changed().astype(int) - picture()).max() <= 3


@pytest.mark.parametrize("name", sorted(OFF))
def test_each_change_does_something_and_depends_on_the_generator_only(name: str) -> None:
    strength = {name: 0.5 if name == "hue" else 1.0}
    differences = []
    for seed in range(4):
        one = changed(seed, **strength)
        assert one.dtype == np.uint8
        assert one.shape == picture().shape
        assert (one == changed(seed, **strength)).all()
        differences.append(np.abs(one.astype(int) - changed()).max())
    assert max(differences) > 10


def test_the_input_is_left_alone() -> None:
    before = picture()
    image = before.copy()
    rng = np.random.default_rng(0)
    for _ in range(20):
        photometric(image, AppearanceParams(**dict.fromkeys(OFF, 0.5)), rng)
    assert (image == before).all()


def test_whether_one_change_is_on_does_not_shift_what_another_draws() -> None:
    assert (changed(seed=5, shading=1.0) == changed(seed=5, shading=1.0, shuffle=1e-9)).all()


def test_grey_has_no_colour_and_shuffle_only_moves_it() -> None:
    grey = changed(grey=1.0)
    assert (grey == grey[..., :1]).all()
    shuffled = changed(seed=2, shuffle=1.0)
    assert (np.sort(shuffled, -1) == np.sort(changed(), -1)).all()


def test_tone_tables_keep_the_order_of_levels() -> None:
    ramp = np.repeat(np.arange(256, dtype=np.uint8)[None, :, None], 3, 2)
    for seed in range(20):
        strong = AppearanceParams(**(OFF | dict(contrast=0.9, gamma=1.0, gain=0.9, tone=1.0)))
        image = photometric(ramp, strong, np.random.default_rng(seed)).astype(int)
        assert (np.diff(image[0], axis=0) >= 0).all()


def test_blurs_take_detail_away_and_sharpening_adds_some() -> None:
    def detail(image: np.ndarray) -> float:
        return float(cv2.Laplacian(image, cv2.CV_32F).std())

    plain = detail(changed())
    assert detail(changed(blur=1.0)) < plain
    assert detail(changed(motion_blur=1.0)) < plain
    assert detail(changed(sharpen=1.0)) > plain


def test_random_convolution_keeps_level_and_contrast() -> None:
    means = [changed(seed, random_conv=1.0).mean() for seed in range(20)]
    assert abs(np.mean(means) - changed().mean()) < 10


@pytest.mark.parametrize("size", [(1, 1), (3, 2), (33, 7)])
def test_small_images(size: tuple[int, int]) -> None:
    image = np.full((size[1], size[0], 3), 90, np.uint8)
    everything = AppearanceParams(**dict.fromkeys(OFF, 0.5))
    for seed in range(30):
        assert photometric(image, everything, np.random.default_rng(seed)).shape == image.shape


@pytest.mark.parametrize(
    ("change", "strength", "little", "much"),
    [
        ("blur", "blur_sigma", 0.5, 3.0),
        ("motion_blur", "motion_length", 0.01, 0.4),
        ("noise", "noise_level", 1.0, 60.0),
        ("jpeg", "jpeg_quality", 90, 1),
    ],
)
def test_strengths(change: str, strength: str, little: float, much: float) -> None:
    def difference(value: float) -> float:
        one = [changed(seed, **{change: 1.0, strength: value}).astype(int) - changed() for seed in range(8)]
        return float(np.mean([np.abs(d).mean() for d in one]))

    assert 0 < difference(little) < difference(much)


STILL = AugmentParams(flip=0.0, scale=0.0, aspect=0.0, translate=0.0, cutout=1.0)


def test_cutout_drops_what_it_hides_and_nothing_else() -> None:
    dropped = 0
    for seed in range(60):
        image = np.full((64, 64, 3), 255, np.uint8)
        image[20:28, 30:38] = (1, 254, 3)
        box = np.array([[30, 20, 38, 28]], np.float32)
        rng = np.random.default_rng(seed)
        view, boxes, labels, _ = random_view((image, box, np.zeros(1, np.int64)), (64, 64), STILL, rng)
        visible = float((view[20:28, 30:38] == (1, 254, 3)).all(-1).mean())
        assert (view != image).any()
        assert len(labels) == len(boxes) == (1 if visible >= MIN_VISIBLE else 0)
        dropped += len(labels) == 0
    assert 0 < dropped < 60


def test_cutout_of_mosaics_and_of_images_without_objects() -> None:
    none = (np.zeros((32, 32, 3), np.uint8), np.zeros((0, 4), np.float32), np.zeros(0, np.int64))
    image, boxes, _, _ = mosaic([none] * 4, (64, 64), AugmentParams(cutout=1.0), np.random.default_rng(0))
    assert image.max() > 114
    assert boxes.shape == (0, 4)
    assert boxes.dtype == np.float32


def marked(seed: int) -> tuple[Labelled, np.random.Generator]:
    """Black, with a white rectangle of which the box is known."""
    rng = np.random.default_rng(seed)
    image = np.zeros((90, 120, 3), np.uint8)
    x, y = int(rng.integers(5, 80)), int(rng.integers(5, 55))
    image[y : y + 30, x : x + 36] = 255
    return Labelled(image, np.array([[x, y, x + 36, y + 30]], np.float32), np.zeros(1, np.int64)), rng


@pytest.mark.parametrize("seed", range(20))
def test_crops_show_a_part_with_an_object_at_its_box(seed: int) -> None:
    sample, rng = marked(seed)
    params = AugmentParams(crop=1.0, crop_area=0.2, flip_vertical=0.5)
    image, boxes, _, _ = random_view(sample, (96, 64), params, rng)
    assert len(boxes) <= 1
    # Nothing but the middle of the object is sure to be within.
    assert (image > 184).any()
    rows, columns = np.nonzero(image[..., 0] > 184)
    for box in boxes:
        assert np.abs(box - (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)).max() <= 2.5


def test_a_crop_enlarges_and_drops_what_it_leaves_out() -> None:
    sample, _ = marked(0)
    sample.image[:12, :12] = 255
    boxes, labels = np.vstack((sample.boxes, [[0, 0, 12, 12]])).astype(np.float32), np.array([0, 1])
    both = sample._replace(boxes=boxes, labels=labels)
    params = AugmentParams(crop=1.0, crop_area=0.3, aspect=0.0)
    views = [random_view(both, (120, 90), params, np.random.default_rng(seed)) for seed in range(60)]
    areas = [float((view.boxes[0, 2:] - view.boxes[0, :2]).prod()) for view in views if view.labels[0] == 0]
    assert np.mean(areas) > 36 * 30
    counts = [len(view.labels) for view in views]
    assert set(counts) == {1, 2}


@pytest.mark.parametrize("joined", [False, True])
def test_flips_upside_down(joined: bool) -> None:
    sample, rng = marked(3)
    params = AugmentParams(flip=0.0, flip_vertical=1.0, scale=0.0, aspect=0.0, translate=0.0)
    if joined:
        image, boxes, _, _ = mosaic([sample] * 4, (120, 90), params, rng)
    else:
        image, boxes, _, _ = random_view(sample, (120, 90), params, rng)
        x0, y0, x1, y1 = sample.boxes[0]
        assert boxes.tolist() == [[x0, 90 - y1, x1, 90 - y0]]
    for x0, y0, x1, y1 in np.rint(boxes).astype(int):
        assert image[y0 + 1 : y1 - 1, x0 + 1 : x1 - 1].min() > 184


def test_cutouts_of_a_set_size() -> None:
    image = np.full((100, 100, 3), 255, np.uint8)
    none = Labelled(image, np.zeros((0, 4), np.float32), np.zeros(0, np.int64))
    hidden = [
        np.mean(
            [
                (random_view(none, (100, 100), holes_of(size), np.random.default_rng(i)).image != 255).any(-1).mean()
                for i in range(30)
            ]
        )
        for size in (0.05, 0.6)
    ]
    assert hidden[0] < 0.02 < 0.1 < hidden[1]


def holes_of(size: float) -> AugmentParams:
    return AugmentParams(flip=0.0, scale=0.0, aspect=0.0, translate=0.0, cutout=1.0, cutout_size=size)
