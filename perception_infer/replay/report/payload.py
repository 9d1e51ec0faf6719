"""What the page's script reads: frames and boxes as typed arrays, and pictures, in one block of JSON."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from .choosing import MOST_ERRORS, why_false, why_missed, worst_false_alarms, worst_misses
from .frames import Areas, Boxes, FrameLine, Frames
from .markup import Html

# Boxes are told to a tenth of a pixel.
_PER_PIXEL = 10
# Scores and shares are told in steps of 1/65535.
_UNIT = 65535
# Bits of a detection.
_RIGHT, _NEUTRAL, _KEPT = 1, 2, 4


@dataclass(frozen=True, eq=False)
class Picture:
    """A frame's picture: the bytes of a JPEG, its size in pixels, and why it is there (as of `choose_pictures`)."""

    jpeg: bytes
    width: int
    height: int
    role: str


def payload(
    lines: Sequence[FrameLine],
    frames: Frames,
    content: Boxes | Areas,
    classes: tuple[Sequence[str], Sequence[str]],
    pictures: Mapping[int, Picture],
    linked: Mapping[int, str] | None,
) -> Html:
    """JSON that stays inside its script element; pictures and links are by index, all else by position.

    ``classes`` are names and colours.
    """
    names, colours = classes
    files = [line["name"] for line in lines]
    told: dict[str, Any] = {
        "task": "detection" if isinstance(content, Boxes) else "segmentation",
        "classes": names,
        "colours": colours,
        "truth": bool(frames.known.any()),
        "arrays": _frame_arrays(frames) | (_box_arrays(content) if isinstance(content, Boxes) else _areas(content)),
        "names": files if any(files) else None,
        "pictures": {
            str(index): {
                "jpeg": base64.b64encode(picture.jpeg).decode(),
                "size": [picture.width, picture.height],
                "role": picture.role,
            }
            for index, picture in sorted(pictures.items())
        },
        "linked": {str(index): path for index, path in sorted((linked or {}).items())},
    }
    if isinstance(content, Boxes):
        missed, false = worst_misses(content, MOST_ERRORS).tolist(), worst_false_alarms(content, MOST_ERRORS).tolist()
        told["missed"] = [[item, why_missed(content, item, names)] for item in missed]
        told["falseAlarms"] = [[item, why_false(content, item, names)] for item in false]
    # In a script element only "<" could end it early.
    text = json.dumps(told, separators=(",", ":"), allow_nan=False)
    return Html(text.replace("<", "\\u003c"))


def _frame_arrays(frames: Frames) -> dict[str, list[str]]:
    return {
        "index": _packed(frames.index),
        "seconds": _packed(frames.seconds),
        "stamp": _packed(frames.stamps),
        "size": _packed(frames.sizes.ravel()),
        "known": _packed(frames.known),
    }


def _box_arrays(boxes: Boxes) -> dict[str, list[str]]:
    return {
        "frame": _packed(boxes.frame),
        "box": _packed(np.rint(boxes.boxes * _PER_PIXEL).astype(np.intp).ravel()),
        "score": _packed(np.rint(boxes.scores * _UNIT).astype(np.intp)),
        "label": _packed(boxes.labels),
        "state": _packed(boxes.right * _RIGHT + boxes.neutral * _NEUTRAL + boxes.kept * _KEPT),
        "trueFrame": _packed(boxes.true_frame),
        "trueBox": _packed(np.rint(boxes.true_boxes * _PER_PIXEL).astype(np.intp).ravel()),
        "trueLabel": _packed(boxes.true_labels),
        "ignored": _packed(boxes.ignored),
        "metres": _packed(boxes.metres.astype(np.float32)),
        "finder": _packed(boxes.finder),
    }


def _areas(areas: Areas) -> dict[str, list[str]]:
    return {
        "found": _packed(np.rint(areas.found * _UNIT).astype(np.intp).ravel()),
        # float32, for it has a NaN.
        "true": _packed(areas.true.astype(np.float32).ravel()),
        "iou": _packed(areas.iou.astype(np.float32).ravel()),
        "meanIou": _packed(areas.mean_iou.astype(np.float32)),
    }


def _packed(values: npt.NDArray[Any]) -> list[str]:
    """The name of a type and base64 of the values in it, little-endian; integers in the smallest that holds them."""
    if values.dtype == bool:
        values = values.astype(np.uint8)
    elif np.issubdtype(values.dtype, np.integer):
        low, high = (int(values.min()), int(values.max())) if len(values) else (0, 0)
        kinds = (np.uint8, np.uint16, np.int32, np.int64)
        kind = next(one for one in kinds if np.iinfo(one).min <= low and high <= np.iinfo(one).max)
        values = values.astype(kind)
    name = values.dtype.str[1:]
    return [name, base64.b64encode(values.astype(f"<{name}").tobytes()).decode()]
