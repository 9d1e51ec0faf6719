"""Fixtures of the simulator's tests."""

from __future__ import annotations

from pathlib import Path

import pytest
from labelled import content_of, written


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    """A small labelled dataset on disk."""
    return written(tmp_path / "data", content_of())
