"""From boxes in the image to boxes in space: with an aligned depth image, or where objects stand on a known floor.

Everything is in the camera's optical frame (REP 103): x to the right, y down, z along the view, metres. No ROS here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from perception_common.errors import UserError

Floats = npt.NDArray[np.floating]
#: Share of a box's sides in whose middle depth is taken: corners of a box usually show what is behind the object.
_MIDDLE = 0.7
#: Fewer depths than this, or than this share of the middle, say nothing.
_LEAST_PIXELS, _LEAST_SHARE = 5, 0.05
#: Depths farther off than so many (robust) deviations, or this share of the distance, are of something else.
_DEVIATIONS, _SPREAD = 3.0, 0.05
#: How well boxes fit: standard deviation of an edge in pixels and as a share of the side.
_EDGE_PIXELS, _EDGE_SHARE = 1.0, 0.03
#: Of an angle that is not measured: uniform over the circle.
_UNKNOWN_ANGLE = np.pi**2 / 3


class Box3D(NamedTuple):
    """A box in the optical frame, its sides along the axes.

    Attributes:
        center: float64 [3], metres.
        size: float64 [3], metres.
        covariance: float64 [6, 6] of the centre (x, y, z in square metres) and of three angles, which are not measured.
    """

    center: npt.NDArray[np.float64]
    size: npt.NDArray[np.float64]
    covariance: npt.NDArray[np.float64]


@dataclass(frozen=True)
class Camera:
    """A calibrated camera: sensor_msgs/CameraInfo's ``k`` (row by row), ``d`` and distortion model.

    Pixel coordinates here are pixel edges, those of CameraInfo pixel centres.
    """

    k: tuple[float, ...]
    d: tuple[float, ...] = ()
    model: str = "plumb_bob"

    def __post_init__(self) -> None:
        """Refuse a camera that is not calibrated."""
        if len(self.k) != 9 or not (np.isfinite(self.k).all() and self.k[0] > 0 and self.k[4] > 0):
            raise UserError("camera_info has no calibration: its matrix k is empty", fix="calibrate the camera")
        if not np.isfinite(self.d).all():
            raise UserError("camera_info's distortion d has numbers that are not finite", fix="calibrate the camera")

    def rays(self, points: Floats) -> npt.NDArray[np.float64]:
        """Directions float64 [N, 3] with z = 1 of pixels float [N, 2]."""
        centred = np.asarray(points, np.float64).reshape(-1, 1, 2) - 0.5
        matrix, distortion = np.reshape(self.k, (3, 3)).astype(np.float64), np.asarray(self.d, np.float64)
        if not distortion.size or not distortion.any():
            flat: npt.NDArray[Any] = (centred[:, 0] - matrix[[0, 1], 2]) / matrix[[0, 1], [0, 1]]
        elif self.model in ("equidistant", "fisheye"):
            flat = cv2.fisheye.undistortPoints(centred, matrix, distortion).reshape(-1, 2)
        else:
            flat = cv2.undistortPoints(centred, matrix, distortion).reshape(-1, 2)
        return np.column_stack([flat, np.ones(len(flat))])


@dataclass(frozen=True)
class Floor:
    """A level floor: how high the camera is above it (metres), and how far it looks down and leans right (radians)."""

    height: float
    pitch: float
    roll: float = 0.0

    @property
    def down(self) -> npt.NDArray[np.float64]:
        """The direction of gravity in the optical frame."""
        level = np.array([0.0, np.cos(self.pitch), np.sin(self.pitch)])
        cosine, sine = np.cos(self.roll), np.sin(self.roll)
        down: npt.NDArray[np.float64] = np.array([[cosine, sine, 0.0], [-sine, cosine, 0.0], [0.0, 0.0, 1.0]]) @ level
        return down


def place_by_depth(
    boxes: Floats,
    depth: npt.NDArray[np.float32],
    size: tuple[int, int],
    camera: Camera,
    nearest: float,
    farthest: float,
) -> list[Box3D | None]:
    """Boxes in space from an aligned depth image; None where it says nothing.

    Args:
        boxes: xyxy float [N, 4] in pixels of the image.
        depth: metres along the optical axis, float32 [h, w], of the same view at any size; 0, NaN and infinity are
            unknown.
        size: width and height of the image.
        camera: of the image.
        nearest: metres; what is nearer is not believed.
        farthest: metres; what is farther is not believed.

    The object's front is where the depths in the middle of its box gather. How deep it is cannot be seen from one side:
    as much as its shorter side in the image, or as the depths that belong to it spread, whichever is more.
    """
    scale = np.array([depth.shape[1] / size[0], depth.shape[0] / size[1]] * 2)
    return [
        _placed(box, _object_depths(depth, box * scale, nearest, farthest), camera)
        for box in np.asarray(boxes, np.float64)
    ]


def place_on_floor(boxes: Floats, camera: Camera, floor: Floor, farthest: float) -> list[Box3D | None]:
    """Boxes in space of what stands on a floor; None where the lower edge of a box does not see it within ``farthest``.

    Args:
        boxes: xyxy float [N, 4] in pixels of the image.
        camera: of the image.
        floor: where it is.
        farthest: metres.
    """
    placed: list[Box3D | None] = []
    for box in np.asarray(boxes, np.float64):
        left, top, right, bottom = box
        edge = _EDGE_PIXELS + _EDGE_SHARE * (bottom - top)
        middle = (left + right) / 2
        rays = camera.rays(np.array([[middle, bottom], [middle, bottom - edge]]))
        steep = rays @ floor.down
        if steep[0] <= 0 or not 0 < floor.height / steep[0] <= farthest:
            placed.append(None)
            continue
        distance = floor.height / steep[0]
        # How far off it would be if the edge were one deviation higher; without end where that sees no floor.
        shifted = floor.height / steep[1] if steep[1] > 1e-6 else np.inf
        deviation = min(abs(shifted - distance), farthest)
        placed.append(_box(box, distance, 0.0, deviation, camera))
    return placed


def _object_depths(
    depth: npt.NDArray[np.float32], box: Floats, nearest: float, farthest: float
) -> npt.NDArray[np.float32] | None:
    """The depths in the middle of a box that belong to one thing, sorted; None where there are too few."""
    height, width = depth.shape
    margin = (1 - _MIDDLE) / 2 * np.array([box[2] - box[0], box[3] - box[1]])
    left, top = (max(0, int(np.floor(value))) for value in box[:2] + margin)
    right, bottom = (int(np.ceil(value)) for value in box[2:] - margin)
    part = depth[top : max(top + 1, min(bottom, height)), left : max(left + 1, min(right, width))].ravel()
    known = np.sort(part[np.isfinite(part) & (part >= nearest) & (part <= farthest)])
    if len(known) < max(_LEAST_PIXELS, _LEAST_SHARE * part.size):
        return None
    centre = _gathering(known)
    near = known[np.abs(known - centre) <= max(0.15 * centre, 1e-3)]
    deviation = 1.4826 * float(np.median(np.abs(near - centre)))
    kept: npt.NDArray[np.float32] = near[np.abs(near - centre) <= max(_DEVIATIONS * deviation, _SPREAD * centre)]
    return kept


def _gathering(ordered: npt.NDArray[np.float32]) -> float:
    """Where sorted values lie densest: the median of the shortest stretch that holds half of them."""
    half = (len(ordered) + 1) // 2
    lengths = ordered[half - 1 :] - ordered[: len(ordered) - half + 1]
    start = int(np.argmin(lengths))
    return float(np.median(ordered[start : start + half]))


def _placed(box: Floats, depths: npt.NDArray[np.float32] | None, camera: Camera) -> Box3D | None:
    if depths is None:
        return None
    front, back = np.percentile(depths, (5, 95))
    noise = float(np.std(depths)) / np.sqrt(len(depths))
    return _box(box, float(front), float(back - front), noise, camera)


def _box(box: Floats, front: float, seen: float, deviation: float, camera: Camera) -> Box3D:
    """A box whose front is that far away, of which ``seen`` metres of depth are seen."""
    left, top, right, bottom = box
    middle = np.array([(left + right) / 2, (top + bottom) / 2])
    rays = camera.rays(np.array([[left, middle[1]], [right, middle[1]], [middle[0], top], [middle[0], bottom], middle]))
    across = np.array([rays[1, 0] - rays[0, 0], rays[3, 1] - rays[2, 1]])
    # The image shows the sides as they are at the middle's distance, which is half the thickness behind the front.
    shorter = min(float(across.min()), 1.5)
    distance = max(front / (1 - shorter / 2), front + seen / 2)
    size = np.array([*(across * distance), 2 * (distance - front)])
    # The thickness is a guess: anything from what is seen to twice the guess.
    along = np.hypot(deviation, max(size[2] - seen, 0.1 * size[2]) / np.sqrt(12))
    edges = (_EDGE_PIXELS + _EDGE_SHARE * np.array([right - left, bottom - top])) / np.sqrt(2)
    pixel = across / np.maximum([right - left, bottom - top], 1e-6)
    sideways = distance * edges * pixel
    # A point that is farther than believed is also farther from the axis.
    ray = rays[4]
    covariance = np.zeros((6, 6))
    covariance[:3, :3] = along**2 * np.outer(ray, ray) + np.diag([*sideways**2, 0.0])
    covariance[3:, 3:] = np.eye(3) * _UNKNOWN_ANGLE
    return Box3D(ray * distance, size, covariance)


def footprint(box: Box3D, spacing: float = 0.05, most: int = 20) -> npt.NDArray[np.float32]:
    """Points float32 [N, 3] that fill a box's cut at the height of its middle: what a costmap marks as taken.

    They are ``spacing`` metres apart, or farther where a side would have more than ``most``.
    """
    sides = [
        np.linspace(-half, half, int(np.clip(np.ceil(2 * half / spacing) + 1, 2, most)))
        for half in (box.size[0] / 2, box.size[2] / 2)
    ]
    x, z = (values.ravel() for values in np.meshgrid(*sides))
    points: npt.NDArray[np.float32] = (box.center + np.column_stack([x, np.zeros_like(x), z])).astype(np.float32)
    return points


def floor_of(numbers: Sequence[float]) -> Floor:
    """A floor of a camera's height in metres, and its pitch and roll in degrees.

    Raises:
        UserError: there are not two or three numbers, or the camera is not above the floor.
    """
    if len(numbers) not in (2, 3) or numbers[0] <= 0:
        raise UserError(
            f"{list(numbers)} does not say where the floor is",
            fix="give the camera's height in metres, and how far it looks down and leans right in degrees",
        )
    return Floor(numbers[0], *np.deg2rad(np.asarray(numbers[1:], np.float64)).tolist())
