"""Fixtures of the robot's tests."""

from __future__ import annotations

from servers import bench

__all__ = ["bench"]
