"""Random changes of how an image looks: colour, light, optics, sensor and compression. Boxes stay as they are.

Between a synthetic world and a real camera it is the looks that differ (Tremblay et al. 2018; Horváth et al. 2022 for
blur, noise and compression). Everything that maps a level to a level goes into one table per channel, so that it costs
one pass whatever is switched on; what costs a pass of its own has a probability. Every choice comes from the generator.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import cv2
import numpy as np
import numpy.typing as npt

from perception_common.params import param

Pixels = npt.NDArray[np.uint8]

# Ranges from which a change is drawn once it is chosen.
_SHADING_GRID = (3, 4)
_SHADING = 0.35
_TINT = 0.1
_DOWNSCALE = (0.4, 0.9)
_SHARPEN = (0.3, 1.3)
_LEAST_NOISE = 2.0
_BEST_JPEG = 90
_CONVOLUTION_SHARE = (0.3, 0.9)


@dataclass(frozen=True)
class AppearanceParams:
    """Strength or probability of each change of looks; 0 switches it off."""

    hue: float = param(0.02, "random turn of the hue, as a share of the circle", minimum=0.0, maximum=0.5)
    saturation: float = param(0.5, "random change of the saturation", minimum=0.0, maximum=1.0)
    brightness: float = param(0.4, "random change of the brightness", minimum=0.0, maximum=1.0)
    contrast: float = param(0.2, "random change of the contrast about the mean level", minimum=0.0, maximum=1.0)
    gamma: float = param(0.2, "random gamma between exp(-gamma) and exp(gamma)", minimum=0.0, maximum=2.0)
    gain: float = param(
        0.1, "random gain of each channel: a colour cast, as of a white balance", minimum=0.0, maximum=1.0
    )
    tone: float = param(0.1, "random bend of each channel's tone curve", minimum=0.0, maximum=1.0)
    grey: float = param(0.02, "probability of a grey-scale image", minimum=0.0, maximum=1.0)
    shuffle: float = param(0.0, "probability of a random order of the channels", minimum=0.0, maximum=1.0)
    random_conv: float = param(
        0.02, "probability of mixing in a random 3x3 convolution (RandConv)", minimum=0.0, maximum=1.0
    )
    shading: float = param(0.1, "probability of uneven, slightly tinted light", minimum=0.0, maximum=1.0)
    blur: float = param(0.05, "probability of a slight blur", minimum=0.0, maximum=1.0)
    blur_sigma: float = param(0.8, "standard deviation of the blur in network pixels", minimum=0.1, maximum=10.0)
    motion_blur: float = param(0.05, "probability of a straight motion blur", minimum=0.0, maximum=1.0)
    motion_length: float = param(0.04, "longest motion blur, as a share of the shorter side", minimum=0.0, maximum=0.5)
    downscale: float = param(0.1, "probability of scaling down and up again", minimum=0.0, maximum=1.0)
    noise: float = param(0.1, "probability of sensor noise", minimum=0.0, maximum=1.0)
    noise_level: float = param(
        10.0, "largest standard deviation of the noise, of 255 levels", minimum=0.1, maximum=100.0
    )
    sharpen: float = param(0.05, "probability of sharpening, as cameras do", minimum=0.0, maximum=1.0)
    jpeg: float = param(0.1, "probability of JPEG compression", minimum=0.0, maximum=1.0)
    jpeg_quality: int = param(20, "lowest quality of the compression", minimum=1, maximum=90)


HOME: dict[str, float] = dict.fromkeys(
    (
        "contrast",
        "gamma",
        "gain",
        "tone",
        "grey",
        "random_conv",
        "shading",
        "motion_blur",
        "downscale",
        "sharpen",
        "jpeg",
        "copy_paste",
    ),
    0.0,
)
"""Parameters for a short run in the very world that it is scored in: what helps elsewhere costs time there."""


def photometric(image: Pixels, params: AppearanceParams, rng: np.random.Generator) -> Pixels:
    """The image uint8 [H, W, 3] RGB with random looks; a new array, in the order of light, optics, sensor, file."""
    image = _colours(image, params, rng)
    passes: tuple[tuple[float, Callable[[Pixels, np.random.Generator], Pixels]], ...] = (
        (params.random_conv, _random_convolution),
        (params.grey, _grey),
        (params.shuffle, _shuffled),
        (params.shading, _shaded),
        (params.blur, partial(_blurred, sigma=params.blur_sigma)),
        (params.motion_blur, partial(_moved, most=params.motion_length)),
        (params.downscale, _downscaled),
        (params.noise, partial(_noisy, most=params.noise_level)),
        (params.sharpen, _sharpened),
        (params.jpeg, partial(_compressed, worst=params.jpeg_quality)),
    )
    # One draw for all, so that whether one is on does not shift what the others draw.
    for (probability, change), draw in zip(passes, rng.random(len(passes)), strict=True):
        if draw < probability:
            image = change(image, rng)
    return image


def _colours(image: Pixels, params: AppearanceParams, rng: np.random.Generator) -> Pixels:
    """Hue, saturation and brightness in HSV, then a table for each channel."""
    turn = rng.uniform(-params.hue, params.hue) * 180
    saturation = 1 + rng.uniform(-params.saturation, params.saturation)
    brightness = 1 + rng.uniform(-params.brightness, params.brightness)
    steps = np.arange(256, dtype=np.float32)
    tables = np.stack(
        (np.mod(steps + turn, 180), np.clip(steps * saturation, 0, 255), np.clip(steps * brightness, 0, 255)), 1
    ).astype(np.uint8)
    image = _pixels(cv2.cvtColor(cv2.LUT(cv2.cvtColor(image, cv2.COLOR_RGB2HSV), tables[None]), cv2.COLOR_HSV2RGB))
    if params.contrast or params.gamma or params.gain or params.tone:
        image = _pixels(cv2.LUT(image, _tables(float(np.mean(cv2.mean(image)[:3])), params, rng)[None]))
    return image


def _tables(mean: float, params: AppearanceParams, rng: np.random.Generator) -> Pixels:
    """Level to level for each channel, uint8 [256, 3]: gain, contrast about ``mean``, gamma, and a bend.

    The bend y + t sin(2 pi y) / 2 pi is monotone for every |t| up to 1 and leaves black, grey and white in place.
    """
    level = np.linspace(0.0, 1.0, 256, dtype=np.float32)[:, None] * (1 + rng.uniform(-params.gain, params.gain, 3))
    pivot = mean / 255
    level = (level - pivot) * (1 + rng.uniform(-params.contrast, params.contrast)) + pivot
    level = np.clip(level, 0, 1) ** np.exp(rng.uniform(-params.gamma, params.gamma))
    level += rng.uniform(-params.tone, params.tone, 3) * np.sin(2 * np.pi * level) / (2 * np.pi)
    return _pixels(np.rint(level * 255))


def _random_convolution(image: Pixels, rng: np.random.Generator) -> Pixels:
    """Random colour mixing and a random 3x3 filter, at the image's own level and contrast, mixed with the image.

    After RandConv (Xu et al. 2021): local texture and colour change, shapes stay.
    """
    mixed = cv2.transform(image.astype(np.float32), rng.normal(0, 1, (3, 3)).astype(np.float32))
    mixed = cv2.filter2D(mixed, -1, rng.normal(0, 1, (3, 3)).astype(np.float32), borderType=cv2.BORDER_REFLECT_101)
    (mean, deviation), (wanted_mean, wanted_deviation) = cv2.meanStdDev(mixed), cv2.meanStdDev(image)
    share = rng.uniform(*_CONVOLUTION_SHARE)
    scale = share * wanted_deviation / np.maximum(deviation, 1e-3)
    offset = share * wanted_mean - scale * mean
    # One affine per channel, and the rest of the weight for the image itself.
    mixed = cv2.transform(mixed, np.hstack((np.diag(scale[:, 0]), offset)).astype(np.float32))
    return _pixels(cv2.addWeighted(image, 1 - share, mixed, 1.0, 0.0, dtype=cv2.CV_8U))


def _grey(image: Pixels, rng: np.random.Generator) -> Pixels:
    return _pixels(cv2.cvtColor(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB))


def _shuffled(image: Pixels, rng: np.random.Generator) -> Pixels:
    return _pixels(cv2.merge([image[..., channel] for channel in rng.permutation(3)]))


def _shaded(image: Pixels, rng: np.random.Generator) -> Pixels:
    """Multiplied by a smooth field of light."""
    logs = rng.uniform(-_SHADING, _SHADING, (*_SHADING_GRID, 1)) + rng.uniform(-_TINT, _TINT, (*_SHADING_GRID, 3))
    height, width = image.shape[:2]
    # A quarter of the size is smooth enough, and cheaper.
    field = cv2.resize(
        np.exp(logs).astype(np.float32), (width // 4 + 1, height // 4 + 1), interpolation=cv2.INTER_CUBIC
    )
    return _pixels(cv2.multiply(image, cv2.resize(field, (width, height)), dtype=cv2.CV_8U))


def _blurred(image: Pixels, rng: np.random.Generator, sigma: float) -> Pixels:
    side = 2 * max(1, round(1.5 * sigma)) + 1
    return _pixels(cv2.GaussianBlur(image, (side, side), sigma))


def _moved(image: Pixels, rng: np.random.Generator, most: float) -> Pixels:
    longest = max(3, round(most * min(image.shape[:2])))
    length = int(rng.integers(3, longest + 1)) | 1
    kernel = np.zeros((length, length), np.uint8)
    reach = (length - 1) / 2 * np.array([np.cos(angle := rng.uniform(0, np.pi)), np.sin(angle)])
    middle = np.full(2, length // 2)
    start, end = (np.rint(middle + sign * reach).astype(int).tolist() for sign in (-1, 1))
    cv2.line(kernel, start, end, (1,))
    return _pixels(cv2.filter2D(image, -1, kernel / np.float32(kernel.sum())))


def _downscaled(image: Pixels, rng: np.random.Generator) -> Pixels:
    height, width = image.shape[:2]
    factor = rng.uniform(*_DOWNSCALE)
    small = cv2.resize(
        image, (max(1, round(width * factor)), max(1, round(height * factor))), interpolation=cv2.INTER_AREA
    )
    way = (cv2.INTER_NEAREST, cv2.INTER_LINEAR, cv2.INTER_CUBIC)[rng.integers(3)]
    return _pixels(cv2.resize(small, (width, height), interpolation=way))


def _noisy(image: Pixels, rng: np.random.Generator, most: float) -> Pixels:
    noise = rng.standard_normal(image.shape[:2], np.float32) * np.float32(rng.uniform(min(_LEAST_NOISE, most), most))
    return _pixels(cv2.add(image, cv2.cvtColor(noise, cv2.COLOR_GRAY2RGB), dtype=cv2.CV_8U))


def _sharpened(image: Pixels, rng: np.random.Generator) -> Pixels:
    amount = rng.uniform(*_SHARPEN)
    return _pixels(cv2.addWeighted(image, 1 + amount, cv2.GaussianBlur(image, (0, 0), 1.0), -amount, 0))


def _compressed(image: Pixels, rng: np.random.Generator, worst: int) -> Pixels:
    quality = int(rng.integers(worst, _BEST_JPEG, endpoint=True))
    # In the codec's own order: it treats chroma by other rules than brightness.
    data = cv2.imencode(".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    return _pixels(cv2.cvtColor(_pixels(cv2.imdecode(data, cv2.IMREAD_COLOR)), cv2.COLOR_BGR2RGB))


def _pixels(image: object) -> Pixels:
    """What OpenCV returns, with the type that it has here."""
    return np.asarray(image, np.uint8)
