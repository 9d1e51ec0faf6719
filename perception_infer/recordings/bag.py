"""A recording, opened for reading: its topics, and their messages in order.

What is damaged costs no more than itself: what can be read is, and `Recording.warnings` says what cannot.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple

from perception_common.errors import UserError, did_you_mean

from .decoding import decoder
from .storage import Storage, in_a_line
from .types import full_name


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
        self.warnings: list[str] = []
        self._storage = Storage(path, self.warnings)
        self._readers, self.files = self._storage.readers, self._storage.files
        self._decoders: dict[tuple[int, int], Callable[[bytes], Any]] = {}
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
                self.warnings.append(f"{name} cannot be read beyond message {read}: {in_a_line(error)}")

    def close(self) -> None:
        """Close the files."""
        self._storage.close()

    def __enter__(self) -> Recording:
        """Nothing but itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the files."""
        self.close()

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
