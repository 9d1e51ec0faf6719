"""The rules of serving: what is loaded, refused, ignored; when a new model takes over and when it does not."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from bundles import scene, write_detector

from perception_common.errors import UserError
from perception_infer.loading import Cancelled, load_proven
from perception_infer.models import Bundle, ModelRepository, open_bundle
from perception_infer.predictor import Predictor
from perception_infer.serving import Announcement, Answer, ModelServer, Rules

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

    def __call__(self, bundle: Bundle, cancelled: Callable[[], bool]) -> Predictor:
        self.asked.append(bundle.manifest.version)
        assert self.gate.wait(WAIT)
        if cancelled():
            raise Cancelled
        if self.error is not None:
            raise self.error
        predictor = load_proven(bundle, "onnxruntime", 1, cancelled)[0]
        close, version = predictor.close, bundle.manifest.version

        def closing() -> None:
            self.closed.append(version)
            close()

        predictor.close = closing  # type: ignore[method-assign]
        return predictor


class Bench:
    """A repository, a server over it and what it told."""

    def __init__(self, root: Path) -> None:
        self.root, self.loader, self.told = root, Loader(), []
        self.servers: list[ModelServer] = []

    def write(self, count: int = 1, **options: Any) -> None:
        for _ in range(count):
            write_detector(self.root, **options)

    def server(self, **rules: Any) -> ModelServer:
        server = ModelServer(
            ModelRepository(self.root),
            Rules("rectangles", **rules),
            self.loader,
            lambda line, bad: self.told.append(line),
        )
        self.servers.append(server)
        return server

    def announcement(self, version: int, name: str = "rectangles") -> Announcement:
        return Announcement(name, f"file://{self.root}/{name}/{version}/manifest.json", version)


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    bench = Bench(tmp_path / "models")
    yield bench
    bench.loader.gate.set()
    for server in bench.servers:
        server.close()


def ask(server: ModelServer) -> Answer[float] | None:
    """The version that answers, as a real frame."""
    return server.answer(lambda predictor: float(predictor.predict(PICTURE).scores[0]))


def version(server: ModelServer) -> int:
    answer = ask(server)
    return answer.predictor.bundle.manifest.version if answer else 0


def until(condition: Callable[[], bool]) -> None:
    limit = time.monotonic() + WAIT
    while not condition():
        assert time.monotonic() < limit, "did not happen in time"
        time.sleep(0.002)


def test_an_empty_repository_waits_for_the_first_announcement(bench: Bench) -> None:
    server = bench.server()
    assert not server.load_first()
    assert ask(server) is None
    bench.write()
    server.announce(bench.announcement(1))
    until(lambda: server.status().loads == 1)
    assert version(server) == 1
    status = server.status()
    assert (status.swaps, status.refused, status.ignored, status.backend) == (0, 0, 0, "onnxruntime fp32")


def test_the_newest_is_served_first_or_the_one_that_is_named(bench: Bench) -> None:
    bench.write(3)
    newest, named = bench.server(), bench.server()
    assert newest.load_first()
    assert named.load_first(2)
    assert (version(newest), version(named)) == (3, 2)
    with pytest.raises(UserError, match="no version 9"):
        bench.server().load_first(9)


def test_when_the_newest_is_damaged_the_next_older_is_served(bench: Bench) -> None:
    bench.write(2)
    (bench.root / "rectangles" / "2" / "model.onnx").write_bytes(b"damaged")
    server = bench.server()
    assert server.load_first()
    assert version(server) == 1
    assert server.status().refused == 1
    assert "v2 refused" in bench.told[0]


def test_a_newer_model_takes_over_with_its_first_frame(bench: Bench) -> None:
    bench.write(score=0.9)
    server = bench.server()
    server.load_first()
    first = ask(server)
    assert first is not None
    assert first.first
    assert first.value == pytest.approx(0.9)
    bench.write(score=0.7)
    server.announce(bench.announcement(2))
    until(lambda: server.status().loads == 2)
    assert (server.status().version, server.replacing) == (1, True)
    answers = [ask(server) for _ in range(2)]
    assert [(answer.value, answer.first) for answer in answers if answer] == [
        (pytest.approx(0.7), True),
        (pytest.approx(0.7), False),
    ]
    assert (server.status().version, server.status().swaps, server.replacing) == (2, 1, False)
    assert bench.loader.closed == [1], "the old model is freed"


def test_the_old_model_serves_while_the_new_one_loads(bench: Bench) -> None:
    bench.write(2)
    server = bench.server()
    server.load_first(1)
    ask(server)
    bench.loader.gate.clear()
    server.announce(bench.announcement(2))
    until(lambda: bench.loader.asked == [1, 2])
    assert server.replacing
    assert version(server) == 1
    bench.loader.gate.set()
    until(lambda: version(server) == 2)


def test_other_names_and_the_same_version_are_ignored(bench: Bench) -> None:
    bench.write()
    server = bench.server()
    server.load_first()
    server.announce(bench.announcement(1, "others"))
    server.announce(bench.announcement(1))
    ask(server)
    server.announce(bench.announcement(1))
    assert (server.status().ignored, server.status().refused) == (3, 0)
    assert bench.loader.asked == [1]


def test_an_older_version_is_refused_unless_allowed(bench: Bench) -> None:
    bench.write(2)
    strict, lax = bench.server(), bench.server(allow_downgrade=True)
    for server in (strict, lax):
        server.load_first()
        ask(server)
        server.announce(bench.announcement(1))
    assert (strict.status().refused, version(strict)) == (1, 2)
    assert "older than the accepted v2" in strict.status().last_error
    until(lambda: version(lax) == 1)


def test_a_version_that_was_accepted_may_come_back(bench: Bench) -> None:
    bench.write(2)
    server = bench.server()
    server.load_first(1)
    ask(server)
    for wanted in (2, 1, 2):
        server.announce(bench.announcement(wanted))
        until(lambda wanted=wanted: version(server) == wanted)
    assert (server.status().swaps, server.status().refused) == (3, 0)


def damage(path: Path) -> None:
    (path / "model.onnx").write_bytes(b"damaged")


def tamper(path: Path) -> None:
    data = bytearray((path / "weights.safetensors").read_bytes())
    data[-1] ^= 1
    (path / "weights.safetensors").write_bytes(data)


@pytest.mark.parametrize(
    "harm",
    [damage, tamper, lambda path: (path / "manifest.json").unlink(), lambda path: path.rename(path.with_name("9"))],
)
def test_a_damaged_bundle_is_refused_and_the_old_model_stays(bench: Bench, harm: Callable[[Path], None]) -> None:
    bench.write(2)
    harm(bench.root / "rectangles" / "2")
    server = bench.server()
    server.load_first(1)
    ask(server)
    server.announce(bench.announcement(2))
    until(lambda: server.status().refused == 1)
    assert version(server) == 1
    assert (server.status().swaps, server.replacing) == (0, False)
    assert server.status().last_error
    bench.write()
    newest = ModelRepository(bench.root).versions("rectangles")[-1]
    server.announce(bench.announcement(newest))
    until(lambda: version(server) == newest)


def test_a_model_that_fails_its_parity_check_is_refused(bench: Bench) -> None:
    bench.write()
    bench.write(score=0.9, answers_score=0.5)
    server = bench.server()
    server.load_first(1)
    server.announce(bench.announcement(2))
    until(lambda: server.status().refused == 1)
    assert "otherwise than the trainer" in server.status().last_error
    assert version(server) == 1


def test_the_loader_survives_what_nobody_expected(bench: Bench) -> None:
    bench.write(3)
    server = bench.server()
    server.load_first(1)
    bench.loader.error = RuntimeError("strange")
    server.announce(bench.announcement(2))
    until(lambda: server.status().refused == 1)
    assert "strange" in server.status().last_error
    bench.loader.error = None
    server.announce(bench.announcement(3))
    until(lambda: version(server) == 3)


def test_an_announcement_that_lies_is_refused(bench: Bench) -> None:
    bench.write(2)
    server = bench.server()
    server.load_first(1)
    server.announce(Announcement("rectangles", bench.announcement(2).uri, 5))
    until(lambda: server.status().refused == 1)
    assert "not what was announced" in server.status().last_error
    server.announce(Announcement("rectangles", "file:///etc/rectangles/6/manifest.json", 6))
    until(lambda: server.status().refused == 2)
    assert "outside of model_root" in server.status().last_error
    server.announce(bench.announcement(2))
    until(lambda: version(server) == 2)


def test_other_classes_are_refused_or_accepted(bench: Bench) -> None:
    bench.write()
    bench.write(classes=("cone", "barrel", "box"))
    strict, lax = bench.server(), bench.server(accept_class_change=True)
    for server in (strict, lax):
        server.load_first(1)
        server.announce(bench.announcement(2))
    until(lambda: strict.status().refused == 1)
    assert "red, green, blue becomes detection of cone, barrel, box" in strict.status().last_error
    assert version(strict) == 1
    until(lambda: version(lax) == 2)


def test_a_newer_announcement_supersedes_the_one_that_loads(bench: Bench) -> None:
    bench.write(4)
    server = bench.server()
    server.load_first(1)
    ask(server)
    bench.loader.gate.clear()
    server.announce(bench.announcement(2))
    until(lambda: bench.loader.asked == [1, 2])
    server.announce(bench.announcement(3))
    server.announce(bench.announcement(4))
    server.announce(bench.announcement(4))
    bench.loader.gate.set()
    until(lambda: version(server) == 4)
    status = server.status()
    assert bench.loader.asked == [1, 2, 4]
    assert (status.swaps, status.refused, status.ignored) == (1, 0, 1)


def test_a_model_that_fails_on_its_first_frame_is_rolled_back(bench: Bench) -> None:
    bench.write(2)
    server = bench.server()
    server.load_first(1)
    ask(server)
    server.announce(bench.announcement(2))
    until(lambda: server.status().loads == 2)

    def fails_on_the_new_one(predictor: Predictor) -> int:
        if predictor.bundle.manifest.version == 2:
            raise RuntimeError("out of memory")
        return predictor.bundle.manifest.version

    answer = server.answer(fails_on_the_new_one)
    assert answer is not None
    assert (answer.value, answer.first) == (1, False), "the same frame is answered by the old model"
    status = server.status()
    assert (status.version, status.swaps, status.refused, server.replacing) == (1, 0, 1, False)
    assert "out of memory" in status.last_error
    server.announce(bench.announcement(2))
    until(lambda: version(server) == 2)


def test_two_models_between_two_frames_free_the_one_that_never_served(bench: Bench) -> None:
    bench.write(3)
    server = bench.server()
    server.load_first(1)
    ask(server)
    for wanted, loads in ((2, 2), (3, 3)):
        server.announce(bench.announcement(wanted))
        until(lambda loads=loads: server.status().loads == loads)
    assert bench.loader.closed == [2]
    assert version(server) == 3
    assert server.status().swaps == 1


def test_close_gives_up_loading_and_frees_all(bench: Bench) -> None:
    bench.write(2)
    server = bench.server()
    server.load_first(1)
    ask(server)
    bench.loader.gate.clear()
    server.announce(bench.announcement(2))
    until(lambda: bench.loader.asked == [1, 2])
    threading.Timer(0.05, bench.loader.gate.set).start()
    began = time.monotonic()
    server.close()
    assert time.monotonic() - began < 1
    assert bench.loader.closed == [1]
    assert open_bundle(bench.root / "rectangles" / "2")
