"""Images that are answered side by side: the same answers, never more at once than there is room for."""

from __future__ import annotations

import importlib.util
import queue
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from bundles import scene, write_detector
from waiting import until

from perception_common.errors import UserError
from perception_infer import loading
from perception_infer.abreast import Abreast, Pending
from perception_infer.backends.base import Backend
from perception_infer.backends.select import Wish
from perception_infer.loading import load_proven
from perception_infer.models import Bundle, open_bundle
from perception_infer.predictor import Predictor

RED, BLUE = (40, 40, 100, 80), (200, 60, 240, 200)
WISHES = 10


class Echo:
    """A backend that answers nobody who is alone."""

    name, precision, abreast = "echo", "fp32", 2

    def __init__(self) -> None:
        self.closed, self.together = 0, threading.Barrier(2)

    def run(self, image: Any) -> dict[str, Any]:
        self.together.wait(10)
        return {"image": image}

    def close(self) -> None:
        self.closed += 1


def wished(abreast: Abreast) -> Abreast:
    for _ in range(WISHES):
        abreast.wish()
    return abreast


@pytest.fixture
def ready(bundle: Bundle) -> Abreast:
    abreast = wished(Abreast(bundle, lambda closed: Echo(), 2))
    until(lambda: abreast.ready)
    return abreast


def asked(value: int) -> Callable[[Predictor], int]:
    return lambda predictor: int(predictor.backend.run(np.full(1, value))["image"][0])


def test_two_are_answered_at_once_each_with_its_own(ready: Abreast) -> None:
    first = ready.begin(asked(3))
    held: list[Pending[int]] = []
    second = threading.Thread(target=lambda: held.append(ready.begin(asked(7))), daemon=True)
    second.start()
    assert first.wait(10) == 3
    second.join(10)
    assert held[0].wait(10) == 7


def test_no_third_begins_before_the_first_was_taken(ready: Abreast) -> None:
    first, begun = ready.begin(lambda predictor: 1), threading.Event()

    def begin_two() -> None:
        ready.begin(lambda predictor: 2)
        begun.set()

    threading.Thread(target=begin_two, daemon=True).start()
    until(lambda: ready.busy_since is not None)
    assert not begun.wait(0.1), "both places are taken, also when their answers are there"
    assert [first.wait(1), first.wait(1)] == [1, 1], "waiting again frees nothing twice"
    assert begun.wait(10)
    until(lambda: ready.busy_since is None)


def test_what_is_raised_belongs_to_who_waits(ready: Abreast) -> None:
    def fail(predictor: Predictor) -> int:
        raise RuntimeError("out of memory")

    with pytest.raises(RuntimeError, match="out of memory"):
        ready.begin(fail).wait(10)
    assert ready.begin(lambda predictor: 5).wait(10) == 5, "its place is free again"


def test_who_waits_gives_up_in_time(ready: Abreast) -> None:
    go_on = threading.Event()
    pending = ready.begin(lambda predictor: go_on.wait(10))
    with pytest.raises(TimeoutError, match=r"no answer within 0\.05 s"):
        pending.wait(0.05)
    go_on.set()
    assert pending.wait(10) is True


def test_given_up_it_says_why_and_finishes_what_was_begun(ready: Abreast) -> None:
    go_on = threading.Event()
    pending = ready.begin(lambda predictor: go_on.wait(10))
    ready.give_up("strange")
    ready.give_up("stranger")
    assert (ready.ready, ready.wish(), ready.problem) == (False, False, "strange")
    go_on.set()
    assert pending.wait(10) is True


def test_who_waits_for_a_place_is_not_left_when_it_is_given_up(ready: Abreast) -> None:
    go_on = threading.Event()

    def fail(predictor: Predictor) -> int:
        assert go_on.wait(10)
        raise RuntimeError("out of memory")

    first, begun = ready.begin(fail), []
    waiting = threading.Thread(target=lambda: begun.append(ready.begin(lambda predictor: 2)), daemon=True)
    waiting.start()
    until(lambda: ready.busy_since is not None)
    go_on.set()
    with pytest.raises(RuntimeError):
        first.wait(10)
    ready.give_up("out of memory")
    waiting.join(10)
    assert [pending.wait(10) for pending in begun] == [2]
    assert ready.begin(lambda predictor: 3).wait(10) == 3, "who had asked whether it is ready before"


def test_it_is_loaded_once_and_not_for_a_moment(bundle: Bundle) -> None:
    loads: list[int] = []
    abreast = Abreast(bundle, lambda closed: loads.append(1) or Echo(), 2)  # type: ignore[func-returns-value]
    assert [abreast.wish() for _ in range(WISHES - 1)] == [False] * (WISHES - 1)
    time.sleep(0.05)
    assert not loads
    until(abreast.wish)
    wished(abreast)
    assert loads == [1]


