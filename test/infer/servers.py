"""A repository with a server over it, whose loader can be held and told to fail."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from bundles import scene, write_detector
from waiting import until

from perception_infer.backends.select import Wish
from perception_infer.cancelling import Cancelled
from perception_infer.engines.source import EngineMissing
from perception_infer.history import History
from perception_infer.loading import Proven, load_proven
from perception_infer.models import Bundle, ModelRepository
from perception_infer.serving import Announcement, Answer, ModelServer, Record, Rules
from perception_infer.trust import ANYONE, Trust

WAIT = 10.0
PICTURE = scene((640, 480), {"red": (40, 40, 100, 80)})


class Loader:
    """Loads for real; can be held, told to fail, and remembers what it was asked for."""

    def __init__(self) -> None:
        self.asked: list[int] = []
        self.gate = threading.Event()
        self.gate.set()
        self.error: Exception | None = None
        self.closed: list[int] = []
        #: A backend whose engine has to be built first: preferred, or the only one.
        self.prefers = self.needs = ""

    def __call__(self, bundle: Bundle, cancelled: Callable[[], bool], may_build: bool) -> Proven:
        self.asked.append(bundle.manifest.version)
        assert self.gate.wait(WAIT)
        if cancelled():
            raise Cancelled
        if self.error is not None:
            raise self.error
        if self.needs and not may_build:
            raise EngineMissing(self.needs, bundle.title)
        proven = load_proven(bundle, Wish("onnxruntime", threads=1, cancelled=cancelled))
        predictor = proven.predictor
        close, version = predictor.close, bundle.manifest.version

        def closing() -> None:
            self.closed.append(version)
            close()

        predictor.close = closing  # type: ignore[method-assign]
        return proven._replace(waiting=self.prefers if self.prefers and not may_build else None)


class Bench:
    """A repository, a server over it and what it told."""

    def __init__(self, root: Path) -> None:
        self.root, self.loader, self.told = root, Loader(), []
        self.idle = threading.Event()
        self.servers: list[ModelServer] = []

    def write(self, count: int = 1, **options: Any) -> None:
        for _ in range(count):
            write_detector(self.root, **options)

    def server(self, history: Path | None = None, trust: Trust = ANYONE, **rules: Any) -> ModelServer:
        """A server that remembers in the file ``history``, or nothing of what another one did."""
        server = ModelServer(
            ModelRepository(self.root, trust),
            Rules("rectangles", **rules),
            self.loader,
            lambda line, bad: self.told.append(line),
            self.idle.is_set,
            Record(History(history, self.root, self.told.append), "rectangles", "/robot/infer_node"),
        )
        self.servers.append(server)
        return server

    def serving(self, number: int, **rules: Any) -> ModelServer:
        """A server of which a frame was answered by this version."""
        server = self.server(**rules)
        server.load_first(number)
        ask(server)
        return server

    def succeeding(self, **rules: Any) -> ModelServer:
        """A server of which version 1 answered a frame, and that has loaded version 2."""
        server = self.serving(1, **rules)
        server.announce(self.announcement(2))
        at_rest(server, loads=2)
        return server

    def hold(self, server: ModelServer, number: int) -> None:
        """Announce a version whose loading stops until the loader's gate is opened."""
        before = list(self.loader.asked)
        self.loader.gate.clear()
        server.announce(self.announcement(number))
        until(lambda: self.loader.asked == [*before, number])

    def close(self) -> None:
        self.loader.gate.set()
        for server in self.servers:
            server.close()

    def announcement(self, version: int, name: str = "rectangles") -> Announcement:
        return Announcement(name, f"file://{self.root}/{name}/{version}/manifest.json", version)


def ask(server: ModelServer) -> Answer[float] | None:
    """The version that answers, as a real frame."""
    return server.answer(lambda predictor: float(predictor.predict(PICTURE).scores[0]))


def version(server: ModelServer) -> int:
    answer = ask(server)
    return answer.predictor.bundle.manifest.version if answer else 0


def at_rest(server: ModelServer, **counts: int) -> None:
    """Wait until the counters say so, and the loader, which counts before it is done, has nothing left to do."""

    def reached() -> bool:
        status = server.status()
        return not status.loading and all(getattr(status, name) == count for name, count in counts.items())

    until(reached)


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    """An empty repository and servers over it."""
    made = Bench(tmp_path / "models")
    yield made
    made.close()
