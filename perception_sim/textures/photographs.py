"""Photographs from a user's folders, as floors, walls, skies and backdrops."""

from __future__ import annotations

import functools
import hashlib
from pathlib import Path

import cv2
import numpy as np

from perception_common.errors import UserError
from perception_common.images import read_picture

ENDINGS = (".bmp", ".jpeg", ".jpg", ".png", ".webp")
_LONGEST_PX = 960
_LEAST_PX = 32
_KEPT = 48


@functools.lru_cache(maxsize=8)
def find(folders: tuple[str, ...]) -> tuple[str, ...]:
    """The photographs in folders and their sub-folders, in the order of their paths.

    Raises:
        UserError: a folder does not exist or holds none.

    """
    found: list[str] = []
    for folder in folders:
        if not Path(folder).is_dir():
            raise UserError("the folder of background photographs does not exist", where=folder, fix="check the path")
        here = sorted(str(path) for path in Path(folder).rglob("*") if path.suffix.lower() in ENDINGS)
        if not here:
            raise UserError("the folder holds no photographs", where=folder, fix="it needs " + ", ".join(ENDINGS))
        found += here
    return tuple(found)


def digest(folders: tuple[str, ...]) -> str:
    """A hash of which photographs there are (names below their folders, and sizes in bytes); "" for no folder.

    Raises:
        UserError: as `find`.

    """
    if not folders:
        return ""
    lines = []
    for number, folder in enumerate(folders):
        for path in map(Path, find((folder,))):
            lines.append(f"{number} {path.relative_to(folder).as_posix()} {path.stat().st_size}\n")
    return hashlib.sha256("".join(lines).encode()).hexdigest()


@functools.lru_cache(maxsize=_KEPT)
def read(path: str) -> np.ndarray:
    """A photograph, uint8 RGB [H, W, 3], reduced to at most 960 pixels on its longer side.

    Raises:
        UserError: it cannot be read.

    """
    reduced = read_picture(path, cv2.IMREAD_REDUCED_COLOR_2)
    picture = reduced if reduced is not None and max(reduced.shape[:2]) >= _LONGEST_PX else read_picture(path)
    if picture is None or min(picture.shape[:2]) < _LEAST_PX:
        raise UserError("cannot use the background photograph", where=path, fix="remove it from the folder")
    shrink = _LONGEST_PX / max(picture.shape[:2])
    if shrink < 1.0:
        picture = cv2.resize(picture, None, fx=shrink, fy=shrink, interpolation=cv2.INTER_AREA)
    picture = cv2.cvtColor(picture, cv2.COLOR_BGR2RGB)
    picture.flags.writeable = False
    return picture


def crop(path: str, width: int, height: int, rng: np.random.Generator, least: float = 0.35) -> np.ndarray:
    """A random part of a photograph in these proportions, often mirrored; uint8 RGB [height, width, 3].

    ``least`` is the smallest part, over the largest that fits.
    """
    picture = read(path)
    fit = min(picture.shape[1] / width, picture.shape[0] / height) * rng.uniform(least, 1.0)
    w, h = max(round(width * fit), 2), max(round(height * fit), 2)
    left = int(rng.integers(0, picture.shape[1] - min(w, picture.shape[1]) + 1))
    top = int(rng.integers(0, picture.shape[0] - min(h, picture.shape[0]) + 1))
    part = picture[top : top + h, left : left + w]
    if rng.random() < 0.5:
        part = part[:, ::-1]
    way = cv2.INTER_AREA if w > width else cv2.INTER_LINEAR
    return cv2.resize(np.ascontiguousarray(part), (width, height), interpolation=way)


def tile(path: str, size: int, rng: np.random.Generator) -> np.ndarray:
    """A square of a photograph; every second one is mirrored to the right and below, and so repeats without an edge."""
    if rng.random() < 0.5:
        return crop(path, size, size, rng)
    part = crop(path, size // 2, size // 2, rng)
    row = np.concatenate([part, part[:, ::-1]], 1)
    return np.concatenate([row, row[::-1]], 0)
