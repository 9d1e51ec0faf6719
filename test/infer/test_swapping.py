"""The rules of serving: when a new model takes over, when it does not, and what is freed."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import pytest
from servers import Bench, ask, at_rest, version
from waiting import until

from perception_infer.models import open_bundle
from perception_infer.predictor import Predictor
from perception_infer.serving import ModelServer


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
    at_rest(server, loads=2)
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
    server = bench.serving(1)
    bench.hold(server, 2)
    assert server.replacing
    assert version(server) == 1
    bench.loader.gate.set()
    until(lambda: version(server) == 2)


def test_a_newer_announcement_supersedes_the_one_that_loads(bench: Bench) -> None:
    bench.write(4)
    server = bench.serving(1)
    bench.hold(server, 2)
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
    server = bench.serving(1)
    server.announce(bench.announcement(2))
    at_rest(server, loads=2)

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


def failing(number: int) -> Callable[[Predictor], int]:
    """What a version answers; one of them breaks."""

    def answer(predictor: Predictor) -> int:
        if predictor.bundle.manifest.version == number:
            raise RuntimeError("out of memory")
        return predictor.bundle.manifest.version

    return answer


def swapped(bench: Bench, frames: int) -> ModelServer:
    """A server that has swapped from version 1 to 2, which has answered so many frames, and is watched for four."""
    bench.write(2)
    server = bench.server(watch_frames=4)
    server.load_first(1)
    ask(server)
    server.announce(bench.announcement(2))
    at_rest(server, loads=2)
    assert [version(server) for _ in range(frames)] == [2] * frames
    return server


@pytest.mark.parametrize("frames", [1, 3])
def test_a_new_model_that_fails_soon_is_rolled_back(bench: Bench, frames: int) -> None:
    server = swapped(bench, frames)
    assert bench.loader.closed == []
    answer = server.answer(failing(2))
    assert answer is not None
    assert (answer.value, answer.first) == (1, True), "the same frame is answered, and who serves is told again"
    status = server.status()
    assert (status.version, status.swaps, status.rolled_back, status.refused) == (1, 1, 1, 1)
    assert f"frame {frames + 1} that it served failed" in status.last_error
    assert "rectangles v1 serves again" in status.last_error
    assert bench.loader.closed == [2]
    again = ask(server)
    assert again is not None
    assert not again.first


def test_a_new_model_is_trusted_after_a_while(bench: Bench) -> None:
    server = swapped(bench, 4)
    assert bench.loader.closed == [1]
    with pytest.raises(RuntimeError, match="out of memory"):
        server.answer(failing(2))
    assert (server.status().version, server.status().rolled_back) == (2, 0)


def test_a_frame_that_no_model_can_answer_is_not_the_new_models_fault(bench: Bench) -> None:
    server = swapped(bench, 1)

    def fails(predictor: Predictor) -> int:
        raise ValueError(f"version {predictor.bundle.manifest.version}")

    with pytest.raises(ValueError, match="version 2"):
        server.answer(fails)
    assert version(server) == 2
    assert (server.status().rolled_back, bench.loader.closed) == (0, [])


def test_a_third_model_frees_the_first(bench: Bench) -> None:
    server = swapped(bench, 1)
    bench.write()
    server.announce(bench.announcement(3))
    until(lambda: version(server) == 3)
    assert bench.loader.closed == [1]
    answer = server.answer(failing(3))
    assert answer is not None
    assert answer.value == 2
    server.close()
    assert sorted(bench.loader.closed) == [1, 2, 3]


def test_two_models_between_two_frames_free_the_one_that_never_served(bench: Bench) -> None:
    bench.write(3)
    server = bench.serving(1)
    for wanted, loads in ((2, 2), (3, 3)):
        server.announce(bench.announcement(wanted))
        at_rest(server, loads=loads)
    assert bench.loader.closed == [2]
    assert version(server) == 3
    assert server.status().swaps == 1


def test_close_gives_up_loading_and_frees_all(bench: Bench) -> None:
    bench.write(2)
    server = bench.serving(1)
    bench.hold(server, 2)
    threading.Timer(0.05, bench.loader.gate.set).start()
    began = time.monotonic()
    server.close()
    assert time.monotonic() - began < 1
    assert bench.loader.closed == [1]
    assert open_bundle(bench.root / "rectangles" / "2")
