"""Bending rays and straightening them again, without pixels.

Three planes are told apart, all float64 [N, 2], x right, y down:

- *pinhole*: where the ray meets the plane at distance 1, at tan(angle) from the axis;
- *flat*: for fisheyes at the angle itself from the axis (radians), which stays smooth where the tangent runs away;
  otherwise the pinhole plane;
- *bent*: flat after the radial polynomial and the tangential terms; pixels are ``fx * x + cx``.
"""

from __future__ import annotations

import dataclasses
import functools

import numpy as np

# Where a lens squeezes its picture to a fifth it is about to fold back onto itself: no calibration means that.
_LEAST_SLOPE = 0.2
_STEPS = 50
_CONVERGED = 1e-10


@dataclasses.dataclass(frozen=True)
class Curve:
    """Radius times ``1 + radial[0] * radius**2 + radial[1] * radius**4 + ...``, and Brown's ``tangential`` p1, p2.

    ``by_angle`` says whether the radius is the angle to the axis instead of its tangent; ``greatest`` is the largest
    angle in radians that is asked for.
    """

    radial: tuple[float, ...]
    tangential: tuple[float, float]
    by_angle: bool
    greatest: float

    @functools.cached_property
    def fold(self) -> float:
        """The radius in the flat plane up to which the picture grows outwards."""
        powers = [1.0 - _LEAST_SLOPE] + [(2 * i + 3) * k for i, k in enumerate(self.radial)]
        roots = np.roots(powers[::-1])
        turns = roots.real[(np.abs(roots.imag) < 1e-9) & (roots.real > 0.0)]
        return float(np.sqrt(turns.min())) if turns.size else float("inf")

    @functools.cached_property
    def reach(self) -> float:
        """The largest radius in the flat plane that can be drawn."""
        end = self.greatest if self.by_angle else np.tan(self.greatest)
        return float(min(end, self.fold))

    @property
    def reach_angle(self) -> float:
        """The same as an angle to the axis, radians."""
        return self.reach if self.by_angle else float(np.arctan(self.reach))

    def flatten(self, pinhole: np.ndarray) -> np.ndarray:
        """From the pinhole plane to the flat one; what lies beyond the reach is drawn in to it."""
        radius = np.hypot(pinhole[:, 0], pinhole[:, 1])
        flat = np.arctan(radius) if self.by_angle else radius
        return pinhole * (np.minimum(flat, self.reach) / np.maximum(radius, 1e-12))[:, None]

    def unflatten(self, flat: np.ndarray) -> np.ndarray:
        """From the flat plane to the pinhole one; NaN beyond the reach."""
        radius = np.maximum(np.hypot(flat[:, 0], flat[:, 1]), 1e-12)
        stretch = np.where(radius <= self.reach + 1e-9, np.tan(radius) / radius if self.by_angle else 1.0, np.nan)
        return flat * stretch[:, None]

    def bend(self, flat: np.ndarray) -> np.ndarray:
        """From the flat plane to the bent one."""
        return self._bend(flat)[0]

    def straighten(self, bent: np.ndarray) -> np.ndarray:
        """The inverse of `bend`, by Newton's method; NaN where nothing before the fold is bent there.

        OpenCV's undistortPoints iterates without derivatives: it does not converge for strong lenses, nor says so.
        """
        flat = bent.copy()
        for _ in range(_STEPS):
            found, (xx, xy, yy) = self._bend(flat)
            miss = bent - found
            if np.abs(miss).max(initial=0.0) < _CONVERGED:
                break
            scale = xx * yy - xy * xy
            scale = np.where(np.abs(scale) < 1e-6, 1e-6, scale)
            step = np.stack([yy * miss[:, 0] - xy * miss[:, 1], xx * miss[:, 1] - xy * miss[:, 0]], 1)
            flat = np.clip(flat + step / scale[:, None], -1e3, 1e3)
        wrong = np.abs(bent - self.bend(flat)).max(1, initial=0.0) > 100.0 * _CONVERGED
        beyond = np.hypot(flat[:, 0], flat[:, 1]) > self.fold
        flat[wrong | beyond] = np.nan
        return flat

    def _bend(self, flat: np.ndarray) -> tuple[np.ndarray, tuple[np.ndarray, np.ndarray, np.ndarray]]:
        """Bent points, and the derivatives dx/dx, dx/dy = dy/dx, dy/dy."""
        x, y = flat[:, 0], flat[:, 1]
        square = x * x + y * y
        factor, slope = np.zeros_like(square), np.zeros_like(square)
        for k in (*self.radial[::-1], 1.0):
            slope = slope * square + factor
            factor = factor * square + k
        p1, p2 = self.tangential
        bent = np.stack(
            [
                x * factor + 2.0 * p1 * x * y + p2 * (square + 2.0 * x * x),
                y * factor + p1 * (square + 2.0 * y * y) + 2.0 * p2 * x * y,
            ],
            1,
        )
        xx = factor + 2.0 * slope * x * x + 2.0 * p1 * y + 6.0 * p2 * x
        xy = 2.0 * slope * x * y + 2.0 * p1 * x + 2.0 * p2 * y
        yy = factor + 2.0 * slope * y * y + 6.0 * p1 * y + 2.0 * p2 * x
        return bent, (xx, xy, yy)
