"""Images and depth in ROS messages."""

from __future__ import annotations

import array
import sys
import types
from typing import Any

import numpy as np
import pytest
from written_images import raw

pytest.importorskip("rclpy", reason="ROS 2 is not installed")

from sensor_msgs.msg import Image
from std_msgs.msg import Header

from perception_common.images import ENCODINGS
from perception_common.ros.images import ImageError, depth_from_msg, image_from_msg, image_to_msg


def test_depth_messages_are_read_whatever_their_layout() -> None:
    metres = np.array([[0.25, np.nan, 1.5], [2.0, 3.0, 65.5]], np.float32)
    header = Header()
    assert np.array_equal(depth_from_msg(image_to_msg(metres, "32FC1", header)), metres, equal_nan=True)
    millimetres = np.nan_to_num(metres * 1e3).astype(np.uint16)
    message = image_to_msg(millimetres, "16UC1", header)
    assert np.allclose(depth_from_msg(message), metres, equal_nan=True)
    # Rows of seven bytes, the other byte order.
    rows = np.zeros((2, 7), np.uint8)
    rows[:, :6] = millimetres.astype(">u2").view(np.uint8)
    message.is_bigendian, message.step, message.data = 1, 7, array.array("B", rows.tobytes())
    assert np.allclose(depth_from_msg(message), metres, equal_nan=True)
    message.height = 3
    with pytest.raises(ImageError, match="cannot hold 3x3"):
        depth_from_msg(message)
    message.encoding = "mono8"
    with pytest.raises(ImageError, match="'mono8' is not supported for depth"):
        depth_from_msg(message)


def message(encoding: str) -> Image:
    fields = raw(encoding)
    return Image(
        height=fields.height,
        width=fields.width,
        encoding=encoding,
        step=fields.step,
        data=array.array("B", fields.data),
    )


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_pixels_are_those_of_cv_bridge(encoding: str) -> None:
    bridge: Any = pytest.importorskip("cv_bridge", reason="cv_bridge is not installed (it is not on PyPI)")
    try:
        theirs = bridge.CvBridge().imgmsg_to_cv2(message(encoding), "rgb8")
    except Exception as error:  # older ones know fewer encodings, and tell it in several ways
        pytest.skip(f"this cv_bridge does not convert {encoding}: {error}")
    ours = image_from_msg(message(encoding)).astype(int)
    # Mosaics are interpolated in one way or another; 32FC1 is not scaled there.
    if not encoding.startswith("bayer") and encoding != "32FC1":
        assert np.abs(ours - theirs).max() <= 2


def test_what_we_do_not_know_is_asked_of_cv_bridge(monkeypatch: pytest.MonkeyPatch) -> None:
    strange = Image(height=2, width=2, encoding="yuv444_planar", step=2, data=array.array("B", bytes(12)))
    monkeypatch.setitem(sys.modules, "cv_bridge", None)
    with pytest.raises(ImageError, match="encoding 'yuv444_planar' is not supported: use one of"):
        image_from_msg(strange)

    class CvBridge:
        def imgmsg_to_cv2(self, image: Image, encoding: str) -> np.ndarray:
            if image.encoding != "yuv444_planar":
                raise RuntimeError("unknown")
            return np.full((image.height, image.width, 3), 7, np.uint8)

    monkeypatch.setitem(sys.modules, "cv_bridge", types.SimpleNamespace(CvBridge=CvBridge))
    assert image_from_msg(strange).tolist() == [[[7] * 3] * 2] * 2
    strange.encoding = "nonsense"
    with pytest.raises(ImageError, match="'nonsense' is not supported, nor by cv_bridge: unknown"):
        image_from_msg(strange)
