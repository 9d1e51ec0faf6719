"""A lens as calibrations describe it: intrinsics and coefficients of OpenCV's and ROS's two distortion models."""

from __future__ import annotations

import dataclasses
import functools
from typing import NamedTuple

import numpy as np

from perception_common.errors import UserError
from perception_common.params import Spec, check, param, specs

from . import rays

MAX_ANGLE = 80.0
"""Greatest angle to the optical axis in degrees that is drawn. A pinhole's picture grows as its tangent: an edge 75
degrees off the axis is 3.7 focal lengths from the middle, 80 degrees 5.7, 85 degrees 11.4, and 90 degrees is never
reached. A horizontal field of 150 degrees of a VGA fisheye takes a render of 1830 pixels across, 160 degrees 2600."""

_COEFFICIENTS = {"none": 0, "plumb_bob": 5, "equidistant": 4}


class CameraModel(NamedTuple):
    """The fields of sensor_msgs/CameraInfo, which counts from the middle of the first pixel; ``k`` is row by row."""

    k: tuple[float, ...]
    d: tuple[float, ...]
    distortion_model: str


@dataclasses.dataclass(frozen=True)
class Lens:
    """How rays become pixels of the distorted picture.

    ``model`` and ``d`` are those of ROS: ``none``; ``plumb_bob`` (Brown: k1, k2, p1, p2, k3, as ``cv2.projectPoints``);
    ``equidistant`` (Kannala and Brandt: k1..k4, as ``cv2.fisheye``). Missing coefficients are 0. The intrinsics are in
    pixel-edge coordinates: an undistorted centred lens has cx = W / 2. ``dataclasses.asdict`` gives what JSON can
    hold, and ``Lens(**read)`` takes it back.

    Raises:
        UserError: an unknown model, too many coefficients, a value out of range.

    """

    model: str = param("none", "distortion model", choices=tuple(_COEFFICIENTS))
    fx: float = param(500.0, "focal length in pixel widths", minimum=1.0, maximum=1e6)
    fy: float = param(500.0, "focal length in pixel heights", minimum=1.0, maximum=1e6)
    cx: float = param(
        320.0, "where the optical axis meets the picture, pixels from its left edge", minimum=-1e5, maximum=1e5
    )
    cy: float = param(
        240.0, "where the optical axis meets the picture, pixels from its upper edge", minimum=-1e5, maximum=1e5
    )
    d: tuple[float, ...] = param((), "distortion coefficients", minimum=-100.0, maximum=100.0)
    circle: float = param(
        0.0,
        "angle to the axis, degrees, beyond which the barrel is black; 0: no barrel",
        minimum=0.0,
        maximum=MAX_ANGLE,
    )

    def __post_init__(self) -> None:
        for name, spec in _specs().items():
            object.__setattr__(self, name, check(spec, getattr(self, name), "lens"))
        wanted = _COEFFICIENTS[self.model]
        if len(self.d) > wanted:
            raise UserError(
                f"{len(self.d)} coefficients for a lens of model '{self.model}'", where="lens", fix=f"give {wanted}"
            )
        object.__setattr__(self, "d", self.d + (0.0,) * (wanted - len(self.d)))
        if self.circle and np.radians(self.circle) > self.curve.reach_angle:
            raise UserError(
                f"this lens folds back at {np.degrees(self.curve.reach_angle):.1f} degrees, within its circle of "
                f"{self.circle:g}",
                where="lens",
                fix="a smaller circle, or less distortion",
            )

    @classmethod
    def of_field(
        cls, model: str, width: int, height: int, field: float, d: tuple[float, ...] = (), circle: float = 0.0
    ) -> Lens:
        """A centred lens with square pixels that sees ``field`` degrees from the left edge to the right.

        Raises:
            UserError: as for the class, or a field that the distortion does not reach.

        """
        lens = cls(model=model, cx=width / 2.0, cy=height / 2.0, d=d, circle=circle)
        reach = float(np.degrees(lens.curve.reach_angle))
        if not 0.0 < field / 2.0 <= reach:
            raise UserError(
                f"a field of {field:g} degrees cannot be drawn",
                where="lens",
                fix=f"with this distortion it is at most {2.0 * reach:.1f}",
            )
        across = lens.curve.bend(lens.curve.flatten(np.array([[np.tan(np.radians(field / 2.0)), 0.0]])))
        focal = width / 2.0 / float(across[0, 0])
        return dataclasses.replace(lens, fx=focal, fy=focal)

    @property
    def curve(self) -> rays.Curve:
        """What bends the rays."""
        return _curve(self.model, self.d)

    def camera_model(self) -> CameraModel:
        """What CameraInfo says of this lens (without distortion: ``plumb_bob`` with zeros, as ROS has it)."""
        model, d = ("plumb_bob", (0.0,) * 5) if self.model == "none" else (self.model, self.d)
        k = (self.fx, 0.0, self.cx - 0.5, 0.0, self.fy, self.cy - 0.5, 0.0, 0.0, 1.0)
        return CameraModel(k, d, model)


@functools.lru_cache(maxsize=1)
def _specs() -> dict[str, Spec]:
    return specs(Lens)


@functools.lru_cache(maxsize=64)
def _curve(model: str, d: tuple[float, ...]) -> rays.Curve:
    greatest = np.radians(MAX_ANGLE)
    if model == "equidistant":
        return rays.Curve(d, (0.0, 0.0), True, greatest)
    k1, k2, p1, p2, k3 = d if model == "plumb_bob" else (0.0,) * 5
    return rays.Curve((k1, k2, k3), (p1, p2), False, greatest)
