"""How a camera with a lens sees a world: renders are drawn without distortion, and bent together with their labels."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable

import cv2
import numpy as np

from .. import lens as lenses
from ..camera import View
from ..lens import CameraModel, Lens, Pinhole
from ..world import NO_THING, World
from . import Geometry, Renderer

Box = tuple[float, float, float, float]
_DENSITY = {"plumb_bob": 1.0, "equidistant": 0.7}
_ROUND_PX = 32


@dataclasses.dataclass(frozen=True)
class Alone:
    """A thing with nothing before it: its pixels in the image and altogether, and its box, which may leave the image.

    What lies more than half an image away from the image is not counted.
    """

    inside: int
    whole: int
    box: Box


class Viewer:
    """Sees one world at a time in images of one size, through any lens; close it."""

    def __init__(self, width: int, height: int, opened: Callable[[int, int], Renderer]) -> None:
        self.width, self.height = width, height
        self._renderer = opened(width, height)

    @property
    def plain(self) -> Renderer:
        """The renderer, for views without a lens; good until the next view through one."""
        self._renderer.resize(self.width, self.height)
        return self._renderer

    def load(self, world: World) -> None:
        """Make ``world`` the one that is seen."""
        self._renderer.load(world)

    def rgb(self, view: View) -> np.ndarray:
        """The picture, uint8 RGB [H, W, 3]."""
        if view.lens is None:
            return self.plain.rgb(view)
        source, renderer = self._source(view.lens)
        return lenses.warp_picture(renderer.rgb(_straight(view, source)), self._tables(view.lens, source))

    def geometry(self, view: View) -> Geometry:
        """Things and depth of every pixel."""
        if view.lens is None:
            return self.plain.geometry(view)
        source, renderer = self._source(view.lens)
        found, by = renderer.geometry(_straight(view, source)), self._tables(view.lens, source)
        return Geometry(lenses.warp_labels(found.things, by, NO_THING), lenses.warp_labels(found.depth, by, 0.0))

    def things(self, view: View) -> np.ndarray:
        """Which thing each pixel shows, int16 [H, W]: an index into the scene's things, or -1."""
        return self.geometry(view).things

    def project(self, view: View, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Pixels float64 [2, N] and depth in metres [N] of world ``points`` [N, 3], which may lie outside the image."""
        if view.lens is None:
            return view.project(points, self.width, self.height)
        source = self._pinhole(view.lens)
        uv, depth = _straight(view, source).project(points, source.width, source.height)
        return lenses.distort(uv.T, view.lens, source).T, depth

    def alone(self, view: View, thing: int, points: np.ndarray) -> Alone:
        """What a thing of vertices ``points`` [N, 3] would cover with nothing before it."""
        if view.lens is None:
            return _alone(self.plain, view, thing, points)[0]
        lens = view.lens
        source, renderer = self._source(lens)
        straight, (mask, corner) = _alone(renderer, _straight(view, source), thing, points)
        if not straight.whole:
            return straight
        frame = np.zeros((source.height, source.width), np.uint8)
        x0, y0 = max(corner[0], 0), max(corner[1], 0)
        part = mask[y0 - corner[1] : source.height - corner[1], x0 - corner[0] : source.width - corner[0]]
        frame[y0 : y0 + part.shape[0], x0 : x0 + part.shape[1]] = part
        inside = int(np.count_nonzero(lenses.warp_labels(frame, self._tables(lens, source), 0)))
        outlines, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
        rim = np.concatenate(outlines).reshape(-1, 2) + np.array(corner)
        corners = np.concatenate([rim + np.array(step) for step in ((0, 0), (1, 0), (0, 1), (1, 1))])
        bent = lenses.distort(corners.astype(float), lens, source)
        (left, top), (right, bottom) = bent.min(0).tolist(), bent.max(0).tolist()
        whole = inside
        if part.shape != mask.shape or min(left, top) < 0.0 or right > self.width or bottom > self.height:
            # The lens magnifies differently where the image is and outside; the thing's own middle stands for both.
            rows, columns = np.nonzero(part)
            middles = lenses.distort(np.stack([columns + (x0 + 0.5), rows + (y0 + 0.5)], 1), lens, source)
            covered = int(np.count_nonzero(((middles >= 0.0) & (middles <= (self.width, self.height))).all(1)))
            whole = round(inside * straight.whole / covered) if covered else straight.whole
        return Alone(inside, max(whole, inside), (left, top, right, bottom))

    def model(self, view: View) -> CameraModel:
        """The fields of a view's CameraInfo."""
        lens = view.lens
        if lens is None:
            k = view.intrinsics(self.width, self.height)
            lens = Lens(fx=float(k[0, 0]), fy=float(k[1, 1]), cx=float(k[0, 2]), cy=float(k[1, 2]))
        return lens.camera_model()

    def close(self) -> None:
        """Free the renderer."""
        self._renderer.close()

    def __enter__(self) -> Viewer:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _pinhole(self, lens: Lens) -> Pinhole:
        return source_of(lens, self.width, self.height)

    def _tables(self, lens: Lens, source: Pinhole) -> lenses.Tables:
        return lenses.tables(lens, self.width, self.height, source)

    def _source(self, lens: Lens) -> tuple[Pinhole, Renderer]:
        """The undistorted render for a lens, and the renderer, of its size."""
        source = self._pinhole(lens)
        self._renderer.resize(source.width, source.height)
        return source, self._renderer


@functools.lru_cache(maxsize=32)
def source_of(lens: Lens, width: int, height: int) -> Pinhole:
    """The render for a lens, its sides rounded up so that lenses share buffers.

    Raises:
        UserError: the lens cannot be drawn (`lens.source_for`).

    """
    least = lenses.source_for(lens, width, height, _DENSITY.get(lens.model, 1.0))
    sides = [-(-side // _ROUND_PX) * _ROUND_PX for side in (least.width, least.height)]
    return Pinhole(sides[0], sides[1], least.focal)


def _straight(view: View, source: Pinhole) -> View:
    """The view without its lens that covers what the lens sees."""
    return dataclasses.replace(view, fovy=source.fovy, lens=None)


def _alone(
    renderer: Renderer, view: View, thing: int, points: np.ndarray
) -> tuple[Alone, tuple[np.ndarray, tuple[int, int]]]:
    """What a thing covers in a pinhole's image, its mask, and the pixel that is the mask's corner."""
    width, height = renderer.width, renderer.height
    uv, _ = view.project(points, width, height)
    low = np.clip(np.floor(uv.min(1)) - 1, (-(width // 2), -(height // 2)), (width, height)).astype(int)
    high = np.clip(np.ceil(uv.max(1)) + 1, (0, 0), (width + width // 2, height + height // 2)).astype(int)
    high = np.maximum(high, low + 1)
    (x0, y0), (x1, y1) = low.tolist(), high.tolist()
    mask = renderer.alone(view, thing, (x0, y0, x1, y1))
    inside = mask[max(-y0, 0) : max(height - y0, 0), max(-x0, 0) : max(width - x0, 0)]
    columns, rows = np.flatnonzero(mask.any(0)), np.flatnonzero(mask.any(1))
    box = (0.0, 0.0, 0.0, 0.0)
    if len(columns):
        box = (
            float(columns[0] + x0), float(rows[0] + y0), float(columns[-1] + 1 + x0), float(rows[-1] + 1 + y0),
        )  # fmt: skip
    return Alone(int(np.count_nonzero(inside)), int(np.count_nonzero(mask)), box), (mask, (x0, y0))
