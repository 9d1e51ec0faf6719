"""One frame, from the camera's message to what is published."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial

from perception_common.ros.images import ImageError, image_from_msg

from ..contract.geometry import Pixels
from ..evaluation.agreement import agreement
from ..predictor import Predictor
from ..selection import Selection
from ..serving import Answer, ModelServer
from .infer_params import InferParams
from .outputs import Outputs, Result
from .report import Times
from .worker import Frame, Outcome


class Pipeline:
    """Answers frames; called by the worker only.

    Args:
        outputs: where results go.
        clock: the node's time in nanoseconds, which cameras stamp with.
        times: what is measured.
        complain: logs a line; called for every image that cannot be used, and for each that classes are asked of which
            the model does not know.
    """

    def __init__(
        self, outputs: Outputs, clock: Callable[[], int], times: Times, complain: Callable[[str], None]
    ) -> None:
        self._outputs, self._clock, self._times, self._complain = outputs, clock, times, complain

    def process(self, frame: Frame, server: ModelServer | None, params: InferParams) -> Outcome:
        """Convert, ask the model, publish; what a new model is comes before its first result."""
        if server is None:
            return Outcome.NO_MODEL
        header = frame.message.header
        if params.only_when_watched and not self._outputs.watched():
            return Outcome.UNWATCHED
        if is_stale(header.stamp.sec * 10**9 + header.stamp.nanosec, self._clock(), params.max_age_ms):
            return Outcome.STALE
        try:
            rgb = image_from_msg(frame.message)
        except ImageError as error:
            self._complain(f"image left out: {error}")
            return Outcome.INVALID
        selection = params.selection()
        answer = server.answer(partial(self._ask, rgb, selection))
        if answer is None:
            return Outcome.NO_MODEL
        if answer.first:
            self._outputs.publish_model(header, answer.predictor)
        self._outputs.publish_result(header, answer.value, answer.predictor, params)
        self._times.node.add((time.perf_counter() - frame.arrived) * 1e3)
        self._outputs.publish_pictures(header, rgb, answer.value, answer.predictor, params)
        # After all is published: a new model that is tried costs throughput, not latency.
        server.audition(partial(_compare, rgb, selection, answer))
        return Outcome.PROCESSED

    def _ask(self, rgb: Pixels, selection: Selection, predictor: Predictor) -> Result:
        began = time.perf_counter()
        if strange := selection.unknown(predictor.classes):
            self._complain(strange)
        result = selection.ask(predictor, rgb)
        self._times.inference.add((time.perf_counter() - began) * 1e3)
        return result


def _compare(rgb: Pixels, selection: Selection, answer: Answer[Result], candidate: Predictor) -> float | None:
    """How far a candidate agrees with what was answered."""
    return agreement(answer.value, selection.ask(candidate, rgb), answer.predictor.classes, candidate.classes)


def is_stale(stamp: int, now: int, max_age_ms: float) -> bool:
    """Whether a frame is too old to be of use; times in nanoseconds, a stamp of 0 is none, and 0 ms is no limit."""
    return max_age_ms > 0 and stamp != 0 and now - stamp > max_age_ms * 1e6
