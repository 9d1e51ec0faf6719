"""Pictures put together instead of rendered: rendered things before another picture, with blended edges.

Cut-and-paste as in Dwibedi, Misra and Hebert, "Cut, Paste and Learn" (2017): what counts for a detector
is that patches look real; blending keeps it from learning the edge of the cut.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import cv2
import numpy as np

from .annotate import Alone, Annotation, label, tight_box
from .sections import Labels


@dataclasses.dataclass(frozen=True, eq=False)
class Cutout:
    """A thing cut out of a render: ``rgb`` uint8 [h, w, 3], ``mask`` bool [h, w], class ``label`` ("" for none)."""

    rgb: np.ndarray
    mask: np.ndarray
    label: str


@dataclasses.dataclass(frozen=True)
class Placement:
    """How a cut-out was pasted: its number, scale, angle (radians), whether mirrored, and its middle in pixels."""

    cutout: int
    scale: float
    angle: float
    mirrored: bool
    x: float
    y: float


def before(picture: np.ndarray, rgb: np.ndarray, mask: np.ndarray, blend: float) -> np.ndarray:
    """``rgb`` where ``mask`` is set, ``picture`` elsewhere (uint8 [H, W, 3]); edges blended over ``blend`` pixels."""
    share = _soft(mask, blend)[..., None]
    return (picture * (1.0 - share) + rgb * share + 0.5).astype(np.uint8)


def cut(rgb: np.ndarray, things: np.ndarray, labels: Sequence[str], whole: Sequence[int]) -> list[Cutout]:
    """Cut-outs of the things ``whole`` (indices) of a render, from the picture and the thing that each pixel shows."""
    found = []
    for thing in whole:
        mask = things == thing
        x0, y0, x1, y1 = (int(v) for v in tight_box(mask))
        found.append(Cutout(rgb[y0:y1, x0:x1].copy(), mask[y0:y1, x0:x1].copy(), labels[thing]))
    return found


def sample_placements(
    cutouts: Sequence[Cutout], count: int, width: int, height: int, rng: np.random.Generator
) -> tuple[Placement, ...]:
    """So many placements of random cut-outs, from a tenth to nearly the whole of the image's height."""
    placements = []
    for _ in range(count):
        number = int(rng.integers(len(cutouts)))
        h, w = cutouts[number].mask.shape
        wanted = float(np.exp(rng.uniform(np.log(0.08), np.log(0.8)))) * height
        # Enlarging shows the render's pixels, so it is kept small.
        scale = min(wanted / max(h, w), 1.5)
        angle, mirrored = float(rng.normal(0.0, 0.12)), bool(rng.random() < 0.5)
        x, y = float(rng.uniform(0.0, width)), float(rng.uniform(0.0, height))
        placements.append(Placement(number, scale, angle, mirrored, x, y))
    return tuple(placements)


def paste(
    picture: np.ndarray,
    cutouts: Sequence[Cutout],
    placements: Sequence[Placement],
    blend: float,
    classes: Sequence[str],
    limits: Labels,
) -> tuple[np.ndarray, Annotation]:
    """The picture with cut-outs pasted into it, later ones over earlier ones, and its labels."""
    height, width = picture.shape[:2]
    result = picture.astype(np.float32)
    things = np.full((height, width), -1, np.int16)
    wholes: list[Alone] = []
    for number, placement in enumerate(placements):
        source = cutouts[placement.cutout]
        matrix, size, corner = _transform(source.mask.shape, placement)
        mask = cv2.warpAffine(source.mask.astype(np.uint8), matrix, size, flags=cv2.INTER_NEAREST) > 0
        rgb = cv2.warpAffine(source.rgb, matrix, size, flags=cv2.INTER_AREA, borderMode=cv2.BORDER_REPLICATE)
        inside = _insert(result, things, number, rgb, mask, corner, blend)
        box = tight_box(mask) if mask.any() else (0.0, 0.0, 0.0, 0.0)
        moved = (box[0] + corner[0], box[1] + corner[1], box[2] + corner[0], box[3] + corner[1])
        wholes.append(Alone(inside, int(np.count_nonzero(mask)), moved))
    labels = [cutouts[placement.cutout].label for placement in placements]
    return (result + 0.5).astype(np.uint8), label(things, labels, wholes.__getitem__, classes, limits)


def _transform(shape: tuple[int, ...], placement: Placement) -> tuple[np.ndarray, tuple[int, int], tuple[int, int]]:
    """The affine map [2, 3] of a cut-out into a patch, the patch's size, and the pixel of its corner in the image."""
    h, w = shape
    c, s = np.cos(placement.angle) * placement.scale, np.sin(placement.angle) * placement.scale
    turn = np.array([[c, -s], [s, c]]) @ np.diag([-1.0 if placement.mirrored else 1.0, 1.0])
    reach = np.abs(turn) @ np.array([w, h])
    size = (max(int(np.ceil(reach[0])) + 2, 1), max(int(np.ceil(reach[1])) + 2, 1))
    shift = np.array(size) / 2.0 - turn @ np.array([w / 2.0, h / 2.0])
    # OpenCV maps the middles of pixels.
    shift += turn @ np.array([0.5, 0.5]) - 0.5
    corner = (round(placement.x - size[0] / 2.0), round(placement.y - size[1] / 2.0))
    return np.column_stack([turn, shift]), size, corner


def _insert(
    result: np.ndarray,
    things: np.ndarray,
    number: int,
    rgb: np.ndarray,
    mask: np.ndarray,
    corner: tuple[int, int],
    blend: float,
) -> int:
    """Put a patch into the picture (in place); how many of its pixels are inside the image."""
    height, width = things.shape
    x0, y0 = max(corner[0], 0), max(corner[1], 0)
    x1, y1 = min(corner[0] + mask.shape[1], width), min(corner[1] + mask.shape[0], height)
    if x0 >= x1 or y0 >= y1:
        return 0
    part = np.s_[y0 - corner[1] : y1 - corner[1], x0 - corner[0] : x1 - corner[0]]
    share = _soft(mask, blend)[part][..., None]
    place = np.s_[y0:y1, x0:x1]
    result[place] = result[place] * (1.0 - share) + rgb[part] * share
    things[place][mask[part]] = number
    return int(np.count_nonzero(mask[part]))


def _soft(mask: np.ndarray, blend: float) -> np.ndarray:
    """The opacity of a cut-out, float32 [H, W]: the mask with an edge that fades towards its inside.

    Towards the inside, because a render's outermost pixels already hold some of what was behind them.
    """
    solid = mask.astype(np.float32)
    if blend < 0.1:
        return solid
    return np.clip(2.0 * cv2.GaussianBlur(solid, (0, 0), blend, borderType=cv2.BORDER_REPLICATE) - 1.0, 0.0, 1.0) ** 0.7
