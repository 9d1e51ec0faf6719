"""Compressed recordings that hold more than they may cost a warning, not the machine's memory or disk."""

from __future__ import annotations

import sqlite3
import sys
import tempfile
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from recorded import CAMERA, START, Film, image, write_bag
from rosbags.rosbag1 import Writer as Writer1
from rosbags.rosbag2 import CompressionMode, storage_mcap
from rosbags.typesys import Stores, get_typestore

from perception_common.errors import UserError
from perception_infer.recordings import unpacking
from perception_infer.recordings.bag import Recording
from perception_infer.recordings.types import IMAGE

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

FILM = Film([np.full((24, 32, 3), index * 10, np.uint8) for index in range(6)])


@pytest.fixture
def small_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    """Room for an image of the film and its header, and for no more."""
    monkeypatch.setattr(unpacking, "MAX_BYTES", 3000)


def read(path: Path) -> tuple[int, list[str]]:
    """How many frames, and the warnings."""
    with Recording(path) as recording:
        return len(list(recording.messages((CAMERA,)))), recording.warnings


def bomb(size: int) -> bytes:
    """Zeros, compressed."""
    packer = zstd.ZstdCompressor()
    return b"".join(packer.compress(bytes(1 << 20)) for _ in range(size >> 20)) + packer.flush()


def test_the_real_limit_stops_a_bomb() -> None:
    assert unpacking.bound()
    packed = bomb(unpacking.MAX_BYTES + (64 << 20))
    assert len(packed) < 50_000
    with pytest.raises(ValueError, match="hold more than"):
        storage_mcap.DECOMPRESSORS["zstd"](packed, unpacking.MAX_BYTES * 4)


def test_a_message_that_is_a_bomb_costs_itself_and_what_comes_after(tmp_path: Path, small_limit: None) -> None:
    path = write_bag(tmp_path / "bag", FILM, mcap=False, compression=CompressionMode.MESSAGE)
    assert read(path) == (6, [])
    with sqlite3.connect(next(path.glob("*.db3"))) as storage:
        storage.execute("UPDATE messages SET data = ? WHERE id = 4", (bomb(8 << 20),))
    storage.close()
    count, warnings = read(path)
    assert count == 3
    assert "cannot be read beyond message 3" in warnings[0]
    assert "hold more than the 3000" in warnings[0]


def test_a_chunk_is_no_larger_than_it_says() -> None:
    assert unpacking.bound()
    unpack = storage_mcap.DECOMPRESSORS["zstd"]
    packed = zstd.compress(b"a" * 500)
    assert unpack(packed + packed, 1000) == b"a" * 1000
    for data, size in ((packed, 499), (packed + packed, 999), (packed[:-1], 500), (bomb(8 << 20), 500)):
        with pytest.raises(ValueError, match=r"hold more than|break off"):
            unpack(data, size)


def test_chunks_of_mcap_are_limited(tmp_path: Path, small_limit: None) -> None:
    path = write_bag(tmp_path / "bag", FILM, compression=CompressionMode.STORAGE)
    count, warnings = read(path)
    assert count == 0
    assert "hold more than the 3000" in warnings[0]


@pytest.mark.parametrize("compression", list(Writer1.CompressionFormat))
def test_chunks_of_ros_1_are_limited(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, compression: Writer1.CompressionFormat
) -> None:
    store, path = get_typestore(Stores.ROS1_NOETIC), tmp_path / "old.bag"
    writer = Writer1(path)
    writer.set_compression(compression)
    with writer:
        connection = writer.add_connection(CAMERA, IMAGE, typestore=store)
        kinds = store.types
        for index, rgb in enumerate(FILM.frames):
            new = image(rgb, START + index)
            stamp = kinds["builtin_interfaces/msg/Time"](sec=1, nanosec=index)
            header = kinds["std_msgs/msg/Header"](seq=index, stamp=stamp, frame_id="camera")
            fields = {
                name: getattr(new, name) for name in ("height", "width", "encoding", "is_bigendian", "step", "data")
            }
            message = kinds[IMAGE](header=header, **fields)
            writer.write(connection, START + index, store.serialize_ros1(message, IMAGE))
    assert read(path) == (6, [])
    monkeypatch.setattr(unpacking, "MAX_BYTES", 3000)
    count, warnings = read(path)
    assert count == 0
    assert "hold more than the 3000" in warnings[0]


def test_a_recording_that_would_fill_the_disk_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_bag(tmp_path / "bag", FILM, mcap=False, compression=CompressionMode.FILE)
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    assert read(path) == (6, [])
    monkeypatch.setattr(unpacking.shutil, "disk_usage", lambda place: SimpleNamespace(free=10_000))
    with pytest.raises(UserError, match=r"does not fit into .*set TMPDIR"):
        read(path)
    assert list((tmp_path / "temporary").iterdir()) == []


def test_another_rosbags_is_told_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_bag(tmp_path / "bag", FILM)
    monkeypatch.setattr("perception_infer.recordings.storage.bound", lambda: False)
    assert "no limit" in read(path)[1][0]
