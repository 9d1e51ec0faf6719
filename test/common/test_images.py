"""Every encoding of a camera's image, from bytes that are written by the encoding's definition."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import pytest
from written_images import GREY, GREYS, HEIGHT, RGB, WIDTH, WRITTEN, raw

from perception_common.images import ENCODINGS, ImageError, Raw, rgb_from_compressed, rgb_from_raw


def test_every_encoding_is_written_here() -> None:
    assert set(WRITTEN) == set(ENCODINGS)


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("padding", [0, 5])
@pytest.mark.parametrize("big", [False, True], ids=["little", "big"])
def test_pixels_are_the_same_in_every_encoding(encoding: str, padding: int, big: bool) -> None:
    found = rgb_from_raw(raw(encoding, padding, big))
    assert found.shape == (HEIGHT, WIDTH, 3)
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
    found = rgb_from_raw(Raw(HEIGHT, WIDTH, "rgb8", 3 * WIDTH, data))
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
        ({"step": 3 * WIDTH - 1}, "cannot hold 64x48 rgb8"),
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
