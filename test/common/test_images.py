"""Every encoding of a camera's image, from bytes that are written here by the encoding's definition."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
import pytest

from perception_common.images import ENCODINGS, ImageError, Raw, rgb_from_compressed, rgb_from_raw

_HEIGHT, _WIDTH = 48, 64
Array = np.ndarray[Any, Any]


def picture() -> Array:
    """Slow changes of colour, so that mosaics and shared colours of neighbours keep them: uint8 [H, W, 3]."""
    y, x = np.mgrid[0:_HEIGHT, 0:_WIDTH]
    return np.stack((40 + 2 * x, 200 - 3 * y, 60 + x + y), -1).astype(np.uint8)


RGB = picture()
GREY = RGB[..., 1]


def mosaic(pattern: str, dtype: type[np.generic]) -> Array:
    """The channel that lies on each pixel, by the pattern's letters from the upper left corner."""
    plane = np.zeros((_HEIGHT, _WIDTH), np.uint8)
    for place, letter in enumerate(pattern):
        row, column = divmod(place, 2)
        plane[row::2, column::2] = RGB[row::2, column::2, "rgb".index(letter)]
    return wide(plane) if dtype is np.uint16 else plane


def wide(values: Array) -> Array:
    """16 bits that are nearest to these 8, with another lower byte than upper one: they must not be taken in turn."""
    return values.astype(np.uint16) * 257 + 100


def bt601() -> tuple[Array, Array, Array]:
    """Y at every pixel, U and V at every second of a row (ITU-R BT.601, 16 to 235)."""
    r, g, b = (RGB[..., i].astype(np.float64) for i in range(3))
    y = 16 + (65.481 * r + 128.553 * g + 24.966 * b) / 255
    u = 128 + (-37.797 * r - 74.203 * g + 112.0 * b) / 255
    v = 128 + (112.0 * r - 93.786 * g - 18.214 * b) / 255
    return tuple(np.rint(x).astype(np.uint8) for x in (y, u[:, ::2], v[:, ::2]))  # type: ignore[return-value]


def packed(order: str) -> Array:
    y, u, v = bt601()
    parts = {"y0": y[:, ::2], "y1": y[:, 1::2], "u": u, "v": v}
    names = {"uyvy": ("u", "y0", "v", "y1"), "yuyv": ("y0", "u", "y1", "v")}[order]
    return np.stack([parts[name] for name in names], -1).reshape(_HEIGHT, 2 * _WIDTH)


