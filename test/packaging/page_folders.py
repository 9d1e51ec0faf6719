"""What a reader has before a page of the documentation, and what the page leaves behind."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import msgspec
import numpy as np
from page_commands import ROOT
from recorded import Film, write_bag

from perception_infer.contract.manifest import MANIFEST_NAME, decode, encode

sys.path.insert(0, str(ROOT / "test" / "train" / "readers"))
from foreign import FRAMES, replicator

ANNOTATIONS = "annotations.json"


def film(dataset: Path) -> Film:
    """The pictures of a dataset as a camera would have seen them, some times over, with their truth."""
    content = json.loads((dataset / ANNOTATIONS).read_text())
    names = {category["id"]: category["name"] for category in content["categories"]}
    frames, truth = [], []
    for image in content["images"]:
        frames.append(cv2.cvtColor(cv2.imread(str(dataset / "images" / image["file_name"])), cv2.COLOR_BGR2RGB))
        boxes = {}
        for annotation in content["annotations"]:
            if annotation["image_id"] == image["id"]:
                x, y, width, height = annotation["bbox"]
                boxes[names[annotation["category_id"]]] = (x, y, x + width, y + height)
        truth.append(boxes)
    return Film(frames * 6, truth=truth * 6)


def record(folder: Path, *names: str) -> None:
    """Recordings of what the model knows, with truth."""
    for name in names:
        write_bag(folder / name, film(folder / "datasets" / "val"))


def number(folder: Path, newest: int) -> None:
    """Versions 2 to ``newest`` of the model: the first under other numbers."""
    first = folder / "models" / "detector" / "1"
    for version in range(2, newest + 1):
        copy = shutil.copytree(first, first.with_name(str(version)))
        manifest = decode((first / MANIFEST_NAME).read_bytes())
        (copy / MANIFEST_NAME).write_bytes(encode(msgspec.structs.replace(manifest, version=version)))


def label(folder: Path, name: str, *classes: str) -> None:
    """Labelled pictures of the world, without what says that the suite made them, of ``classes`` in turn if given."""
    source, target = folder / "datasets" / "val", folder / name
    shutil.copytree(source / "images", target / "images")
    content = json.loads((source / ANNOTATIONS).read_text())
    if classes:
        content["categories"] = [{"id": row, "name": name} for row, name in enumerate(classes, 1)]
        for row, annotation in enumerate(content["annotations"]):
            annotation["category_id"] = 1 + row % len(classes)
    (target / ANNOTATIONS).write_text(json.dumps(content))


def photograph(folder: Path, name: str) -> None:
    """Pictures without labels."""
    shutil.copytree(folder / "datasets" / "val" / "images", folder / name)


def sign(folder: Path) -> None:
    """A key, with which every version is signed, and a robot's folder of those it trusts."""
    from perception_train.cli import main

    key = folder / "keys" / "trainer"
    assert main(["keygen", "--output", str(key)]) == 0
    signing = ["sign", "--model", "detector", "--all-versions", "--key", f"{key}.key"]
    assert main([*signing, "--model-root", str(folder / "models")]) == 0
    (folder / "trust").mkdir()
    shutil.copy(f"{key}.pub", folder / "trust")


def _readme(folder: Path) -> None:
    record(folder, "yesterday")
    label(folder, "my_labels")
    photograph(folder, "photographs")


def _add_an_architecture(folder: Path) -> None:
    for package in ROOT.glob("perception_*"):
        if package.is_dir() and not package.name.endswith(".egg-info"):
            shutil.copytree(package, folder / package.name, ignore=shutil.ignore_patterns("__pycache__"))


def _score_a_bag(folder: Path) -> None:
    record(folder, "monday")
    number(folder, 2)


def _datasets(folder: Path) -> None:
    label(folder, "my_labels", "cone", "pallet")
    label(folder, "datasets/outdoor", "traffic_cone", "pallet")
    photograph(folder, "photographs")


def _finetuning(folder: Path) -> None:
    number(folder, 3)
    label(folder, "my_labels")
    record(folder, "yesterday")


def _gap(folder: Path) -> None:
    photograph(folder, "photos")
    label(folder, "labelled_photos")
    record(folder, "yesterday")


