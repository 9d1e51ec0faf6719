"""Images and depth in ROS messages."""

from __future__ import annotations

import array

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="ROS 2 is not installed")

from std_msgs.msg import Header

from perception_common.ros.images import ImageError, depth_from_msg, image_to_msg


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
