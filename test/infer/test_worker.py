"""The newest-frame worker: nothing queues, nothing is counted twice, one bad frame ends nothing."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence

import pytest
from waiting import until

from perception_infer.cancelling import Abandoned
from perception_infer.ros.frames import Frame, Outcome
from perception_infer.ros.worker import FrameWorker

WAIT = 5.0


class Harness:
    """A worker whose model waits for permission."""

    def __init__(self, sources: int = 1, width: int = 1) -> None:
        self.replacing = self.lasting = False
        self.taken: list[object] = []
        self.errors: list[Exception] = []
        self.outcome: Outcome | Exception = Outcome.PROCESSED
        self.prepared: list[object] = []
        self.published: list[object] = []
        self.runs: list[list[object]] = []
        self.threads: dict[str, set[str]] = {"prepare": set(), "run": set(), "finish": set()}
        self.publishing = threading.Event()
        self.publishing.set()
        self.entered, self.go_on = threading.Semaphore(0), threading.Semaphore(0)
        self.worker = FrameWorker(self, lambda: self.replacing, self.errors.append, sources, lambda: width)

    def lasts(self, frame: Frame) -> bool:
        return self.lasting

    def prepare(self, frame: Frame) -> Frame:
        self.threads["prepare"].add(threading.current_thread().name)
        self.prepared.append(frame.message)
        return frame

    def run(self, frames: Sequence[Frame]) -> list[Frame | Outcome]:
        self.threads["run"].add(threading.current_thread().name)
        self.taken += [frame.message for frame in frames]
        self.runs.append([frame.message for frame in frames])
        self.entered.release()
        assert self.go_on.acquire(timeout=WAIT)
        if isinstance(self.outcome, BaseException):
            raise self.outcome
        return [frame if self.outcome is Outcome.PROCESSED else self.outcome for frame in frames]

    def finish(self, frame: Frame) -> Outcome:
        self.threads["finish"].add(threading.current_thread().name)
        assert self.publishing.wait(WAIT)
        self.published.append(frame.message)
        return Outcome.PROCESSED

    def after(self, frames: Sequence[Frame]) -> None:
        if frames and frames[0].message == "bad after":
            raise RuntimeError("after")

    def begin(self, message: object, source: int = 0) -> None:
        self.worker.put(message, source=source)
        assert self.entered.acquire(timeout=WAIT)

    def put(self, *messages: object) -> None:
        """So fast that none is prepared meanwhile."""
        with self.worker._lock:
            for message in messages:
                self.worker.put(message)


@pytest.fixture
def harness() -> Iterator[Harness]:
    harness = Harness()
    harness.worker.resume()
    yield harness
    harness.go_on.release(1000)
    assert harness.worker.stop()


def test_only_the_newest_waits(harness: Harness) -> None:
    harness.begin(1)
    harness.put(2, 3, 4)
    harness.go_on.release(2)
    until(lambda: harness.worker.counts().processed == 2)
    counts = harness.worker.counts()
    assert harness.taken == [1, 4]
    assert (counts.received, counts.processed, counts.unprocessed, counts.lost_in_swaps) == (4, 2, 2, 0)


@pytest.mark.parametrize(
    ("outcome", "field"),
    [
        (Outcome.INVALID, "invalid"),
        (Outcome.NO_MODEL, "unprocessed"),
        (Outcome.NO_MODEL, "without_model"),
        (Outcome.FAILED, "failed"),
        (RuntimeError("x"), "failed"),
    ],
)
def test_every_outcome_is_counted_once_and_the_worker_goes_on(
    harness: Harness, outcome: Outcome | Exception, field: str
) -> None:
    harness.outcome = outcome
    harness.begin(1)
    harness.go_on.release()
    until(lambda: getattr(harness.worker.counts(), field) == 1)
    harness.outcome = Outcome.PROCESSED
    harness.begin(2)
    harness.go_on.release()
    until(lambda: harness.worker.counts().processed == 1)
    assert [str(error) for error in harness.errors] == (["x"] if isinstance(outcome, Exception) else [])


def test_how_fast_frames_arrive_is_told_by_the_last_of_them(harness: Harness) -> None:
    assert harness.worker.arriving() == 0.0
    began = time.perf_counter()
    for number in range(60):
        harness.worker.put(number)
        time.sleep(0.002)
    least = 59 / (time.perf_counter() - began)
    assert 0.3 * least < harness.worker.arriving() < 500.0
    harness.go_on.release(60)


def test_what_is_only_begun_is_waited_for_by_another_thread(harness: Harness) -> None:
    for number, (lasting, threads) in enumerate([(False, {"frames: run"}), (True, {"frames: finish"})]):
        harness.lasting = lasting
        harness.threads["finish"].clear()
        harness.begin(number)
        harness.go_on.release()
        until(lambda number=number: harness.worker.counts().processed == number + 1)
        assert harness.threads["finish"] == threads


def test_frames_wait_for_a_swap_and_for_what_it_made_wait(harness: Harness) -> None:
    harness.begin(1)
    with harness.worker._lock:
        harness.put(2, 3)
        harness.replacing = True
        harness.put(4, 5)
        harness.replacing = False
        harness.put(6)
    # 2 came before the swap and was replaced. What came from then on waits, in its order.
    assert (harness.worker.counts().unprocessed, harness.worker.counts().lost_in_swaps) == (1, 0)
    harness.go_on.release(5)
    until(lambda: harness.worker.counts().processed == 5)
    assert harness.taken == harness.published == [1, 3, 4, 5, 6]


def test_frames_that_a_swap_costs_are_counted_apart(harness: Harness) -> None:
    harness.begin(0)
    harness.replacing = True
    harness.put(*range(1, 9))
    # Six wait at most.
    assert (harness.worker.counts().unprocessed, harness.worker.counts().lost_in_swaps) == (2, 2)
    harness.go_on.release(7)
    until(lambda: harness.worker.counts().processed == 7)
    assert harness.taken == [0, *range(3, 9)]


def test_a_model_that_cannot_keep_up_is_back_at_the_newest_frame_soon(harness: Harness) -> None:
    harness.begin(0)
    harness.replacing = True
    harness.put(*range(1, 41))
    harness.go_on.release(2)
    until(lambda: harness.worker.counts().processed == 2)
    assert harness.taken == [0, 40]
    assert harness.worker.counts().lost_in_swaps == 39
    # Another swap is another reason to wait.
    harness.replacing = False
    harness.begin(41)
    harness.replacing = True
    harness.put(42, 43)
    harness.go_on.release(3)
    until(lambda: harness.worker.counts().processed == 5)
    assert harness.taken[-3:] == [41, 42, 43]


def test_each_camera_waits_for_itself_in_a_swap() -> None:
    harness = Harness(sources=2)
    harness.worker.resume()
    harness.begin("a0")
    harness.replacing = True
    for message in ("b1", "b2"):
        harness.worker.put(message, source=1)
    harness.worker.put("a1")
    harness.go_on.release(4)
    until(lambda: harness.worker.counts().processed == 4)
    assert harness.taken == ["a0", "b1", "a1", "b2"]
    assert harness.worker.stop()


def test_a_frame_during_a_swap_that_is_answered_is_not_lost(harness: Harness) -> None:
    harness.replacing = True
    harness.begin(1)
    harness.go_on.release()
    until(lambda: harness.worker.counts().processed == 1)
    assert harness.worker.counts().lost_in_swaps == 0


def test_pause_waits_for_the_frame_in_work_and_drops_the_rest(harness: Harness) -> None:
    harness.begin(1)
    harness.worker.put(2)
    assert not harness.worker.pause(timeout=0.05), "the frame in work is not done yet"
    harness.go_on.release()
    assert harness.worker.pause(timeout=WAIT)
    harness.worker.put(3)
    assert harness.taken == [1]
    assert (harness.worker.counts().received, harness.worker.counts().unprocessed) == (2, 1)
    harness.worker.resume()
    harness.begin(4)
    harness.go_on.release()
    until(lambda: harness.worker.counts().processed == 2)


def test_a_worker_that_never_began_stops() -> None:
    assert Harness().worker.stop()


def test_with_time_to_spare_one_thread_does_all(harness: Harness) -> None:
    for message in range(3):
        harness.begin(message)
        harness.go_on.release()
        until(lambda message=message: harness.worker.counts().processed == message + 1)
    assert harness.threads == {stage: {"frames: run"} for stage in ("prepare", "run", "finish")}


def test_while_the_model_runs_the_next_frame_is_prepared_and_the_last_published(harness: Harness) -> None:
    harness.begin(1)
    harness.worker.put(2)
    until(lambda: harness.prepared == [1, 2])
    assert harness.taken == [1], "prepared while the model runs"
    harness.publishing.clear()
    harness.go_on.release()
    assert harness.entered.acquire(timeout=WAIT)
    assert (harness.taken, harness.published) == ([1, 2], []), "the model runs while results are published"
    harness.worker.put(3)
    harness.go_on.release()
    assert harness.entered.acquire(timeout=WAIT)
    harness.publishing.set()
    harness.go_on.release()
    until(lambda: harness.worker.counts().processed == 3)
    assert harness.published == [1, 2, 3], "in order"
    assert harness.threads["prepare"] == {"frames: run", "frames: prepare"}
    assert "frames: finish" in harness.threads["finish"]
    assert harness.threads["run"] == {"frames: run"}


def test_a_frame_is_prepared_as_late_as_can_be(harness: Harness) -> None:
    """Once it is known how long the model takes, the newest frame near its end is the one that is prepared."""
    for message in range(3):
        harness.begin(message)
        # Long enough that a machine that halts this test for half a second fails nothing.
        time.sleep(0.8)
        harness.go_on.release()
        until(lambda message=message: harness.worker.counts().processed == message + 1)
    harness.begin("runs")
    for message in ("old", "older", "newest"):
        harness.worker.put(message)
    time.sleep(0.1)
    assert harness.prepared[-1] == "runs", "there is time"
    until(lambda: harness.prepared[-1] == "newest")
    assert harness.taken[-1] == "runs"
    harness.worker.put("too late")
    harness.go_on.release(3)
    until(lambda: harness.worker.counts().processed == 6)
    assert harness.published[-3:] == ["runs", "newest", "too late"]
    assert harness.worker.counts().unprocessed == 2


def test_cameras_are_served_in_turn() -> None:
    harness = Harness(sources=3)
    harness.worker.resume()
    harness.begin("b0", source=1)
    for source, name in enumerate("abc"):
        for number in (1, 2):
            harness.worker.put(f"{name}{number}", source=source)
    harness.go_on.release(4)
    until(lambda: harness.worker.counts().processed == 4)
    assert harness.taken == ["b0", "a2", "c2", "b2"], "the newest of the camera that was served longest ago"
    assert harness.worker.processed() == [1, 2, 1]
    assert harness.worker.stop()


def test_a_fast_camera_does_not_starve_a_slow_one() -> None:
    harness = Harness(sources=2)
    harness.worker.resume()
    harness.go_on.release(1000)
    stop = threading.Event()

    def fast() -> None:
        while not stop.is_set():
            harness.worker.put("fast", source=0)
            time.sleep(0.0002)

    thread = threading.Thread(target=fast)
    thread.start()
    for number in range(20):
        harness.worker.put(number, source=1)
        until(lambda number=number: harness.worker.processed()[1] == number + 1)
    stop.set()
    thread.join()
    assert harness.worker.stop()


def test_frames_of_several_cameras_share_a_run() -> None:
    harness = Harness(sources=3, width=2)
    harness.worker.resume()
    harness.begin("a0")
    for source, name in enumerate("abc"):
        harness.worker.put(name, source=source)
    harness.go_on.release(3)
    until(lambda: harness.worker.counts().processed == 4)
    assert harness.runs == [["a0"], ["b", "c"], ["a"]]
    assert harness.worker.stop()


@pytest.mark.parametrize("stage", ["prepare", "finish", "after"])
def test_a_stage_that_breaks_ends_nothing(harness: Harness, monkeypatch: pytest.MonkeyPatch, stage: str) -> None:
    if stage != "after":
        kept = getattr(harness, stage)

        def breaks(frame: Frame) -> object:
            if frame.message == f"bad {stage}":
                raise RuntimeError(stage)
            return kept(frame)

        monkeypatch.setattr(harness, stage, breaks)
    harness.go_on.release(10)
    harness.worker.put(f"bad {stage}")
    until(lambda: harness.worker.counts().failed + harness.worker.counts().processed == 1)
    harness.worker.put("good")
    until(lambda: "good" in harness.published)
    assert [str(error) for error in harness.errors] == [stage]
    assert harness.worker.counts().failed == (stage != "after")


def test_pause_drops_what_was_prepared_ahead_and_waits_for_publishing(harness: Harness) -> None:
    harness.begin(1)
    harness.worker.put(2)
    until(lambda: harness.prepared == [1, 2])
    harness.publishing.clear()
    assert not harness.worker.pause(timeout=0.05)
    harness.go_on.release()
    assert not harness.worker.pause(timeout=0.05), "a result is being published"
    harness.publishing.set()
    assert harness.worker.pause(timeout=WAIT)
    counts = harness.worker.counts()
    assert (harness.taken, counts.processed, counts.unprocessed) == ([1], 1, 1)
    harness.worker.resume()
    harness.begin(3)
    harness.go_on.release()
    until(lambda: harness.worker.counts().processed == 2)


def test_every_frame_is_accounted_for_under_load() -> None:
    harness = Harness(sources=2)
    harness.go_on.release(100000)
    harness.worker.resume()
    for number in range(3000):
        harness.worker.put(number, source=number % 2)
        if number % 500 == 0:
            assert harness.worker.pause(timeout=WAIT)
            harness.worker.resume()
    assert harness.worker.pause(timeout=WAIT)
    counts = harness.worker.counts()
    assert counts.received == counts.processed + counts.unprocessed == 3000
    assert sum(harness.worker.processed()) == counts.processed == len(harness.published)
    assert harness.worker.stop()


def test_a_thread_that_the_model_keeps_is_left_behind_and_never_publishes(harness: Harness) -> None:
    harness.begin("hangs")
    harness.worker.put("waits")
    until(lambda: harness.prepared == ["hangs", "waits"])
    assert harness.worker.replace() == 1
    assert harness.entered.acquire(timeout=WAIT), "a fresh thread goes on"
    assert harness.taken == ["hangs", "waits"]
    harness.go_on.release(2)
    until(lambda: harness.published == ["waits"])
    harness.begin("after")
    harness.go_on.release()
    until(lambda: harness.worker.counts().processed == 2)
    counts = harness.worker.counts()
    assert (counts.received, counts.failed, counts.hung, counts.unprocessed) == (3, 1, 1, 0)
    assert harness.published == ["waits", "after"]
    assert harness.worker.pause(timeout=WAIT)


def test_a_thread_that_is_told_before_it_is_replaced_ends(harness: Harness) -> None:
    harness.outcome = Abandoned()  # type: ignore[assignment]
    harness.begin(1)
    harness.go_on.release()
    harness.worker.put(2)
    until(lambda: not harness.worker._threads[0].is_alive())
    assert harness.worker.counts().failed == 0
    harness.outcome = Outcome.PROCESSED
    assert harness.worker.replace() == 1
    harness.go_on.release()
    until(lambda: harness.worker.counts().processed == 1)
    assert (harness.worker.counts().hung, harness.published, harness.errors) == (1, [2], [])


def test_a_thread_that_is_still_kept_is_told_when_stopping() -> None:
    harness = Harness()
    harness.worker.resume()
    harness.begin(1)
    harness.worker.replace()
    assert not harness.worker.stop(timeout=0.2)
    harness.go_on.release()
    until(lambda: harness.worker.stop(timeout=0.2))
    assert harness.published == []