def _harvest(folder: Path) -> None:
    number(folder, 4)
    # What the model does not know: its pictures upside down, mirrored, and both, with other light on the last day.
    seen = film(folder / "datasets" / "val").frames
    turned = {"monday": np.flipud, "tuesday": np.fliplr, "wednesday": np.rot90, "thursday": lambda frame: frame // 2}
    for name, turn in turned.items():
        write_bag(folder / name, Film([np.ascontiguousarray(turn(frame)) for frame in seen]))


def _remote(folder: Path) -> None:
    sign(folder)
    (folder / "robot" / "models").mkdir(parents=True)


def _replay(folder: Path) -> None:
    number(folder, 4)
    record(folder, "yesterday")


def _world(folder: Path) -> None:
    import trimesh

    photograph(folder, "photographs")
    seat = trimesh.creation.box((0.4, 0.4, 0.05))
    back = trimesh.creation.box((0.4, 0.05, 0.5)).apply_translation((0, 0.2, 0.25))
    trimesh.Scene([seat, back]).export(folder / "chair.glb")


PREPARED: dict[str, Callable[[Path], Any]] = {
    "README": _readme,
    "datasets": _datasets,
    "finetuning": _finetuning,
    "gap": _gap,
    "harvest": _harvest,
    "remote": _remote,
    "replay": _replay,
    "training": lambda folder: shutil.rmtree(folder / "runs" / "train"),
    "simulators": lambda folder: replicator(folder / "_out_warehouse", FRAMES * 4),
    "world": _world,
    "tutorials/add-an-architecture": _add_an_architecture,
    "tutorials/isaac-dataset": lambda folder: replicator(folder / "replicator_out", FRAMES * 4),
    "tutorials/score-a-bag": _score_a_bag,
    "tutorials/twenty-photographs": lambda folder: label(folder, "my_labels"),
}
#: What a page leaves, and a look at it is worth: nothing of it is there when commands only seem to work.
LEFT: dict[str, tuple[str, ...]] = {
    "README": ("runs/pictures", "datasets/mine/train/annotations.json", "models/detector/2/manifest.json"),
    "datasets": ("datasets/mine/val/annotations.json", "models/detector/2/manifest.json"),
    "finetuning": ("datasets/real/val/annotations.json",),
    "gap": ("runs/gap/gap.html",),
    "harvest": ("data/harvest/harvest.html", "datasets/real/annotations.json", "runs/compared/comparison.json"),
    "reference/configuration": ("train.yaml", "robot.yaml"),
    "remote": ("server.pem", "robots.token"),
    "replay": ("runs/yesterday/report.html", "runs/yesterday/frames", "runs/yesterday/results", "runs/compared"),
    "simulators": ("datasets/warehouse/train/annotations.json",),
    "training": ("reports/val/report.html", "reports/val.json"),
    "trust": ("models/detector/1/manifest.sig", "models/detector/1/signature", "state/perception_suite"),
    "world": ("datasets/yard/annotations.json", "objects/my_chair/preview.png", "datasets/mine/annotations.json"),
    "tutorials/own-object": ("objects/angle_bracket/preview.png", "runs/look_bracket/index.html"),
    "tutorials/isaac-dataset": ("runs/look_isaac/index.html", "datasets/isaac_two/val/annotations.json"),
    "tutorials/score-a-bag": ("runs/monday/report.html", "runs/compared/comparison.json", "data/harvest/harvest.html"),
    "tutorials/twenty-photographs": ("reports/before/report.html", "runs/gap/gap.html"),
    "tutorials/jetson": ("models/detector/2/model.fp16.onnx", "models/detector/2/manifest.sig", "robots.token"),
    "tutorials/several-gpus": ("datasets/shared/annotations.json",),
}
#: And what is left where nothing is left out.
LEFT_WHOLE: dict[str, tuple[str, ...]] = {
    "datasets": ("runs/both/summary.json",),
    "finetuning": ("runs/finetune/report.md",),
    "harvest": ("runs/finetune/report.md", "data/harvest_2/harvest.html"),
    "training": ("runs/train/summary.json",),
    "world": ("datasets/warehouse/annotations.json",),
    "tutorials/own-object": ("runs/bracket/summary.json",),
    "tutorials/isaac-dataset": ("runs/isaac/summary.json", "runs/both/summary.json"),
    "tutorials/twenty-photographs": ("runs/finetune/report.md", "runs/curve/curve.png"),
    "tutorials/several-gpus": ("runs/group/summary.json",),
    "tutorials/isaac-ros": ("isaac/detector",),
    "tutorials/add-an-architecture": ("models/tiny/1/manifest.json", "runs/tiny/pictures"),
}
