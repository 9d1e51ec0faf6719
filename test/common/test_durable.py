"""Files and directories that are there whole or not at all."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from waiting import until

from perception_common import durable
from perception_common.errors import UserError

WRITER = """
import sys
from pathlib import Path
from perception_common import durable
number = 0
while True:
    number += 1
    durable.write_bytes(Path(sys.argv[1]), bytes([number % 256]) * 200_000)
"""


def test_write_replaces_and_keeps_ordinary_modes(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "file"
    durable.write_bytes(path, b"one")
    durable.write_text(path, "zwei €")
    assert path.read_text(encoding="utf-8") == "zwei €"
    mask = os.umask(0)
    os.umask(mask)
    assert path.stat().st_mode & 0o777 == 0o666 & ~mask
    assert durable.sha256(path) == hashlib.sha256(path.read_bytes()).hexdigest()
    assert [entry.name for entry in path.parent.iterdir()] == ["file"]


def test_a_killed_writer_leaves_a_whole_file(tmp_path: Path) -> None:
    path = tmp_path / "file"
    for attempt in range(8):
        process = subprocess.Popen([sys.executable, "-c", WRITER, str(path)])
        until(path.exists)
        time.sleep(0.013 * attempt)
        process.send_signal(signal.SIGKILL)
        process.wait()
        data = path.read_bytes()
        assert len(data) == 200_000
        assert len(set(data)) == 1


def test_directory_appears_whole_or_not_at_all(tmp_path: Path) -> None:
    with durable.new_directory(tmp_path / "made") as work:
        (work / "a").write_bytes(b"1")
        assert not (tmp_path / "made").exists()
    assert (tmp_path / "made" / "a").read_bytes() == b"1"
    with pytest.raises(FileNotFoundError), durable.new_directory(tmp_path / "failed") as work:
        (work / "missing" / "a").write_bytes(b"1")
    with pytest.raises(UserError, match="exists already"), durable.new_directory(tmp_path / "made"):
        pass
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["made"]


def test_unwritable_places_are_told_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for action in (
        lambda: durable.write_bytes(tmp_path / "file" / "x", b""),
        lambda: durable.ensure_writable(tmp_path / "file"),
    ):
        with pytest.raises(UserError, match="cannot write"):
            action()
