"""A model that does not answer: who is left behind, what goes on, and that nothing late is taken."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator

import pytest
from servers import PICTURE, WAIT, Bench, ask, at_rest, version
from waiting import until

from perception_common.errors import UserError
from perception_infer.cancelling import Abandoned, Cancelled
from perception_infer.loading import Proven
from perception_infer.predictor import Predictor
from perception_infer.serving import Hung, ModelServer, PatientLoad, Watchdog


class Stuck:
    """A worker whose frame the model keeps until it is let go."""

    def __init__(self, server: ModelServer, audition: bool = False) -> None:
        self._server, self._audition = server, audition
        self._gate, self._inside = threading.Event(), threading.Event()
        self.ended: list[object] = []
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        assert self._inside.wait(WAIT)

    def release(self) -> object:
        """How the late call ends."""
        self._gate.set()
        self._thread.join(WAIT)
        return self.ended[0]

    def _run(self) -> None:
        try:
            self.ended.append((self._server.audition if self._audition else self._server.answer)(self._ask))
        except Abandoned as error:
            self.ended.append(error)

    def _ask(self, predictor: Predictor) -> float:
        run = predictor.backend.run

        def wait(image: object) -> object:
            self._inside.set()
            assert self._gate.wait(WAIT)
            return run(image)  # type: ignore[arg-type]

        predictor.backend.run = wait  # type: ignore[assignment, method-assign]
        return float(predictor.predict(PICTURE).scores[0])


@pytest.fixture
def stick() -> Iterator[Callable[..., Stuck]]:
    """Give a server's model a frame that it keeps; all are let go at the end."""
    stuck: list[Stuck] = []

    def begin(server: ModelServer, audition: bool = False) -> Stuck:
        stuck.append(Stuck(server, audition))
        return stuck[-1]

    yield begin
    for one in stuck:
        one.release()


def test_a_call_is_hung_only_after_the_limit(bench: Bench, stick: Callable[..., Stuck]) -> None:
    bench.write()
    server = bench.serving(1)
    assert server.abandon(0.0) is None, "nobody asks"
    stuck = stick(server)
    assert server.abandon(60.0) is None
    answer = stuck.release()
    assert not isinstance(answer, Abandoned)
    assert server.abandon(0.0) is None
    assert version(server) == 1


def test_a_new_model_that_hangs_on_its_first_frame_never_takes_over(bench: Bench, stick: Callable[..., Stuck]) -> None:
    bench.write(2)
    server = bench.serving(1)
    server.announce(bench.announcement(2))
    at_rest(server, loads=2)
    stuck = stick(server)
    hung = server.abandon(0.0)
    assert hung is not None and hung.tried
    server.go_on(hung)
    answer = ask(server)
    assert answer is not None
    assert (answer.predictor.bundle.manifest.version, answer.first) == (1, False)
    assert (server.status().refused, server.status().swaps, server.replacing) == (1, 0, False)
    assert "rectangles v2 on onnxruntime refused: a frame has kept it" in bench.told[-1]
    assert bench.loader.closed == [], "it is in use"
    assert isinstance(stuck.release(), Abandoned)
    assert bench.loader.closed == [2], "whoever was in it frees it"
    assert version(server) == 1


def test_one_that_hangs_later_makes_room_for_the_model_before(bench: Bench, stick: Callable[..., Stuck]) -> None:
    bench.write(2)
    server = bench.server(watch_frames=10)
    server.load_first(1)
    ask(server)
    server.announce(bench.announcement(2))
    until(lambda: version(server) == 2)
    stuck = stick(server)
    hung = server.abandon(0.0)
    assert hung is not None and not hung.tried
    server.go_on(hung)
    answers = [ask(server) for _ in range(2)]
    found = [(answer.predictor.bundle.manifest.version, answer.first) for answer in answers if answer]
    assert found == [(1, True), (1, False)], "that another one answers is told once"
    assert (server.status().rolled_back, server.status().version) == (1, 1)
    assert isinstance(stuck.release(), Abandoned)
    assert bench.loader.closed == [2]
    assert (version(server), server.status().rolled_back) == (1, 1), "what comes late changes nothing"


def test_the_only_model_is_loaded_anew(bench: Bench, stick: Callable[..., Stuck]) -> None:
    bench.write()
    server = bench.serving(1)
    stuck = stick(server)
    hung = server.abandon(0.0)
    assert hung is not None and hung.successor is None
    assert ask(server) is None
    server.go_on(hung)
    at_rest(server, loads=2)
    answer = ask(server)
    assert answer is not None
    assert answer.predictor is not hung.predictor
    assert (answer.first, server.status().refused, server.lost) == (True, 0, "")
    assert isinstance(stuck.release(), Abandoned)
    assert version(server) == 1


def test_one_that_cannot_be_loaded_anew_is_lost(bench: Bench, stick: Callable[..., Stuck]) -> None:
    bench.write()
    server = bench.serving(1)
    stick(server)
    bench.loader.error = UserError("no memory")
    hung = server.abandon(0.0)
    assert hung is not None
    server.go_on(hung)
    until(lambda: server.lost != "")
    assert server.lost == "rectangles v1 hung, and could not be loaded anew: no memory"


