"""Faster R-CNN over a feature pyramid, on torchvision's backbones, losses and samplers, trained from scratch.

Ren et al. 2015 for the two stages, Lin et al. 2017 (FPN) for the pyramid, He et al. 2017 for RoIAlign. Two plans:
a MobileNet V3 (Howard et al. 2019) for small inputs, and ``fasterrcnn_resnet50_fpn_v2`` (Li et al. 2021) with group
normalisation (Wu and He 2018) in the box head. Against torchvision's, both have a box head of 256 instead of 1,024
units, and train on 64 instead of 512 regions per image: a fifth of the cost on a CPU. The MobileNet's pyramid has
strides 8, 16 and 32 and 128 channels, where that of ``fasterrcnn_mobilenet_v3_large_320_fpn`` has stride 32 twice and
256: without coarse ImageNet features to start from, objects of 25 to 60 pixels were not learned there.

Training runs torchvision's modules as they are. Inference runs the same layers on static shapes
(`perception_train.models.proposals`, `perception_train.models.roi`) and finds what torchvision's inference would with
300 candidates per level and 300 proposals, apart from ties and roundings at a threshold, and from chains of more than
`Proposals.rounds` proposals that suppress each other in turn. By default torchvision has 1,000 of both, or, for the
MobileNet, 150, of which it drops those with an objectness below 0.05; here none is dropped.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import torch
from torch import Tensor, nn
from torchvision.models import mobilenet_v3_large, resnet50
from torchvision.models.detection.anchor_utils import AnchorGenerator
from torchvision.models.detection.backbone_utils import BackboneWithFPN
from torchvision.models.detection.faster_rcnn import FastRCNNConvFCHead, FastRCNNPredictor, TwoMLPHead
from torchvision.models.detection.image_list import ImageList
from torchvision.models.detection.roi_heads import RoIHeads
from torchvision.models.detection.rpn import RegionProposalNetwork, RPNHead
from torchvision.ops import MultiScaleRoIAlign
from torchvision.ops.feature_pyramid_network import LastLevelMaxPool

from .losses import Targets
from .network import ClassRows, Detector, autocast, centred
from .proposals import Proposals, clip, decode_boxes, large, propose
from .roi import BINS, SAMPLES, sample_regions

#: Units of the box head.
HEAD_UNITS = 256
#: Candidates per level in training, sampled anchors per image, sampled regions per image.
TRAIN_CANDIDATES, TRAIN_ANCHORS, TRAIN_REGIONS = 600, 256, 64
#: What the box head's deltas are multiplied by, so that they vary about as much as logits do.
BOX_WEIGHTS = (10.0, 10.0, 5.0, 5.0)
#: Boxes with a shorter side, in pixels, are no detections, and no truth: the logarithm of an empty side is infinite.
_MIN_SIDE = 1e-2
#: The name of the level that torchvision adds for the proposals; regions are not sampled from it.
_EXTRA_LEVEL = "pool"
_RATIOS = (0.5, 1.0, 2.0)


@dataclass(frozen=True)
class Plan:
    """What makes an architecture: its layers, and the sides of its anchors in network pixels, level by level.

    ``backbone`` and ``box_head`` are told the channels of the pyramid.
    """

    backbone: Callable[[int], BackboneWithFPN]
    box_head: Callable[[int], nn.Module]
    channels: int
    anchor_sizes: tuple[tuple[int, ...], ...]
    rpn_depth: int


class Raw(NamedTuple):
    """What ``forward`` gives.

    Attributes:
        logits: float32 [B, P, 1 + classes], background first.
        deltas: float32 [B, P, 1 + classes, 4], relative to the proposals, times `BOX_WEIGHTS`.
        proposals: float32 [B, P, 4], xyxy network pixels.
        filled: float32 [B, P], 0 where the slot holds no proposal.
    """

    logits: Tensor
    deltas: Tensor
    proposals: Tensor
    filled: Tensor


class FasterRcnn(Detector):
    """Faster R-CNN; ``forward`` gives `Raw`, the answer of its second stage for a fixed number of proposals."""

    suppression_iou: ClassVar[float] = 0.5
    class_rows: ClassVar[tuple[ClassRows, ...]] = (
        ClassRows(r"roi_heads\.box_predictor\.cls_score\.(weight|bias)", background=True),
        ClassRows(r"roi_heads\.box_predictor\.bbox_pred\.(weight|bias)", background=True, inner=4),
    )

    def __init__(self, classes: int, plan: Plan, proposals: Proposals | None = None) -> None:
        super().__init__(classes)
        self.proposals = proposals if proposals is not None else Proposals()
        self.backbone = plan.backbone(plan.channels)
        anchors = AnchorGenerator(plan.anchor_sizes, (_RATIOS,) * len(plan.anchor_sizes))
        slots = self.proposals.slots
        self.rpn = RegionProposalNetwork(
            anchors,
            _ProposalHead(plan.channels, anchors.num_anchors_per_location()[0], plan.rpn_depth),
            fg_iou_thresh=0.7,
            bg_iou_thresh=0.3,
            batch_size_per_image=TRAIN_ANCHORS,
            positive_fraction=0.5,
            pre_nms_top_n={"training": TRAIN_CANDIDATES, "testing": self.proposals.candidates},
            post_nms_top_n={"training": slots, "testing": slots},
            nms_thresh=self.proposals.iou,
        )
        levels = [str(level) for level in range(len(plan.anchor_sizes) - 1)]
        self.roi_heads = RoIHeads(
            MultiScaleRoIAlign(levels, BINS, SAMPLES),
            plan.box_head(plan.channels),
            _Predictor(HEAD_UNITS, 1 + classes),
            fg_iou_thresh=0.5,
            bg_iou_thresh=0.5,
            batch_size_per_image=TRAIN_REGIONS,
            positive_fraction=0.25,
            bbox_reg_weights=BOX_WEIGHTS,
            score_thresh=0.001,
            nms_thresh=self.suppression_iou,
            detections_per_img=100,
        )

    def forward(self, images: Tensor) -> Raw:
        batch, _, height, width = (int(side) for side in images.shape)
        features = self._pyramid(images)
        boxes, filled = self.find_proposals(features, height, width)
        levels = [x for name, x in features.items() if name != _EXTRA_LEVEL]
        regions = self.roi_heads.box_head(sample_regions(levels, boxes, height))
        classes, boxes_of_classes = self.roi_heads.box_predictor(regions)
        shape = (batch, self.proposals.slots, 1 + self.classes)
        return Raw(classes.reshape(shape), boxes_of_classes.reshape(*shape, 4), boxes, filled)

    def decode(self, raw: Raw, height: int, width: int) -> tuple[Tensor, Tensor]:
        """Boxes float32 [B, P, classes, 4], xyxy in network pixels, and probabilities float32 [B, P, classes]."""
        boxes = decode_boxes(raw.proposals[:, :, None], raw.deltas[:, :, 1:], BOX_WEIGHTS)
        boxes = clip(boxes, int(height), int(width))
        probabilities = raw.logits.softmax(-1)[..., 1:] * raw.filled[..., None]
        return boxes, probabilities * large(boxes, _MIN_SIDE)

    def backbone_parts(self) -> list[nn.Module]:
        return list(self.backbone.body.children())

    def losses(self, images: Tensor, targets: Targets, bf16: bool) -> dict[str, Tensor]:
        size = (int(images.shape[2]), int(images.shape[3]))
        sizes = [size] * len(images)
        truth = _truth(targets)
        # Within, only convolutions and linear layers are bfloat16: pyramid and heads hand on float32.
        with autocast(images, bf16):
            features = self._pyramid(images)
            proposals, first = self.rpn(ImageList(images, sizes), features, truth)
            _, second = self.roi_heads(features, proposals, sizes, truth)
        return {
            "rpn_cls": first["loss_objectness"],
            "rpn_box": first["loss_rpn_box_reg"],
            "cls": second["loss_classifier"],
            "box": second["loss_box_reg"],
        }

    def find_proposals(self, features: dict[str, Tensor], height: int, width: int) -> tuple[Tensor, Tensor]:
        """Boxes float32 [B, P, 4], xyxy in network pixels, and filled float32 [B, P], of features by level.

        What torchvision's ``RegionProposalNetwork`` finds in eval mode, in slots.
        """
        levels = list(features.values())
        logits, deltas = self.rpn.head(levels)
        return propose(logits, deltas, self._anchors(levels, height, width), height, width, self.proposals)

    def _pyramid(self, images: Tensor) -> dict[str, Tensor]:
        """Features float32 [B, C, Hi, Wi] by name, finest level first."""
        features = self.backbone(centred(images))
        return {name: x.float() for name, x in features.items()}

    def _anchors(self, features: list[Tensor], height: int, width: int) -> list[Tensor]:
        """Anchors float32 [Hi * Wi * A, 4] of each level, xyxy in network pixels: torchvision's, as constants."""
        generator = self.rpn.anchor_generator
        generator.set_cell_anchors(torch.float32, features[0].device)
        sizes = [[int(side) for side in x.shape[-2:]] for x in features]
        strides = [[torch.tensor(height // h), torch.tensor(width // w)] for h, w in sizes]
        return generator.grid_anchors(sizes, strides)


class _ProposalHead(RPNHead):
    """torchvision's, with float32 out: coordinates that are bfloat16 or half would move by pixels."""

    def forward(self, features: list[Tensor]) -> tuple[list[Tensor], list[Tensor]]:
        logits, deltas = super().forward(features)
        return [x.float() for x in logits], [x.float() for x in deltas]


class _Predictor(FastRCNNPredictor):
    """torchvision's, with float32 out."""

    def forward(self, regions: Tensor) -> tuple[Tensor, Tensor]:
        logits, deltas = super().forward(regions)
        return logits.float(), deltas.float()


def _truth(targets: Targets) -> list[dict[str, Tensor]]:
    """torchvision's form of the truth: of each image boxes float32 [M, 4] and labels int64 [M] from 1 on."""
    usable = targets.mask & (large(targets.boxes, _MIN_SIDE) > 0)
    return [
        {"boxes": boxes[used].float(), "labels": labels[used] + 1}
        for boxes, labels, used in zip(targets.boxes, targets.labels, usable, strict=True)
    ]


def _mobilenet(channels: int) -> BackboneWithFPN:
    layers = mobilenet_v3_large(weights=None).features
    # The last layers of strides 8, 16 and 32.
    outputs = {"6": "0", "12": "1", "16": "2"}
    widths = [40, 112, 960]
    return BackboneWithFPN(
        layers, outputs, widths, channels, extra_blocks=LastLevelMaxPool(), norm_layer=nn.BatchNorm2d
    )


def _resnet50(channels: int) -> BackboneWithFPN:
    levels = {f"layer{stage}": str(stage - 1) for stage in (1, 2, 3, 4)}
    widths = [256, 512, 1024, 2048]
    return BackboneWithFPN(
        resnet50(weights=None),
        levels,
        widths,
        channels,
        extra_blocks=LastLevelMaxPool(),
        norm_layer=nn.BatchNorm2d,
    )


def _group_norm(channels: int) -> nn.GroupNorm:
    return nn.GroupNorm(32, channels)


def _mlp_head(channels: int) -> nn.Module:
    return TwoMLPHead(channels * BINS**2, HEAD_UNITS)


def _conv_head(channels: int) -> nn.Module:
    # Regions are no sample of a batch's statistics: those of one image, sampled by class, lie on each other.
    size = (channels, BINS, BINS)
    return FastRCNNConvFCHead(size, [channels] * 4, [HEAD_UNITS], norm_layer=_group_norm)


_OCTAVES = (1.0, 2.0**0.5)
PLANS = {
    # Two sizes half an octave apart on each of the strides 8, 16, 32 and 64: sides of 24 to 272 pixels.
    "mobilenet": Plan(
        _mobilenet,
        _mlp_head,
        128,
        tuple(tuple(round(3 * stride * octave) for octave in _OCTAVES) for stride in (8, 16, 32, 64)),
        rpn_depth=1,
    ),
    "resnet50": Plan(_resnet50, _conv_head, 256, ((32,), (64,), (128,), (256,), (512,)), rpn_depth=2),
}
