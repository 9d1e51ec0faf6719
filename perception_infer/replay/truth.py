"""What is true in the frames of a recording: a COCO file, a topic of the same recording, or nothing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import cv2
import numpy as np
import numpy.typing as npt

from perception_common.errors import UserError
from perception_common.images import ImageError, Raw
from perception_common.stamps import stamp_of

from ..recordings.bag import Recording
from ..recordings.types import DETECTIONS, IMAGE

Floats = npt.NDArray[np.float32]


class Names:
    """Class names by label: those of the model, then those that only the truth has."""

    def __init__(self, classes: Sequence[str]) -> None:
        self.known = tuple(classes)
        self._index = {name: label for label, name in enumerate(classes)}

    def label(self, name: str) -> int:
        """The label of a name, which is added where it is new."""
        return self._index.setdefault(name, len(self._index))

    @property
    def all(self) -> tuple[str, ...]:
        """All names so far."""
        return tuple(self._index)

    @property
    def unknown(self) -> tuple[str, ...]:
        """Those that the model does not know."""
        return self.all[len(self.known) :]


@dataclass(frozen=True, eq=False)
class TrueBoxes:
    """The objects of a frame: boxes float32 [G, 4] xyxy pixels, labels intp [G], ignored bool [G], metres float32 [G].

    Who finds an ignored object is neither right nor wrong. ``metres`` is the distance, NaN where it is not known.
    """

    boxes: Floats
    labels: npt.NDArray[np.intp]
    ignored: npt.NDArray[np.bool_]
    metres: Floats

    def scaled(self, x: float, y: float) -> TrueBoxes:
        """For an image that is so much wider and higher."""
        if x == y == 1.0:
            return self
        return TrueBoxes(self.boxes * np.array([x, y, x, y], np.float32), self.labels, self.ignored, self.metres)


@dataclass(frozen=True, eq=False)
class TrueMask:
    """The class of every pixel of a frame: uint8 [H, W], 0 = background, label + 1 else."""

    mask: npt.NDArray[np.uint8]


FrameTruth = TrueBoxes | TrueMask


class Truth(Protocol):
    """Where the truth of a frame comes from.

    Attributes:
        kind: ``none``, ``coco`` or ``topic``.
        source: the file or topic.
        joined_by: ``stamp`` or ``name``; empty without truth.
        entries: how many frames it knows something of.
    """

    kind: str
    source: str
    joined_by: str
    entries: int

    def of(self, index: int, stamp: int, width: int, height: int) -> tuple[FrameTruth | None, str | None]:
        """The truth of a frame of that size, and the file name under which it is known; None where there is none."""


class NoTruth:
    """Nothing is known."""

    kind, source, joined_by, entries = "none", "", "", 0

    def of(self, index: int, stamp: int, width: int, height: int) -> tuple[FrameTruth | None, str | None]:
        """Nothing."""
        return None, None


class TopicTruth:
    """Detections or masks of a topic, joined by the stamp in their header.

    They are read ahead once: of detections the boxes are kept, of masks their PNG.

    Args:
        recording: the recording.
        topic: of Detection2DArray, or of Image in mono8 with class ids.
        names: takes up the class names of the truth.

    Raises:
        UserError: the topic is missing or of another type, or a message cannot be used.
    """

    kind, joined_by = "topic", "stamp"

    def __init__(self, recording: Recording, topic: str, names: Names) -> None:
        self.source = topic
        kind = recording.require(topic, (DETECTIONS, IMAGE)).type
        self._boxes: dict[int, TrueBoxes] = {}
        self._masks: dict[int, bytes] = {}
        for message in recording.messages((topic,)):
            try:
                decoded = message.decode()
                if kind == DETECTIONS:
                    self._boxes[stamp_of(decoded)] = _boxes_of(decoded, names)
                else:
                    self._masks[stamp_of(decoded)] = _packed(Raw.of(decoded))
            except (ImageError, ValueError, TypeError, AttributeError, KeyError) as error:
                raise UserError(f"the truth cannot be read: {error}", where=f"{recording.path}: {topic}") from error
        self.entries = len(self._boxes) + len(self._masks)

    def of(self, index: int, stamp: int, width: int, height: int) -> tuple[FrameTruth | None, str | None]:
        """See `Truth.of`."""
        if stamp in self._masks:
            mask = np.asarray(cv2.imdecode(np.frombuffer(self._masks[stamp], np.uint8), cv2.IMREAD_GRAYSCALE), np.uint8)
            if mask.shape != (height, width):
                mask = np.asarray(cv2.resize(mask, (width, height), interpolation=cv2.INTER_NEAREST_EXACT), np.uint8)
            return TrueMask(mask), None
        return self._boxes.get(stamp), None


def boxes_from_rows(rows: Iterable[tuple[Sequence[float], int, bool, float]]) -> TrueBoxes:
    """Of rows of box xyxy, label, ignored and metres."""
    listed = list(rows)
    return TrueBoxes(
        np.array([row[0] for row in listed], np.float32).reshape(-1, 4),
        np.array([row[1] for row in listed], np.intp),
        np.array([row[2] for row in listed], bool),
        np.array([row[3] for row in listed], np.float32),
    )


def _boxes_of(message: Any, names: Names) -> TrueBoxes:
    return boxes_from_rows(_rows_of(message, names))


def _rows_of(message: Any, names: Names) -> Iterator[tuple[Sequence[float], int, bool, float]]:
    for detection in message.detections:
        if not len(detection.results):
            continue
        box, result = detection.bbox, detection.results[0]
        # vision_msgs before 4 (ROS 2 Foxy, Galactic) had neither the hypothesis nor the position apart.
        hypothesis, middle = getattr(result, "hypothesis", result), getattr(box.center, "position", box.center)
        name = str(getattr(hypothesis, "class_id", None) or hypothesis.id)
        x, y, half_x, half_y = middle.x, middle.y, box.size_x / 2, box.size_y / 2
        place = result.pose.pose.position
        away = float(np.linalg.norm((place.x, place.y, place.z)))
        corners = (x - half_x, y - half_y, x + half_x, y + half_y)
        yield corners, names.label(name), False, away if away > 0 else float("nan")


def _packed(raw: Raw) -> bytes:
    values = raw.values(1, np.dtype(np.uint8))[..., 0]
    done, data = cv2.imencode(".png", np.ascontiguousarray(values), [cv2.IMWRITE_PNG_COMPRESSION, 1])
    if not done:
        raise ImageError("a mask cannot be kept")
    return data.tobytes()
