"""Convex pieces for the physics: approximate convex decomposition, in a process of its own.

CoACD (Wei et al., "Approximate Convex Decomposition for 3D Meshes with Collision-Aware Concavity and Tree
Search", SIGGRAPH 2022) is native code that may run long, or fail on a broken mesh: a child process can be
interrupted, timed out, and lost without losing the rest.
"""

from __future__ import annotations

import importlib.util
import io
import os
import subprocess
import sys
from collections.abc import Callable

import numpy as np

from perception_common.processes import search_path

from .libraries import need

MOST_POINTS = 64
"""Corners of one piece: MuJoCo's time for contacts grows with them."""
_THINNEST = 0.004
"""A piece is at least that thick, over the longest side of the object."""
_TIMEOUT_S = 600.0
_MODULE = "perception_sim.convert.decompose"


def convex_pieces(
    vertices: np.ndarray, faces: np.ndarray, most: int, concavity: float, warn: Callable[[str], None]
) -> tuple[np.ndarray, ...]:
    """The corners [P, 3] of at most ``most`` convex pieces that together are about the mesh (longest side 1).

    ``concavity`` is how far, over the longest side, a piece may bridge a hollow. Where the decomposition cannot
    be had the whole mesh is one piece, and a warning says so: it then has no hollow to put things in.
    """
    whole = _hull(vertices[np.unique(faces)])
    if most == 1 or _convex(vertices, faces, whole):
        return (whole,)
    if importlib.util.find_spec("coacd") is None:
        warn("coacd is not installed (pip install coacd): one convex hull stands for the whole object")
        return (whole,)
    pieces, reason = _decomposed(vertices, faces, most, concavity)
    if not pieces:
        warn(f"no convex decomposition ({reason}): one convex hull stands for the whole object")
        return (whole,)
    return tuple(_hull(piece) for piece in pieces)


def volume(points: np.ndarray) -> float:
    """The volume of the convex hull of ``points`` [P, 3]."""
    return float(need("scipy.spatial").ConvexHull(points).volume)


def _convex(vertices: np.ndarray, faces: np.ndarray, hull: np.ndarray) -> bool:
    """Whether the mesh is about its own hull: a closed one with nearly the same volume."""
    edges = np.sort(faces[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2), axis=1)
    closed = (np.unique(edges, axis=0, return_counts=True)[1] == 2).all()
    return bool(closed) and np.linalg.det(vertices[faces]).sum() / 6.0 > 0.97 * volume(hull)


def _hull(points: np.ndarray) -> np.ndarray:
    """At most `MOST_POINTS` corners of the convex hull of ``points``, given a thickness where they are flat."""
    spatial = need("scipy.spatial")
    middle = points.mean(0)
    _, _, axes = np.linalg.svd(points - middle, full_matrices=False)
    along = (points - middle) @ axes.T
    for axis in range(2, -1, -1):
        lack = (_THINNEST - np.ptp(along[:, axis])) / 2.0
        if lack > 0.0:
            points = np.concatenate([points - lack * axes[axis], points + lack * axes[axis]])
    corners = points[spatial.ConvexHull(points).vertices]
    return corners if len(corners) <= MOST_POINTS else _fewer(corners)


def _fewer(corners: np.ndarray) -> np.ndarray:
    """`MOST_POINTS` of the corners of a convex body: the outermost along each axis, then those farthest from them."""
    chosen = [int(index) for sign in (-1.0, 1.0) for index in (sign * corners).argmin(0)]
    chosen = sorted(set(chosen))
    distance = np.linalg.norm(corners[:, None] - corners[chosen], axis=-1).min(1)
    while len(chosen) < MOST_POINTS:
        farthest = int(distance.argmax())
        chosen.append(farthest)
        distance = np.minimum(distance, np.linalg.norm(corners - corners[farthest], axis=1))
    return corners[chosen]


def _decomposed(vertices: np.ndarray, faces: np.ndarray, most: int, concavity: float) -> tuple[list[np.ndarray], str]:
    """The pieces that a child process found, or none and why."""
    sent = io.BytesIO()
    np.savez(sent, vertices=vertices, faces=faces, most=most, concavity=concavity)
    command, environment = [sys.executable, "-m", _MODULE], {**os.environ, "PYTHONPATH": search_path()}
    try:
        # Our own module in our own interpreter.
        done = subprocess.run(
            command, input=sent.getvalue(), capture_output=True, timeout=_TIMEOUT_S, env=environment, check=False
        )
    except subprocess.TimeoutExpired:
        return [], f"it took more than {_TIMEOUT_S:.0f} s"
    if done.returncode != 0:
        last = (done.stderr.decode(errors="replace").strip().splitlines() or ["no reason told"])[-1]
        return [], f"coacd ended with status {done.returncode}, {last}"
    with np.load(io.BytesIO(done.stdout), allow_pickle=False) as found:
        return [found[name] for name in found.files], "it found no pieces"
