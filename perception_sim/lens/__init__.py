"""Lens distortion, drawn from pinhole renders by remapping; labels follow through the same tables.

Sensible coefficients for cameras of robots (what calibrations of real ones give), by horizontal field of view:

- tele, below 30 degrees: ``plumb_bob``, k1 -0.1 to 0.3;
- phone, webcam, industrial 6 to 16 mm, 30 to 75 degrees: ``plumb_bob``, k1 -0.15 to 0.15, k2 -0.1 to 0.15;
- wide, 75 to 100 degrees: ``plumb_bob``, k1 -0.35 to -0.1 and k2 0.6 to 1.2 times k1 squared;
- fisheye, 100 to 150 degrees: ``equidistant``, k1 -0.05 to 0.1, k2 to k4 up to 0.01 either way, from about 125
  degrees with a circle of half the field or more, at most 80.

p1 and p2 are up to 0.002 either way, k3 is 0.

A negative k1 alone folds the picture back onto itself some 45 degrees off the axis, with k2 of 0.57 times its square
or more it never does. `source_for` refuses a picture that would reach there; a fisheye's limit is `MAX_ANGLE`.
Make a lens with `Lens.of_field`, render at the size that `source_for` gives, and warp picture and labels by `tables`.
"""

from .model import MAX_ANGLE, CameraModel, Lens
from .warp import Pinhole, Tables, distort, source_for, tables, undistort, warp_labels, warp_picture

__all__ = [
    "MAX_ANGLE",
    "CameraModel",
    "Lens",
    "Pinhole",
    "Tables",
    "distort",
    "source_for",
    "tables",
    "undistort",
    "warp_labels",
    "warp_picture",
]
