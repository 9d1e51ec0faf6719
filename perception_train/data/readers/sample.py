"""What every reader yields: one image with what its dataset says about it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from .masks import Mask

#: x_min, y_min, x_max, y_max in pixel-edge coordinates: the whole image is 0, 0, W, H.
Box = tuple[float, float, float, float]
#: One number per pixel, and the class names that each number stands for.
KeyedPixels = tuple[npt.NDArray[np.uint32], Mapping[int, tuple[str, ...]]]


@dataclass(frozen=True)
class Object:
    """One annotated object, as its dataset tells it: nothing is checked, clipped or filtered yet.

    ``names`` are its labels (more than one where labels are inherited). ``box`` encloses the visible part
    and ``amodal`` all of it. ``occlusion`` and ``truncation`` are the shares hidden behind others and outside
    of the image, None where unknown. ``ignored`` says why it is neither to be trained on nor scored, ``""`` if
    it is. ``path`` places it in a scene's hierarchy (``/World/Cone/Mesh``): ``""`` where the place is unknown,
    None in formats without a hierarchy.
    """

    names: tuple[str, ...]
    box: Box
    amodal: Box | None = None
    occlusion: float | None = None
    truncation: float | None = None
    ignored: str = ""
    mask: Mask | None = None
    path: str | None = None


@dataclass(frozen=True)
class Sample:
    """One image and its objects.

    ``size`` is (width, height) where the annotation tells it. ``split`` is ``train``, ``val`` or ``test`` where the
    dataset divides itself. Images of one ``group`` show the same scene and belong on one side of any split.
    ``semantic`` reads the class of every pixel; it may raise `Damaged`. ``intrinsics`` is the camera matrix.
    """

    image: Path
    objects: tuple[Object, ...]
    size: tuple[int, int] | None = None
    split: str = ""
    group: str = ""
    semantic: Callable[[], KeyedPixels] | None = None
    intrinsics: tuple[tuple[float, float, float], ...] | None = None


@dataclass(frozen=True)
class Options:
    """What a dataset cannot say of itself.

    ``missing_labels``: a YOLO image without a label file shows nothing (``negative``), or is unlabelled (``skip``).
    ``kitti_inclusive``: KITTI's x_max and y_max name the last pixel inside, not the edge after it.
    ``difficult``: Pascal VOC's difficult objects count like the others.
    """

    missing_labels: str = "negative"
    kitti_inclusive: bool = False
    difficult: bool = False
