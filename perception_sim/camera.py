"""The pinhole camera: pose, intrinsics, and projection.

World frame: z up, metres. Optical frame: x right, y down, z forward (REP 103). Image: pixel-edge
coordinates, so that the whole image is 0, 0, W, H and the principal point is (W / 2, H / 2).
"""

from __future__ import annotations

import dataclasses
import functools

import numpy as np

from .lens import Lens

Point = tuple[float, float, float]


@dataclasses.dataclass(frozen=True)
class View:
    """A camera at ``position`` that looks at ``target`` (metres), tilted by ``roll`` radians.

    ``fovy`` in degrees is that of a pinhole of the same focal length; ``lens`` is what bends the picture, if anything.
    """

    position: Point
    target: Point
    roll: float
    fovy: float
    lens: Lens | None = None

    @functools.cached_property
    def axes(self) -> np.ndarray:
        """Rows: the camera's right, down and forward directions in the world, float64 [3, 3]; read-only."""
        forward = np.subtract(self.target, self.position)
        forward = forward / np.linalg.norm(forward)
        x, y, z = forward.tolist()
        level = np.hypot(x, y)
        right = np.array([y / level, -x / level, 0.0])
        down = np.array([x * z / level, y * z / level, -level])
        cos, sin = np.cos(self.roll), np.sin(self.roll)
        axes = np.stack([cos * right + sin * down, cos * down - sin * right, forward])
        axes.flags.writeable = False
        return axes

    def intrinsics(self, width: int, height: int) -> np.ndarray:
        """K, float64 [3, 3], for an image of that size (square pixels, no distortion)."""
        focal = height / 2.0 / np.tan(np.radians(self.fovy) / 2.0)
        return np.array([[focal, 0.0, width / 2.0], [0.0, focal, height / 2.0], [0.0, 0.0, 1.0]])

    def project(self, points: np.ndarray, width: int, height: int) -> tuple[np.ndarray, np.ndarray]:
        """Pixels float64 [2, N] and depth in metres float64 [N] of world ``points`` [N, 3].

        Points behind the camera are treated as if they were a millimetre before it.
        """
        local = self.axes @ (np.asarray(points) - self.position).T
        k = self.intrinsics(width, height)
        return local[:2] / np.maximum(local[2], 1e-3) * k[0, 0] + k[:2, 2:], local[2]


def orbit(center: np.ndarray, distance: float, azimuth: float, elevation: float) -> Point:
    """The point at ``distance`` metres from ``center`` in a direction given in radians."""
    x, y, z = np.asarray(center) + distance * np.array(
        [np.cos(elevation) * np.cos(azimuth), np.cos(elevation) * np.sin(azimuth), np.sin(elevation)]
    )
    return float(x), float(y), float(z)
