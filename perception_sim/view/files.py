"""Which image files there are, and which are the same byte for byte, with one listing and few files read."""

from __future__ import annotations

import dataclasses
import hashlib
import os
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path, PurePosixPath

import numpy as np

# The end of a file tells pictures apart: most of what two of them share is at the beginning.
_TAIL = 4096


@dataclasses.dataclass(frozen=True, eq=False)
class Files:
    """``size`` int [N] is every image's size in bytes, -1 where it is missing; ``unlisted`` counts other files."""

    size: np.ndarray
    unlisted: int

    @property
    def present(self) -> np.ndarray:
        """The indices of the images that are there, int."""
        return np.flatnonzero(self.size >= 0)


@dataclasses.dataclass(frozen=True)
class Duplicates:
    """Groups of (dataset, image) that are the same file, found among ``looked_at`` files that share their size."""

    groups: tuple[tuple[tuple[int, int], ...], ...]
    looked_at: int
    candidates: int


def list_files(directory: Path, names: Sequence[str]) -> Files:
    """Find images by name below ``directory``. Names that lead out of it count as missing."""
    folders: dict[str, dict[str, int]] = {}
    sizes = np.full(len(names), -1, np.int64)
    used = set()
    for index, name in enumerate(names):
        folder, _, base = name.rpartition("/")
        if folder not in folders:
            folders[folder] = {} if leads_out(folder) else _entries(directory / folder)
        size = folders[folder].get(base)
        if size is not None:
            sizes[index] = size
            used.add((folder, base))
    return Files(sizes, sum(map(len, folders.values())) - len(used))


def leads_out(name: str) -> bool:
    """Whether a name in annotations.json leaves images/: such a file is none of the dataset's, and never opened."""
    path = PurePosixPath(name)
    return path.is_absolute() or ".." in path.parts


def find_duplicates(
    sizes: Sequence[np.ndarray], path_of: Callable[[int, int], Path], limit: int, rng: np.random.Generator
) -> Duplicates:
    """Images that are the same byte for byte, within and between datasets.

    Only files of equal size can be equal. Of those at most about ``limit`` are read, whole groups of a size at a
    time, in random order.

    Args:
        sizes: per dataset int [N], bytes of every image, -1 for missing ones.
        path_of: the path of (dataset, image).
        limit: how many files may be read.
        rng: chooses which.

    """
    by_size: dict[int, list[tuple[int, int]]] = defaultdict(list)
    for number, values in enumerate(sizes):
        for image in np.flatnonzero(values > 0).tolist():
            by_size[int(values[image])].append((number, image))
    groups = [group for group in by_size.values() if len(group) > 1]
    candidates = sum(map(len, groups))
    looked_at, same = 0, []
    for index in rng.permutation(len(groups)).tolist():
        if looked_at >= limit:
            break
        group = groups[index][: limit - looked_at]
        looked_at += len(group)
        for tail in _alike(group, lambda key: _digest(path_of(*key), _TAIL)):
            same += _alike(tail, lambda key: _digest(path_of(*key), None))
    return Duplicates(tuple(sorted(tuple(sorted(group)) for group in same)), looked_at, candidates)


def _alike(
    group: Sequence[tuple[int, int]], digest: Callable[[tuple[int, int]], bytes | None]
) -> list[list[tuple[int, int]]]:
    found: dict[bytes, list[tuple[int, int]]] = defaultdict(list)
    for key in group:
        value = digest(key)
        if value is not None:
            found[value].append(key)
    return [keys for keys in found.values() if len(keys) > 1]


def _digest(path: Path, tail: int | None) -> bytes | None:
    try:
        with path.open("rb") as file:
            if tail is not None:
                file.seek(max(0, os.fstat(file.fileno()).st_size - tail))
            return hashlib.blake2b(file.read(), digest_size=16).digest()
    except OSError:
        return None


def _entries(folder: Path) -> dict[str, int]:
    try:
        with os.scandir(folder) as entries:
            return {entry.name: entry.stat().st_size for entry in entries if entry.is_file()}
    except OSError:
        return {}
