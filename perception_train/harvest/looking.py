"""The first pass over the recordings: of every frame its scores, its vector and a thumbnail; pictures are not kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from perception_common.errors import UserError
from perception_infer.contract.detections import Detections, Result
from perception_infer.predictor import Predictor
from perception_infer.recordings.bag import Recording
from perception_infer.recordings.frames import image_topic
from perception_infer.recordings.storage import File
from perception_infer.replay.pipeline import Shown, Skips, answer_all
from perception_infer.selection import Selection
from perception_infer.tiling import Tiling

from ..data.coco import CocoDataset
from ..progress import Meter
from .embedding import Embedding, thumbnail
from .scores import DOUBT_FROM, Opinion, Score, disagreement, quality, uncertainty
from .steadiness import Steadiness

#: Of a known dataset, no more pictures than these are looked at, evenly spread.
_MOST_KNOWN = 2000


@dataclass(frozen=True, eq=False)
class Model:
    """What looks at frames: the model, what it is compared with, and how.

    Attributes:
        predictor: the model; while it answers one frame after another in threads of their own, nobody else may ask it.
        against: another one, or None.
        tiled: the model again, for tiles; None without.
        threshold: score for all classes, or None for each model's own.
        tiles: width of tiles in pixels; 0 for none.
    """

    predictor: Predictor
    against: Predictor | None = None
    tiled: Predictor | None = None
    threshold: float | None = None
    tiles: int = 0

    @property
    def whole(self) -> Selection:
        """What is asked about the whole image."""
        return Selection(self.threshold)

    @property
    def labelling(self) -> Selection:
        """What the labels to begin with come from: also from tiles, where there are any."""
        return Selection(self.threshold, tiling=Tiling(self.tiles))

    @property
    def doubting(self) -> Selection:
        """Also what lies below the thresholds."""
        lower = {name: DOUBT_FROM * float(t) for name, t in zip(self.predictor.classes, self.thresholds, strict=True)}
        return Selection(self.threshold, lower)

    @property
    def thresholds(self) -> npt.NDArray[np.float32]:
        """float32 [classes]."""
        return self.whole.thresholds(self.predictor.bundle.manifest.thresholds, self.predictor.classes)

    def above(self, found: Result) -> Result:
        """What reaches the thresholds."""
        if not isinstance(found, Detections):
            return found
        return found[found.scores >= self.thresholds[found.labels]]

    def others(self, shown: Shown) -> list[Opinion]:
        """What else is said about a frame."""
        opinions = []
        if self.against is not None:
            opinions.append(self._opinion(self.against, self.whole, self.against.bundle.title, shown))
        if self.tiled is not None:
            opinions.append(self._opinion(self.tiled, self.labelling, "tiles", shown))
        return opinions

    @staticmethod
    def _opinion(predictor: Predictor, selection: Selection, who: str, shown: Shown) -> Opinion:
        return Opinion(who, selection.ask(predictor, shown.rgb), predictor.classes)


class Seen(NamedTuple):
    """A frame that was looked at: where it is, when, and what the scores of it alone say."""

    bag: int
    frame: int
    stamp: int
    time: int
    uncertainty: Score
    disagreement: Score
    quality: Score

    @property
    def when(self) -> int:
        """Its stamp, or when it was received, in nanoseconds."""
        return self.stamp or self.time


class Read(NamedTuple):
    """What was read of a recording."""

    path: str
    topic: str
    type: str
    files: tuple[File, ...]
    messages: int
    frames: int
    skips: dict[str, tuple[int, int]]
    warnings: tuple[str, ...]

    def as_dict(self) -> dict[str, Any]:
        """As in harvest.json."""
        skipped = [
            {"reason": reason, "count": count, "first_index": first} for reason, (count, first) in self.skips.items()
        ]
        return {
            "path": self.path,
            "topic": self.topic,
            "type": self.type,
            "files": [file._asdict() for file in self.files],
            "messages": self.messages,
            "frames": self.frames,
            "skipped": skipped,
            "warnings": list(self.warnings),
        }


@dataclass(eq=False)
class Looked:
    """All frames of all recordings: one entry of each list for each frame."""

    seen: list[Seen]
    inconsistency: list[Score]
    embeddings: list[npt.NDArray[np.float32]]
    thumbnails: list[npt.NDArray[np.uint8]]
    bags: list[Read]


def look_at(bags: Sequence[str], topic: str, model: Model, embedding: Embedding) -> Looked:
    """Look at every frame.

    Raises:
        UserError: a recording cannot be read or has no such topic, or no frame can be used.
    """
    looked = Looked([], [], [], [], [])
    for bag in bags:
        looked.bags.append(_look_at_one(bag, topic, model, embedding, looked))
    if not looked.seen:
        reasons = [reason for read in looked.bags for reason in (*read.skips, *read.warnings)]
        raise UserError("no frame could be used", where=", ".join(bags), fix=next(iter(reasons), "the topic is empty"))
    return looked


def look_at_known(
    datasets: Sequence[CocoDataset], embedding: Embedding
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.uint8]] | None:
    """Vectors float32 [K, D] and thumbnails uint8 [K, T] of known pictures, or None without a dataset.

    Raises:
        UserError: a picture cannot be read.
    """
    samples = [sample for dataset in datasets for sample in dataset.samples]
    if not samples:
        return None
    chosen = np.linspace(0, len(samples) - 1, min(len(samples), _MOST_KNOWN)).round().astype(int)
    vectors, thumbnails = [], []
    with Meter("looking at what is known", len(chosen)) as meter:
        for number in chosen:
            rgb = samples[number].read()
            vectors.append(embedding.of(rgb))
            thumbnails.append(thumbnail(rgb))
            meter.advance()
    return np.stack(vectors), np.stack(thumbnails)


def _look_at_one(bag: str, wanted: str, model: Model, embedding: Embedding, looked: Looked) -> Read:
    classes, before = model.predictor.classes, len(looked.seen)
    thresholds, skips = model.thresholds, Skips({})
    steadiness = Steadiness(classes)
    with Recording(Path(bag).expanduser()) as recording:
        topic = image_topic(recording, wanted)
        with Meter(f"looking at {Path(bag).name}", topic.count) as meter:
            for shown, found, _ in answer_all(recording, topic.name, [model.predictor], model.doubting, skips):
                above, small = model.above(found), thumbnail(shown.rgb)
                seen = Seen(
                    len(looked.bags),
                    shown.index,
                    shown.stamp,
                    shown.time,
                    uncertainty(found, thresholds, classes),
                    disagreement(above, classes, model.others(shown)),
                    quality(shown.rgb),
                )
                height, width = shown.rgb.shape[:2]
                about_before = steadiness.add(above, small, seen.when, (width, height))
                if len(looked.seen) > before:
                    looked.inconsistency[-1] = about_before
                looked.seen.append(seen)
                looked.inconsistency.append(Score(0.0))
                looked.embeddings.append(embedding.of(shown.rgb))
                looked.thumbnails.append(small)
                meter.advance()
        frames = len(looked.seen) - before
        return Read(
            bag,
            topic.name,
            topic.type,
            recording.files,
            topic.count,
            frames,
            skips.counts,
            tuple(recording.warnings),
        )
