"""The types of replay.json, from which config/replay.schema.json is made.

Fractions lie between 0 and 1, times are in the unit of their name's ending, and None is what cannot be known.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec


class _Part(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """A part of the file; every key is there."""


class Model(_Part):
    """The bundle: ``sha256`` is that of its manifest.json, ``thresholds`` are those used, one per class."""

    name: str
    version: int
    title: str
    task: Literal["detection", "segmentation"]
    architecture: str
    classes: list[str]
    thresholds: list[float]
    directory: str
    sha256: str
    created: str


class Running(_Part):
    """How the model ran: ``sessions`` side by side, of so many ``threads`` each; ``selection`` is what was wanted."""

    backend: str
    precision: str
    provider: str | None
    threads: int
    sessions: int
    selection: dict[str, Any]


class File(_Part):
    """A file of the recording."""

    name: str
    bytes: int


class Skipped(_Part):
    """Messages without a usable frame, for one reason; ``first_index`` is the number of the first in its topic."""

    reason: str
    count: int
    first_index: int


class Bag(_Part):
    """The recording; ``frames`` are those that were scored, ``camera_hz`` is by their stamps."""

    path: str
    topic: str
    type: str
    files: list[File]
    start_ns: int
    end_ns: int
    duration_s: float
    messages: int
    frames: int
    camera_hz: float | None
    skipped: list[Skipped]
    warnings: list[str]


class Truth(_Part):
    """Where the truth came from; ``without_frame`` counts what it knows of frames that are not there."""

    kind: Literal["none", "coco", "topic"]
    source: str | None
    joined_by: Literal["stamp", "name"] | None
    frames: int
    without_frame: int
    objects: int
    unknown_classes: list[str]


class Confusion(_Part):
    """``counts[truth][found]``: objects at the thresholds and IoU 0.50, or pixels."""

    names: list[str]
    counts: list[list[int]]


class DetectedClass(_Part):
    """A class of a detector; ``curve`` is the precision at recall 0, 0.01 to 1, empty without objects."""

    name: str
    objects: int
    ap: float | None
    ap50: float | None
    threshold: float | None
    precision: float | None
    recall: float | None
    false_alarms: int
    missed: int
    curve: list[float]


class Band(_Part):
    """Objects of one band of sizes or distances."""

    name: str
    objects: int
    ap50: float | None
    recall: float | None


class Detection(_Part):
    """Figures of a detector; precision, recall and F1 at the thresholds and IoU 0.50, of all classes together."""

    map: float | None
    map50: float | None
    map75: float | None
    precision: float | None
    recall: float | None
    f1: float | None
    classes: list[DetectedClass]
    confusion: Confusion
    by_size: list[Band]
    by_distance: list[Band]
    false_alarms_per_minute: float | None
    missed_per_minute: float | None


class SegmentedClass(_Part):
    """A class of a segmenter; the first is the background."""

    name: str
    pixels: int
    iou: float | None
    precision: float | None
    recall: float | None


class Segmentation(_Part):
    """Figures of a segmenter; ``miou`` is without the background."""

    miou: float | None
    pixel_accuracy: float | None
    classes: list[SegmentedClass]
    confusion: Confusion


class DetectionCounts(_Part):
    """What was told above the thresholds; the histograms have 20 bins and hold all scores."""

    detections: int
    per_class: dict[str, int]
    per_frame: float | None
    frames_without: int
    score_histogram: dict[str, list[int]]


class SegmentationCounts(_Part):
    """The mean share of the pixels of every class."""

    shares: dict[str, float]


class Stability(_Part):
    """How steady detections are from frame to frame."""

    flicker: float | None
    jitter_px: float | None
    tracks: int
    track_breaks_per_minute: float | None


class Percentiles(_Part):
    """Of the milliseconds of ``count`` frames."""

    p50: float | None
    p99: float | None
    max: float | None
    count: int


class Timing(_Part):
    """Times of the whole, and of the stages of every frame."""

    wall_s: float
    cpu_s: float
    frames_per_second: float
    realtime_factor: float | None
    latency_ms: dict[Literal["read", "decode", "prepare", "infer", "total"], Percentiles]


class Replay(_Part):
    """A replay of one model over one recording."""

    schema: Literal["perception_suite/replay/1"]
    model: Model
    running: Running
    bag: Bag
    truth: Truth
    classes: list[str]
    figures: dict[str, Any] | None
    counts: dict[str, Any]
    stability: Stability | None
    timing: Timing
    environment: dict[str, str | int]


def check(summary: dict[str, Any]) -> None:
    """Refuse what is no replay.json.

    Raises:
        msgspec.ValidationError: a key is missing, unknown, or of another type.
    """
    replay = msgspec.convert(summary, Replay)
    detects = replay.model.task == "detection"
    if replay.figures is not None:
        msgspec.convert(replay.figures, Detection if detects else Segmentation)
    msgspec.convert(replay.counts, DetectionCounts if detects else SegmentationCounts)


def json_schema() -> dict[str, Any]:
    """The JSON Schema (2020-12) of replay.json."""
    every = (Replay, Detection, Segmentation, DetectionCounts, SegmentationCounts)
    _, parts = msgspec.json.schema_components(every, ref_template="#/$defs/{name}")
    whole = parts.pop("Replay")
    # Structs of two kinds cannot stand in one union of msgspec; in JSON Schema they can.
    for key, kinds in (("figures", ("Detection", "Segmentation")), ("counts", every[3:])):
        names = [kind if isinstance(kind, str) else kind.__name__ for kind in kinds]
        choices: list[dict[str, str]] = [{"$ref": f"#/$defs/{name}"} for name in names]
        whole["properties"][key] = {"anyOf": [*choices, *([{"type": "null"}] if key == "figures" else [])]}
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **whole, "$defs": parts}
