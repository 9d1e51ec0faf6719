"""What an engine is known by, and the files of the cache: who may write them, how many stay, what is left of none."""

from __future__ import annotations

import errno
import os
import re
from pathlib import Path
from typing import Any

import msgspec
import pytest
from engine_bundles import RTX

from perception_common import durable
from perception_common.errors import UserError
from perception_infer.engines.cache import EngineCache
from perception_infer.engines.key import Device, Key, driver_version, l4t_version
from perception_infer.engines.source import default_root

KEY = Key("a" * 64, RTX, "1.7", "fp16", {"optimization": 3}, Device("Orin", "8.7", 16, 32000, "540.4.0", "36.4.3"))


@pytest.mark.parametrize(
    "other",
    [
        {"graph_sha256": "b" * 64},
        {"backend": "tensorrt"},
        {"backend_version": "1.8"},
        {"precision": "fp32"},
        {"options": {"optimization": 4}},
        {"device": Device()},
        *(
            {"device": msgspec.structs.replace(KEY.device, **{name: value})}
            for name, value in (
                ("name", "Thor"), ("capability", "11.0"), ("multiprocessors", 14), ("memory_mib", 16000),
                ("driver", "540.5.0"), ("l4t", "36.4.4"),
            )
        ),
    ],
)  # fmt: skip
def test_each_part_of_a_key_counts(other: dict[str, Any]) -> None:
    assert msgspec.structs.replace(KEY, **other).digest != KEY.digest
    assert re.fullmatch("[0-9a-f]{32}", KEY.digest)
    assert msgspec.structs.replace(KEY).digest == KEY.digest


def test_versions_of_drivers_and_boards() -> None:
    kernel = "NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  580.95.05  Release Build  (x@y)  Tue Sep 23\n"
    assert driver_version(kernel) == "580.95.05"
    assert l4t_version("# R36 (release), REVISION: 4.3, GCID: 38968081, BOARD: generic, EABI: aarch64\n") == "36.4.3"
    assert (driver_version(""), l4t_version("")) == ("", "")


def test_a_cache_that_others_can_write_is_refused(tmp_path: Path) -> None:
    root = tmp_path / "cache"
    assert EngineCache(root).root.stat().st_mode & 0o777 == 0o700
    root.chmod(0o777)
    with pytest.raises(UserError, match="anybody could put an engine there"):
        EngineCache(root)


def test_the_cache_stays_within_its_limit(tmp_path: Path) -> None:
    told: list[str] = []
    cache = EngineCache(tmp_path / "cache", 1, told.append)
    keys = [msgspec.structs.replace(KEY, backend_version=str(number)) for number in range(4)]
    for age, key in enumerate(keys):
        cache.store(key, "m v1", bytes(400_000), 1.0)
        os.utime(cache.root / f"{key.digest}.json", (1000 + age, 1000 + age))
        if age == 1:
            assert cache.find(keys[0]) is not None, "used, and so not the oldest any more"
    assert [cache.find(key) is not None for key in keys] == [True, False, False, True]
    assert len(told) == 2


def test_of_an_engine_that_cannot_be_described_nothing_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache, write = EngineCache(tmp_path / "cache"), durable.write_bytes

    def full(path: Path, data: bytes) -> None:
        with durable.told(path):
            if path.suffix == ".json":
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            write(path, data)

    monkeypatch.setattr(durable, "write_bytes", full)
    with pytest.raises(UserError, match="No space left"):
        cache.store(KEY, "rectangles v1", b"engine", 1.0)
    assert not list(cache.root.iterdir())


def test_what_killed_builds_left_is_removed(tmp_path: Path) -> None:
    cache = EngineCache(tmp_path / "cache")
    old, new = cache.root / ".partial-old", cache.root / ".partial-new"
    for folder in (old, new):
        folder.mkdir()
        (folder / "graph").write_bytes(b"x")
    os.utime(old, (0, 0))
    with cache.workplace() as folder:
        assert folder.is_dir()
    assert not old.exists()
    assert new.exists(), "it may be in use"
    assert not folder.exists()


def test_the_default_place(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert default_root() == tmp_path / "perception_suite" / "engines"
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert default_root() == Path.home() / ".cache" / "perception_suite" / "engines"
