"""One model over one recording: frames.jsonl while it runs, and the summary at its end."""

from __future__ import annotations

import time
from array import array
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple, TextIO

import msgspec
import numpy as np

from perception_common import durable, machine
from perception_common.errors import UserError

from ..backends.base import Backend, default_threads
from ..contract.detections import Detections, Result
from ..loading import load_proven
from ..predictor import Predictor
from ..recordings.bag import Recording
from ..recordings.frames import GROUND_TRUTH, beside, image_topic
from ..recordings.types import DETECTIONS, IMAGE
from ..running import say
from ..selection import Selection
from .clock import Clock, Progress
from .coco_truth import CocoTruth
from .detections import DetectionScorer
from .model_choice import Choice
from .params import ReplayParams
from .pipeline import Answered, Shown, Skips, Times, answer_all
from .segmentation import SegmentationScorer
from .summary import Ran, summarise
from .truth import FrameTruth, Names, NoTruth, TopicTruth, TrueBoxes, TrueMask, Truth

FRAMES = "frames.jsonl"
#: Called with every frame, what was found in it from ``min_score`` on, and its line in frames.jsonl.
Listener = Callable[[Shown, Result, dict[str, Any]], None]
_BOX_DIGITS, _SCORE_DIGITS = 3, 6
_MOST_SESSIONS = 4


class Replayed(NamedTuple):
    """What came out of a replay: replay.json, the scorer, and the numbers of the frames for which there is truth."""

    summary: dict[str, Any]
    scorer: DetectionScorer | SegmentationScorer
    judged: list[int]


def replay(bag: Path, choice: Choice, params: ReplayParams, output: Path, listeners: tuple[Listener, ...]) -> Replayed:
    """Run a model over a recording and write `FRAMES` into ``output``, which must exist.

    Raises:
        UserError: recording, model or truth cannot be used, or there is no usable frame.
    """
    asked = params.selection()
    with Recording(bag) as recording, _sessions(choice, params.sessions) as (predictors, threads):
        predictor = predictors[0]
        classes = predictor.classes
        strange = asked.unknown(classes)
        if strange:
            raise UserError(strange, where=choice.text)
        topic, names = image_topic(recording, params.topic, besides=params.truth), Names(classes)
        total = min(topic.count, params.frames) if params.frames else topic.count
        truth = open_truth(params.truth, recording, topic.name, topic.count, names, predictor.task)
        own = predictor.bundle.manifest.thresholds
        thresholds = asked.thresholds(own, classes)
        # Of classes that are not wanted nothing is found; infinity is no number in JSON.
        thresholds = np.where(np.isinf(thresholds), np.asarray(own, np.float32), thresholds)
        # All scores are wanted here: the thresholds are applied by who scores.
        selection = Selection(params.min_score, {}, asked.classes, asked.region, asked.tiling)
        detects = predictor.task == "detection"
        scorer = DetectionScorer(thresholds) if detects else SegmentationScorer(len(classes))
        skips, clock, times, judged = Skips({}), Clock(), array("f"), array("l")
        progress = Progress(predictor.bundle.title, total, clock)
        wall, cpu = time.perf_counter(), time.process_time()
        with _new_file(output / FRAMES) as lines:
            for done in answer_all(recording, topic.name, predictors, selection, skips):
                known, name = truth.of(done.frame.index, done.frame.stamp, *done.frame.rgb.shape[1::-1])
                line = _line(done, name) | _score(scorer, done.found, known)
                lines.write(msgspec.json.encode(line).decode() + "\n")
                clock.add(done.frame)
                times.extend(done.times)
                if known is not None:
                    judged.append(done.frame.index)
                for listen in listeners:
                    listen(done.frame, done.found, line)
                progress.show()
                if clock.frames == total:
                    break
            progress.end()
            if not clock.frames:
                reason = ", ".join(skips.counts) or next(iter(recording.warnings), "the topic is empty")
                raise UserError(f"no frame of {topic.name} could be used", where=bag, fix=reason)
        ran = Ran(
            choice=choice,
            predictors=predictors,
            threads=threads,
            recording=recording,
            topic=topic,
            truth=truth,
            judged=len(judged),
            names=names,
            selection=asked,
            thresholds=[float(value) for value in thresholds],
            clock=clock,
            skips=skips,
            times=np.asarray(times, np.float32).reshape(-1, len(Times._fields)),
            wall_s=time.perf_counter() - wall,
            cpu_s=time.process_time() - cpu,
        )
        return Replayed(summarise(ran, scorer), scorer, judged.tolist())


