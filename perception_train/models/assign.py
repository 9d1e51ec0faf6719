"""Task-aligned assignment of cells to objects (Feng et al. 2021, TOOD, section 3.2). All in float32."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Assignment:
    """``positive`` bool [B, A]; ``boxes`` [B, A, 4] pixels; ``scores`` [B, A, C], the soft class targets."""

    positive: Tensor
    boxes: Tensor
    scores: Tensor


def pairwise_iou(a: Tensor, b: Tensor) -> Tensor:
    """Intersection over union [..., N, M] of xyxy boxes [..., N, 4] and [..., M, 4]."""
    low = torch.maximum(a[..., :, None, :2], b[..., None, :, :2])
    high = torch.minimum(a[..., :, None, 2:], b[..., None, :, 2:])
    overlap = (high - low).clamp(min=0).prod(-1)
    area_a = (a[..., 2:] - a[..., :2]).prod(-1)
    area_b = (b[..., 2:] - b[..., :2]).prod(-1)
    return overlap / (area_a[..., :, None] + area_b[..., None, :] - overlap).clamp(min=1e-9)


@torch.no_grad()
def assign(
    scores: Tensor,
    boxes: Tensor,
    centers: Tensor,
    truth_boxes: Tensor,
    truth_labels: Tensor,
    truth_mask: Tensor,
    top: int = 10,
    alpha: float = 0.5,
    beta: float = 6.0,
) -> Assignment:
    """The ``top`` best aligned cells inside each object become positive.

    Args:
        scores: predicted probabilities [B, A, C].
        boxes: predicted boxes [B, A, 4], xyxy pixels.
        centers: cell centres [A, 2], pixels.
        truth_boxes, truth_labels, truth_mask: [B, M, 4] pixels, int64 [B, M], bool [B, M] (padding is False).
    """
    batch, count, _ = scores.shape
    objects = truth_boxes.shape[1]
    if objects == 0:
        return Assignment(
            torch.zeros(batch, count, dtype=torch.bool, device=scores.device),
            torch.zeros_like(boxes),
            torch.zeros_like(scores),
        )
    inside = torch.cat((centers - truth_boxes[:, :, None, :2], truth_boxes[:, :, None, 2:] - centers), -1).amin(-1) > 0
    inside &= truth_mask[..., None]
    overlap = pairwise_iou(truth_boxes, boxes).clamp(min=0) * inside
    class_scores = scores.transpose(1, 2).gather(1, truth_labels[..., None].expand(-1, -1, count))
    alignment = class_scores.pow(alpha) * overlap.pow(beta) * inside

    chosen_index = alignment.topk(min(top, count), dim=-1).indices
    chosen = torch.zeros_like(inside).scatter_(-1, chosen_index, True) & inside
    # A cell that several objects chose goes to the one it overlaps most.
    contested = chosen.sum(1, keepdim=True) > 1
    best = torch.zeros_like(inside).scatter_(1, overlap.argmax(1, keepdim=True), True)
    chosen = torch.where(contested, best & chosen.any(1, keepdim=True), chosen)

    positive = chosen.any(1)
    owner = chosen.to(torch.uint8).argmax(1)
    target_boxes = truth_boxes.gather(1, owner[..., None].expand(-1, -1, 4))
    labels = truth_labels.gather(1, owner)
    # The soft target is the alignment, scaled so that each object's best cell gets its best overlap.
    alignment = alignment * chosen
    best_alignment = alignment.amax(-1, keepdim=True)
    best_overlap = (overlap * chosen).amax(-1, keepdim=True)
    weight = (alignment * best_overlap / (best_alignment + 1e-9)).amax(1)
    target_scores = torch.zeros_like(scores).scatter_(2, labels[..., None], (weight * positive)[..., None])
    return Assignment(positive, target_boxes, target_scores)
