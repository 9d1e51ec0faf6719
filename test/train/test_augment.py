"""Every change of looks, and the rectangles of cutout: what they do, and what they leave alone."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from perception_common.params import specs
from perception_train.data.appearance import AppearanceParams, photometric
from perception_train.data.augment import MIN_VISIBLE, AugmentParams, mosaic, random_view

OFF = dict.fromkeys(specs(AppearanceParams), 0.0)


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
