"""MCAP files that were never finished: a robot lost its power, or a copy broke off (specification: mcap.dev/spec)."""

from __future__ import annotations

from pathlib import Path
from typing import Any, BinaryIO

_MAGIC = b"\x89MCAP0\r\n"
# Of a record: one byte that says which, and the length of what follows, uint64.
_PREFIX = 9
_DATA_END, _FOOTER = 0x0F, 0x02


def open_damaged_mcap(path: Path) -> Any:
    """A reader of all whole records before the end or the damage, with rosbags' interface; None if there are none.

    Messages come in the order of the file.
    """
    from rosbags.rosbag2.storage_mcap import McapReader

    file = path.open("rb")
    reader = McapReader(path)
    try:
        start, end = _whole(file, path.stat().st_size)
        reader.bio, reader.data_start, reader.data_end = file, start, end
        reader.meta_scan()
        counted = reader.statistics
        assert counted is not None
        reader.connections = [
            connection._replace(msgcount=counted.channel_message_counts.get(connection.id, 0))
            for connection in reader.connections
        ]
    except Exception:  # not even the beginning is an MCAP file
        file.close()
        return None
    return _Damaged(reader, counted.message_count, counted.start_time, counted.end_time + 1)


class _Damaged:
    """What `rosbags.rosbag2.Reader` has, over a reader that was opened another way."""

    is_open = True

    def __init__(self, reader: Any, message_count: int, start_time: int, end_time: int) -> None:
        self._reader = reader
        self.path = reader.path
        self.message_count, self.start_time, self.end_time = message_count, start_time, end_time

    @property
    def connections(self) -> list[Any]:
        """As of rosbags' reader."""
        return list(self._reader.connections)

    def messages(self, connections: list[Any]) -> Any:
        """As of rosbags' reader."""
        return self._reader.messages_scan(connections)

    def close(self) -> None:
        """Close the file."""
        self._reader.close()


def _whole(file: BinaryIO, size: int) -> tuple[int, int]:
    """Where the records after the header begin, and where the last whole one of the data ends.

    Raises:
        ValueError: it is no MCAP file, or it ends within its header.
    """
    if file.read(len(_MAGIC)) != _MAGIC:
        raise ValueError("no MCAP file")
    position, start = len(_MAGIC), 0
    while position + _PREFIX <= size:
        file.seek(position)
        prefix = file.read(_PREFIX)
        after = position + _PREFIX + int.from_bytes(prefix[1:], "little")
        if after > size or prefix[0] in (0, _DATA_END, _FOOTER):
            break
        position = after
        start = start or position
    if not start:
        raise ValueError("the file ends within its header")
    return start, position
