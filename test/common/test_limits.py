"""Pictures that are small on disk and huge in memory are refused before anything is allocated for them."""

from __future__ import annotations

import struct
import subprocess
import sys
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest

from perception_common.images import MAX_SIDE, read_picture

SIDE = 20_000


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(side: int) -> bytes:
    """A black PNG of one bit a pixel: 50 kB for 1.2 GB in memory."""
    packer = zlib.compressobj(9)
    row = bytes(1 + -(-side // 8))
    rows = b"".join(packer.compress(row) for _ in range(side)) + packer.flush()
    head = struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def bmp(side: int) -> bytes:
    """The head of a BMP file, without its pixels."""
    return b"BM" + struct.pack("<IIIIiiHHIIiiII", 54, 0, 54, 40, side, side, 1, 24, 0, 0, 0, 0, 0, 0)


def test_a_bomb_is_no_picture(tmp_path: Path) -> None:
    path = tmp_path / "picture.png"
    path.write_bytes(png(64))
    picture = read_picture(path)
    assert picture is not None
    assert picture.shape == (64, 64, 3)
    data = png(SIDE)
    assert len(data) < 100_000
    path.write_bytes(data)
    assert read_picture(path) is None


def test_no_file_no_picture(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("no picture")
    (tmp_path / "empty").touch()
    for name in ("text", "empty", "missing", ".", "\0"):
        assert read_picture(tmp_path / name) is None


def test_flags_are_opencvs(tmp_path: Path) -> None:
    mask = np.arange(48, dtype=np.uint8).reshape(6, 8)
    cv2.imwrite(str(tmp_path / "mask.png"), mask)
    assert np.array_equal(read_picture(str(tmp_path / "mask.png"), cv2.IMREAD_UNCHANGED), mask)  # type: ignore[arg-type]


ASK = """
import importlib, os, sys
os.environ.pop("OPENCV_IO_MAX_IMAGE_PIXELS", None)
importlib.import_module(sys.argv[1])
import cv2, numpy
try:
    cv2.imread(sys.argv[2])
except cv2.error as error:
    print("refused" if "MAX_IMAGE_PIXELS" in str(error) else error)
"""


@pytest.mark.parametrize("package", ["perception_common", "perception_infer", "perception_train", "perception_sim"])
def test_opencv_has_its_limit_wherever_it_is_used(tmp_path: Path, package: str) -> None:
    """For the formats whose heads we do not read, and the calls of OpenCV that are not ours."""
    answers = []
    for side in (MAX_SIDE, SIDE):
        path = tmp_path / f"{side}.bmp"
        path.write_bytes(bmp(side))
        done = subprocess.run([sys.executable, "-c", ASK, package, path], capture_output=True, text=True, timeout=60)
        answers.append(done.stdout.strip())
    assert answers == ["", "refused"]
