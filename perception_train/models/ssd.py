"""SSD (Liu et al. 2016) and SSDLite (Sandler et al. 2018, on MobileNetV3, Howard et al. 2019), on torchvision's parts.

Backbone, head, default boxes, matching and loss are torchvision's, trained from scratch. Its resizing and its
suppression are not used: images come at the network's size, and what follows `Ssd.decode` is ours.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

import torch
from torch import Tensor, nn
from torchvision.models import vgg16_bn
from torchvision.models.detection import ssd300_vgg16, ssdlite320_mobilenet_v3_large
from torchvision.models.detection.anchor_utils import DefaultBoxGenerator
from torchvision.models.detection.image_list import ImageList
from torchvision.models.detection.ssd import SSD, SSDFeatureExtractorVGG
from torchvision.ops import box_iou

from perception_common.errors import UserError

from .losses import Targets
from .network import ClassRows, Detector, autocast, centred
from .normalizer import normalizer
from .proposals import decode_boxes

Raw = tuple[Tensor, Tensor]
_VGG_LEAST_SIDE = 288


def ssdlite(classes: int) -> Ssd:
    """SSDLite on MobileNetV3-Large."""
    return Ssd(classes, ssdlite320_mobilenet_v3_large, least_side=32)


def ssd300(classes: int) -> Ssd:
    """SSD on VGG16 with batch normalisation, without which it does not train from scratch."""
    model = Ssd(classes, ssd300_vgg16, least_side=_VGG_LEAST_SIDE)
    model.net.backbone = SSDFeatureExtractorVGG(vgg16_bn(weights=None).features, highres=False)
    # Centres in equal parts of the image, for it need not have 300 pixels.
    model.net.anchor_generator.steps = None
    return model


class Ssd(Detector):
    """``forward`` gives box regressions [B, A, 4] and class logits [B, A, 1 + classes], background first."""

    suppression_iou: ClassVar[float] = 0.5
    class_rows: ClassVar[tuple[ClassRows, ...]] = (
        # The last convolution of a level, for SSDLite behind a depthwise one: [anchors, 1 + classes].
        ClassRows(r"net\.head\.classification_head\.module_list\.\d+\.(1\.)?(weight|bias)", background=True),
    )

    def __init__(self, classes: int, build: Callable[..., SSD], least_side: int) -> None:
        super().__init__(classes)
        # Never weights from a hub: there may be no network, and a fallback to random ones would be silent.
        self.net = build(weights=None, weights_backbone=None, num_classes=1 + classes)
        # They resize images and choose boxes, which is done elsewhere here.
        self.net.transform = nn.Identity()
        self._least_side = least_side
        self._anchors: dict[tuple[int, int], Tensor] = {}

    def forward(self, images: Tensor) -> Raw:
        height, width = int(images.shape[2]), int(images.shape[3])
        if min(height, width) < self._least_side:
            raise UserError(
                f"images of {width}x{height} are too small for this network",
                fix=f"give width and height of {self._least_side} and more, or train ssdlite",
            )
        features = list(self.net.backbone(centred(images)).values())
        if (height, width) not in self._anchors:
            self._anchors[height, width] = default_boxes(self.net.anchor_generator, features, height, width)
        out = self.net.head(features)
        return out["bbox_regression"], out["cls_logits"]

    def backbone_parts(self) -> list[nn.Module]:
        # SSDLite's features are two sequences (up to stride 16, and from there on), VGG's are one.
        first = [
            x for part in self.net.backbone.features for x in (part if isinstance(part, nn.Sequential) else [part])
        ]
        return first if len(first) > len(self.net.backbone.features) else [*first, *self.net.backbone.extra[0]]

    def losses(self, images: Tensor, targets: Targets, bf16: bool) -> dict[str, Tensor]:
        with autocast(images, bf16):
            regression, logits = self(images)
        anchors = self._anchors[images.shape[2], images.shape[3]].to(images.device)
        told, matches = [], []
        for boxes, labels, mask in zip(targets.boxes, targets.labels, targets.mask, strict=True):
            # Background is torchvision's class 0.
            told.append({"boxes": boxes[mask], "labels": labels[mask] + 1})
            none = torch.full((len(anchors),), -1, dtype=torch.int64, device=images.device)
            matches.append(self.net.proposal_matcher(box_iou(boxes[mask], anchors)) if mask.any() else none)
        outputs = {"bbox_regression": regression.float(), "cls_logits": logits.float()}
        parts = self.net.compute_loss(told, outputs, [anchors] * len(told), matches)
        # Both are divided by the matched default boxes of these images: by those of all processes instead.
        matched = torch.stack([match >= 0 for match in matches]).sum().float()
        shared = matched.clamp(min=1.0) / normalizer(matched)
        return {"box": parts["bbox_regression"] * shared, "cls": parts["classification"] * shared}

    def decode(self, raw: Raw, height: int, width: int) -> tuple[Tensor, Tensor]:
        regression, logits = (part.float() for part in raw)
        anchors = self._anchors[height, width].to(regression.device)
        return decode_boxes(anchors, regression, self.net.box_coder.weights), logits.softmax(-1)[..., 1:]


def default_boxes(generator: DefaultBoxGenerator, features: list[Tensor], height: int, width: int) -> Tensor:
    """The default boxes of all levels, float32 [A, 4] xyxy in pixels of an image of that size, on the CPU."""
    shapes = [torch.zeros(1, 1, *feature.shape[2:]) for feature in features]
    boxes: Tensor = generator(ImageList(torch.zeros(1, 3, height, width), [(height, width)]), shapes)[0]
    return boxes.detach()
