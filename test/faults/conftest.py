"""``--faults FOLDER`` runs every row of the matrix, the long ones too, and writes what was seen into the folder."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

# What the rows share with the tests of the packages.
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "infer"))
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "ros"))
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "train"))

from matrix import Fault, Row, write
from servers import bench

__all__ = ["bench"]
_ROWS = pytest.StashKey[list[Row]]()


@pytest.fixture
def fault(request: pytest.FixtureRequest) -> Iterator[Fault]:
    """The row that the test's mark ``fault(group, fault, injected, expected)`` describes."""
    mark = request.node.get_closest_marker("fault")
    assert mark is not None, "mark the test with what it does"
    row = Row(*mark.args)
    request.config.stash.setdefault(_ROWS, []).append(row)
    began, one = time.monotonic(), Fault(row)
    yield one
    row.seconds = round(time.monotonic() - began, 1)
    failed = getattr(request.node, "failed", True)
    assert failed or one.complete, "nothing was observed, or the check was never shown to be able to fail"
    row.passed = not failed


@pytest.hookimpl(hookwrapper=True, tryfirst=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    """Tell the fixture how its test ended."""
    yield
    if call.when == "call":
        item.failed = call.excinfo is not None  # type: ignore[attr-defined]


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave long rows to ``make faults``."""
    if config.getoption("--faults"):
        return
    here = Path(__file__).parent
    for item in items:
        if item.get_closest_marker("long") is not None and here in item.path.parents:
            item.add_marker(pytest.mark.skip(reason="a long row: `make faults`"))


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Write the table."""
    folder = session.config.getoption("--faults")
    rows = session.config.stash.get(_ROWS, [])
    if folder and rows:
        write(Path(folder), rows, f"{len(os.sched_getaffinity(0))} cores, {_processor()}, no GPU")


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return "processor unknown"