def planar(first: int) -> Array:
    y, *colours = bt601()
    both = np.stack([colours[first][::2], colours[1 - first][::2]], -1).reshape(_HEIGHT // 2, _WIDTH)
    return np.concatenate((y, both))


ALPHA = np.full((_HEIGHT, _WIDTH, 1), 7, np.uint8)
WRITTEN: dict[str, Callable[[], Array]] = {
    "rgb8": lambda: RGB,
    "bgr8": lambda: RGB[..., ::-1],
    "rgba8": lambda: np.concatenate((RGB, ALPHA), -1),
    "bgra8": lambda: np.concatenate((RGB[..., ::-1], ALPHA), -1),
    "rgb16": lambda: wide(RGB),
    "bgr16": lambda: wide(RGB[..., ::-1]),
    "rgba16": lambda: wide(np.concatenate((RGB, ALPHA), -1)),
    "bgra16": lambda: wide(np.concatenate((RGB[..., ::-1], ALPHA), -1)),
    "mono8": lambda: GREY,
    "8UC1": lambda: GREY,
    "mono16": lambda: wide(GREY),
    "16UC1": lambda: wide(GREY),
    "32FC1": lambda: (GREY / 255).astype(np.float32),
    "8UC3": lambda: RGB[..., ::-1],
    "8UC4": lambda: np.concatenate((RGB[..., ::-1], ALPHA), -1),
    "yuv422": lambda: packed("uyvy"),
    "uyvy": lambda: packed("uyvy"),
    "yuv422_yuy2": lambda: packed("yuyv"),
    "yuyv": lambda: packed("yuyv"),
    "nv12": lambda: planar(0),
    "nv21": lambda: planar(1),
}
for _pattern in ("rggb", "bggr", "gbrg", "grbg"):
    WRITTEN[f"bayer_{_pattern}8"] = lambda pattern=_pattern: mosaic(pattern, np.uint8)
    WRITTEN[f"bayer_{_pattern}16"] = lambda pattern=_pattern: mosaic(pattern, np.uint16)
GREYS = {"mono8", "8UC1", "mono16", "16UC1", "32FC1"}


def raw(encoding: str, padding: int = 0, big: bool = False) -> Raw:
    """The message's fields, every row followed by so many bytes of no meaning."""
    values = np.ascontiguousarray(WRITTEN[encoding]())
    if big:
        values = values.astype(values.dtype.newbyteorder(">"))
    rows = values.reshape(len(values), -1).view(np.uint8)
    data = np.pad(rows, ((0, 0), (0, padding)), constant_values=99).tobytes()
    return Raw(_HEIGHT, _WIDTH, encoding, rows.shape[1] + padding, data, big)


def test_every_encoding_is_written_here() -> None:
    assert set(WRITTEN) == set(ENCODINGS)


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("padding", [0, 5])
@pytest.mark.parametrize("big", [False, True], ids=["little", "big"])
def test_pixels_are_the_same_in_every_encoding(encoding: str, padding: int, big: bool) -> None:
    found = rgb_from_raw(raw(encoding, padding, big))
    assert found.shape == (_HEIGHT, _WIDTH, 3)
    assert found.dtype == np.uint8
    wanted = np.repeat(GREY[..., None], 3, -1) if encoding in GREYS else RGB
    error = np.abs(found.astype(int) - wanted)
    if encoding.startswith("bayer"):
        # The border has neighbours on one side only.
        assert error[2:-2, 2:-2].max() <= 3
    else:
        # Shared colours are those of a neighbour, and BT.601 has 219 levels.
        assert error.max() <= (6 if encoding.startswith(("yu", "uy", "nv")) else 0)


def test_rgb_without_padding_is_not_copied() -> None:
    data = bytearray(raw("rgb8").data)
    found = rgb_from_raw(Raw(_HEIGHT, _WIDTH, "rgb8", 3 * _WIDTH, data))
    data[0] = 255 - data[0]
    assert found[0, 0, 0] == data[0]


def test_floats_outside_of_0_to_1_are_black_or_white() -> None:
    values = np.array([[np.nan, -np.inf, -3.0, 0.5, 7.0, np.inf]], np.float32)
    found = rgb_from_raw(Raw(1, 6, "32FC1", 24, values.tobytes()))
    assert found[0, :, 0].tolist() == [0, 0, 0, 128, 255, 255]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"encoding": "hsv8"}, "encoding 'hsv8' is not supported: use one of rgb8"),
        ({"height": 0}, "size 64x0 is not usable"),
        ({"height": 2**32 - 1, "width": 2**32 - 1}, "is not usable"),
        ({"step": 3 * _WIDTH - 1}, "cannot hold 64x48 rgb8"),
        ({"data": b"short"}, "5 bytes with step 192 cannot hold"),
        ({"encoding": "nv12", "step": 64, "height": 47}, "64x47 is no size of nv12"),
        ({"encoding": "yuyv", "width": 63}, "63x48 is no size of yuyv"),
        ({"encoding": "bayer_rggb8", "width": 63}, "63x48 is no size of bayer_rggb8"),
    ],
)
def test_what_is_no_image_is_refused(changes: dict[str, Any], message: str) -> None:
    good = raw("rgb8")
    fields = {name: getattr(good, name) for name in ("height", "width", "encoding", "step", "data")}
    with pytest.raises(ImageError, match=message):
        rgb_from_raw(Raw(**fields | changes))


@pytest.mark.parametrize("suffix", [".png", ".jpg"])
def test_compressed_images(suffix: str) -> None:
    data = cv2.imencode(suffix, RGB[..., ::-1])[1].tobytes()
    assert np.abs(rgb_from_compressed(data, suffix).astype(int) - RGB).max() <= (0 if suffix == ".png" else 12)
    for broken in (b"", b"nothing", data[: len(data) // 8]):
        if broken and broken[:4] == data[:4] and suffix == ".jpg":
            continue
        with pytest.raises(ImageError, match=r"are not an image|cannot be decoded"):
            rgb_from_compressed(broken, suffix)
