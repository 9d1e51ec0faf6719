"""A robot that fetches bundles, the repository that it fetches them from, and how a server leaves it waiting."""

from __future__ import annotations

import itertools
import json
import shutil
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest
from bundles import write_detector
from served import FakeServer, reply

from perception_common.errors import UserError
from perception_infer.cancelling import never
from perception_infer.fetching import Fetcher, Location
from perception_infer.serving import Announcement
from perception_infer.trust import ANYONE, Trust


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository with one bundle, which no test changes."""
    root = tmp_path_factory.mktemp("workstation")
    write_detector(root)
    return root


@pytest.fixture
def source(original: Path, tmp_path: Path) -> Path:
    """A copy that a test may change."""
    return Path(shutil.copytree(original, tmp_path / "workstation"))


@pytest.fixture
def fake(source: Path) -> Iterator[FakeServer]:
    fake = FakeServer(source)
    yield fake
    fake.close()


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "robot"


def fetcher(root: Path, url: str, trust: Trust = ANYONE, **changed: Any) -> Fetcher:
    options: dict[str, Any] = {"limit": 1 << 30, "seconds": 20.0} | changed
    return Fetcher(root, trust, (Location.prefix(url),), **options)


def announced(url: str, version: int = 1, name: str = "rectangles") -> Announcement:
    return Announcement(name, f"{url}{name}/{version}/manifest.json", version)


def contents(directory: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in directory.iterdir()}


def quarantined(root: Path) -> list[Path]:
    """The bundles in quarantine."""
    return [path for path in (root / ".quarantine").glob("*") if path.is_dir()]


def rewritten(source: Path, change: Callable[[dict[str, Any]], None]) -> None:
    """Change the manifest of the bundle."""
    path = source / "rectangles" / "1" / "manifest.json"
    told = json.loads(path.read_text())
    change(told)
    path.write_text(json.dumps(told))


def interrupted(fake: FakeServer, root: Path) -> None:
    """Leave the first 1000 bytes of the graph in quarantine."""

    def half(handler: BaseHTTPRequestHandler) -> None:
        content = fake.content(handler.path) or b""
        reply(handler, 200, content[:1000], length=len(content))

    fake.answers["model.onnx"] = half
    with pytest.raises(UserError, match="ended after 1000 of"):
        fetcher(root, fake.url)(announced(fake.url), never)
    (part,) = root.rglob("model.onnx")
    assert part.stat().st_size == 1000


def drip(fake: FakeServer, pause: float) -> Callable[[BaseHTTPRequestHandler], None]:
    """A byte now and then."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        content = fake.content(handler.path) or b""
        reply(handler, 200, b"", len(content))
        try:
            for index in itertools.count():
                handler.wfile.write(content[index : index + 1])
                time.sleep(pause)
        except ConnectionError:
            pass

    return answer
