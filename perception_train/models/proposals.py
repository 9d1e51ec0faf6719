"""What a region proposal network proposes, with static shapes, in operations that every TensorRT builds.

Follows Ren et al. 2015 (section 3.1) over a feature pyramid (Lin et al. 2017, section 4.1), as torchvision's
``RegionProposalNetwork.filter_proposals`` does: the best of every level, suppression within each level, then the best
of all levels. Fewer may be left than there are slots; the other slots are empty.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from .suppression import overlapping, settle

#: Sides do not grow beyond this factor of an anchor's: what keeps the exponential finite.
_MAX_LOG_SCALE = math.log(1000 / 16)
#: Proposals with a shorter side, in pixels, are dropped.
_MIN_SIDE = 1e-3
#: The logit of a place that holds no proposal; half precision can still hold it.
_NOTHING = -1e4


@dataclass(frozen=True)
class Proposals:
    """Candidates per level before suppression, its IoU threshold, slots after it, and rounds of its fixed point."""

    candidates: int = 300
    iou: float = 0.7
    slots: int = 300
    rounds: int = 32


def propose(
    objectness: list[Tensor], deltas: list[Tensor], anchors: list[Tensor], height: int, width: int, options: Proposals
) -> tuple[Tensor, Tensor]:
    """The best proposals of all levels.

    Args:
        objectness: logits, float32 [B, A, Hi, Wi] for each level.
        deltas: of the anchors, float32 [B, 4 * A, Hi, Wi] for each level.
        anchors: float32 [Hi * Wi * A, 4] for each level, xyxy in network pixels.
        height: of the network's input, in pixels.
        width: likewise.

    Returns:
        boxes float32 [B, slots, 4], xyxy in network pixels, in descending order of objectness, and filled float32
        [B, slots]: 0 where the slot is empty, and its box zero.
    """
    levels = [
        _best_of_level(*level, height, width, options.candidates)
        for level in zip(objectness, deltas, anchors, strict=True)
    ]
    boxes = torch.stack([box for box, _ in levels], 1)
    logits = torch.stack([logit for _, logit in levels], 1)
    # Level by level: the blocks of one large matrix between levels would all be zero.
    kept = settle(overlapping(boxes, options.iou), (logits > _NOTHING).float(), options.rounds)
    # Of logits, not probabilities: near 0 and 1, backends' sigmoids order them differently.
    best, index = torch.where(kept > 0, logits, _NOTHING).flatten(1).topk(options.slots, dim=1)
    filled = (best > _NOTHING).float()
    boxes = boxes.flatten(1, 2).gather(1, index[..., None].expand(int(boxes.shape[0]), options.slots, 4))
    return boxes * filled[..., None], filled


def _best_of_level(
    logits: Tensor, deltas: Tensor, anchors: Tensor, height: int, width: int, count: int
) -> tuple[Tensor, Tensor]:
    """Clipped boxes float32 [B, count, 4] and logits float32 [B, count], descending; `_NOTHING` in empty places."""
    batch, kinds, rows, columns = (int(side) for side in logits.shape)
    logits = logits.permute(0, 2, 3, 1).reshape(batch, -1)
    deltas = deltas.reshape(batch, kinds, 4, rows, columns).permute(0, 3, 4, 1, 2).reshape(batch, -1, 4)
    found = min(count, rows * columns * kinds)
    best, index = logits.topk(found, dim=1)
    chosen = anchors.index_select(0, index.reshape(-1)).reshape(batch, found, 4)
    boxes = clip(decode_boxes(chosen, deltas.gather(1, index[..., None].expand(batch, found, 4))), height, width)
    best = torch.where(large(boxes, _MIN_SIDE) > 0, best, _NOTHING)
    # A level of few cells has fewer anchors than there are places.
    return F.pad(boxes, (0, 0, 0, count - found)), F.pad(best, (0, count - found), value=_NOTHING)


def decode_boxes(
    anchors: Tensor, deltas: Tensor, weights: tuple[float, float, float, float] = (1.0, 1.0, 1.0, 1.0)
) -> Tensor:
    """Boxes float32 [..., 4] of anchors and deltas [..., 4] relative to them (Ren et al. 2015, equation 2).

    Args:
        anchors: xyxy in network pixels.
        deltas: of the centre in sides of the anchor, and of the logarithms of the sides, both times ``weights``.
        weights: of x, y, width and height.
    """
    deltas = deltas / torch.tensor(weights, dtype=torch.float32, device=deltas.device)
    sides = anchors[..., 2:] - anchors[..., :2]
    centers = anchors[..., :2] + 0.5 * sides + deltas[..., :2] * sides
    half = 0.5 * sides * deltas[..., 2:].clamp(max=_MAX_LOG_SCALE).exp()
    return torch.cat((centers - half, centers + half), -1)


def clip(boxes: Tensor, height: int, width: int) -> Tensor:
    """The part of xyxy boxes [..., 4] that lies in the image."""
    limits = torch.tensor([width, height, width, height], dtype=torch.float32, device=boxes.device)
    return torch.minimum(boxes.clamp(min=0.0), limits)


def large(boxes: Tensor, side: float) -> Tensor:
    """float32 [...], 1 for xyxy boxes [..., 4] both of whose sides are at least ``side`` pixels, 0 for others."""
    sides = boxes[..., 2:] - boxes[..., :2]
    return (sides[..., 0] >= side).float() * (sides[..., 1] >= side).float()
