"""One picture in every encoding of a camera's image, as bytes that are written here by the encoding's definition."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from perception_common.images import Raw

HEIGHT, WIDTH = 48, 64
Array = np.ndarray[Any, Any]


def picture() -> Array:
    """Slow changes of colour, so that mosaics and shared colours of neighbours keep them: uint8 [H, W, 3]."""
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH]
    return np.stack((40 + 2 * x, 200 - 3 * y, 60 + x + y), -1).astype(np.uint8)


RGB = picture()
GREY = RGB[..., 1]


def mosaic(pattern: str, dtype: type[np.generic]) -> Array:
    """The channel that lies on each pixel, by the pattern's letters from the upper left corner."""
    plane = np.zeros((HEIGHT, WIDTH), np.uint8)
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
    return np.stack([parts[name] for name in names], -1).reshape(HEIGHT, 2 * WIDTH)


def planar(first: int) -> Array:
    y, *colours = bt601()
    both = np.stack([colours[first][::2], colours[1 - first][::2]], -1).reshape(HEIGHT // 2, WIDTH)
    return np.concatenate((y, both))


ALPHA = np.full((HEIGHT, WIDTH, 1), 7, np.uint8)
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
    return Raw(HEIGHT, WIDTH, encoding, rows.shape[1] + padding, data, big)
