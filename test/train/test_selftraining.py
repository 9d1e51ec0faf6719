"""`perception-train adapt --self-training`: the teacher's labels, the student's views, and what is kept."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch

from perception_common.errors import UserError
from perception_infer.models import ModelRepository
from perception_infer.predictor import Predictor
from perception_train import cli
from perception_train.adaptation.command import adapt, load_model
from perception_train.adaptation.params import AdaptParams
from perception_train.adaptation.teacher import Teacher, joined, picked, strong_views, thresholds_for_precision
from perception_train.data.augment import Labelled
from perception_train.data.coco import CocoDataset
from perception_train.data.loader import collate


@pytest.fixture
def repository(base: Path, tmp_path: Path) -> Path:
    """A repository with version 1 of ``shapes``, which has learned a little."""
    shutil.copytree(base / "models" / "shapes", tmp_path / "models" / "shapes")
    return tmp_path / "models"


@pytest.fixture(scope="module")
def darker(shapes: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """A dataset of the shapes as a camera sees them in poor light."""
    root = tmp_path_factory.mktemp("darker")
    for name in ("train", "val"):
        shutil.copytree(shapes / name, root / name)
        for path in (root / name / "images").iterdir():
            picture = cv2.GaussianBlur(cv2.imread(str(path)), (0, 0), 1.0)
            cv2.imwrite(str(path), (picture * np.array([0.5, 0.4, 0.35]) + 8).astype(np.uint8))
    return lambda name: root / name


def settings(repository: Path, **changes: Any) -> AdaptParams:
    told: dict[str, Any] = {"model_root": str(repository), "model": "shapes", "self_training": True, "threads": 1}
    return AdaptParams(**(told | {"steps": 40, "batch": 8, "validations": 2, "learning_rate": 0.001} | changes))


def teacher_of(repository: Path, *thresholds: float) -> Teacher:
    bundle = ModelRepository(repository).open("shapes", 1)
    assert bundle.manifest.suppression is not None
    return Teacher(load_model(bundle), bundle.manifest.suppression, thresholds or bundle.manifest.thresholds)


def test_the_teacher_labels_what_it_is_sure_of(repository: Path, shapes: Path) -> None:
    pictures = [sample.read() for sample in CocoDataset.open(shapes / "val").samples[:6]]
    limits = ((0.9, 2.0), (), (0.0, 0.0))
    few, some, everything = (teacher_of(repository, *limit).label(pictures) for limit in limits)
    counts = [sum(len(one.labels) for one in labelled) for labelled in (few, some, everything)]
    assert counts[0] < counts[1] < counts[2]
    assert all(set(one.labels) <= {0} for one in few)
    true = CocoDataset.open(shapes / "val").samples
    found = sum(
        any(np.abs(box - other).max() < 6 for other in one.boxes)
        for one, sample in zip(some, true, strict=False)
        for box in sample.boxes
    )
    assert found > sum(len(sample.boxes) for sample in true[:6]) / 2


def test_views_of_the_student_keep_objects_and_their_classes() -> None:
    picture = np.zeros((64, 96, 3), np.uint8)
    picture[20:44, 30:60] = 255
    sample = Labelled(picture, np.array([[30, 20, 60, 44]], np.float32), np.array([1], np.int64))
    batch = strong_views([sample] * 12, np.random.default_rng(3))
    assert batch.images.shape == (12, 64, 96, 3)
    views = {batch.images[i].numpy().tobytes() for i in range(12)}
    assert len(views) == 12
    assert set(batch.targets.labels[batch.targets.mask].tolist()) == {1}
    again = strong_views([sample] * 12, np.random.default_rng(3))
    assert torch.equal(again.images, batch.images)


def test_batches_are_joined_with_their_objects() -> None:
    def batch(*counts: int) -> Any:
        image = np.zeros((32, 32, 3), np.uint8)
        return collate(
            [Labelled(image + n, np.full((n, 4), n, np.float32), np.full(n, n % 3, np.int64)) for n in counts]
        )

    both = joined(batch(1, 3), batch(0, 2))
    assert both.targets.mask.sum(1).tolist() == [1, 3, 0, 2]
    assert both.targets.boxes.shape == (4, 3, 4)
    assert both.targets.boxes[3, :2].unique().tolist() == [2.0]
    assert both.images[:, 0, 0, 0].tolist() == [1, 3, 0, 2]


def test_every_picture_is_shown_once_before_any_comes_again() -> None:
    shown = np.concatenate([picked(7, 3, step, 5) for step in range(14)])
    for epoch in range(6):
        assert sorted(shown[7 * epoch : 7 * epoch + 7]) == list(range(7))
    assert list(picked(30, 5, 0, 1)) != list(picked(30, 5, 0, 2))
    assert list(picked(30, 5, 4, 1)) == list(picked(30, 5, 4, 1))


def test_a_precision_target_raises_thresholds(repository: Path, shapes: Path) -> None:
    bundle = ModelRepository(repository).open("shapes", 1)
    predictor = Predictor.load(bundle, "onnxruntime", 1, threshold=0.0)
    dataset = CocoDataset.open(shapes / "val")
    low, high, out_of_reach = (
        thresholds_for_precision(predictor, dataset, (0.1, 0.1), target) for target in (0.0, 0.9, 1.1)
    )
    assert low == (0.1, 0.1)
    assert all(a >= b for a, b in zip(high, low, strict=True))
    assert max(high) > 0.1
    assert out_of_reach == (0.95, 0.95)


def test_self_training_makes_a_better_version(
    repository: Path, shapes: Path, darker: Callable[[str], Path], tmp_path: Path
) -> None:
    output = tmp_path / "told.json"
    words = ["--model-root", repository, "--model", "shapes", "--self-training", "--images", darker("train")]
    words += ["--synthetic", shapes / "train", "--validation", darker("val"), "--steps", 120, "--validations", 4]
    words += ["--learning-rate", 0.001, "--threads", 1, "--teacher-decay", 0.95, "--json", output]
    assert cli.main(["adapt", *map(str, words)]) == 0
    told = json.loads(output.read_text())
    assert told["version"] == 2, told
    assert told["map"] == pytest.approx(max(told["map_history"]))
    assert told["map"] > told["map_history"][0]
    assert told["labels_per_picture"] > 0
    software = ModelRepository(repository).open("shapes", 2).manifest.software
    assert (software["adapted_by"], software["adapted_from"]) == ("self-training", "shapes v1")
    assert software["adapted_synthetic_sha256"] == CocoDataset.open(shapes / "train").sha256


def test_a_worse_model_is_not_published(repository: Path, darker: Callable[[str], Path]) -> None:
    told = adapt(
        settings(
            repository,
            images=str(darker("train")),
            validation=str(darker("val")),
            learning_rate=0.3,
            teacher_decay=0.0,
            steps=20,
            validations=4,
        )
    )
    assert told["kept"]
    assert told["version"] == 1
    # The second bad validation ended it.
    assert told["steps"] == 10
    assert told["map_history"][-1] < told["map_history"][0]
    assert ModelRepository(repository).versions("shapes") == [1]


def test_without_labels_the_last_teacher_is_published(repository: Path, darker: Callable[[str], Path]) -> None:
    told = adapt(settings(repository, images=str(darker("train")), steps=4, learning_rate=0.0001))
    assert told["version"] == 2, told
    assert told["map_history"] == []
    bundle = ModelRepository(repository).open("shapes", 2)
    assert bundle.manifest.variants["fp32"].metrics == {}
    before, after = (load_model(ModelRepository(repository).open("shapes", n)).stem[0][0].weight for n in (1, 2))
    assert not torch.equal(before, after)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"self_training": False, "synthetic": "x"}, "synthetic is for self-training"),
        ({"precision_target": 0.9}, "precision_target needs labels"),
    ],
)
def test_refusals(repository: Path, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        adapt(settings(repository, images="pictures", **changes))
