"""Every frame of a recording through a model, in order; reading, decoding and inference overlap.

One thread reads, decodes and letterboxes ahead, a few frames at most: memory does not grow with the recording. Several
sessions of the model answer frames side by side. What comes out depends on the recording and the model alone, never on
time.
"""

from __future__ import annotations

import queue
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import NamedTuple

from perception_common.images import ImageError, Pixels
from perception_common.stamps import stamp_of

from ..contract.detections import Result
from ..predictor import Predictor
from ..recordings.bag import Message, Recording
from ..recordings.decoding import DecodeError
from ..recordings.frames import pixels_of
from ..selection import Look, Selection

#: Frames that may wait for the model.
_AHEAD = 4
_POLL_SECONDS = 0.2


class Times(NamedTuple):
    """Milliseconds that the stages took for a frame."""

    read: float
    decode: float
    prepare: float
    infer: float


@dataclass(frozen=True, eq=False)
class Shown:
    """A frame of the recording: its number, stamp in the header, time of receipt (nanoseconds), and RGB pixels."""

    index: int
    stamp: int
    time: int
    frame_id: str
    rgb: Pixels


class Answered(NamedTuple):
    """A frame with what the model found in it."""

    frame: Shown
    found: Result
    times: Times


@dataclass
class Skips:
    """Messages that held no usable frame: how many for each reason, and the number of the first."""

    counts: dict[str, tuple[int, int]]

    def add(self, reason: str, index: int) -> None:
        """One more."""
        count, first = self.counts.get(reason, (0, index))
        self.counts[reason] = count + 1, first


class _Prepared(NamedTuple):
    frame: Shown
    look: Look
    read: float
    decode: float
    prepare: float


def answer_all(
    recording: Recording, topic: str, predictors: Sequence[Predictor], selection: Selection, skips: Skips
) -> Iterator[Answered]:
    """What the model finds in every frame of a topic, in order.

    Args:
        recording: open; nobody else may read from it meanwhile.
        topic: an image topic.
        predictors: of one bundle, warmed up; so many frames are answered at once.
        selection: what is asked for.
        skips: takes up messages without a usable frame.

    Raises:
        NotFinite: the model answers with what is no number.
    """
    network = predictors[0].network
    free: queue.SimpleQueue[Predictor] = queue.SimpleQueue()
    for predictor in predictors:
        free.put(predictor)

    def prepared(put: Callable[[_Prepared], None]) -> None:
        for shown, read, decode in shown_frames(recording, topic, skips):
            began = time.perf_counter()
            look = selection.look(shown.rgb, network)
            put(_Prepared(shown, look, read, decode, _ms(began)))

    def answered(item: _Prepared) -> Answered:
        predictor = free.get()
        try:
            began = time.perf_counter()
            (found,) = selection.ask_all(predictor, [item.look])
            return Answered(item.frame, found, Times(item.read, item.decode, item.prepare, _ms(began)))
        finally:
            free.put(predictor)

    under_way: deque[Future[Answered]] = deque()
    with _ahead(prepared) as items, ThreadPoolExecutor(len(predictors), "session") as sessions:
        for item in items:
            under_way.append(sessions.submit(answered, item))
            # One more than can be answered at once, so that no session waits while a frame is scored.
            if len(under_way) > len(predictors):
                yield under_way.popleft().result()
        while under_way:
            yield under_way.popleft().result()


def shown_frames(
    recording: Recording, topic: str, skips: Skips, wanted: Callable[[int], bool] = lambda index: True
) -> Iterator[tuple[Shown, float, float]]:
    """Every usable frame of a topic whose number is wanted, with the milliseconds of reading and of decoding it."""
    began = time.perf_counter()
    for index, message in enumerate(recording.messages((topic,))):
        if not wanted(index):
            continue
        read = _ms(began)
        began = time.perf_counter()
        shown = _shown(index, message, skips)
        if shown is not None:
            yield shown, read, _ms(began)
        began = time.perf_counter()


def _shown(index: int, message: Message, skips: Skips) -> Shown | None:
    try:
        decoded = message.decode()
    except DecodeError as error:
        skips.add(str(error), index)
        return None
    try:
        rgb = pixels_of(decoded)
    except ImageError as error:
        skips.add(str(error), index)
        return None
    return Shown(index, stamp_of(decoded), message.time, str(decoded.header.frame_id), rgb)


@contextmanager
def _ahead(produce: Callable[[Callable[[_Prepared], None]], None]) -> Iterator[Iterator[_Prepared]]:
    """What ``produce`` puts, made by a thread of its own a few items ahead; its error is raised here."""
    waiting: queue.Queue[_Prepared | BaseException | None] = queue.Queue(_AHEAD)
    ended = threading.Event()

    def put(item: _Prepared | BaseException | None) -> None:
        while not ended.is_set():
            try:
                waiting.put(item, timeout=_POLL_SECONDS)
                return
            except queue.Full:
                continue
        raise _Ended

    def work() -> None:
        last: BaseException | None = None
        # Where nobody wants any more, there is nobody to hand it over to.
        with suppress(_Ended):
            try:
                produce(put)
            except _Ended:
                raise
            except BaseException as error:  # handed over, whatever it is
                last = error
            put(last)

    def items() -> Iterator[_Prepared]:
        while (item := waiting.get()) is not None:
            if isinstance(item, BaseException):
                raise item
            yield item

    thread = threading.Thread(target=work, name="reader", daemon=True)
    thread.start()
    try:
        yield items()
    finally:
        ended.set()
        thread.join()


class _Ended(Exception):
    """Nobody wants any more."""


def _ms(began: float) -> float:
    return (time.perf_counter() - began) * 1e3
