"""Fixtures of the robot's tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from servers import Bench


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    """An empty repository and servers over it."""
    bench = Bench(tmp_path / "models")
    yield bench
    bench.close()
