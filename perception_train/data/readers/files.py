"""Finding files: walks in a stable order, images by name whatever the case, headers without decoding."""

from __future__ import annotations

import os
import re
import warnings
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from PIL import Image

from perception_common.errors import UserError

from .checks import Damaged

IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".webp", ".tif", ".tiff")
_LISTINGS_KEPT = 16
_DIGITS = 16
_SPLIT = re.compile(r"(train|val|test)(?:ing|id|idation)?(?:[-_]?\d{4})?", re.IGNORECASE)
_ORIENTATION = 0x0112
#: EXIF orientations that exchange width and height.
_TURNED = (5, 6, 7, 8)
#: Formats whose EXIF orientation OpenCV obeys.
_WITH_ORIENTATION = ("JPEG", "MPO", "PNG")


def natural(name: str) -> str:
    """Sort key in which ``9.png`` comes before ``10.png``; one short text, for folders of a million files."""
    return re.sub(r"[0-9]+", lambda number: number[0].zfill(_DIGITS), name)


def walk(root: Path) -> Iterator[Path]:
    """Every file below ``root``: those of a folder before those of its sub-folders, each in natural order.

    Links to folders are followed once; hidden folders are left out.

    Raises:
        UserError: a folder cannot be read.
    """
    seen: set[tuple[int, int]] = set()
    waiting = [root]
    while waiting:
        folder = waiting.pop()
        try:
            state = folder.stat()
            with os.scandir(folder) as scan:
                entries = [(entry.name, entry.is_dir()) for entry in scan]
        except OSError as error:
            raise UserError(f"cannot read the folder: {error.strerror}", where=folder) from error
        if (state.st_dev, state.st_ino) in seen:
            continue
        seen.add((state.st_dev, state.st_ino))
        names = sorted((name for name, is_folder in entries if not is_folder), key=natural)
        yield from (folder / name for name in names)
        below = sorted((name for name, is_folder in entries if is_folder and name[0] != "."), key=natural)
        waiting += [folder / name for name in reversed(below)]


def split_of(path: Path) -> str:
    """``train``, ``val`` or ``test`` from the names of a path's folders (the last that says so), else ``""``."""
    for part in reversed(path.parts):
        if found := _SPLIT.fullmatch(part):
            return found[1].lower()
    return ""


class _Listing(NamedTuple):
    """The images of one folder, by name and by name in lower case."""

    exact: dict[str, Path]
    lower: dict[str, Path]

    def find(self, name: str) -> Path | None:
        return self.exact.get(name) or self.lower.get(name.lower())


class Folders:
    """Looks images up in folders by name or stem, in any case and with any extension of an image."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._listings: OrderedDict[Path, _Listing] = OrderedDict()
        self._below: dict[str, Path | None] | None = None

    def named(self, name: str, folders: Sequence[Path]) -> Path | None:
        """The image called ``name``, which may bring folders along, in one of ``folders`` or anywhere below the root.

        Paths that lead upwards or start at the file system's root (another machine's) count by their last part. So do
        others whose folder is not here; where it is, an image that it lacks is missing, whatever else has its name.
        """
        given = PurePosixPath(name.replace("\\", "/"))
        if not given.name:
            return None
        elsewhere = given.is_absolute() or ".." in given.parts
        forms = [given.name] if elsewhere else [str(given), given.name]
        for form in dict.fromkeys(forms):
            for folder in folders:
                below = folder / form
                if found := self._list(below.parent).find(below.name):
                    return found
            if "/" in form and any(is_folder(folder / given.parent) for folder in folders):
                return None
        return self._anywhere(given.name.lower())

    def stem(self, stem: str, folder: Path) -> Path | None:
        """The image in ``folder`` whose name without its extension is ``stem``."""
        listing = self._list(folder)
        return next((found for suffix in IMAGE_SUFFIXES if (found := listing.find(stem + suffix))), None)

    def images(self, folder: Path) -> list[Path]:
        """The images in a folder itself, in natural order."""
        return list(self._list(folder).exact.values())

    def without(self, labels: Path, folders: Sequence[Path]) -> list[Path]:
        """The images in ``folders`` whose stem no other kind of file in the folder ``labels`` has."""
        names = (Path(name) for name in _names(labels))
        stems = {name.stem for name in names if name.suffix.lower() not in IMAGE_SUFFIXES}
        return [image for folder in folders for image in self.images(folder) if image.stem not in stems]

    def _list(self, folder: Path) -> _Listing:
        listing = self._listings.get(folder)
        if listing is None:
            exact = {name: folder / name for name in _names(folder) if name.lower().endswith(IMAGE_SUFFIXES)}
            listing = _Listing(exact, {name.lower(): path for name, path in reversed(exact.items())})
            self._listings[folder] = listing
            if len(self._listings) > _LISTINGS_KEPT:
                self._listings.popitem(last=False)
        return listing

    def _anywhere(self, name: str) -> Path | None:
        if self._below is None:
            self._below = {}
            for path in walk(self._root):
                key = path.name.lower()
                if key.endswith(IMAGE_SUFFIXES):
                    # A name that occurs twice says nothing.
                    self._below[key] = None if key in self._below else path
        return self._below.get(name)


def is_folder(path: Path) -> bool:
    """Whether a path, perhaps of nonsense, is a folder."""
    try:
        return path.is_dir()
    except (OSError, ValueError):
        return False


def _names(folder: Path) -> list[str]:
    """The names in a folder in natural order; none where it cannot be read."""
    try:
        return sorted(os.listdir(folder), key=natural)  # noqa: PTH208  # names, not a million paths
    except (OSError, ValueError):
        return []


def is_file(path: Path) -> bool:
    """Whether a path, perhaps of nonsense, is a file."""
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False


@dataclass(frozen=True)
class Header:
    """An image's size in pixels as OpenCV shows it, and whether it is stored on its side (EXIF)."""

    width: int
    height: int
    turned: bool

    @property
    def stored(self) -> tuple[int, int]:
        """(width, height) of the stored pixels."""
        return (self.height, self.width) if self.turned else (self.width, self.height)


def read_header(path: Path) -> Header:
    """The size of an image, from its header alone.

    Raises:
        Damaged: the file is missing, or is not an image that can be opened.
    """
    if not is_file(path):
        raise Damaged("image missing")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            with Image.open(path) as image:
                width, height = image.size
                # Without the second condition Pillow would decode every PNG to look for a late EXIF chunk.
                has_exif = image.format in _WITH_ORIENTATION and "exif" in image.info
                orientation = image.getexif().get(_ORIENTATION) if has_exif else None
    except Exception as error:  # Pillow's plug-ins raise whatever a damaged file makes them raise
        raise Damaged("image cannot be read") from error
    if width < 1 or height < 1:
        raise Damaged("image cannot be read")
    turned = orientation in _TURNED
    return Header(height, width, True) if turned else Header(width, height, False)
