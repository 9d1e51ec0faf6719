"""Some seconds of broken bytes for everything that reads what others have written; `make fuzz` takes minutes."""

from __future__ import annotations

from pathlib import Path

import fuzzing
import pytest

COUNTS = {"dataset": 15, "configuration": 60, "recording": 100}


@pytest.mark.parametrize("name", fuzzing.TARGETS)
def test_broken_bytes_are_answered(name: str, tmp_path: Path) -> None:
    fuzzing.shake(name, COUNTS.get(name, 400), 5, tmp_path)


def test_a_reader_that_breaks_is_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def breaks(data: bytes, _: Path) -> None:
        raise KeyError(data[:1])

    monkeypatch.setitem(fuzzing.TARGETS, "location", fuzzing.Target(fuzzing.location_seeds, breaks))
    with pytest.raises(AssertionError, match="KeyError"):
        fuzzing.shake("location", 1, 5, tmp_path)
