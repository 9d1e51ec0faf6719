"""Camera messages to RGB pixels."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from sensor_msgs.msg import CompressedImage, Image

from perception_common.ros.images import MAX_SIDE, ImageError, Pixels, image_from_msg

#: ``image_transport`` → message type and what is appended to the topic's name.
TRANSPORTS: dict[str, tuple[type[Any], str]] = {"raw": (Image, ""), "compressed": (CompressedImage, "/compressed")}


def pixels_from_msg(message: Image | CompressedImage) -> Pixels:
    """RGB uint8 [H, W, 3] of an Image or a CompressedImage (JPEG, PNG and what else OpenCV reads).

    Raises:
        ImageError: the message does not hold a usable image.
    """
    if isinstance(message, Image):
        return image_from_msg(message)
    data = np.frombuffer(message.data, np.uint8)
    try:
        decoded = cv2.imdecode(data, cv2.IMREAD_COLOR) if data.size else None
    except cv2.error as error:
        raise ImageError(f"{data.size} bytes of '{message.format}' cannot be decoded: {error.err}") from error
    if decoded is None:
        raise ImageError(f"{data.size} bytes of '{message.format}' are not an image that can be decoded")
    if max(decoded.shape[:2]) > MAX_SIDE:
        raise ImageError(
            f"size {decoded.shape[1]}x{decoded.shape[0]} is not usable: each side must be 1 to {MAX_SIDE} pixels"
        )
    return np.asarray(cv2.cvtColor(decoded, cv2.COLOR_BGR2RGB), np.uint8)
