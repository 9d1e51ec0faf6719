"""A recording, opened for reading: rosbag2 in SQLite or MCAP, with or without metadata.yaml, or a ROS 1 bag.

What is damaged costs no more than itself: a file that breaks off is read up to there, files that are missing are left
out, and `Recording.warnings` says so.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple

from perception_common.errors import UserError, did_you_mean

from .damaged import open_damaged_mcap
from .decoding import decoder
from .types import full_name, rosbags
from .unpacking import bound

STORAGE = (".db3", ".mcap")
_METADATA = "metadata.yaml"
_ROS1 = ".bag"
_INSPECT = "look at it with `ros2 bag info`"


@dataclass(frozen=True, order=True)
class Topic:
    """A topic of a recording: its message type as ``package/msg/Name``, and how many messages there are."""

    name: str
    type: str
    count: int


class Message(NamedTuple):
    """A message as it was recorded: ``time`` is when it was received, in nanoseconds."""

    topic: str
    type: str
    time: int
    data: bytes
    decode: Callable[[], Any]


class File(NamedTuple):
    """A file of a recording."""

    name: str
    bytes: int


class Recording:
    """An open recording; a context manager. Not for several threads at once.

    Attributes:
        path: what was opened.
        topics: all topics, by name.
        files: its storage files, in order.
        warnings: what could not be read, one line each; more may come while messages are read.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.files: tuple[File, ...] = ()
        self.warnings: list[str] = []
        self._stack = ExitStack()
        self._readers: list[Any] = []
        self._decoders: dict[tuple[int, int], Callable[[bytes], Any]] = {}
        try:
            self._open()
        except BaseException:
            self._stack.close()
            raise
        self.topics: Mapping[str, Topic] = self._count_topics()

    @property
    def start(self) -> int:
        """When the first message of any topic was received, in nanoseconds; 0 without any."""
        times = [reader.start_time for reader in self._readers if reader.message_count]
        return int(min(times, default=0))

    @property
    def end(self) -> int:
        """When the last message was received, in nanoseconds; 0 without any."""
        times = [reader.end_time - 1 for reader in self._readers if reader.message_count]
        return int(max(times, default=0))

    @property
    def message_count(self) -> int:
        """Messages of all topics."""
        return sum(topic.count for topic in self.topics.values())

    def of_type(self, kinds: Collection[str]) -> list[Topic]:
        """The topics of these types, by name."""
        return sorted(topic for topic in self.topics.values() if topic.type in kinds)

    def require(self, topic: str, kinds: Collection[str]) -> Topic:
        """The topic of this name.

        Raises:
            UserError: there is none, or it is of another type.
        """
        found = self.topics.get(topic)
        if found is None:
            known = [entry.name for entry in self.of_type(kinds)] or list(self.topics)
            raise UserError(f"the bag has no topic '{topic}'", where=self.path, fix=did_you_mean(topic, known))
        if found.type not in kinds:
            raise UserError(
                f"the topic {topic} has {found.type}",
                where=self.path,
                fix=f"choose one of {' or '.join(sorted(kinds))}",
            )
        return found

    def messages(self, topics: Collection[str]) -> Iterator[Message]:
        """The messages of some topics, in the order in which they were received.

        Where a file cannot be read any further, a warning says so and the next one is read.
        """
        for reader in self._readers:
            connections = [connection for connection in reader.connections if connection.topic in topics]
            if not connections:
                continue
            read = 0
            try:
                for connection, time, data in reader.messages(connections):
                    decode = self._decoder(reader, connection)
                    kind = full_name(connection.msgtype)
                    yield Message(connection.topic, kind, time, data, partial(decode, data))
                    read += 1
            except Exception as error:  # of SQLite, MCAP, zstd and rosbags' own: they share no base class
                name = reader.path.name if hasattr(reader, "path") else self.path.name
                self.warnings.append(f"{name} cannot be read beyond message {read}: {_told(error)}")

    def close(self) -> None:
        """Close the files."""
        self._stack.close()

    def __enter__(self) -> Recording:
        """Nothing but itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the files."""
        self.close()

    def _open(self) -> None:
        rosbags()
        if not bound():
            self.warnings.append("what this version of rosbags unpacks has no limit: open only bags that you trust")
        path = self.path
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
        files = storage_files(path)
        if metadata.exists():
            try:
                self._enter(_reader(path))
            except Exception as error:  # see above
                if not files:
                    raise self._unreadable(error) from error
                self.warnings.append(f"{_METADATA} cannot be used: {_told(error)}; the files are read without it")
            else:
                listed = {Path(name).name for name in _listed(metadata)}
                self.files = tuple(_file(file) for file in sorted(path.iterdir()) if file.name in listed)
                return
        if not files:
            raise UserError(
                "the directory holds no recording", where=path, fix=f"it must have {' or '.join(STORAGE)} files in it"
            )
        opened, failure = [], None
        for file in files:
            try:
                self._enter(_storage(file, self.warnings))
                opened.append(_file(file))
            except Exception as error:  # see above
                failure = error
                self.warnings.append(f"{file.name} is left out: {_told(error)}")
        if failure is not None and not opened:
            raise self._unreadable(failure) from failure
        self.files = tuple(opened)

    def _enter_file(self, path: Path) -> None:
        metadata = path.parent / _METADATA
        if metadata.exists() and [Path(name).name for name in _listed(metadata)] == [path.name]:
            # The directory's metadata says how its messages are compressed.
            self._enter_directory(path.parent)
            return
        if path.suffix not in STORAGE:
            raise UserError(
                f"'{path.suffix or path.name}' is no file of a recording",
                where=path,
                fix=f"give a directory with {_METADATA}, or a file in {', '.join((*STORAGE, _ROS1))}",
            )
        try:
            self._enter(_storage(path, self.warnings))
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
        self._readers.append(reader)

    def _count_topics(self) -> dict[str, Topic]:
        found: dict[str, Topic] = {}
        for reader in self._readers:
            for connection in reader.connections:
                kind = full_name(connection.msgtype)
                before = found.get(connection.topic, Topic(connection.topic, kind, 0))
                found[connection.topic] = replace(before, count=before.count + connection.msgcount)
        return found

    def _decoder(self, reader: Any, connection: Any) -> Callable[[bytes], Any]:
        key = id(reader), connection.id
        if key not in self._decoders:
            self._decoders[key] = decoder(reader, connection)
        return self._decoders[key]

    def _unreadable(self, error: Exception) -> UserError:
        if isinstance(error, UserError):
            return error
        fix = "`sqlite3 FILE .recover` saves what is whole" if "database" in _told(error) else _INSPECT
        return UserError(f"the bag cannot be read: {_told(error)}", where=self.path, fix=fix)


def storage_files(directory: Path) -> list[Path]:
    """The storage files of a directory, those of a split recording in the order of their numbers."""
    files = [file for file in directory.iterdir() if file.suffix in STORAGE and file.is_file()]
    return sorted(files, key=lambda file: [int(x) if x.isdigit() else x for x in re.split(r"(\d+)", file.name)])


def _reader(path: Path) -> Any:
    from rosbags.rosbag2 import Reader

    reader = Reader(path)
    reader.open()
    return reader


def _storage(path: Path, warnings: list[str]) -> Any:
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
        warnings.append(f"{path.name} breaks off ({_told(error)}): {reader.message_count} messages are whole")
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


def _told(error: Exception) -> str:
    return " ".join((str(error) or type(error).__name__).split()).rstrip(".")
