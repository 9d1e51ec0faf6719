"""What the three packages share: errors, parameters, durable files, and the thin layer over rclpy.

Imports none of the other packages and nothing heavier than numpy and PyYAML (``perception_common.ros``
also needs rclpy, the message packages, and OpenCV for `images`).
"""

from __future__ import annotations

from . import limits as limits

__version__ = "0.1.0"
