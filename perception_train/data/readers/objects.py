"""Objects from a picture of instances, for datasets that hold no boxes beside it."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from .keyed import KeyPicture, PictureMask
from .sample import Object
from .tally import Tally


def from_picture(
    picture: KeyPicture,
    names: Mapping[int, tuple[str, ...]],
    where: object,
    tally: Tally,
    prims: Mapping[int, str] | None = None,
) -> tuple[Object, ...]:
    """One object for each key of ``names`` that the picture shows; its box is the extent of its pixels.

    Raises:
        Damaged: the picture cannot be read.
    """
    keys = picture.keys
    present, inverse = np.unique(keys, return_inverse=True)
    rows, columns = np.indices(keys.shape, dtype=np.int32)
    inverse = inverse.reshape(keys.shape)
    low_x, low_y = np.full(len(present), keys.shape[1]), np.full(len(present), keys.shape[0])
    high_x, high_y = np.zeros(len(present), int), np.zeros(len(present), int)
    for low, high, values in ((low_x, high_x, columns), (low_y, high_y, rows)):
        np.minimum.at(low, inverse, values)
        np.maximum.at(high, inverse, values + 1)
    objects = []
    for index, key in enumerate(present.tolist()):
        if key in names:
            box = (float(low_x[index]), float(low_y[index]), float(high_x[index]), float(high_y[index]))
            path = None if prims is None else prims.get(key, "")
            objects.append(Object(names[key], box, mask=PictureMask(picture, [key]), path=path))
    if objects:
        tally.note("boxes made from the instance segmentation", where)
    return tuple(objects)
