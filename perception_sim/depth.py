"""Depth pictures as files and ROS have them (REP 118 and, for values that are no distance, REP 117)."""

from __future__ import annotations

import numpy as np

from . import lens as lenses
from .camera import View
from .rendering.viewer import source_of

_FARTHEST_M = 65.535


def millimetres(depth: np.ndarray) -> np.ndarray:
    """Depth in metres as uint16 millimetres, as depth cameras give it (REP 118): 0 is unknown, 65535 the farthest."""
    return np.clip(depth * 1000.0 + 0.5, 0.0, 65535.0).astype(np.uint16)


def informed(depth: np.ndarray, view: View) -> np.ndarray:
    """Depth float32 [H, W] of a view as `Geometry` has it (0 = nothing), with the reason where there is no distance.

    Metres along the optical axis; +Inf where nothing is hit (the sky), NaN where the lens's barrel is in the way.
    """
    told = np.where(depth > 0.0, depth, np.float32(np.inf))
    if view.lens is not None and view.lens.circle:
        height, width = depth.shape
        told[~lenses.tables(view.lens, width, height, source_of(view.lens, width, height)).seen] = np.nan
    return told


def in_millimetres(depth: np.ndarray) -> np.ndarray:
    """What `informed` gives as uint16 millimetres; 0 where there is no distance, or one that uint16 cannot hold."""
    return millimetres(np.where(depth < _FARTHEST_M, depth, np.float32(0.0)))
