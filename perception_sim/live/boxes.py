"""Objects as oriented boxes before a camera."""

from __future__ import annotations

import dataclasses
import functools

import numpy as np

from ..camera import View
from ..rendering.gl import mujoco
from ..shapes import Solid
from ..world import World


@dataclasses.dataclass(frozen=True, eq=False)
class Box3D:
    """A box in a camera's optical frame (REP 103: x right, y down, z forward).

    ``center`` float64 [3] in metres; ``rotation`` float64 [3, 3], whose columns are the box's axes; ``size``
    float64 [3], metres along these axes.
    """

    center: np.ndarray
    rotation: np.ndarray
    size: np.ndarray

    @property
    def orientation(self) -> tuple[float, float, float, float]:
        """The rotation as a unit quaternion x, y, z, w."""
        return quaternion(self.rotation)

    def corners(self) -> np.ndarray:
        """Its eight corners in the optical frame, float64 [8, 3]; a row's bits are signs along x, y, z."""
        signs = np.array([[1 if number >> axis & 1 else -1 for axis in range(3)] for number in range(8)])
        return self.center + (signs * self.size / 2.0) @ self.rotation.T


def box_of(world: World, thing: int, view: View) -> Box3D:
    """The box along a thing's own axes that just holds all of it, hidden parts included, as seen from ``view``."""
    position, rotation = world.pose(thing)
    middle, size = _extent(world.solids[thing])
    center = view.axes @ (rotation @ middle + position - view.position)
    return Box3D(center, view.axes @ rotation, size)


def quaternion(rotation: np.ndarray) -> tuple[float, float, float, float]:
    """The unit quaternion x, y, z, w (ROS's order) of a rotation matrix [3, 3]."""
    found = np.zeros(4)
    mujoco.mju_mat2Quat(found, np.ascontiguousarray(rotation, float).ravel())
    w, x, y, z = found.tolist()
    return x, y, z, w


@functools.lru_cache(maxsize=256)
def _extent(solid: Solid) -> tuple[np.ndarray, np.ndarray]:
    """Middle [3] and size [3] of a solid's bounding box in its own frame."""
    low, high = solid.points.min(0), solid.points.max(0)
    return (low + high) / 2.0, high - low
