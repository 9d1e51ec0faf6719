"""replay.json: what a replay found, what it ran on, and how long it took."""

from __future__ import annotations

import platform
from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from perception_common import __version__, machine

from ..evaluation.summary import percentiles
from ..predictor import Predictor
from ..recordings.bag import Recording, Topic
from ..selection import Selection
from .clock import Clock
from .detections import DetectionScorer
from .model_choice import Choice
from .pipeline import Skips, Times
from .segmentation import SegmentationScorer
from .truth import Names, Truth

SCHEMA = "perception_suite/replay/1"


@dataclass(frozen=True)
class Ran:
    """A finished replay.

    Attributes:
        predictors: one for each session, of so many ``threads``.
        judged: frames for which there is truth.
        thresholds: of each of the model's classes.
        times: float32 [frames, 4], milliseconds of the stages (`Times`) of every frame.
        wall_s: seconds from the first frame to the last.
        cpu_s: seconds of all processors meanwhile.
    """

    choice: Choice
    predictors: list[Predictor]
    threads: int
    recording: Recording
    topic: Topic
    truth: Truth
    judged: int
    names: Names
    selection: Selection
    thresholds: list[float]
    clock: Clock
    skips: Skips
    times: npt.NDArray[np.float32]
    wall_s: float
    cpu_s: float


def summarise(ran: Ran, scorer: DetectionScorer | SegmentationScorer) -> dict[str, Any]:
    """The content of replay.json. A figure that cannot be known is None."""
    names, minutes = ran.names.all, ran.clock.minutes
    if isinstance(scorer, DetectionScorer):
        figures = scorer.figures(names, minutes)
        steady = scorer.stability.figures()
        breaks = scorer.stability.breaks / minutes if minutes and steady["flicker"] is not None else None
        stability: dict[str, Any] | None = steady | {"track_breaks_per_minute": breaks}
        objects = scorer.objects
    else:
        figures, stability, objects = scorer.figures(names), None, 0
    return {
        "schema": SCHEMA,
        "model": _model(ran),
        "running": _running(ran),
        "bag": _bag(ran, minutes),
        "truth": {
            "kind": ran.truth.kind,
            "source": ran.truth.source or None,
            "joined_by": ran.truth.joined_by or None,
            "frames": ran.judged,
            "without_frame": max(0, ran.truth.entries - ran.judged),
            "objects": objects,
            "unknown_classes": list(ran.names.unknown),
        },
        "classes": list(names),
        "figures": figures,
        "counts": scorer.counts(names),
        "stability": stability,
        "timing": _timing(ran, minutes),
        "environment": _environment(),
    }


def _model(ran: Ran) -> dict[str, Any]:
    bundle = ran.predictors[0].bundle
    own = {"thresholds": ran.thresholds, "directory": str(bundle.directory), "created": bundle.manifest.created}
    return bundle.facts() | own


def _running(ran: Ran) -> dict[str, Any]:
    backend = ran.predictors[0].backend
    return {
        "backend": backend.name,
        "precision": backend.precision,
        "provider": getattr(backend, "provider", None),
        "threads": ran.threads,
        "sessions": len(ran.predictors),
        "selection": asdict(ran.selection),
    }


def _bag(ran: Ran, minutes: float | None) -> dict[str, Any]:
    recording = ran.recording
    return {
        "path": str(recording.path),
        "topic": ran.topic.name,
        "type": ran.topic.type,
        "files": [file._asdict() for file in recording.files],
        "start_ns": recording.start,
        "end_ns": recording.end,
        "duration_s": (recording.end - recording.start) * 1e-9,
        "messages": recording.message_count,
        "frames": ran.clock.frames,
        "camera_hz": ran.clock.frames / (minutes * 60) if minutes else None,
        "skipped": [
            {"reason": reason, "count": count, "first_index": first}
            for reason, (count, first) in ran.skips.counts.items()
        ],
        "warnings": [*recording.warnings, *ran.clock.warnings()],
    }


def _timing(ran: Ran, minutes: float | None) -> dict[str, Any]:
    stages = {name: percentiles(ran.times[:, index].tolist()) for index, name in enumerate(Times._fields)}
    stages["total"] = percentiles(ran.times.sum(axis=1).tolist())
    return {
        "wall_s": ran.wall_s,
        "cpu_s": ran.cpu_s,
        "frames_per_second": ran.clock.frames / ran.wall_s,
        "realtime_factor": minutes * 60 / ran.wall_s if minutes else None,
        "latency_ms": stages,
    }


def _environment() -> dict[str, Any]:
    import onnxruntime

    return {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "cpu": machine.processor(),
        "cores": machine.cores(),
        "onnxruntime": onnxruntime.__version__,
        "opencv": cv2.__version__,
        "numpy": np.__version__,
        "perception_suite": __version__,
        "started": datetime.now(timezone.utc).isoformat(timespec="seconds"),
    }