def open_truth(told: str, recording: Recording, topic: str, frames: int, names: Names, task: str) -> Truth:
    """What is true in the frames of a topic, by the parameter ``truth``; see `ReplayParams`.

    Raises:
        UserError: it is not there or cannot be used.
    """
    segments = task == "segmentation"
    wanted = IMAGE if segments else DETECTIONS
    if told == "none":
        return NoTruth()
    if not told:
        name = beside(topic, f"{GROUND_TRUTH}/mask" if segments else GROUND_TRUTH)
        found = recording.topics.get(name)
        return TopicTruth(recording, name, names) if found is not None and found.type == wanted else NoTruth()
    if told in recording.topics or (told.startswith("/") and not Path(told).suffix and not Path(told).exists()):
        if recording.require(told, (DETECTIONS, IMAGE)).type != wanted:
            raise UserError(f"a model for {task} is not scored with this topic", where=told, fix=f"it needs {wanted}")
        return TopicTruth(recording, told, names)
    return CocoTruth(Path(told).expanduser(), names, frames, segments)


@contextmanager
def _sessions(choice: Choice, wanted: int) -> Iterator[tuple[list[Predictor], int]]:
    """The model, so many times, proven to answer as its trainer's, and the threads of each; engines are waited for."""
    say(f"{choice.bundle.title}: loading")
    running = choice.running
    if wanted != 1 and not running.threads:
        running = replace(running, threads=1)
    with ExitStack() as stack:
        first = stack.enter_context(load_proven(choice.bundle, running.wish(say)).predictor)
        count = wanted or (min(_MOST_SESSIONS, machine.cores()) if _runs_on_cpu(first.backend) else 1)
        more = (load_proven(choice.bundle, running.wish(say)).predictor for _ in range(count - 1))
        yield [first, *map(stack.enter_context, more)], running.threads or default_threads()


def _runs_on_cpu(backend: Backend) -> bool:
    """Whether sessions side by side would not share a GPU."""
    return backend.name == "openvino" or getattr(backend, "provider", None) == "CPUExecutionProvider"


def _line(done: Answered, name: str | None) -> dict[str, Any]:
    frame = done.frame
    height, width = frame.rgb.shape[:2]
    return {
        "index": frame.index,
        "stamp": frame.stamp,
        "time": frame.time,
        "width": width,
        "height": height,
        "name": name,
    }


def _score(scorer: DetectionScorer | SegmentationScorer, found: Result, truth: FrameTruth | None) -> dict[str, Any]:
    """Score a frame; its part of frames.jsonl."""
    if isinstance(scorer, DetectionScorer):
        assert isinstance(found, Detections)
        assert not isinstance(truth, TrueMask)
        scorer.add(found, truth)
        return {"found": _found_rows(found), "truth": None if truth is None else _true_rows(truth)}
    assert not isinstance(found, Detections)
    assert not isinstance(truth, TrueBoxes)
    return scorer.add(found, truth)


def _found_rows(found: Detections) -> list[list[float]]:
    boxes = found.boxes.astype(np.float64).round(_BOX_DIGITS).tolist()
    scores = found.scores.astype(np.float64).round(_SCORE_DIGITS).tolist()
    return [[*box, score, label] for box, score, label in zip(boxes, scores, found.labels.tolist(), strict=True)]


def _true_rows(truth: TrueBoxes) -> list[list[float | None]]:
    boxes = truth.boxes.astype(np.float64).round(_BOX_DIGITS).tolist()
    rows = zip(boxes, truth.labels.tolist(), truth.ignored.tolist(), truth.metres.tolist(), strict=True)
    return [
        [*box, label, int(ignored), None if np.isnan(away) else round(away, _BOX_DIGITS)]
        for box, label, ignored, away in rows
    ]


@contextmanager
def _new_file(path: Path) -> Iterator[TextIO]:
    """A text file that appears when it is whole."""
    with durable.new_file(path) as work, work.open("w", encoding="utf-8") as lines:
        yield lines
