"""`perception-train finetune`: what it trains on, what it tells, and what it does not do twice."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from shapes import small_run

from perception_common.errors import UserError
from perception_common.params import specs
from perception_common.yaml_files import reference_yaml
from perception_infer.models import ModelRepository
from perception_train import cli
from perception_train.data.coco import CocoDataset
from perception_train.data.subset import nested, write_subset
from perception_train.finetuning.command import finetune
from perception_train.finetuning.params import FinetuneParams, real_only
from perception_train.training.config import TrainParams


def settings(base: Path, shapes: Path, folder: Path, **changes: Any) -> FinetuneParams:
    told = small_run(shapes, folder, learning_rate=0.001, validations=1, steps=20)
    del told["dataset"], told["width"], told["height"]
    told |= {"real": str(base / "real"), "synthetic": str(shapes / "train"), "initial": str(base / "models" / "shapes")}
    return FinetuneParams(**(told | changes))


def test_a_part_of_a_dataset_is_a_dataset(shapes: Path, tmp_path: Path) -> None:
    whole = CocoDataset.open(shapes / "train")
    order = nested(whole, 4)
    assert sorted(order) == list(range(36))
    assert list(order) == list(nested(whole, 4)) != list(nested(whole, 5))
    part = CocoDataset.open(write_subset(whole, order[:5].tolist(), tmp_path / "part"))
    assert part.classes == whole.classes
    for sample, index in zip(part.samples, order[:5], strict=True):
        assert np.array_equal(sample.read(), whole.samples[index].read())
        assert np.array_equal(sample.read_mask(), whole.samples[index].read_mask())
        assert np.allclose(sample.boxes, whole.samples[index].boxes)
        assert np.array_equal(sample.labels, whole.samples[index].labels)


def test_a_part_keeps_the_pixels_of_its_objects(shapes: Path, tmp_path: Path) -> None:
    source = write_subset(CocoDataset.open(shapes / "train"), range(4), tmp_path / "source")
    content = json.loads((source / "annotations.json").read_text())
    for one in content["annotations"]:
        x, y, w, h = one["bbox"]
        one["segmentation"] = [[x, y, x + w, y, x + w, y + h, x, y + h]]
    (source / "annotations.json").write_text(json.dumps(content))
    whole = CocoDataset.open(source)
    part = CocoDataset.open(write_subset(whole, [2, 0], tmp_path / "part"))
    for sample, index in zip(part.samples, (2, 0), strict=True):
        for number in range(len(sample.labels)):
            pixels = sample.pixels_of(number)
            assert pixels is not None
            assert pixels.any()
            assert np.array_equal(pixels, whole.samples[index].pixels_of(number))


def test_parameters_are_those_of_a_training_run() -> None:
    own, trained = specs(FinetuneParams), specs(TrainParams)
    assert set(trained) - set(own) == {"dataset", "shares", "pretrained"}
    assert own["learning_rate"].default < trained["learning_rate"].default / 3
    assert own["learning_rate"].doc == trained["learning_rate"].doc
    assert own["learning_rate"].maximum == trained["learning_rate"].maximum
    assert "real" in reference_yaml(FinetuneParams)


def test_the_bundle_says_what_the_parameters_do_not(base: Path, shapes: Path, tmp_path: Path) -> None:
    bundle = ModelRepository(base / "models").open("shapes")
    params = settings(base, shapes, tmp_path, replay=0.25, freeze=2)
    run = params.training(bundle.manifest, bundle.directory)
    assert (run.architecture, run.width, run.height) == ("yolo_n", 96, 64)
    assert run.dataset == (str(shapes / "train"), str(base / "real"))
    assert run.shares == (0.25, 0.75)
    assert run.freeze == 2
    other = dataclasses.replace(params, architecture="yolo_n_ibn", width=128, synthetic="")
    run = other.training(bundle.manifest, bundle.directory)
    assert (run.architecture, run.width, run.height) == ("yolo_n_ibn", 128, 64)
    assert run.dataset == (str(base / "real"),)
    assert run.shares == ()
    alone = real_only(run, tmp_path / "alone")
    assert (alone.initial, alone.dataset, alone.freeze) == ("", (str(base / "real"),), 0)
    assert (alone.steps, alone.minutes, alone.batch) == (run.steps, run.minutes, run.batch)


def test_finetuning_makes_the_next_version_and_a_report(base: Path, shapes: Path, tmp_path: Path) -> None:
    output = tmp_path / "told.json"
    params = settings(base, shapes, tmp_path, compare=True)
    flags = [
        word
        for name, spec in specs(FinetuneParams).items()
        if (value := getattr(params, name)) != spec.default and spec.type is not bool
        for word in ("--" + name.replace("_", "-"), str(value))
    ]
    assert cli.main(["finetune", *flags, "--compare", "--json", str(output)]) == 0
    told = json.loads(output.read_text())
    assert [row["name"] for row in told["rows"]] == ["before", "after", "real only"]
    assert told["version"] == 1
    assert told["initial"]["taken"] == told["initial"]["total"]
    assert told["real_images"] == 8
    before, after, alone = (row["scores"] for row in told["rows"])
    # Twenty steps do not unlearn what 150 have taught, and teach little.
    assert before["map50"] > 0.3
    assert after["map50"] > alone["map50"] + 0.2
    bundle = ModelRepository(tmp_path / "models").open("shapes", told["version"])
    assert bundle.manifest.dataset.train == "train+real"
    assert bundle.manifest.variants["fp32"].metrics["map50"] == pytest.approx(after["map50"])
    text = (tmp_path / "run" / "report.md").read_text()
    assert f"| after | {after['map50']:.3f} |" in text
    assert "| real only |" in text
    assert cv2.imread(str(tmp_path / "run" / "report.png")).std() > 10
    # What is done is read back.
    assert finetune(params)["rows"] == told["rows"]
    assert ModelRepository(tmp_path / "models").versions("shapes") == [1]
    with pytest.raises(UserError, match=r"other parameters \(steps\)"):
        finetune(dataclasses.replace(params, steps=21))


def test_the_newest_version_is_the_default_and_stays_the_start(base: Path, shapes: Path, tmp_path: Path) -> None:
    models = tmp_path / "models"
    source = base / "models" / "shapes" / "1"
    (models / "shapes" / "1").mkdir(parents=True)
    for file in source.iterdir():
        (models / "shapes" / "1" / file.name).write_bytes(file.read_bytes())
    params = settings(base, shapes, tmp_path, initial="", steps=4, synthetic="")
    told = finetune(params)
    assert (told["initial"]["bundle"], told["version"]) == ("shapes v1", 2)
    assert finetune(params)["version"] == 2
    assert ModelRepository(models).versions("shapes") == [1, 2]


def test_a_curve_is_drawn_and_goes_on_where_it_ended(base: Path, shapes: Path, tmp_path: Path) -> None:
    params = settings(base, shapes, tmp_path, curve=("0", "2", "all"), seeds=2, steps=4, compare=False)
    first = finetune(dataclasses.replace(params, curve=("0", "2"), seeds=1))
    assert [(row["images"], row["seed"]) for row in first["rows"]] == [(0, 1), (2, 1)]
    done = (tmp_path / "run" / "curve" / "2" / "1" / "finetuned" / "run" / "result.json").stat().st_mtime_ns
    told = finetune(params)
    assert [(row["images"], row["seed"]) for row in told["rows"]] == [(0, 1), (2, 1), (8, 1), (2, 2), (8, 2)]
    assert (tmp_path / "run" / "curve" / "2" / "1" / "finetuned" / "run" / "result.json").stat().st_mtime_ns == done
    assert told["rows"][1] == first["rows"][1]
    assert json.loads((tmp_path / "run" / "curve.json").read_text()) == told
    assert cv2.imread(str(tmp_path / "run" / "curve.png")).std() > 10
    assert "| 2 | synthetic + real | 2 |" in (tmp_path / "run" / "curve.md").read_text()
    # The user's repository is left alone.
    assert not (tmp_path / "models").exists()
    smaller, larger = (CocoDataset.open(tmp_path / "run" / "curve" / n / "1" / "real") for n in ("2", "8"))
    for one, other in zip(smaller.samples, larger.samples, strict=False):
        assert np.array_equal(one.read(), other.read())


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"real": ""}, "no real dataset is given"),
        ({"real": "VALIDATION"}, "also the validation dataset"),
        ({"curve": ("0", "few")}, "the curve names 'few'"),
        ({"curve": ("99",)}, "wants 99 images, and there are 8"),
        ({"initial": "nowhere/shapes/3"}, "no bundle directory"),
        ({"freeze": 9}, "has 5 stages"),
        ({"architecture": "ssdlite"}, "nothing of shapes v1 fits"),
    ],
)
def test_refusals(base: Path, shapes: Path, tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    told = {name: str(shapes / "val") if value == "VALIDATION" else value for name, value in changes.items()}
    with pytest.raises(UserError, match=message):
        finetune(settings(base, shapes, tmp_path, **told))
