"""Fixtures of the trainer's tests."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from shapes import make_both, make_dataset, small_run

from perception_train.data.augment import AugmentParams
from perception_train.data.coco import CocoDataset
from perception_train.data.loader import TrainLoader
from perception_train.export.candidate import Candidate, Source
from perception_train.models import build_model
from perception_train.training.config import TrainParams
from perception_train.training.ema import with_precise_statistics
from perception_train.training.loop import Trainer


@pytest.fixture(scope="session")
def shapes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with the datasets ``train`` (36 images) and ``val`` (12 images)."""
    return make_both(tmp_path_factory.mktemp("shapes"))


@pytest.fixture(scope="session")
def candidate(shapes: Path) -> Candidate:
    """An exported, untrained yolo_n of 96x64, with bold last layers, so that it says something."""
    train, validation = CocoDataset.open(shapes / "train"), CocoDataset.open(shapes / "val")
    torch.manual_seed(3)
    model = build_model("yolo_n", 2)
    for head in (*model.class_heads, *model.box_heads):
        torch.nn.init.normal_(head[-1].weight, std=0.3)
    for head in model.class_heads:
        torch.nn.init.constant_(head[-1].bias, -2.0)
    # Without statistics of real inputs all cells would answer alike, and ties would decide everything.
    batch = TrainLoader(train, (96, 64), 16, 0, AugmentParams(), 0).batch(0, False)
    model = with_precise_statistics(model, [batch.input()], bf16=False)
    return Candidate(model, Source("shapes", "yolo_n", train, validation, 96, 64))


@pytest.fixture(scope="session")
def base(shapes: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """``models``, a repository in which ``shapes`` v1 has learned a little, and ``real``, a dataset of 8 images."""
    folder = tmp_path_factory.mktemp("base")
    Trainer(TrainParams(**small_run(shapes, folder, steps=150)), lambda event: None).fit()
    make_dataset(folder / "real", 8, seed=5)
    return folder
