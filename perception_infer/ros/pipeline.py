"""What is done with frames, from the camera's message to what is published."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

from perception_common.ros.images import ImageError, image_from_msg

from ..abreast import Abreast, Pending
from ..contract.detections import Detections, Result
from ..evaluation.agreement import agreement
from ..predictor import Predictor
from ..selection import Look, Selection
from ..serving import ModelServer
from .frames import Frame, Outcome, Recent
from .infer_params import InferParams
from .outputs import Outputs
from .report import Times

#: Waits for what is found.
Later = Callable[[], Result]
#: From this share on of the time there is from frame to frame, an inference alone has no time to spare.
_HURRY = 0.8


@dataclass(frozen=True)
class Work:
    """A frame that is ready to be answered."""

    frame: Frame
    header: Any
    look: Look
    selection: Selection


@dataclass(frozen=True)
class Done:
    """A frame that is answered, or will be; ``first`` of those that this model answers."""

    work: Work
    found: Result | Later
    predictor: Predictor
    first: bool

    @cached_property
    def result(self) -> Result:
        """What was found; waits for it where it is still being looked for."""
        return self.found() if callable(self.found) else self.found


class Pipeline:
    """The stages of `FrameWorker`.

    Args:
        outputs: where results go.
        server: the models; None while the node is not configured.
        params: the parameters as they are now.
        clock: the node's time in nanoseconds, which cameras stamp with.
        times: what is measured.
        arriving: frames that arrive in a second.
        complain: logs a line; called for every image that cannot be used, and for each that classes are asked of which
            the model does not know.
    """

    def __init__(
        self,
        outputs: Outputs,
        server: Callable[[], ModelServer | None],
        params: Callable[[], InferParams],
        clock: Callable[[], int],
        times: Times,
        arriving: Callable[[], float],
        complain: Callable[[str], None],
    ) -> None:
        self._outputs, self._server, self._params = outputs, server, params
        self._clock, self._times, self._arriving, self._complain = clock, times, arriving, complain
        #: How many frames are answered at once.
        self.at_once = 1
        #: Seconds of a frame when one after another is.
        self._alone = Recent()

    def prepare(self, frame: Frame) -> Work | Outcome:
        """Convert the image, and letterbox what is looked at of it."""
        server, params, header = self._server(), self._params(), frame.message.header
        expected = server.expected() if server is not None else None
        if expected is None:
            return Outcome.NO_MODEL
        if params.only_when_watched and not self._outputs.watched(frame.source):
            return Outcome.UNWATCHED
        if is_stale(header.stamp.sec * 10**9 + header.stamp.nanosec, self._clock(), params.max_age_ms):
            return Outcome.STALE
        try:
            rgb = image_from_msg(frame.message)
        except ImageError as error:
            self._complain(f"image left out: {error}")
            return Outcome.INVALID
        selection = params.selection()
        return Work(frame, header, selection.look(rgb, expected.network), selection)

    def run(self, works: Sequence[Work]) -> Sequence[Done | Outcome]:
        """Ask the model, of all frames at once."""
        server = self._server()
        answer = server.answer(partial(self._ask, works)) if server is not None else None
        if answer is None:
            return [Outcome.NO_MODEL] * len(works)
        return [
            Done(work, found, answer.predictor, answer.first and index == 0)
            for index, (work, found) in enumerate(zip(works, answer.value, strict=True))
        ]

    def lasts(self, done: Done) -> bool:
        """Whether it is still being looked for what is in the frame."""
        return callable(done.found)

    def finish(self, done: Done) -> Outcome:
        """Publish; what a new model is comes before its first result."""
        work, params, result = done.work, self._params(), done.result
        outputs = self._outputs.of(work.frame.source)
        if done.first:
            self._outputs.publish_model(work.header, done.predictor)
        class_ids = outputs.publish_result(work.header, result, done.predictor, params)
        if self._outputs.places and isinstance(result, Detections):
            height, width = work.look.rgb.shape[:2]
            self._outputs.places[work.frame.source].publish(work.header, result, class_ids, (width, height))
        self._times.node.add((time.perf_counter() - work.frame.arrived) * 1e3)
        outputs.publish_pictures(work.header, work.look.rgb, result, done.predictor, params)
        return Outcome.PROCESSED

    def after(self, done: Sequence[Done]) -> None:
        """A new model that is tried costs throughput, not latency."""
        server = self._server()
        if done and server is not None:
            server.audition(partial(_compare, done[0]))

    def _ask(self, works: Sequence[Work], predictor: Predictor) -> Sequence[Result | Later]:
        selection = works[-1].selection
        if strange := selection.unknown(predictor.classes):
            self._complain(strange)
        abreast = predictor.abreast
        if abreast is not None and self._hurries() and abreast.wish():
            self.at_once = abreast.count
            # One at a time: the next begins when this one is handed over.
            (work,) = works
            return [partial(self._taken, abreast, abreast.begin(partial(self._timed, [work])))]
        self.at_once = 1
        began = time.perf_counter()
        results = self._timed(works, predictor)
        self._alone.add((time.perf_counter() - began) / len(works))
        return results

    def _timed(self, works: Sequence[Work], predictor: Predictor) -> list[Result]:
        began = time.perf_counter()
        results = works[-1].selection.ask_all(predictor, [work.look for work in works])
        self._times.inference.add((time.perf_counter() - began) * 1e3)
        return results

    def _hurries(self) -> bool:
        """Whether frames come so fast that one after another would hardly be answered."""
        return self._arriving() * self._alone.percentile(0.5) > _HURRY

    def _taken(self, abreast: Abreast, pending: Pending[list[Result]]) -> Result:
        # One that hangs is not waited for a second time.
        patience = 0.0 if abreast.problem else self._params().hang_seconds or None
        try:
            return pending.wait(patience)[0]
        except Exception as error:
            # Of the next frame the first session is asked, and if it fails there, the model before takes over.
            abreast.give_up(repr(error))
            raise


def _compare(done: Done, candidate: Predictor) -> float | None:
    """How far a candidate agrees with what was answered."""
    (other,) = done.work.selection.ask_all(candidate, [done.work.look])
    return agreement(done.result, other, done.predictor.classes, candidate.classes)


def is_stale(stamp: int, now: int, max_age_ms: float) -> bool:
    """Whether a frame is too old to be of use; times in nanoseconds, a stamp of 0 is none, and 0 ms is no limit."""
    return max_age_ms > 0 and stamp != 0 and now - stamp > max_age_ms * 1e6
