"""The class of every pixel of an image, where its source tells it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from ..readers.checks import Damaged
from ..readers.sample import Sample
from ..readers.tally import Tally
from .classmap import MASKED_CLASSES, ClassMap
from .select import Label

ClassMask = npt.NDArray[np.uint8]


def paint(
    sample: Sample, labels: Sequence[Label], size: tuple[int, int], classes: ClassMap, tally: Tally
) -> ClassMask | None:
    """Class ids uint8 [H, W] (0 = background, from 1 in the order of the classes); None where they are not known.

    The source's own semantic picture counts if it knows the class of every object, or else the objects' masks if every
    object has one; small objects are painted over large ones. An image without objects of the classes is background.
    """
    if len(classes.names) > MASKED_CLASSES:
        return None
    if sample.semantic is not None:
        try:
            mask = _translated(*sample.semantic(), labels, size, classes)
        except Damaged as error:
            tally.note(f"semantic picture not used ({error.reason})", sample.image)
        else:
            return mask
        if not labels:
            return None
    return _from_objects(labels, size)


def _translated(
    keys: npt.NDArray[np.uint32],
    names: Mapping[int, tuple[str, ...]],
    labels: Sequence[Label],
    size: tuple[int, int],
    classes: ClassMap,
) -> ClassMask:
    if keys.shape != (size[1], size[0]):
        raise Damaged("of another size than its image")
    categories = {key: category for key, found in names.items() if (category := classes.resolve(found)) is not None}
    if not {entry.category for entry in labels} <= set(categories.values()):
        # Unity's labeler of classes has a list of its own, and Replicator leaves out colours.
        raise Damaged("it does not know the class of every object")
    mask = np.zeros(keys.shape, np.uint8)
    for key, category in categories.items():
        mask[keys == key] = category + 1
    return mask


def _from_objects(labels: Sequence[Label], size: tuple[int, int]) -> ClassMask | None:
    mask = np.zeros((size[1], size[0]), np.uint8)
    masks = [(entry.pixels, entry.category) for entry in labels if entry.pixels is not None]
    if len(masks) < len(labels):
        return None
    for pixels, category in sorted(masks, key=lambda item: -np.count_nonzero(item[0])):
        mask[pixels] = category + 1
    return mask
