"""The records of finished scenes: one JSON value a line, appended as scenes are finished in whatever order.

A record is what `producer.Producer.make` returns, plus ``sha256`` of every file. Files of records are
only ever appended to, so a process that is killed leaves at most one torn line, which counts as not written. What is
kept in memory is where each scene's line stands (20 bytes a scene); the lines themselves are read when they are needed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from io import FileIO
from pathlib import Path
from types import TracebackType
from typing import BinaryIO

import msgspec
import numpy as np

from perception_common.errors import UserError

PROGRESS = ".progress"
"""Where a dataset that is being made keeps what it is made from."""
_NONE = -1


class Shot(msgspec.Struct):
    """An image of a record. ``sizes`` are its files and their bytes; ``view`` and ``instances`` stay as written."""

    number: int
    file_name: str
    sizes: dict[str, int]
    view: msgspec.Raw
    instances: list[msgspec.Raw]


class Record(msgspec.Struct):
    """A record, taken apart as far as bookkeeping needs it; what else it holds is left out."""

    scene: int
    negative: bool
    sampled: msgspec.Raw
    shots: list[Shot]


class _FilesOfShot(msgspec.Struct):
    sizes: dict[str, int]


class Files(msgspec.Struct):
    """What is asked of every line when records are looked for; skipping the rest makes that quick."""

    scene: int
    shots: list[_FilesOfShot]
    sha256: dict[str, str] = msgspec.field(default_factory=dict)

    @property
    def sizes(self) -> dict[str, int]:
        """Every file of the scene (below the dataset's directory) and its length in bytes."""
        return {name: size for shot in self.shots for name, size in shot.sizes.items()}


_RECORD = msgspec.json.Decoder(Record)
_FILES = msgspec.json.Decoder(Files)


class Journal:
    """All records of a dataset, and the one file that this process appends to; a context manager.

    Args:
        roots: directories that hold the dataset or shards of it. Files of records are ``.progress/*.jsonl`` in each,
            and the names of files in records start from it.
        scenes: how many scenes the dataset has.
        own: the name of the file to append to, in the first directory; without it nothing is written.

    """

    def __init__(self, roots: Sequence[Path], scenes: int, own: str | None = None) -> None:
        self._roots, self._scenes = roots, scenes
        self._own = None if own is None else roots[0] / PROGRESS / own
        self._paths: list[tuple[Path, Path]] = []
        self._file = np.full(scenes, _NONE, np.int32)
        self._offset = np.zeros(scenes, np.int64)
        self._length = np.zeros(scenes, np.int64)
        self._reading: tuple[Path, BinaryIO] | None = None
        self._writing: FileIO | None = None

    def __enter__(self) -> Journal:
        try:
            if self._own is not None:
                _cut_torn_line(self._own)
                # Unbuffered: what could not be written must not be tried again when the file is closed.
                self._writing = self._own.open("ab", buffering=0)
            self.refresh()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the files; `raw` opens them again when it has to."""
        if self._reading is not None:
            self._reading[1].close()
            self._reading = None
        if self._writing is not None:
            self._writing.close()
            self._writing = None

    def refresh(self) -> None:
        """Look for records anew, also those that other processes have written meanwhile.

        A scene is there when its record is and all its files have the length that the record says: after a power cut
        a record can have survived the pictures it speaks of, and a copy can be incomplete.
        """
        self._file[:] = _NONE
        self._paths = [(root, path) for root in self._roots for path in sorted((root / PROGRESS).glob("*.jsonl"))]
        if self._own is not None:
            # First: what is appended is remembered as the first file's.
            self._paths.sort(key=lambda found: found[1] != self._own)
        for index, (root, path) in enumerate(self._paths):
            self._index(index, root, path)

    def missing(self, scenes: range) -> np.ndarray:
        """The scenes of a range that have no record, ascending, int64."""
        return np.flatnonzero(self._file[scenes.start : scenes.stop] == _NONE) + scenes.start

    def append(self, raw: bytes) -> int:
        """Remember a finished scene, after which it is never made again; how many images it has.

        Raises:
            UserError: the file cannot be written.

        """
        files = files_of(raw)
        if self._writing is None or self._own is None:
            raise RuntimeError("this journal is only read")
        offset = self._writing.tell()
        try:
            line = memoryview(raw + b"\n")
            while line:
                line = line[self._writing.write(line) :]
        except OSError as error:
            raise UserError(
                f"cannot write: {error.strerror}", where=self._own, fix="make room and start again: it continues"
            ) from error
        self._remember(files.scene, 0, offset, len(raw))
        return len(files.shots)

    def raw(self, scene: int) -> bytes:
        """A scene's record as it was appended; the scene must not be among the `missing`."""
        if self._file[scene] == _NONE:
            raise KeyError(scene)
        file = self._opened(self._paths[int(self._file[scene])][1])
        file.seek(self._offset[scene])
        return file.read(int(self._length[scene]))

    def root(self, scene: int) -> Path:
        """The directory that holds a scene's files."""
        return self._paths[int(self._file[scene])][0]

    def record(self, scene: int) -> Record:
        """A scene's record."""
        return _RECORD.decode(self.raw(scene))

    def records(self) -> Iterator[Record]:
        """The records of all scenes in order, read one after the other."""
        return map(self.record, range(self._scenes))

    def _opened(self, path: Path) -> BinaryIO:
        if self._reading is None or self._reading[0] != path:
            if self._reading is not None:
                self._reading[1].close()
            self._reading = (path, path.open("rb"))
        return self._reading[1]

    def _index(self, index: int, root: Path, path: Path) -> None:
        offset = 0
        with path.open("rb") as file:
            for line in file:
                found = _files_in(line)
                if found is not None and found.scene in range(self._scenes) and _whole(root, found):
                    self._remember(found.scene, index, offset, len(line) - 1)
                offset += len(line)

    def _remember(self, scene: int, index: int, offset: int, length: int) -> None:
        self._file[scene], self._offset[scene], self._length[scene] = index, offset, length


def _whole(root: Path, files: Files) -> bool:
    return all(_size(root / name) == size for name, size in files.sizes.items())


def files_of(raw: bytes) -> Files:
    """The files that a record speaks of."""
    return _FILES.decode(raw)


def _files_in(line: bytes) -> Files | None:
    """The files of a line's record, or None for a damaged line."""
    if not line.endswith(b"\n"):
        return None
    try:
        return files_of(line)
    except msgspec.DecodeError:
        return None


def _size(path: Path) -> int | None:
    try:
        return path.stat().st_size
    except OSError:
        return None


def _cut_torn_line(path: Path) -> None:
    """Cut off what follows the last end of a line, so that the next line starts a line."""
    if not path.exists():
        return
    with path.open("r+b") as file:
        end = file.seek(0, 2)
        while end:
            start = max(0, end - (1 << 16))
            file.seek(start)
            found = file.read(end - start).rfind(b"\n")
            if found >= 0:
                file.truncate(start + found + 1)
                return
            end = start
        file.truncate(0)
