"""From pinhole renders to the pictures that a lens gives, and back; pixel-edge coordinates throughout."""

from __future__ import annotations

import dataclasses
import functools

import cv2
import numpy as np

from perception_common.errors import UserError

from .model import Lens
from .plane import pinhole_plane

_OUTSIDE = -1e4
_LARGEST_SIDE = 16384


@dataclasses.dataclass(frozen=True)
class Pinhole:
    """An undistorted render: its size and focal length in pixels; square pixels, the axis in the middle."""

    width: int
    height: int
    focal: float

    @property
    def fovy(self) -> float:
        """Vertical field of view, degrees."""
        return float(2.0 * np.degrees(np.arctan(self.height / 2.0 / self.focal)))


@dataclasses.dataclass(frozen=True, eq=False)
class Tables:
    """Where in the render each pixel of the picture comes from, as ``cv2.remap`` reads it.

    ``x`` and ``y`` are float32 [H, W], counted from the middle of the render's first pixel; ``seen`` bool [H, W] is
    False behind the barrel (`Lens.circle`).
    """

    source: Pinhole
    x: np.ndarray
    y: np.ndarray
    seen: np.ndarray


def source_for(lens: Lens, width: int, height: int, density: float = 1.0) -> Pinhole:
    """The smallest render that covers every pixel of a picture of ``width`` x ``height``.

    ``density`` is how many of its pixels fall on one of the picture's in the middle. A fisheye takes more and more of
    them outwards, so 0.7 is enough there.

    Raises:
        UserError: a picture that reaches beyond `MAX_ANGLE`, or to where the lens folds back.

    """
    if density <= 0.0:
        raise UserError(f"a density of {density:g}", where="lens", fix="give more than 0")
    x, y = pinhole_plane(lens, width, height)
    focal = density * max(lens.fx, lens.fy)
    # Half a pixel more than the outermost samples, which are in the middle of pixels.
    extents = [max(abs(value) for value in _extremes(axis)) for axis in (x, y)]
    sides = [int(np.ceil(2.0 * (focal * extent + 0.5) - 1e-3)) for extent in extents]
    if max(sides) > _LARGEST_SIDE:
        raise UserError(
            f"the render for this lens would take {sides[0]} x {sides[1]} pixels",
            where="lens",
            fix="a smaller picture, field of view or density",
        )
    return Pinhole(sides[0], sides[1], focal)


@functools.lru_cache(maxsize=8)
def tables(lens: Lens, width: int, height: int, source: Pinhole) -> Tables:
    """The tables for a picture of ``width`` x ``height``; those of the last lenses are kept.

    Raises:
        UserError: as `source_for`, or a render that does not cover the picture.

    """
    x, y = pinhole_plane(lens, width, height)
    seen = ~np.isnan(x)
    maps = []
    for axis, side in ((x, source.width), (y, source.height)):
        place = axis * np.float32(source.focal) + np.float32(side / 2.0 - 0.5)
        low, high = _extremes(place)
        if low < -0.01 or high > side - 0.99:
            needed = source_for(lens, width, height, source.focal / max(lens.fx, lens.fy))
            raise UserError(
                f"a render of {source.width} x {source.height} does not cover the picture",
                where="lens",
                fix=f"with its focal length take {needed.width} x {needed.height}",
            )
        place = np.where(seen, np.clip(place, 0.0, side - 1.0), np.float32(_OUTSIDE))
        place.flags.writeable = False
        maps.append(place)
    seen.flags.writeable = False
    return Tables(source, maps[0], maps[1], seen)


def warp_picture(rgb: np.ndarray, by: Tables) -> np.ndarray:
    """The picture [H, W, 3] of a render of the tables' source size (bilinear; black behind the barrel)."""
    return _remap(rgb, by, cv2.INTER_LINEAR, 0.0)


def warp_labels(labels: np.ndarray, by: Tables, outside: float) -> np.ndarray:
    """Ids or depth [H, W] from those of the render: the nearest pixel's, ``outside`` behind the barrel.

    Depth stays what it was: the distance along the optical axis, not along the ray. dtype uint8, uint16, int16,
    int32, float32 or float64 comes back unchanged.
    """
    return _remap(labels, by, cv2.INTER_NEAREST, outside)


def distort(points: np.ndarray, lens: Lens, source: Pinhole) -> np.ndarray:
    """Pixels float64 [N, 2] of the picture from those of the render.

    Points beyond the lens's reach, which may be far outside the render, come to lie on its rim in their direction:
    outside every picture that `source_for` accepts, unless there is a barrel, and then behind it.
    """
    pinhole = (np.asarray(points, float) - (source.width / 2.0, source.height / 2.0)) / source.focal
    return lens.curve.bend(lens.curve.flatten(pinhole)) * (lens.fx, lens.fy) + (lens.cx, lens.cy)


def undistort(points: np.ndarray, lens: Lens, source: Pinhole) -> np.ndarray:
    """Pixels float64 [N, 2] of the render from those of the picture; NaN where no ray within the reach goes."""
    bent = (np.asarray(points, float) - (lens.cx, lens.cy)) / (lens.fx, lens.fy)
    pinhole = lens.curve.unflatten(lens.curve.straighten(bent))
    return pinhole * source.focal + (source.width / 2.0, source.height / 2.0)


def _extremes(values: np.ndarray) -> tuple[float, float]:
    """Smallest and largest of ``values`` that are not NaN (in a fraction of nanmin's time)."""
    return float(np.fmin.reduce(values, None)), float(np.fmax.reduce(values, None))


def _remap(image: np.ndarray, by: Tables, method: int, outside: float) -> np.ndarray:
    wanted = (by.source.height, by.source.width)
    if image.shape[:2] != wanted:
        raise UserError(f"a render of {list(image.shape[:2])} rows and columns", where="lens", fix=f"give {wanted}")
    image = np.ascontiguousarray(image)
    return cv2.remap(image, by.x, by.y, method, borderMode=cv2.BORDER_CONSTANT, borderValue=(outside,) * 4)
