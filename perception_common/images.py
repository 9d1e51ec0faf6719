"""The bytes of a camera's image to pixels, whatever their encoding (sensor_msgs/image_encodings). No ROS here.

Where an encoding holds more than 8 bits a channel, its whole range becomes 0 to 255, as cv_bridge does it: 16 bits are
divided by 257. 32FC1 is taken as 0 to 1, and what is not a number as 0. One channel is shown as grey.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from .limits import MAX_SIDE

Pixels = npt.NDArray[np.uint8]
_Array = npt.NDArray[Any]
_PNG, _JPEG = b"\x89PNG\r\n\x1a\n", b"\xff\xd8"
#: JPEG's markers: those whose segments state the size, and those that have no segment.
_JPEG_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_JPEG_ALONE = frozenset((0x00, 0x01, *range(0xD0, 0xD9)))
_8: np.dtype[Any] = np.dtype(np.uint8)
_16: np.dtype[Any] = np.dtype(np.uint16)
_FLOAT: np.dtype[Any] = np.dtype(np.float32)


class ImageError(ValueError):
    """Bytes, or the fields that describe them, that are not a usable image."""


@dataclass(frozen=True)
class _Layout:
    """How pixels lie in memory: ``channels`` of ``dtype`` each, and the OpenCV code that makes RGB of them.

    ``every`` says what width and height have to be multiples of, and ``planes`` how many rows there are for each row of
    the image.
    """

    channels: int
    dtype: np.dtype[Any] = _8
    code: int | None = None
    every: tuple[int, int] = (1, 1)
    planes: float = 1.0


def _bayer(dtype: np.dtype[Any]) -> dict[str, _Layout]:
    # OpenCV names a pattern after the second and third pixel of its second row.
    codes = {
        "rggb": cv2.COLOR_BayerBG2RGB,
        "bggr": cv2.COLOR_BayerRG2RGB,
        "gbrg": cv2.COLOR_BayerGR2RGB,
        "grbg": cv2.COLOR_BayerGB2RGB,
    }
    bits = 8 * dtype.itemsize
    return {f"bayer_{pattern}{bits}": _Layout(1, dtype, code, (2, 2)) for pattern, code in codes.items()}


_UYVY = _Layout(2, _8, cv2.COLOR_YUV2RGB_UYVY, (2, 1))
_YUYV = _Layout(2, _8, cv2.COLOR_YUV2RGB_YUYV, (2, 1))
_LAYOUTS = {
    **{f"rgb{8 * x.itemsize}": _Layout(3, x) for x in (_8, _16)},
    **{f"bgr{8 * x.itemsize}": _Layout(3, x, cv2.COLOR_BGR2RGB) for x in (_8, _16)},
    **{f"rgba{8 * x.itemsize}": _Layout(4, x, cv2.COLOR_RGBA2RGB) for x in (_8, _16)},
    **{f"bgra{8 * x.itemsize}": _Layout(4, x, cv2.COLOR_BGRA2RGB) for x in (_8, _16)},
    **{name: _Layout(1, _8, cv2.COLOR_GRAY2RGB) for name in ("mono8", "8UC1")},
    **{name: _Layout(1, _16, cv2.COLOR_GRAY2RGB) for name in ("mono16", "16UC1")},
    "32FC1": _Layout(1, _FLOAT, cv2.COLOR_GRAY2RGB),
    "8UC3": _Layout(3, _8, cv2.COLOR_BGR2RGB),
    "8UC4": _Layout(4, _8, cv2.COLOR_BGRA2RGB),
    # The older names of the same two are still in use.
    **dict.fromkeys(("yuv422", "uyvy"), _UYVY),
    **dict.fromkeys(("yuv422_yuy2", "yuyv"), _YUYV),
    "nv12": _Layout(1, _8, cv2.COLOR_YUV2RGB_NV12, (2, 2), 1.5),
    "nv21": _Layout(1, _8, cv2.COLOR_YUV2RGB_NV21, (2, 2), 1.5),
    **_bayer(_8),
    **_bayer(_16),
}
ENCODINGS = tuple(_LAYOUTS)
"""All that `rgb_from_raw` reads."""
_DEPTHS: dict[str, np.dtype[Any]] = {"16UC1": _16, "32FC1": _FLOAT}


@dataclass(frozen=True)
class Raw:
    """The fields of a sensor_msgs/Image: ``step`` bytes for each row, the last of them perhaps of no meaning."""

    height: int
    width: int
    encoding: str
    step: int
    data: Any
    is_bigendian: bool = False

    @classmethod
    def of(cls, message: Any) -> Raw:
        """Of a message, of rclpy or of rosbags."""
        big = bool(message.is_bigendian)
        return cls(message.height, message.width, message.encoding, message.step, message.data, big)

    def values(self, channels: int, dtype: np.dtype[Any], planes: float = 1.0) -> _Array:
        """[planes * H, W, channels] in this machine's byte order: a view where the bytes allow it.

        Raises:
            ImageError: size, step and data do not fit together.
        """
        height, width, step = self.height, self.width, self.step
        _check_size(width, height)
        row, rows = width * channels * dtype.itemsize, int(height * planes)
        if step < row or len(self.data) < rows * step:
            raise ImageError(f"{len(self.data)} bytes with step {step} cannot hold {width}x{height} {self.encoding}")
        used = np.frombuffer(self.data, np.uint8, rows * step).reshape(rows, step)[:, :row]
        if dtype.itemsize > 1:
            # A copy, because rows may be padded to any number of bytes.
            used = np.ascontiguousarray(used).view(dtype.newbyteorder(">" if self.is_bigendian else "<"))
            used = used.astype(dtype, copy=False)
        return used.reshape(rows, width, channels)


def rgb_from_raw(raw: Raw) -> Pixels:
    """RGB uint8 [H, W, 3] of an image in any of `ENCODINGS`; for rgb8 a view.

    Raises:
        ImageError: the encoding is not supported, or size, step and data do not fit together.
    """
    layout = _LAYOUTS.get(raw.encoding)
    if layout is None:
        raise ImageError(f"encoding '{raw.encoding}' is not supported: use one of {', '.join(ENCODINGS)}")
    values = raw.values(layout.channels, layout.dtype, layout.planes)
    if raw.width % layout.every[0] or raw.height % layout.every[1]:
        raise ImageError(
            f"{raw.width}x{raw.height} is no size of {raw.encoding}: sides must be multiples of "
            f"{layout.every[0]} and {layout.every[1]}"
        )
    # A view in another channel order would cost every later step a slow copy (1.1 ms for VGA against 0.1 ms here).
    colours = values if layout.code is None else cv2.cvtColor(values, layout.code)
    return _EIGHT_BITS[layout.dtype](np.asarray(colours))


def rgb_from_compressed(data: Any, stated_format: str) -> Pixels:
    """RGB uint8 [H, W, 3] of JPEG, PNG and what else OpenCV reads.

    Args:
        data: the file's bytes.
        stated_format: what the message says of them; for errors.

    Raises:
        ImageError: they are not an image.
    """
    encoded = np.frombuffer(data, np.uint8)
    _check_size(*_stated_size(encoded))
    try:
        decoded = cv2.imdecode(encoded, cv2.IMREAD_COLOR) if encoded.size else None
    except cv2.error as error:
        raise ImageError(f"{encoded.size} bytes of '{stated_format}' cannot be decoded: {error.err}") from error
    if decoded is None:
        raise ImageError(f"{encoded.size} bytes of '{stated_format}' are not an image that can be decoded")
    _check_size(decoded.shape[1], decoded.shape[0])
    return np.asarray(cv2.cvtColor(decoded, cv2.COLOR_BGR2RGB), np.uint8)


def read_picture(path: Path | str, flags: int = cv2.IMREAD_COLOR) -> _Array | None:
    """What OpenCV makes of a file with these flags; None if that is no picture, or one too large to be meant."""
    try:
        encoded = np.fromfile(path, np.uint8)
        _check_size(*_stated_size(encoded))
        return cv2.imdecode(encoded, flags) if encoded.size else None
    except (OSError, ValueError, cv2.error):
        return None


def _check_size(width: int, height: int) -> None:
    if not (0 < height <= MAX_SIDE and 0 < width <= MAX_SIDE):
        raise ImageError(f"size {width}x{height} is not usable: each side must be 1 to {MAX_SIDE} pixels")


def _stated_size(encoded: Pixels) -> tuple[int, int]:
    """Width and height as the head of a PNG or JPEG file says, before anything is allocated; 1, 1 of other files."""
    if encoded[:8].tobytes() == _PNG and encoded.size >= 24:
        width, height = struct.unpack(">II", encoded[16:24].tobytes())
        return width, height
    data, at = encoded.tobytes() if encoded[:2].tobytes() == _JPEG else b"", 2
    # As libjpeg does it: what stands between segments is skipped.
    while 0 <= (at := data.find(b"\xff", at)) <= len(data) - 9:
        if data[at + 1] in _JPEG_FRAMES:
            height, width = struct.unpack_from(">HH", data, at + 5)
            return width, height
        if data[at + 1] == 0xFF:
            at += 1
        elif data[at + 1] in _JPEG_ALONE:
            at += 2
        else:
            at += 2 + max(2, struct.unpack_from(">H", data, at + 2)[0])
    return 1, 1


def jpeg(rgb: Pixels, quality: int) -> bytes:
    """RGB uint8 [H, W, 3] as the bytes of a JPEG file; ``quality`` is 1 to 100."""
    done, data = cv2.imencode(".jpg", cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, quality])
    if not done:
        raise ValueError(f"an image of shape {rgb.shape} cannot be written as JPEG")
    return data.tobytes()


def metres_from_raw(raw: Raw) -> npt.NDArray[np.float32]:
    """Metres along the optical axis, float32 [H, W], of a depth image in 16UC1 or 32FC1 (REP 118).

    Where there is no distance, it is not finite: NaN if it is not known, and whatever else 32FC1 says (REP 117).

    Raises:
        ImageError: the encoding is not supported, or size, step and data do not fit together.
    """
    dtype = _DEPTHS.get(raw.encoding)
    if dtype is None:
        raise ImageError(f"encoding '{raw.encoding}' is not supported for depth: use one of {', '.join(_DEPTHS)}")
    values = raw.values(1, dtype)[..., 0]
    if dtype == _FLOAT:
        return np.asarray(values, np.float32)
    metres: npt.NDArray[np.float32] = np.asarray(values, np.float32) * np.float32(1e-3)
    metres[values == 0] = np.nan
    return metres


def _of_16_bits(values: _Array) -> Pixels:
    return np.asarray(cv2.convertScaleAbs(values, alpha=255.0 / 65535.0), np.uint8).reshape(values.shape)


def _of_floats(values: _Array) -> Pixels:
    shares = np.clip(np.nan_to_num(values, nan=0.0, posinf=1.0, neginf=0.0), 0.0, 1.0)
    return np.asarray(cv2.convertScaleAbs(shares, alpha=255.0), np.uint8).reshape(values.shape)


_EIGHT_BITS: dict[np.dtype[Any], Callable[[_Array], Pixels]] = {
    _8: lambda values: values,
    _16: _of_16_bits,
    _FLOAT: _of_floats,
}
