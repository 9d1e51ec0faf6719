"""Labels: from the segmentation of a picture to boxes, masks, and how much of each object is hidden or cut off."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence

import cv2
import numpy as np

from .camera import View
from .rendering.viewer import Alone, Box, Viewer
from .sections import Labels
from .world import World


@dataclasses.dataclass(frozen=True, eq=False)
class Instance:
    """A visible object of a class.

    ``box`` is x_min, y_min, x_max, y_max of its visible pixels in pixel-edge coordinates, ``amodal`` that of
    all of it, hidden and outside parts included; ``mask`` bool [H, W] are the visible pixels; ``category``
    counts from 1 in the order of the classes; ``occlusion`` is the share of its pixels in the image that
    others hide; ``truncation`` is the share of it outside the image; ``labelled`` says whether it passes the
    preset's limits.
    """

    thing: int
    label: str
    category: int
    box: Box
    amodal: Box
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


def annotate(world: World, viewer: Viewer, view: View, classes: Sequence[str], limits: Labels) -> Annotation:
    """The labels of what ``viewer`` (loaded with ``world``) shows from ``view``."""
    return annotate_things(viewer.things(view), world, viewer, view, classes, limits)


def annotate_things(
    things: np.ndarray, world: World, viewer: Viewer, view: View, classes: Sequence[str], limits: Labels
) -> Annotation:
    """The same when it is known which thing each pixel shows (int [H, W])."""
    labels = [thing.label for thing in world.scene.things]

    def measure(thing: int) -> Alone:
        return viewer.alone(view, thing, world.points(thing))

    return label(things, labels, measure, classes, limits)


def label(
    things: np.ndarray,
    labels: Sequence[str],
    measure: Callable[[int], Alone],
    classes: Sequence[str],
    limits: Labels,
) -> Annotation:
    """Labels from a segmentation.

    Args:
        things: int [H, W], the index of the thing that each pixel shows, or -1.
        labels: the class name of each thing, ``""`` for none.
        measure: what a thing covers with nothing before it. Even of what stands free, the ground it has sunk
            into may hide a pixel.
        classes: class names in the order of their categories.
        limits: which instances are labelled.

    """
    # Looked up for the whole picture at once: a tenth of setting every object's pixels.
    categories = np.array([0, *(classes.index(name) + 1 if name else 0 for name in labels)], np.uint8)
    semantic = categories[things + 1]
    instances = []
    present = np.bincount(things.ravel() + 1, minlength=len(labels) + 1)[1:]
    for thing in np.flatnonzero(present).tolist():
        if not labels[thing]:
            continue
        mask = things == thing
        category = int(categories[thing + 1])
        area = int(present[thing])
        box, alone = tight_box(mask), measure(thing)
        inside = max(alone.inside, area)
        occlusion, truncation = 1.0 - area / inside, 1.0 - inside / max(alone.whole, inside)
        amodal = _union(box, alone.box) if alone.whole else box
        longer = max(box[2] - box[0], box[3] - box[1])
        labelled = (
            longer >= limits.min_box_px
            and area >= limits.min_visible_px
            and occlusion <= limits.max_occlusion
            and truncation <= limits.max_truncation
        )
        instances.append(Instance(thing, labels[thing], category, box, amodal, mask, occlusion, truncation, labelled))
    return Annotation(tuple(instances), semantic)


def tight_box(mask: np.ndarray) -> Box:
    """The smallest box around the pixels of a mask, pixel-edge coordinates (x_max = last column + 1)."""
    x, y, width, height = cv2.boundingRect(mask.view(np.uint8))
    return float(x), float(y), float(x + width), float(y + height)


def _union(a: Box, b: Box) -> Box:
    return min(a[0], b[0]), min(a[1], b[1]), max(a[2], b[2]), max(a[3], b[3])
