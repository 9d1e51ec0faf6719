"""Which ray each pixel of a picture belongs to: the costly part of a lens, made quick."""

from __future__ import annotations

import functools

import cv2
import numpy as np

from perception_common.errors import UserError

from .model import MAX_ANGLE, Lens

# Chebyshev nodes per axis. Straightened rays are smooth: from 24 x 24 exact ones the others follow to a thousandth of
# a pixel in a hundredth of the time that Newton's method takes for every pixel. That is checked, not believed.
_NODES = 24
_TOLERANCE_PX = 1e-3
_CHECK_STRIDE = 16
# Fisheyes are the same all around: the inverse of one radius is read from a table, to a thousandth of a pixel too.
_ANGLES = 8192


@functools.lru_cache(maxsize=8)
def pinhole_plane(lens: Lens, width: int, height: int) -> tuple[np.ndarray, np.ndarray]:
    """The pinhole plane's x and y, float32 [H, W], of the middle of every pixel; NaN behind the barrel.

    Raises:
        UserError: a picture without pixels, one that shows nothing but the barrel, one that reaches beyond
            `MAX_ANGLE` or to where the lens folds back.

    """
    if width < 1 or height < 1:
        raise UserError(f"a picture of {width} x {height} pixels", where="lens", fix="give at least 1 x 1")
    columns = (np.arange(width) + 0.5 - lens.cx) / lens.fx
    rows = (np.arange(height) + 0.5 - lens.cy) / lens.fy
    if not lens.circle:
        _check_corners(lens, _grid(columns[[0, -1]], rows[[0, -1]]))
    x, y = (_radial_grid if lens.curve.by_angle else _straighten_grid)(lens, columns, rows)
    if lens.circle:
        # A radial grid ends there of itself.
        behind = ~(cv2.magnitude(x, y) <= np.tan(np.radians(lens.circle)))
        if behind.all():
            raise UserError("the picture shows nothing but the barrel", where="lens", fix="centre it on cx and cy")
        x[behind] = y[behind] = np.nan
    return x, y


def _radial_grid(lens: Lens, columns: np.ndarray, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The pinhole plane's x and y, float32 [H, W], of a grid in the bent plane of a lens without tangential terms."""
    end = np.radians(lens.circle) if lens.circle else lens.curve.reach
    angles = np.linspace(0.0, end, _ANGLES)[1:]
    bent = lens.curve.bend(np.stack([angles, np.zeros_like(angles)], 1))[:, 0]
    radius = np.sqrt(np.add.outer(rows**2, columns**2))
    stretch = np.interp(radius, bent, np.tan(angles) / bent, right=np.nan).astype(np.float32)
    return stretch * columns.astype(np.float32), stretch * rows.astype(np.float32)[:, None]


def _check_corners(lens: Lens, corners: np.ndarray) -> None:
    """Refuse a picture whose ``corners`` (bent plane) cannot be drawn."""
    flat = lens.curve.straighten(corners)
    if not np.all(np.hypot(flat[:, 0], flat[:, 1]) <= lens.curve.reach):
        raise UserError(
            f"the corners of the picture are beyond {np.degrees(lens.curve.reach_angle):.1f} degrees from the axis",
            where="lens",
            fix=f"a longer focal length, less distortion, or a circle (at most {MAX_ANGLE:g} degrees)",
        )


def _straighten_grid(lens: Lens, columns: np.ndarray, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The flat plane's x and y, float32 [H, W], of a grid in the bent plane."""
    nodes = np.polynomial.chebyshev.chebpts1(_NODES)
    across, to_columns = _interpolation(nodes, columns)
    down, to_rows = _interpolation(nodes, rows)
    exact = lens.curve.straighten(_grid(across, down)).reshape(_NODES, _NODES, 2)
    if not np.isnan(exact).any():
        part = (to_rows @ exact.transpose(2, 0, 1)).astype(np.float32)
        spread = np.ascontiguousarray(to_columns.T, np.float32)
        # OpenCV multiplies: NumPy's BLAS wakes threads of its own for this, which then spin beside other workers.
        x, y = (cv2.gemm(half, spread, 1.0, None, 0.0) for half in part)
        some = slice(None, None, _CHECK_STRIDE)
        sample = np.stack([axis[some, some].ravel() for axis in (x, y)], 1).astype(float)
        miss = lens.curve.bend(sample) - _grid(columns[some], rows[some])
        if float(np.abs(miss * (lens.fx, lens.fy)).max()) < _TOLERANCE_PX:
            return x, y
    every = lens.curve.straighten(_grid(columns, rows)).reshape(len(rows), len(columns), 2).astype(np.float32)
    return every[..., 0], every[..., 1]


def _interpolation(nodes: np.ndarray, targets: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Nodes spread over the range of ``targets`` [n], and the matrix [n, nodes] from values there to the targets."""
    middle, half = (targets[0] + targets[-1]) / 2.0, max((targets[-1] - targets[0]) / 2.0, 1e-9)
    vander = functools.partial(np.polynomial.chebyshev.chebvander, deg=len(nodes) - 1)
    return middle + half * nodes, vander((targets - middle) / half) @ np.linalg.inv(vander(nodes))


def _grid(columns: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Points [rows * columns, 2], row by row."""
    x, y = np.meshgrid(columns, rows)
    return np.stack([x.ravel(), y.ravel()], 1)