@pytest.mark.parametrize(
    ("error", "told"), [(UserError("no", where="there"), "no [there]"), (RuntimeError("odd"), "RuntimeError('odd')")]
)
def test_what_fails_is_told_and_changes_nothing(bundle: Bundle, error: Exception, told: str) -> None:
    def make(closed: Callable[[], bool]) -> Backend:
        raise error

    abreast = wished(Abreast(bundle, make, 2))
    until(lambda: bool(abreast.problem))
    assert (abreast.problem, abreast.ready, abreast.wish()) == (told, False, False)


def test_closed_while_it_is_loaded_it_is_freed(bundle: Bundle) -> None:
    begun, go, echo = threading.Event(), threading.Event(), Echo()

    def make(closed: Callable[[], bool]) -> Backend:
        begun.set()
        assert go.wait(10)
        assert closed()
        return echo

    abreast = wished(Abreast(bundle, make, 2))
    assert begun.wait(10)
    abreast.close()
    go.set()
    until(lambda: echo.closed == 1)
    assert not abreast.ready


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return open_bundle(write_detector(tmp_path_factory.mktemp("repository")))


@pytest.fixture(params=["onnxruntime", "openvino"])
def predictor(bundle: Bundle, request: pytest.FixtureRequest) -> Iterator[Predictor]:
    if importlib.util.find_spec(request.param) is None:
        pytest.skip(f"{request.param} is not installed")
    with load_proven(bundle, Wish(request.param, threads=2, side_by_side=True)).predictor as loaded:
        yield loaded


PICTURES = [scene((320, 240), {"red": RED}), scene((320, 240), {"blue": BLUE}), scene((320, 240), {})]


def labels(predictor: Predictor, picture: Any) -> list[int]:
    return predictor.predict(picture).labels.tolist()


def second_session(predictor: Predictor) -> Abreast:
    assert predictor.abreast is not None
    until(predictor.abreast.wish)
    return predictor.abreast


def test_real_sessions_answer_the_same(predictor: Predictor) -> None:
    wanted = [labels(predictor, picture) for picture in PICTURES]
    assert wanted == [[0], [2], []]
    abreast = second_session(predictor)
    found = []
    for picture in PICTURES * 3:
        # Taken before the next, as the worker does it in another thread.
        found.append(abreast.begin(lambda other, picture=picture: labels(other, picture)).wait(10))
    assert found == wanted * 3


def test_two_at_once_do_not_disturb_each_other(predictor: Predictor) -> None:
    wanted = [labels(predictor, picture) for picture in PICTURES]
    abreast = second_session(predictor)
    begun: queue.SimpleQueue[Pending[list[int]]] = queue.SimpleQueue()
    found: list[list[int]] = []
    # As in the node: one thread begins, another takes what comes of it.
    taker = threading.Thread(
        target=lambda: found.extend(begun.get(timeout=10).wait(10) for _ in range(60)), daemon=True
    )
    taker.start()
    for picture in PICTURES * 20:
        begun.put(abreast.begin(lambda other, picture=picture: labels(other, picture)))
    taker.join(20)
    assert found == wanted * 20


@pytest.mark.parametrize(
    "wish",
    [
        Wish("onnxruntime", threads=2),
        Wish("onnxruntime", threads=1, side_by_side=True),
        Wish("onnxruntime", threads=4, side_by_side=True),
        Wish("openvino", threads=2),
        Wish("openvino", threads=1, side_by_side=True),
    ],
)
def test_only_where_it_is_wished_and_of_use(bundle: Bundle, wish: Wish) -> None:
    with load_proven(bundle, wish).predictor as predictor:
        assert predictor.abreast is None


def test_a_second_session_that_answers_otherwise_never_answers(
    predictor: Predictor, monkeypatch: pytest.MonkeyPatch
) -> None:
    make = loading.make_backend

    def wrong(*arguments: Any) -> Any:
        backend = make(*arguments)
        run = backend.run
        monkeypatch.setattr(
            backend, "run", lambda image: {k: v * 0.9 if k == "scores" else v for k, v in run(image).items()}
        )
        return backend

    monkeypatch.setattr(loading, "make_backend", wrong)
    assert predictor.abreast is not None
    abreast = wished(predictor.abreast)
    until(lambda: bool(abreast.problem))
    assert "answers otherwise than the trainer" in abreast.problem
    assert (abreast.ready, labels(predictor, PICTURES[0])) == (False, [0])


def test_a_bundle_that_is_damaged_meanwhile_is_told(tmp_path: Path) -> None:
    directory = write_detector(tmp_path)
    with load_proven(open_bundle(directory), Wish("onnxruntime", threads=2, side_by_side=True)).predictor as predictor:
        (directory / "model.onnx").write_bytes(b"")
        assert predictor.abreast is not None
        abreast = wished(predictor.abreast)
        until(lambda: bool(abreast.problem))
        assert labels(predictor, PICTURES[0]) == [0], "what is loaded goes on"


def test_closing_the_predictor_closes_both(bundle: Bundle) -> None:
    predictor = load_proven(bundle, Wish("onnxruntime", threads=2, side_by_side=True)).predictor
    abreast = second_session(predictor)
    predictor.close()
    assert not abreast.ready
