"""Networks that know a handful of pictures by heart: what a trained network is to an exporter, within seconds."""

from __future__ import annotations

from pathlib import Path

import msgspec.structs
import numpy as np
import torch
from shapes import make_dataset

from perception_train.data.appearance import HOME
from perception_train.data.augment import AugmentParams
from perception_train.data.coco import CocoDataset
from perception_train.data.loader import TrainLoader
from perception_train.export.candidate import Candidate, Source
from perception_train.models import build_model
from perception_train.models.network import Detector
from perception_train.models.suppression import DEFAULT
from perception_train.training.ema import with_precise_statistics
from perception_train.training.optimize import compute_losses

#: Pictures in a batch, steps and learning rate that do for each.
RECIPES = {
    "yolo_n": (4, 80, 4e-3),
    "ssdlite": (4, 80, 4e-3),
    "faster_rcnn_mobilenet": (2, 60, 1e-3),
    "unet_mobilenet": (4, 60, 6e-3),
    "unet_yolo_n": (4, 60, 6e-3),
}
#: Faster R-CNN's smallest anchors have 32 pixels.
SIDES = (32, 56)
AS_THEY_ARE = AugmentParams(**HOME, flip=0.0, scale=0.0, aspect=0.0, translate=0.0, cutout=0.0, mosaic=0.0)


def memorise(
    architecture: str, folder: Path, size: tuple[int, int] = (128, 96), batches: int = 1, longer: int = 1
) -> Candidate:
    """A candidate of that size that was trained on the pictures it is validated on, ``longer`` times the recipe."""
    count, steps, rate = RECIPES[architecture]
    dataset = CocoDataset.open(make_dataset(folder, batches * count, seed=7, size=size, sides=SIDES))
    torch.manual_seed(0)
    model = build_model(architecture, len(dataset.classes)).train()
    loader = TrainLoader(dataset, size, count, 0, AS_THEY_ARE, 1 << 24, model.task == "segmentation")
    shown = [loader.batch(number, False) for number in range(batches)]
    optimizer = torch.optim.AdamW(model.parameters(), rate)
    for step in range(steps * longer):
        for group in optimizer.param_groups:
            group["lr"] = rate * (0.5 + 0.5 * float(np.cos(np.pi * step / (steps * longer))))
        optimizer.zero_grad()
        compute_losses(model.losses, shown[step % batches], bf16=False)["total"].backward()
        optimizer.step()
    model = with_precise_statistics(model, [batch.input() for batch in shown], bf16=False)
    options = DEFAULT
    if isinstance(model, Detector):
        options = msgspec.structs.replace(DEFAULT, iou=model.suppression_iou)
    return Candidate(model, Source("shapes", architecture, dataset, dataset, *size, options), 1)
