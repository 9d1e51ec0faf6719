"""Times of ROS as whole nanoseconds, in messages of rclpy or of rosbags. No ROS here."""

from __future__ import annotations

from typing import Any

_PER_SECOND = 1_000_000_000


def nanoseconds(time: Any) -> int:
    """Of a builtin_interfaces/Time; rosbags calls ROS 1's fields as ROS 2's."""
    return int(time.sec) * _PER_SECOND + int(time.nanosec)


def stamp_of(message: Any) -> int:
    """The time in a message's header, in nanoseconds."""
    return nanoseconds(message.header.stamp)
