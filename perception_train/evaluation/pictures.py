"""Pictures of the validation set with truth and answer beside each other, as JPEGs for a page."""

from __future__ import annotations

import base64
from typing import NamedTuple

import cv2
import numpy as np

from perception_common import images
from perception_common.errors import UserError
from perception_infer.draw import draw_detections, draw_mask
from perception_infer.evaluation.confusion import IGNORED

from ..data.coco import CocoDataset, Pixels
from .figures import Example

_LONGEST_PX, _SHORTEST_PX = 520, 260
_QUALITY = 82


class Pair(NamedTuple):
    """Truth and answer of a picture as JPEGs, its name, and what is wrong with the answer."""

    truth: bytes
    found: bytes
    image: str
    note: str


def draw_pair(dataset: CocoDataset, example: Example) -> Pair:
    """Draw one picture twice.

    Raises:
        UserError: the picture or its mask cannot be read.
    """
    sample = dataset.samples[example.index]
    if sample.path.name != example.image:
        raise UserError(f"picture {example.index} is {sample.path.name}, not {example.image}", where=dataset.root)
    picture = sample.read()
    scale = min(1.0, _LONGEST_PX / max(picture.shape[:2]))
    if max(picture.shape[:2]) < _SHORTEST_PX:
        # Captions need room; whole pixels stay sharp.
        scale = float(-(-_SHORTEST_PX // max(picture.shape[:2])))
    way = cv2.INTER_AREA if scale < 1 else cv2.INTER_NEAREST
    picture = np.asarray(cv2.resize(picture, None, fx=scale, fy=scale, interpolation=way), np.uint8)
    if example.mask is not None:
        truth = dataset.mask(example.index)
        found = cv2.imdecode(np.frombuffer(base64.b64decode(example.mask), np.uint8), cv2.IMREAD_UNCHANGED)
        drawn = [_masked(picture, np.asarray(mask, np.uint8)) for mask in (truth, found)]
    else:
        boxes = np.asarray(example.boxes, np.float32).reshape(-1, 4)
        labels, scores = np.asarray(example.labels, np.int64), np.asarray(example.scores, np.float32)
        drawn = [
            draw_detections(picture, sample.boxes * scale, sample.labels, dataset.classes),
            draw_detections(picture, boxes * scale, labels, dataset.classes, scores),
        ]
    return Pair(jpeg(drawn[0]), jpeg(drawn[1]), example.image, example.note)


def jpeg(rgb: Pixels) -> bytes:
    """RGB uint8 [H, W, 3] as a JPEG for a page."""
    return images.jpeg(rgb, _QUALITY)


def _masked(picture: Pixels, mask: Pixels) -> Pixels:
    mask = np.where(mask == IGNORED, 0, mask).astype(np.uint8)
    return draw_mask(
        picture, np.asarray(cv2.resize(mask, picture.shape[1::-1], interpolation=cv2.INTER_NEAREST_EXACT), np.uint8)
    )
