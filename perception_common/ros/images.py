"""sensor_msgs images to and from numpy; cv_bridge, where it is installed, is asked for encodings that are not ours."""

from __future__ import annotations

import array
import sys
from typing import Any

import numpy as np
import numpy.typing as npt
from sensor_msgs.msg import CompressedImage, Image
from std_msgs.msg import Header

from ..images import ENCODINGS, ImageError, Pixels, Raw, metres_from_raw, rgb_from_compressed, rgb_from_raw

__all__ = ["ImageError", "Pixels", "depth_from_msg", "image_from_msg", "image_to_msg"]


def image_to_msg(pixels: npt.NDArray[Any], encoding: str, header: Header) -> Image:
    """Pixels as a message in the same channel order.

    uint8 [H, W, C] (or [H, W] for mono8); uint16 [H, W] for 16UC1; float32 [H, W] for 32FC1.
    """
    pixels = np.ascontiguousarray(pixels)
    height, width = pixels.shape[:2]
    message = Image(header=header, height=height, width=width, encoding=encoding)
    message.is_bigendian = int(pixels.itemsize > 1 and sys.byteorder == "big")
    message.step = pixels.strides[0]
    data = array.array("B")
    data.frombytes(pixels.data.cast("B"))
    message.data = data
    return message


def image_from_msg(message: Image | CompressedImage) -> Pixels:
    """RGB uint8 [H, W, 3] of a message; see `rgb_from_raw` and `rgb_from_compressed`.

    Raises:
        ImageError: the message does not hold a usable image.
    """
    if isinstance(message, Image):
        if message.encoding not in ENCODINGS and (bridged := _by_bridge(message)) is not None:
            return bridged
        return rgb_from_raw(Raw.of(message))
    return rgb_from_compressed(message.data, message.format)


def depth_from_msg(message: Image) -> npt.NDArray[np.float32]:
    """Metres along the optical axis, float32 [H, W]; see `metres_from_raw`.

    Raises:
        ImageError: the message does not hold a usable depth image.
    """
    return metres_from_raw(Raw.of(message))


def _by_bridge(message: Image) -> Pixels | None:
    """What cv_bridge makes of a message, RGB uint8 [H, W, 3]; None where it is not installed.

    Raises:
        ImageError: it cannot use the message either.
    """
    # One that was built for another numpy fails in its own ways.
    try:
        from cv_bridge import CvBridge
    except Exception:
        return None
    try:
        return np.asarray(CvBridge().imgmsg_to_cv2(message, "rgb8"), np.uint8)
    except Exception as error:  # its exceptions are OpenCV's, ValueError and its own
        raise ImageError(f"encoding '{message.encoding}' is not supported, nor by cv_bridge: {error}") from error
