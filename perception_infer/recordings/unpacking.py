"""Compressed recordings, unpacked within limits.

rosbags unpacks whatever a file says, and 33 kB of zstd can say a GiB of zeros. Its readers get functions that stop: in
memory at `MAX_BYTES`, on disk before the folder for temporary files is full.
"""

from __future__ import annotations

import bz2
import shutil
import tempfile
from collections.abc import Callable
from functools import cache
from importlib import import_module
from types import SimpleNamespace
from typing import Any

from perception_common.errors import UserError

#: The most that a compressed message or chunk may become: the largest image that is read at all, in BGRA.
MAX_BYTES = 1 << 30
# Of what is free for temporary files.
_SHARE = 0.9


@cache
def bound() -> bool:
    """Give the readers of rosbags their limits; whether this version of it could be given any."""
    try:
        names = ("rosbags.rosbag1.reader", "rosbags.rosbag2.reader", "rosbags.rosbag2.storage_mcap", "lz4.frame")
        ros1, ros2, mcap, lz4 = (import_module(name) for name in names)
        zstd = ros2.zstd
        of_zstd, of_lz4 = _limited(zstd.ZstdDecompressor), _limited(lz4.LZ4FrameDecompressor)
        of_ros1, of_mcap = ros1.decompressors, mcap.DECOMPRESSORS
    except (ImportError, AttributeError):
        return False
    of_ros1.update(bz2=_limited(bz2.BZ2Decompressor), lz4=of_lz4)
    of_mcap.update(zstd=of_zstd, lz4=of_lz4)
    limited = SimpleNamespace(decompress=of_zstd, open=lambda file, mode: _LimitedFile(zstd.open(file, mode)))
    ros2.zstd = limited  # type: ignore[attr-defined]
    return True


def _limited(decompressor: Callable[[], Any]) -> Callable[..., bytes]:
    """A function that unpacks bytes to ``size`` of them at most, by objects with the interface of the standard library.

    It raises ValueError where they are more, or more than `MAX_BYTES`, and where they break off.
    """

    def unpack(data: bytes, size: int = MAX_BYTES) -> bytes:
        limit = min(size, MAX_BYTES)
        parts, left = [], limit
        while data:
            one = decompressor()
            parts.append(one.decompress(data, max_length=left + 1))
            left -= len(parts[-1])
            if left < 0:
                raise ValueError(f"{len(data)} compressed bytes hold more than the {limit} that they may")
            if not one.eof:
                raise ValueError("compressed data break off")
            data = one.unused_data
        return parts[0] if len(parts) == 1 else b"".join(parts)

    return unpack


class _LimitedFile:
    """A file that is unpacked as it is read, for a copy in the folder for temporary files."""

    def __init__(self, file: Any) -> None:
        self._file = file
        self._left = int(shutil.disk_usage(tempfile.gettempdir()).free * _SHARE)

    def read(self, size: int) -> bytes:
        data: bytes = self._file.read(size)
        self._left -= len(data)
        if self._left < 0:
            raise UserError(
                f"unpacked, the recording does not fit into {tempfile.gettempdir()}",
                fix="set TMPDIR to a folder with room, if the recording comes from somebody you trust",
            )
        return data

    def __enter__(self) -> _LimitedFile:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()
