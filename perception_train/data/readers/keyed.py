"""Pictures whose pixels name things by colour or number, and the masks that they hold."""

from __future__ import annotations

import re
from functools import cached_property
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from .checks import Damaged
from .files import read_header
from .masks import UNUSABLE, Pixels, encode

Keys = npt.NDArray[np.uint32]


class PictureMask:
    """The pixels of a picture of ids or colours that have certain keys."""

    exact = True

    def __init__(self, picture: KeyPicture, keys: list[int]) -> None:
        self._picture, self._keys = picture, keys

    def pixels(self, width: int, height: int) -> Pixels:
        keys = self._picture.keys
        if keys.shape != (height, width):
            raise Damaged("mask of another size than its image")
        return np.isin(keys, self._keys) if len(self._keys) != 1 else keys == self._keys[0]

    def coco(self, pixels: Pixels) -> Any:
        return encode(pixels)


class KeyPicture:
    """A picture whose pixels name things by colour or number; read once, when it is first asked."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @cached_property
    def keys(self) -> Keys:
        """uint32 [H, W]: the pixel's number, or `colour_key` of its colour.

        Raises:
            Damaged: the picture cannot be read.
        """
        read_header(self.path)  # refuses pictures of absurd size before they are decoded
        try:
            picture = cv2.imread(str(self.path), cv2.IMREAD_UNCHANGED)
        except cv2.error:
            picture = None
        if picture is None:
            raise Damaged(UNUSABLE)
        if picture.ndim == 2:
            return picture.astype(np.uint32)
        if picture.dtype != np.uint8 or picture.shape[2] not in (3, 4):
            raise Damaged(UNUSABLE)
        keys = np.full(picture.shape[:2], 255 << 24, np.uint32)
        for channel, shift in zip((2, 1, 0), (0, 8, 16), strict=True):
            keys |= picture[..., channel].astype(np.uint32) << shift
        if picture.shape[2] == 4:
            keys &= (picture[..., 3].astype(np.uint32) << 24) | 0xFFFFFF
        return keys


def colour_key(colour: list[int]) -> int:
    """The key of an RGB or RGBA colour (without alpha it is opaque).

    Raises:
        Damaged: it is no colour.
    """
    if len(colour) not in (3, 4) or not all(type(value) is int and 0 <= value <= 255 for value in colour):
        raise Damaged("a colour is expected")
    red, green, blue, alpha = [*colour, 255][:4]
    return red | green << 8 | blue << 16 | alpha << 24


def written_key(text: str) -> int:
    """The key that JSON names as ``"(25, 82, 255, 255)"`` or ``"7"``.

    Raises:
        Damaged: it names none.
    """
    found = re.findall(r"[0-9]{1,10}", text[:100])
    if len(found) == 1 and int(found[0]) < 1 << 32:
        return int(found[0])
    return colour_key([int(value) for value in found])
