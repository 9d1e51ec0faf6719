"""Large images in overlapping tiles, so that small objects are not scaled away, and one answer of all. No ROS here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .contract.detections import Detections, Segmentation

Rectangle = tuple[int, int, int, int]
#: An object that lies in two tiles is found twice, often cut off in one: then the smaller box lies in the larger one.
_SAME_IOU, _SAME_INSIDE = 0.5, 0.7


@dataclass(frozen=True)
class Tiling:
    """How an image is cut.

    Attributes:
        width: of a tile, in pixels of the image; its height follows from the network's shape. 0: the image is not cut.
        overlap: share of a tile that the next one covers too, at least.
        whole: look also at the image as a whole, for what is larger than a tile.
    """

    width: int = 0
    overlap: float = 0.2
    whole: bool = True

    def tiles(self, area: Rectangle, network: tuple[int, int]) -> list[Rectangle]:
        """Left, top, right, bottom of what is looked at, of an area of the image; of one tile's size, evenly spread."""
        left, top, right, bottom = area
        if not self.width or right - left <= self.width:
            return [area]
        height = max(1, round(self.width * network[1] / network[0]))
        columns = _starts(right - left, self.width, self.overlap)
        rows = _starts(bottom - top, height, self.overlap)
        found = [
            (left + x, top + y, min(right, left + x + self.width), min(bottom, top + y + height))
            for y in rows
            for x in columns
        ]
        return [*found, area] if self.whole else found


def merge_detections(parts: Sequence[Detections], tiles: Sequence[Rectangle]) -> Detections:
    """What was found in tiles, in pixels of the image, best first; what two tiles found of one object counts once."""
    if len(parts) == 1:
        (part,), (tile,) = parts, tiles
        return part if not (tile[0] or tile[1]) else Detections(_moved(part, tile), part.scores, part.labels)
    boxes = np.concatenate([_moved(part, tile) for part, tile in zip(parts, tiles, strict=True)])
    scores = np.concatenate([part.scores for part in parts])
    labels = np.concatenate([part.labels for part in parts])
    origin = np.repeat(np.arange(len(parts)), [len(part) for part in parts])
    order = np.argsort(-scores, kind="stable")
    boxes, scores, labels, origin = boxes[order], scores[order], labels[order], origin[order]
    kept = np.ones(len(boxes), bool)
    for index in range(len(boxes)):
        if kept[index]:
            rest = slice(index + 1, None)
            # Within a tile, the graph has already told objects apart.
            other = (labels[rest] == labels[index]) & (origin[rest] != origin[index])
            kept[rest] &= ~(other & _same(boxes[index], boxes[rest]))
    return Detections(boxes[kept], scores[kept], labels[kept])


def merge_masks(parts: Sequence[Segmentation], tiles: Sequence[Rectangle], size: tuple[int, int]) -> Segmentation:
    """Masks of tiles in an image of that width and height; where two overlap, the surer one counts."""
    mask, confidence = np.zeros((2, size[1], size[0]), np.uint8)
    for part, (left, top, right, bottom) in zip(parts, tiles, strict=True):
        place = (slice(top, bottom), slice(left, right))
        surer = part.confidence >= confidence[place]
        np.copyto(mask[place], part.mask, where=surer)
        np.copyto(confidence[place], part.confidence, where=surer)
    return Segmentation(mask, confidence)


def _starts(length: int, tile: int, overlap: float) -> list[int]:
    if length <= tile:
        return [0]
    count = 1 + int(np.ceil((length - tile) / max(1.0, tile * (1.0 - overlap))))
    return [round(start) for start in np.linspace(0, length - tile, count)]


def _moved(part: Detections, tile: Rectangle) -> npt.NDArray[np.float32]:
    return part.boxes + np.array([tile[0], tile[1], tile[0], tile[1]], np.float32)


def _same(box: npt.NDArray[np.float32], others: npt.NDArray[np.float32]) -> npt.NDArray[np.bool_]:
    sides = np.minimum(box[2:], others[:, 2:]) - np.maximum(box[:2], others[:, :2])
    inside = np.clip(sides, 0, None).prod(axis=1)
    area, areas = (box[2:] - box[:2]).prod(), (others[:, 2:] - others[:, :2]).prod(axis=1)
    smaller = np.maximum(np.minimum(area, areas), 1e-9)
    same: npt.NDArray[np.bool_] = (inside >= _SAME_IOU * (area + areas - inside)) | (inside >= _SAME_INSIDE * smaller)
    return same
