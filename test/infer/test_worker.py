"""The newest-frame worker: nothing queues, nothing is counted twice, one bad frame ends nothing."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator

import pytest

from perception_infer.ros.worker import Frame, FrameWorker, Outcome, Recent, SequenceGaps

WAIT = 5.0


class Harness:
    """A worker whose processing waits for permission."""

    def __init__(self) -> None:
        self.replacing = False
        self.taken: list[object] = []
        self.errors: list[Exception] = []
        self.outcome: Outcome | Exception = Outcome.PROCESSED
        self.entered, self.go_on = threading.Semaphore(0), threading.Semaphore(0)
        self.worker = FrameWorker(self._process, lambda: self.replacing, self.errors.append)

    def _process(self, frame: Frame) -> Outcome:
        self.taken.append(frame.message)
        self.entered.release()
        assert self.go_on.acquire(timeout=WAIT)
        if isinstance(self.outcome, Exception):
            raise self.outcome
        return self.outcome

    def begin(self, message: object) -> None:
        self.worker.put(message)
        assert self.entered.acquire(timeout=WAIT)

    def settled(self, condition: Callable[[], bool]) -> None:
        limit = time.monotonic() + WAIT
        while not condition():
            assert time.monotonic() < limit
            time.sleep(0.001)


@pytest.fixture
def harness() -> Iterator[Harness]:
    harness = Harness()
    harness.worker.resume()
    yield harness
    harness.go_on.release(1000)
    assert harness.worker.stop()


def test_only_the_newest_waits(harness: Harness) -> None:
    harness.begin(1)
    for message in (2, 3, 4):
        harness.worker.put(message)
    harness.go_on.release(2)
    harness.settled(lambda: harness.worker.counts().processed == 2)
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
    harness.settled(lambda: getattr(harness.worker.counts(), field) == 1)
    harness.outcome = Outcome.PROCESSED
    harness.begin(2)
    harness.go_on.release()
    harness.settled(lambda: harness.worker.counts().processed == 1)
    assert [str(error) for error in harness.errors] == (["x"] if isinstance(outcome, Exception) else [])


def test_frames_that_a_swap_costs_are_counted_apart(harness: Harness) -> None:
    harness.begin(1)
    harness.worker.put(2)
    harness.replacing = True
    harness.worker.put(3)
    harness.worker.put(4)
    harness.replacing = False
    harness.worker.put(5)
    # 2 came before the swap and was replaced; 3 and 4 came during it and were replaced.
    assert (harness.worker.counts().unprocessed, harness.worker.counts().lost_in_swaps) == (3, 2)
    harness.go_on.release(2)
    harness.settled(lambda: harness.worker.counts().processed == 2)
    assert harness.worker.counts().lost_in_swaps == 2


def test_a_frame_during_a_swap_that_is_answered_is_not_lost(harness: Harness) -> None:
    harness.replacing = True
    harness.begin(1)
    harness.go_on.release()
    harness.settled(lambda: harness.worker.counts().processed == 1)
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
    harness.settled(lambda: harness.worker.counts().processed == 2)


def test_a_worker_that_never_began_stops() -> None:
    assert FrameWorker(lambda frame: Outcome.PROCESSED, lambda: False, lambda error: None).stop()


def test_gaps_in_running_numbers() -> None:
    gaps = SequenceGaps()
    gaps.observe(b"a", None)
    assert gaps.lost == -1, "nothing is known without numbers"
    for number in (7, 8, 11, 12):
        gaps.observe(b"a", number)
    assert gaps.lost == 2
    gaps.observe(b"b", 500)
    gaps.observe(b"b", 502)
    assert gaps.lost == 3, "each sender counts for itself"
    gaps.observe(b"a", 1)
    gaps.observe(b"a", 2)
    assert gaps.lost == 3, "a sender that starts anew has lost nothing"


def test_percentiles_and_rate() -> None:
    recent = Recent()
    assert (recent.percentile(0.5), recent.rate()) == (0.0, 0.0)
    for index in range(100):
        recent.add(float(index), now=100 + index / 10)
    assert recent.percentile(0.5) == 50
    assert recent.percentile(1.0) == 99
    assert recent.rate(now=110) == pytest.approx(10, abs=0.3)
    assert recent.rate(now=1000) == 0
