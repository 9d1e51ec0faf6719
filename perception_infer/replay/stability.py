"""How steady detections are from frame to frame, which no figure of single frames tells."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ..contract.geometry import iou_matrix
from ..evaluation.metrics import AT_50, match_objects


@dataclass(frozen=True, eq=False)
class _Seen:
    """Boxes float [N, 4] with labels [N]; ``before`` intp [N] is each one's index in the frame before, or −1."""

    boxes: npt.NDArray[np.floating]
    labels: npt.NDArray[np.integer]
    before: npt.NDArray[np.intp]


class Stability:
    """Links detections of frames after one another; `figures` tells how often they break off.

    An object that is there in one frame and in the next but one flickers if it is missing between. Jitter is how far
    the middle of a box lies from halfway between the ones before and after, which even motion leaves at zero.
    """

    def __init__(self) -> None:
        self._frames: list[_Seen] = []
        self._tracks = self._pairs = self._missing = 0
        self._jitter: list[float] = []

    def update(self, boxes: npt.NDArray[np.floating], labels: npt.NDArray[np.integer]) -> None:
        """The next frame: boxes float [N, 4] xyxy pixels, labels int [N]."""
        last = self._frames[-1] if self._frames else None
        before = np.full(len(labels), -1, np.intp) if last is None else _linked(boxes, labels, last.boxes, last.labels)
        seen = _Seen(np.asarray(boxes, np.float64), np.asarray(labels), before)
        self._tracks += int((before < 0).sum())
        if len(self._frames) == 2:
            self._look_back(seen, *self._frames[::-1])
        self._frames = [*self._frames[-1:], seen]

    def figures(self) -> dict[str, Any]:
        """``flicker`` (share of objects, 0 to 1), ``jitter_px`` (median, pixels), ``tracks``; None where not known."""
        return {
            "flicker": self._missing / self._pairs if self._pairs else None,
            "jitter_px": float(np.median(self._jitter)) if self._jitter else None,
            "tracks": self._tracks,
        }

    @property
    def breaks(self) -> int:
        """How often an object was missing in one frame and there before and after."""
        return self._missing

    def _look_back(self, now: _Seen, last: _Seen, one_before: _Seen) -> None:
        across = _linked(now.boxes, now.labels, one_before.boxes, one_before.labels)
        there = across >= 0
        linked = there & (now.before >= 0)
        linked[linked] = last.before[now.before[linked]] >= 0
        self._pairs += int(there.sum())
        self._missing += int((there & (now.before < 0)).sum())
        if linked.any():
            between = now.before[linked]
            middles = [
                _middle(frame.boxes[chosen])
                for frame, chosen in ((now, linked), (last, between), (one_before, last.before[between]))
            ]
            away = middles[1] - (middles[0] + middles[2]) / 2
            self._jitter += np.hypot(away[:, 0], away[:, 1]).tolist()


def _linked(
    boxes: npt.NDArray[np.floating],
    labels: npt.NDArray[np.integer],
    others: npt.NDArray[np.floating],
    other_labels: npt.NDArray[np.integer],
) -> npt.NDArray[np.intp]:
    """The other frame's box that each box [N] is, or −1: of one class, and with an IoU of at least 0.5."""
    iou = np.where(labels[:, None] == other_labels[None, :], iou_matrix(boxes, others), -1.0)
    found: npt.NDArray[np.intp] = match_objects(iou)[AT_50]
    return found


def _middle(boxes: npt.NDArray[np.floating]) -> npt.NDArray[np.floating]:
    return (boxes[:, :2] + boxes[:, 2:]) / 2