def test_what_was_being_loaded_comes_after_the_one_that_hung(bench: Bench, stick: Callable[..., Stuck]) -> None:
    bench.write(2)
    server = bench.serving(1)
    bench.hold(server, 2)
    stick(server)
    hung = server.abandon(0.0)
    assert hung is not None
    server.go_on(hung)
    bench.loader.gate.set()
    until(lambda: version(server) == 2)
    assert bench.loader.asked == [1, 2, 1, 2]


def test_a_model_that_hangs_beside_the_one_that_serves(bench: Bench, stick: Callable[..., Stuck]) -> None:
    bench.write(2)
    server = bench.server(canary_frames=3)
    server.load_first(1)
    ask(server)
    server.announce(bench.announcement(2))
    at_rest(server, loads=2)
    stuck = stick(server, audition=True)
    hung = server.abandon(0.0)
    assert hung is not None and hung.tried
    server.go_on(hung)
    assert (version(server), server.replacing) == (1, False)
    assert isinstance(stuck.release(), Abandoned)


def test_closing_leaves_alone_what_is_in_use(bench: Bench, stick: Callable[..., Stuck]) -> None:
    bench.write()
    server = bench.serving(1)
    stuck = stick(server)
    server.close()
    assert bench.loader.closed == []
    assert isinstance(stuck.release(), Abandoned)
    assert bench.loader.closed == [1]


class Scripted:
    """Models of which as many hang as wanted."""

    def __init__(self, predictor: Predictor) -> None:
        self.predictor = predictor
        self.lost = ""
        self.hung: Hung | None = None
        self.went_on: list[Hung] = []
        self.limits: list[float] = []

    def abandon(self, limit: float) -> Hung | None:
        self.limits.append(limit)
        found, self.hung = self.hung, None
        return found

    def go_on(self, hung: Hung) -> None:
        self.went_on.append(hung)

    def hang(self, since: float, tried: bool = False) -> None:
        self.hung = Hung(self.predictor, since, tried, None)


@pytest.fixture
def models(bench: Bench) -> Scripted:
    bench.write()
    found = bench.serving(1).expected()
    assert found is not None
    return Scripted(found)


@pytest.mark.parametrize(
    ("seconds", "tried", "given_up"),
    [(1.0, False, True), (59.0, False, True), (61.0, False, False), (1.0, True, False)],
)
def test_a_second_time_within_a_minute_is_the_last(
    models: Scripted, seconds: float, tried: bool, given_up: bool
) -> None:
    reasons: list[str] = []
    replaced: list[int] = []
    watchdog = Watchdog(lambda: models, lambda: 5.0, lambda: replaced.append(1), reasons.append)
    models.hang(time.monotonic() - 5)
    watchdog.look()
    watchdog.look()
    assert (len(models.went_on), reasons, len(replaced)) == (1, [], 1)
    models.hang(time.monotonic() + seconds, tried)
    watchdog.look()
    assert (len(models.went_on), len(reasons), len(replaced)) == (1 if given_up else 2, int(given_up), 2)
    assert watchdog.replacements == 2
    models.hang(time.monotonic() + seconds)
    if given_up:
        watchdog.look()
        assert len(models.went_on) == 2, "whoever configures the node again begins anew"


def test_a_model_that_is_lost_is_the_end_of_it(models: Scripted) -> None:
    reasons: list[str] = []
    models.lost = "gone"
    Watchdog(lambda: models, lambda: 5.0, lambda: None, reasons.append).look()
    assert reasons == ["gone"]


def test_without_a_limit_nothing_is_left_behind(models: Scripted) -> None:
    Watchdog(lambda: models, lambda: 0.0, lambda: None, lambda reason: None).look()
    assert models.limits == []


def test_loading_that_hangs_is_left_behind(bench: Bench) -> None:
    bench.write()
    bundle = bench.serving(1)._repository.open("rectangles", 1)
    gate, freed = threading.Event(), threading.Event()

    def load(bundle: object, cancelled: Callable[[], bool], may_build: bool) -> Proven:
        assert not cancelled()
        assert gate.wait(WAIT)
        proven = bench.loader(bundle, lambda: False, may_build)  # type: ignore[arg-type]
        proven.predictor.close = freed.set  # type: ignore[method-assign]
        return proven

    patient = PatientLoad(load, lambda: 0.01, lambda: False, least=0.2)
    with pytest.raises(UserError, match="a step of its loading hangs"):
        patient(bundle, lambda: False, True)
    ending = threading.Event()
    threading.Timer(0.2, ending.set).start()
    began = time.monotonic()
    with pytest.raises(Cancelled):
        PatientLoad(load, lambda: 0.0, ending.is_set)(bundle, lambda: False, True)
    assert time.monotonic() - began < 2
    assert not freed.is_set()
    gate.set()
    assert freed.wait(WAIT), "a model that comes too late is freed"


def test_loading_that_asks_is_never_hung(bench: Bench) -> None:
    bench.write()
    bundle = bench.serving(1)._repository.open("rectangles", 1)

    def load(bundle: object, cancelled: Callable[[], bool], may_build: bool) -> Proven:
        for _ in range(8):
            time.sleep(0.1)
            assert not cancelled()
        return bench.loader(bundle, cancelled, may_build)  # type: ignore[arg-type]

    patient = PatientLoad(load, lambda: 0.01, lambda: False, least=0.5)
    assert patient(bundle, lambda: False, True).predictor.bundle is bundle
    bench.loader.error = UserError("no memory")
    with pytest.raises(UserError, match="no memory"):
        patient(bundle, lambda: False, True)
