"""The files of a recording, opened: rosbag2 in SQLite or MCAP, with or without metadata.yaml, or a ROS 1 bag.

A file that breaks off is read up to there, files that are missing are left out, and warnings say so.
"""

from __future__ import annotations

import re
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

from perception_common.errors import UserError

from .damaged import open_damaged_mcap
from .types import rosbags
from .unpacking import bound

_ROS2 = (".db3", ".mcap")
_METADATA = "metadata.yaml"
_ROS1 = ".bag"
_INSPECT = "look at it with `ros2 bag info`"


class File(NamedTuple):
    """A file of a recording."""

    name: str
    bytes: int


class Storage:
    """Open files.

    Args:
        path: a directory or a file.
        warnings: takes up what could not be read, one line each.

    Attributes:
        readers: rosbags' readers, in order: one of a whole directory, or one for each file.
        files: what they read, in order.

    Raises:
        UserError: nothing of it can be read.
    """

    def __init__(self, path: Path, warnings: list[str]) -> None:
        self.readers: list[Any] = []
        self.files: tuple[File, ...] = ()
        self._path, self._warnings = path, warnings
        self._stack = ExitStack()
        try:
            self._open()
        except BaseException:
            self._stack.close()
            raise

    def close(self) -> None:
        """Close the files."""
        self._stack.close()

    def _open(self) -> None:
        rosbags()
        if not bound():
            self._warnings.append("what this version of rosbags unpacks has no limit: open only bags that you trust")
        path = self._path
        if not path.exists():
            raise UserError("the bag does not exist", where=path, fix="check the path")
        if path.suffix == _ROS1 and path.is_file():
            self._enter_ros1(path)
        elif path.is_dir():
            self._enter_directory(path)
        else:
            self._enter_file(path)

    def _enter_directory(self, path: Path) -> None:
        metadata = path / _METADATA
        files = _storage_files(path)
        if metadata.exists():
            try:
                self._enter(_reader(path))
            except Exception as error:  # of SQLite, MCAP, zstd and rosbags' own: they share no base class
                if not files:
                    raise self._unreadable(error) from error
                self._warnings.append(f"{_METADATA} cannot be used: {in_a_line(error)}; the files are read without it")
            else:
                listed = {Path(name).name for name in _listed(metadata)}
                self.files = tuple(_file(file) for file in sorted(path.iterdir()) if file.name in listed)
                return
        if not files:
            raise UserError(
                "the directory holds no recording", where=path, fix=f"it must have {' or '.join(_ROS2)} files in it"
            )
        opened, failure = [], None
        for file in files:
            try:
                self._enter(_file_reader(file, self._warnings))
                opened.append(_file(file))
            except Exception as error:  # see above
                failure = error
                self._warnings.append(f"{file.name} is left out: {in_a_line(error)}")
        if failure is not None and not opened:
            raise self._unreadable(failure) from failure
        self.files = tuple(opened)

    def _enter_file(self, path: Path) -> None:
        metadata = path.parent / _METADATA
        if metadata.exists() and [Path(name).name for name in _listed(metadata)] == [path.name]:
            # The directory's metadata says how its messages are compressed.
            self._enter_directory(path.parent)
            return
        if path.suffix not in _ROS2:
            raise UserError(
                f"'{path.suffix or path.name}' is no file of a recording",
                where=path,
                fix=f"give a directory with {_METADATA}, or a file in {', '.join((*_ROS2, _ROS1))}",
            )
        try:
            self._enter(_file_reader(path, self._warnings))
        except Exception as error:  # see above
            raise self._unreadable(error) from error
        self.files = (_file(path),)

    def _enter_ros1(self, path: Path) -> None:
        from rosbags.rosbag1 import Reader

        try:
            self._enter(Reader(path))
        except Exception as error:  # see above
            raise self._unreadable(error) from error
        self.files = (_file(path),)

    def _enter(self, reader: Any) -> None:
        if not getattr(reader, "is_open", False):
            reader.open()
        self._stack.callback(reader.close)
        if not all(isinstance(text, str) for one in reader.connections for text in (one.topic, one.msgtype)):
            # SQLite keeps whatever it is given in any column.
            raise ValueError("a topic's name or type is no text")
        self.readers.append(reader)

    def _unreadable(self, error: Exception) -> UserError:
        if isinstance(error, UserError):
            return error
        fix = "`sqlite3 FILE .recover` saves what is whole" if "database" in in_a_line(error) else _INSPECT
        return UserError(f"the bag cannot be read: {in_a_line(error)}", where=self._path, fix=fix)


def _storage_files(directory: Path) -> list[Path]:
    """The storage files of a directory, those of a split recording in the order of their numbers."""
    files = [file for file in directory.iterdir() if file.suffix in _ROS2 and file.is_file()]
    return sorted(files, key=lambda file: [int(x) if x.isdigit() else x for x in re.split(r"(\d+)", file.name)])


def _reader(path: Path) -> Any:
    from rosbags.rosbag2 import Reader

    reader = Reader(path)
    reader.open()
    return reader


def _file_reader(path: Path, warnings: list[str]) -> Any:
    """An open reader of one file; of an MCAP file that breaks off, of what is whole."""
    pending = path.with_name(path.name + "-wal")
    if pending.exists() and pending.stat().st_size:
        warnings.append(f"{pending.name} was never merged: messages in it are not read (`ros2 bag reindex` mends it)")
    try:
        return _reader(path)
    except Exception as error:  # see above
        reader = open_damaged_mcap(path) if path.suffix == ".mcap" else None
        if reader is None:
            raise
        warnings.append(f"{path.name} breaks off ({in_a_line(error)}): {reader.message_count} messages are whole")
        return reader


def _listed(metadata: Path) -> list[str]:
    """The storage files that a metadata.yaml names; none if it cannot be read."""
    import yaml

    try:
        content = yaml.safe_load(metadata.read_text(encoding="utf-8"))
        return [str(name) for name in content["rosbag2_bagfile_information"]["relative_file_paths"]]
    except (OSError, UnicodeDecodeError, yaml.YAMLError, KeyError, TypeError):
        return []


def _file(path: Path) -> File:
    return File(path.name, path.stat().st_size)


def in_a_line(error: Exception) -> str:
    """What an error says, for a warning; some say nothing but their name."""
    return " ".join((str(error) or type(error).__name__).split()).rstrip(".")
