"""Pictures without labels: those of a folder, with what names them for good."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple, TypeVar

import numpy as np

from perception_common import durable
from perception_common.errors import UserError
from perception_infer.commands.run import find_pictures, read_picture

from ..data.coco import CocoDataset, Sample

T = TypeVar("T")


class Picture(NamedTuple):
    """A file that holds a picture; ``name`` and ``sha256`` tell where it came from (a bag's frames are copied out)."""

    path: Path
    name: str
    sha256: str


def from_folder(folder: Path, most: int) -> list[Picture]:
    """At most ``most`` pictures of a folder, or of its ``images/`` when it is a dataset, evenly spaced by name.

    Raises:
        UserError: there is no such folder, or no picture in it.
    """
    if not folder.is_dir():
        raise UserError("there is no such folder", where=folder, fix="check the path")
    inner = folder / "images"
    found = find_pictures(inner if inner.is_dir() else folder)
    return [Picture(path, path.name, durable.sha256(path)) for path in spread(found, most)]


def spread(items: Sequence[T], most: int) -> list[T]:
    """All items, or ``most`` of them, evenly spaced."""
    count = min(most, len(items))
    return [items[index] for index in np.linspace(0, len(items) - 1, count).round().astype(int)] if count else []


def list_sha256(pictures: Sequence[Picture]) -> str:
    """SHA-256 of the lines ``<sha256>  <name>``, as ``sha256sum`` writes them, in the order of use."""
    lines = "".join(f"{picture.sha256}  {picture.name}\n" for picture in pictures)
    return hashlib.sha256(lines.encode()).hexdigest()


def as_dataset(
    root: Path, classes: tuple[str, ...], pictures: Sequence[Picture], progress: Callable[[int], None]
) -> CocoDataset:
    """The pictures as a dataset in which nothing is labelled; ``progress`` is told of each that was read.

    Raises:
        UserError: a file is not a picture that can be read.
    """
    samples = []
    for picture in pictures:
        height, width = read_picture(picture.path).shape[:2]
        samples.append(Sample(picture.path, width, height, np.zeros((0, 4), np.float32), np.zeros(0, np.int64)))
        progress(1)
    return CocoDataset(root, classes, tuple(samples), list_sha256(pictures), preset=None, skipped=0)
