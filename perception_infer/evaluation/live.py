"""Scoring of live detections against ground truth: matching by stamp, versions, windows, gaps, latency.

Pure logic. Times are integer nanoseconds of ROS time: ``stamp`` is the image's header stamp,
``arrival`` when the message reached this process (0: not known, simulated time has not begun). The model
version of a frame follows from its stamp, because `model_status` carries the stamp of the first image that
the new model serves.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import OrderedDict, deque
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .metrics import DetectionMetrics, ImageMatches, Scores, match_image

Array = npt.NDArray[np.floating]


@dataclass(frozen=True, eq=False)
class Boxes:
    """Boxes xyxy [N, 4] in pixels of the image, class name of each, and scores [N] (None for truth)."""

    boxes: Array
    names: Sequence[str]
    scores: Array | None = None


@dataclass(frozen=True, eq=False)
class ScoredFrame:
    """A frame that has both truth and detections."""

    stamp: int
    matches: ImageMatches
    truth: Boxes
    found: Boxes


@dataclass(frozen=True)
class Output:
    """A detections message: the image's stamp and when the message arrived."""

    stamp: int
    arrival: int


@dataclass(frozen=True)
class Serving:
    """A model version began to serve with the image of this stamp."""

    version: int
    stamp: int
    arrival: int


@dataclass(frozen=True)
class Window:
    """A run of consecutive scored frames of one version."""

    version: int | None
    first_stamp: int
    last_stamp: int
    scores: Scores


