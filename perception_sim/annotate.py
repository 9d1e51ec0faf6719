"""Labels: from the segmentation of a picture to boxes, masks, and how much of each object is hidden or cut off."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence

import numpy as np

from .camera import View
from .presets import Labels
from .render import Renderer
from .world import World

Box = tuple[float, float, float, float]


@dataclasses.dataclass(frozen=True, eq=False)
class Instance:
    """A visible object of a class.

    ``box`` is x_min, y_min, x_max, y_max of its visible pixels in pixel-edge coordinates; ``mask`` bool
    [H, W] are those pixels; ``category`` counts from 1 in the order of the classes; ``occlusion`` is the
    share of its pixels in the image that others hide; ``truncation`` is the share of it outside the
    image; ``labelled`` says whether it passes the preset's limits.
    """

    thing: int
    label: str
    category: int
    box: Box
    mask: np.ndarray
    occlusion: float
    truncation: float
    labelled: bool

    @property
    def area(self) -> int:
        """Visible pixels."""
        return int(np.count_nonzero(self.mask))


@dataclasses.dataclass(frozen=True, eq=False)
class Annotation:
    """The visible objects of a picture, and its semantic mask uint8 [H, W] (0 = background)."""

    instances: tuple[Instance, ...]
    mask: np.ndarray


def annotate(world: World, renderer: Renderer, view: View, classes: Sequence[str], limits: Labels) -> Annotation:
    """The labels of what ``renderer`` (loaded with ``world``) shows from ``view``."""
    things = renderer.things(view)
    bounds = np.array([projected_box(world.points(i), view, renderer) for i in range(len(world.scene.things))])
    labels = [thing.label for thing in world.scene.things]

    def measure(thing: int) -> tuple[int, int]:
        return count_alone(renderer, view, thing, bounds[thing])

    return label(things, labels, bounds, measure, classes, limits)


def count_alone(renderer: Renderer, view: View, thing: int, bounds: np.ndarray) -> tuple[int, int]:
    """How many pixels a thing would cover with nothing before it: in the image, and altogether.

    What lies more than half an image away from the image is not counted.
    """
    width, height = renderer.width, renderer.height
    low = np.clip(np.floor(bounds[:2]) - 1, (-(width // 2), -(height // 2)), (width, height)).astype(int)
    high = np.clip(np.ceil(bounds[2:]) + 1, (0, 0), (width + width // 2, height + height // 2)).astype(int)
    (x0, y0), (x1, y1) = low.tolist(), high.tolist()
    whole = renderer.alone(view, thing, (x0, y0, x1, y1))
    inside = whole[max(-y0, 0) : max(height - y0, 0), max(-x0, 0) : max(width - x0, 0)]
    return int(np.count_nonzero(inside)), int(np.count_nonzero(whole))


def label(
    things: np.ndarray,
    labels: Sequence[str],
    bounds: np.ndarray,
    measure: Callable[[int], tuple[int, int]],
    classes: Sequence[str],
    limits: Labels,
) -> Annotation:
    """Labels from a segmentation.

    Args:
        things: int [H, W], the index of the thing that each pixel shows, or -1.
        labels: the class name of each thing, ``""`` for none.
        bounds: float [T, 4], each thing's projected box, hidden and outside parts included.
        measure: how many pixels a thing covers with nothing before it, in the image and altogether; it is
            asked only about things that another thing or the image's edge may cut into.
        classes: class names in the order of their categories.
        limits: which instances are labelled.

    """
    height, width = things.shape
    semantic = np.zeros((height, width), np.uint8)
    instances = []
    present = np.bincount(things.ravel() + 1, minlength=len(labels) + 1)[1:]
    for thing in np.flatnonzero(present).tolist():
        if not labels[thing]:
            continue
        mask = things == thing
        category = classes.index(labels[thing]) + 1
        semantic[mask] = category
        area = int(present[thing])
        box = tight_box(mask)
        occlusion = truncation = 0.0
        if _needs_measuring(thing, bounds, width, height):
            inside, whole = measure(thing)
            occlusion = 1.0 - area / max(inside, area)
            truncation = 1.0 - inside / max(whole, 1)
        longer = max(box[2] - box[0], box[3] - box[1])
        labelled = (
            longer >= limits.min_box_px
            and area >= limits.min_visible_px
            and occlusion <= limits.max_occlusion
            and truncation <= limits.max_truncation
        )
        instances.append(Instance(thing, labels[thing], category, box, mask, occlusion, truncation, labelled))
    return Annotation(tuple(instances), semantic)


def tight_box(mask: np.ndarray) -> Box:
    """The smallest box around the pixels of a mask, pixel-edge coordinates (x_max = last column + 1)."""
    columns, rows = np.flatnonzero(mask.any(0)), np.flatnonzero(mask.any(1))
    return float(columns[0]), float(rows[0]), float(columns[-1] + 1), float(rows[-1] + 1)


def projected_box(points: np.ndarray, view: View, size: Renderer) -> Box:
    """The box around projected ``points`` [N, 3], which may lie outside the image."""
    uv, _ = view.project(points, size.width, size.height)
    (x0, y0), (x1, y1) = uv.min(1), uv.max(1)
    return float(x0), float(y0), float(x1), float(y1)


def _needs_measuring(thing: int, bounds: np.ndarray, width: int, height: int) -> bool:
    """Whether a thing may be cut off by the image's edge or hidden by another thing."""
    x0, y0, x1, y1 = bounds[thing]
    if x0 < 0.5 or y0 < 0.5 or x1 > width - 0.5 or y1 > height - 0.5:
        return True
    others = np.delete(bounds, thing, 0)
    near = (others[:, 0] < x1 + 1) & (others[:, 2] > x0 - 1) & (others[:, 1] < y1 + 1) & (others[:, 3] > y0 - 1)
    return bool(near.any())
