"""The detection loss: soft binary cross-entropy, complete IoU, and distribution focal loss."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .assign import assign
from .normalizer import normalizer

#: Weights of the parts, those that YOLOv8-style training settled on.
BOX_WEIGHT, CLASS_WEIGHT, DISTRIBUTION_WEIGHT = 7.5, 0.5, 1.5


@dataclass(frozen=True)
class Targets:
    """Truth of a batch, padded: boxes float32 [B, M, 4] xyxy network pixels, labels int64 [B, M], mask bool [B, M].

    ``pixels`` uint8 [B, H, W] is the class of every pixel where the network learns that (0 = background).
    """

    boxes: Tensor
    labels: Tensor
    mask: Tensor
    pixels: Tensor | None = None

    def tensors(self) -> tuple[Tensor, ...]:
        """What there is, in the order of the fields."""
        every = (self.boxes, self.labels, self.mask, self.pixels)
        return tuple(tensor for tensor in every if tensor is not None)

    def to(self, device: torch.device) -> Targets:
        """The targets in a device's memory."""
        return Targets(*(tensor.to(device, non_blocking=True) for tensor in self.tensors()))


def complete_iou(a: Tensor, b: Tensor) -> Tensor:
    """Complete IoU [N] of paired xyxy boxes [N, 4] (Zheng et al. 2020)."""
    low, high = torch.maximum(a[:, :2], b[:, :2]), torch.minimum(a[:, 2:], b[:, 2:])
    overlap = (high - low).clamp(min=0).prod(-1)
    size_a, size_b = a[:, 2:] - a[:, :2], b[:, 2:] - b[:, :2]
    iou = overlap / (size_a.prod(-1) + size_b.prod(-1) - overlap).clamp(min=1e-7)
    hull = torch.maximum(a[:, 2:], b[:, 2:]) - torch.minimum(a[:, :2], b[:, :2])
    gap = ((a[:, :2] + a[:, 2:] - b[:, :2] - b[:, 2:]) / 2).pow(2).sum(-1)
    distance = gap / hull.pow(2).sum(-1).clamp(min=1e-7)
    angle = torch.atan(size_b[:, 0] / size_b[:, 1].clamp(min=1e-7)) - torch.atan(
        size_a[:, 0] / size_a[:, 1].clamp(min=1e-7)
    )
    shape = 4 / math.pi**2 * angle.pow(2)
    with torch.no_grad():
        trade_off = shape / (1 - iou + shape).clamp(min=1e-7)
    return iou - distance - trade_off * shape


class DetectionLoss(nn.Module):
    """Loss of predictions over all cells against padded targets; float32 throughout."""

    def __init__(self, classes: int, bins: int) -> None:
        super().__init__()
        self.classes, self.bins = classes, bins

    def forward(
        self, distance_logits: Tensor, class_logits: Tensor, centers: Tensor, strides: Tensor, targets: Targets
    ) -> dict[str, Tensor]:
        """Weighted parts ``box``, ``cls`` and ``dfl`` of logits [B, A, 4 * bins] and [B, A, C]."""
        batch, count, _ = class_logits.shape
        steps = torch.arange(self.bins, dtype=torch.float32, device=class_logits.device)
        distances = (distance_logits.reshape(batch, count, 4, self.bins).softmax(-1) * steps).sum(-1)
        boxes = torch.cat((centers - distances[..., :2] * strides, centers + distances[..., 2:] * strides), -1)
        found = assign(
            class_logits.detach().sigmoid(), boxes.detach(), centers, targets.boxes, targets.labels, targets.mask
        )

        total = normalizer(found.scores.sum())
        class_loss = F.binary_cross_entropy_with_logits(class_logits, found.scores, reduction="sum") / total
        if not found.positive.any():
            zero = distance_logits.sum() * 0.0
            return {"box": zero, "cls": class_loss * CLASS_WEIGHT, "dfl": zero}
        weight = found.scores.sum(-1)[found.positive]
        box_loss = ((1 - complete_iou(boxes[found.positive], found.boxes[found.positive])) * weight).sum() / total

        cells = torch.cat((centers - found.boxes[..., :2], found.boxes[..., 2:] - centers), -1) / strides
        wanted = cells[found.positive].clamp(0, self.bins - 1 - 0.01)
        logits = distance_logits[found.positive].reshape(-1, 4, self.bins)
        distribution_loss = (self._distribution(logits, wanted).mean(-1) * weight).sum() / total
        return {
            "box": box_loss * BOX_WEIGHT,
            "cls": class_loss * CLASS_WEIGHT,
            "dfl": distribution_loss * DISTRIBUTION_WEIGHT,
        }

    def _distribution(self, logits: Tensor, wanted: Tensor) -> Tensor:
        """Cross-entropy [P, 4] with the two bins next to the wanted distance (Li et al. 2020, equation 6)."""
        low = wanted.floor().long()
        share = wanted - low
        log_p = logits.log_softmax(-1)
        near = log_p.gather(-1, low[..., None])[..., 0]
        far = log_p.gather(-1, low[..., None] + 1)[..., 0]
        return -(near * (1 - share) + far * share)