class LiveEvaluation:
    """Collects truth, detections and model changes as they arrive, in any order.

    Args:
        window: scored frames per window of the timeline.
        pending: frames that may wait for their counterpart; the oldest is given up first.
        keep: scored frames and outputs remembered; beyond, the oldest are forgotten.
    """

    def __init__(self, window: int = 40, pending: int = 256, keep: int = 20_000) -> None:
        self.window = window
        self.truth_count = self.unanswered = self.without_truth = self.duplicates = 0
        self.outputs: deque[Output] = deque(maxlen=keep)
        self.scored: deque[_Record] = deque(maxlen=keep)
        self.serving: list[Serving] = []
        self.names: list[str] = []
        self.truth_names: set[str] = set()
        self.truth_stamps: deque[int] = deque(maxlen=keep)
        self.responses: deque[int] = deque(maxlen=keep)
        self._index: dict[str, int] = {}
        self._pending = pending
        self._truth: OrderedDict[int, Boxes] = OrderedDict()
        self._found: OrderedDict[int, Boxes] = OrderedDict()
        self._recent: OrderedDict[int, None] = OrderedDict()
        self._images: OrderedDict[int, int] = OrderedDict()
        self._cache: dict[tuple[int | None, int, int], Scores] = {}

    def add_truth(self, stamp: int, truth: Boxes) -> ScoredFrame | None:
        """The true objects of an image; the scored frame when its detections are here already."""
        if stamp in self._truth or stamp in self._recent:
            self.duplicates += 1
            return None
        self.truth_count += 1
        self.truth_stamps.append(stamp)
        self.truth_names.update(truth.names)
        found = self._found.pop(stamp, None)
        if found is not None:
            return self._score(stamp, truth, found)
        self._truth[stamp] = truth
        if len(self._truth) > self._pending:
            oldest, _ = self._truth.popitem(last=False)
            self.unanswered += bool(self.outputs) and oldest >= self.outputs[0].stamp
        return None

    def add_image(self, stamp: int, received: int) -> None:
        """An image, and when it was received, by a clock that runs evenly: not ROS's where that is simulated."""
        self._images[stamp] = received
        if len(self._images) > self._pending:
            self._images.popitem(last=False)

    def add_detections(self, stamp: int, arrival: int, found: Boxes, received: int = 0) -> ScoredFrame | None:
        """The detections of an image; the scored frame when its truth is here already.

        ``received`` is by the clock of `add_image`, and 0 where that is not known.
        """
        if stamp in self._found or stamp in self._recent:
            self.duplicates += 1
            return None
        self.outputs.append(Output(stamp, arrival))
        shown = self._images.pop(stamp, None)
        if shown is not None and received:
            self.responses.append(received - shown)
        truth = self._truth.pop(stamp, None)
        if truth is not None:
            return self._score(stamp, truth, found)
        self._found[stamp] = found
        if len(self._found) > self._pending:
            self._found.popitem(last=False)
            self.without_truth += 1
        return None

    def add_serving(self, version: int, stamp: int, arrival: int) -> bool:
        """The version that serves from this stamp on (0 or less: none); returns whether it changed."""
        if version < 1 or (self.serving and self.serving[-1].version == version):
            return False
        self.serving.append(Serving(version, stamp, arrival))
        self._cache.clear()
        return True

    def version_of(self, stamp: int) -> int | None:
        """The version that served the image of this stamp (None when no model was announced)."""
        index = bisect_right([entry.stamp for entry in self.serving], stamp)
        return self.serving[max(index - 1, 0)].version if self.serving else None

    def versions(self) -> dict[int | None, DetectionMetrics]:
        """All scored frames by version, in the order of their first frame."""
        grouped: dict[int | None, list[ImageMatches]] = {}
        for record in self.scored:
            grouped.setdefault(self.version_of(record.stamp), []).append(record.matches)
        return {version: DetectionMetrics(images) for version, images in grouped.items()}

    def windows(self) -> list[Window]:
        """The timeline: windows of consecutive frames of one version, oldest first; the last may be short."""
        runs: list[tuple[int | None, list[_Record]]] = []
        for record in self.scored:
            version = self.version_of(record.stamp)
            if not runs or runs[-1][0] != version or len(runs[-1][1]) >= self.window:
                runs.append((version, []))
            runs[-1][1].append(record)
        return [
            Window(version, run[0].stamp, run[-1].stamp, self._window_scores(version, run)) for version, run in runs
        ]

    def recent(self) -> Scores:
        """The metrics of the newest frames of the version that serves now, at most one window of them."""
        newest = self.serving[-1].version if self.serving else None
        chosen: list[ImageMatches] = []
        for record in reversed(self.scored):
            if len(chosen) >= self.window or self.version_of(record.stamp) != newest:
                break
            chosen.append(record.matches)
        return DetectionMetrics(chosen).compute()

    def waiting(self) -> int:
        """Truth between the first and the newest output that has no detections so far."""
        if not self.outputs:
            return 0
        first, last = self.outputs[0].stamp, self.outputs[-1].stamp
        return sum(first <= stamp <= last for stamp in self._truth)

    def _window_scores(self, version: int | None, run: list[_Record]) -> Scores:
        key = (version, run[0].stamp, len(run))
        if key not in self._cache:
            self._cache[key] = DetectionMetrics(record.matches for record in run).compute()
        return self._cache[key]

    def _score(self, stamp: int, truth: Boxes, found: Boxes) -> ScoredFrame:
        scores = np.ones(len(found.names)) if found.scores is None else found.scores
        matches = match_image(found.boxes, scores, self._labels(found.names), truth.boxes, self._labels(truth.names))
        self.scored.append(_Record(stamp, matches))
        self._recent[stamp] = None
        if len(self._recent) > self._pending:
            self._recent.popitem(last=False)
        return ScoredFrame(stamp, matches, truth, found)

    def _labels(self, names: Sequence[str]) -> npt.NDArray[np.intp]:
        for name in names:
            if name not in self._index:
                self._index[name] = len(self.names)
                self.names.append(name)
        return np.array([self._index[name] for name in names], np.intp)


@dataclass(frozen=True, eq=False)
class _Record:
    """What is kept of a scored frame."""

    stamp: int
    matches: ImageMatches
