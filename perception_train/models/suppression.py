"""Non-maximum suppression with static shapes, in operations that every TensorRT builds.

TensorRT for RTX has no NonMaxSuppression and no NonZero, so suppression is written as a fixed point:
``keep = valid and not overlapped by a better kept one of the same class``, iterated. After r rounds
the answer is exact for every chain of at most r boxes that suppress each other in turn.
"""

from __future__ import annotations

import torch
from torch import Tensor

from perception_infer.contract.manifest import Suppression

#: As design.md fixes them: 300 candidates cost a tenth of 1,000, and three rounds leave wrong slots.
DEFAULT = Suppression(slots=100, candidates=300, score_floor=0.001, iou=0.7, rounds=32)


def suppress(boxes: Tensor, scores: Tensor, options: Suppression = DEFAULT) -> tuple[Tensor, Tensor, Tensor]:
    """The best boxes of all (cell, class) pairs.

    Args:
        boxes: float32 [B, A, 4], xyxy, or [B, A, C, 4] where every class has its own.
        scores: float32 [B, A, C], 0 to 1.

    Returns:
        boxes float32 [B, K, 4], scores float32 [B, K] descending, labels int32 [B, K]; an empty slot
        has box 0, score 0 and label -1.
    """
    batch, count, classes = scores.shape
    candidates = min(options.candidates, count * classes)
    best, index = scores.reshape(batch, count * classes).topk(candidates, dim=1)
    cell = torch.div(index, classes, rounding_mode="trunc")
    label = (index - cell * classes).to(torch.int32)
    # Boxes of every class: the place of the pair is that of its box.
    flat, place = (boxes, cell) if boxes.dim() == 3 else (boxes.flatten(1, 2), index)
    box = flat.gather(1, place[..., None].expand(batch, candidates, 4))

    clash = overlapping(box, options.iou) * (label[:, :, None] == label[:, None, :]).float()
    keep = settle(clash, (best > options.score_floor).float(), options.rounds)

    score = best * keep
    slots = min(options.slots, candidates)
    score, order = score.topk(slots, dim=1)
    box = box.gather(1, order[..., None].expand(batch, slots, 4))
    filled = score > 0.0
    box = box * filled.float()[..., None]
    label = torch.where(filled, label.gather(1, order), torch.full_like(order, -1).to(torch.int32))
    if slots < options.slots:
        missing = options.slots - slots
        box = torch.cat((box, box.new_zeros(batch, missing, 4)), 1)
        score = torch.cat((score, score.new_zeros(batch, missing)), 1)
        label = torch.cat((label, torch.full((batch, missing), -1, dtype=torch.int32, device=label.device)), 1)
    return box, score, label


def overlapping(boxes: Tensor, iou: float) -> Tensor:
    """Which boxes overlap by more than ``iou``: float32 [..., N, N], 0 or 1, of xyxy boxes float32 [..., N, 4]."""
    low = torch.maximum(boxes[..., :, None, :2], boxes[..., None, :, :2])
    high = torch.minimum(boxes[..., :, None, 2:], boxes[..., None, :, 2:])
    size = (high - low).clamp(min=0.0)
    overlap = size[..., 0] * size[..., 1]
    area = (boxes[..., 2] - boxes[..., 0]).clamp(min=0.0) * (boxes[..., 3] - boxes[..., 1]).clamp(min=0.0)
    union = area[..., :, None] + area[..., None, :] - overlap
    # overlap > iou * union, without a division by an empty union.
    return (overlap > iou * union).float()


def settle(clash: Tensor, valid: Tensor, rounds: int) -> Tensor:
    """What suppression keeps of candidates in descending order: float32 [..., N], 0 or 1.

    Args:
        clash: float32 [..., N, N], 1 where two candidates may not both stay.
        valid: float32 [..., N], 0 for candidates that neither stay nor suppress.
        rounds: iterations of the fixed point.
    """
    count = clash.shape[-1]
    # Row i holds which better candidates (columns j < i) suppress candidate i.
    better = torch.ones(count, count, dtype=torch.float32, device=clash.device).tril(-1)
    clash, valid = clash * better, valid[..., None]
    keep = valid
    for _ in range(rounds):
        keep = valid * (torch.matmul(clash, keep) < 0.5).float()
    return keep[..., 0]
