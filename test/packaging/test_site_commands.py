"""The commands of docs/tutorials, run as a reader would run them, with fewer pictures and steps.

`make test` leaves out what trains, but for the first page; `make tutorials` leaves out nothing but what needs hardware
or ROS 2 from apt. The world is an easier one, and validated on what was trained on: one kind of things, large, of which
a network knows a handful of pictures by heart within seconds.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import msgspec
import pytest
import yaml
from recorded import Film, write_bag
from tutorial_pages import ROOT, Block, Terminals, blocks

from perception_infer.contract.manifest import MANIFEST_NAME, decode, encode
from perception_train.data.appearance import HOME

pytest.importorskip("rclpy", reason="ROS 2 is not installed")
sys.path.insert(0, str(ROOT / "test" / "train" / "readers"))
from foreign import FRAMES, replicator

TUTORIALS = ROOT / "docs" / "tutorials"
PAGES = sorted(path.stem for path in TUTORIALS.glob("*.md"))
WHOLE = os.environ.get("TUTORIALS") == "whole"
FIRST = "first-model"
# Most of it is waiting for processes to start.
pytestmark = pytest.mark.timeout(1200)
WORLD = """
base: demo
content: {classes: [ball], objects: [2, 3], distractors: 0, negatives: 0.0}
camera: {fill: [1.2, 1.3], aim: 0.0}
"""
TRAINING = HOME | {
    **dict.fromkeys(("flip", "scale", "aspect", "translate", "mosaic", "copy_paste"), 0.0),
    **dict(minutes=0.0, steps=50, width=96, height=64, batch=4, learning_rate=0.008, warmup_steps=2, validations=1),
    **dict(exports=1, precision="fp32", threads=1, report=False, tensorboard=False),
}
FURTHER = "--minutes 0 --steps 4 --batch 4 --validations 1 --exports 1 --precision fp32 --threads 1 --no-report"
NODE = "-p minutes:=0.0 -p steps:=2 -p width:=96 -p height:=64 -p batch:=4 -p threads:=1 -p precision:=fp32"
QUICKER = (
    (r"--preset demo", "--preset quick_world.yaml"),
    (r"--images \d+\b", "--images 8"),
    (r"--seed 2", "--seed 1"),
    (r"-m perception_sim.camera_node", "-m perception_sim.camera_node --ros-args -p preset:=quick_world.yaml"),
    (r" --(width|height|batch) \d+", ""),
    (r"--minutes \d+", "--config quick_training.yaml"),
    (r"-p minutes:=\S+", NODE),
    (r"finetune --real", f"finetune {FURTHER} --real"),
    (r"--curve 0 5 all", "--curve 0 2 all"),
    (r"-s INT 60", "-s INT 10"),
    (r"p99_ms<=2000", "p99_ms<=60000"),
)
#: NVIDIA's decoder knows one size.
AT_640 = (
    r"--minutes \d+ --width 640 --height 640 --batch 16",
    "--config quick_training.yaml --steps 2 --width=640 --height=640 --batch=2",
)
TRAINS = re.compile(r"perception-train (run|finetune)|-m perception_train")
#: Of these pages nothing is left without their training.
TRAINED = ("add-an-architecture", "isaac-ros")


def chosen(page: str) -> list[Block]:
    """The blocks of a page that are run now."""
    found = [block for block in blocks(TUTORIALS / f"{page}.md") if block.language in ("bash", "python")]
    found = [block for block in found if block.mark != "needs"]
    return found if WHOLE or page == FIRST else [block for block in found if not TRAINS.search(block.text)]


def perform(page: str, folder: Path) -> None:
    """Do what a page says, in a folder that holds what it supposes."""
    quicker = (AT_640, *QUICKER) if page == "isaac-ros" else QUICKER
    (folder / "quick_world.yaml").write_text(WORLD)
    (folder / "quick_training.yaml").write_text(yaml.safe_dump(TRAINING))
    terminals = Terminals(folder, quicker)
    try:
        for block in chosen(page):
            if block.mark == "terminal":
                terminals.start(block.text)
            elif block.mark == "file":
                (folder / block.told).write_text(block.text)
            elif block.mark == "end of":
                path = folder / block.told
                path.write_text(path.read_text() + "\n\n" + block.text)
            elif block.language == "bash":
                terminals.run(block.text)
        terminals.end()
    finally:
        terminals.kill()


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder after the first page: datasets, a model, the run that trained it."""
    folder = tmp_path_factory.mktemp("first")
    (folder / ".venv").symlink_to(Path(sys.executable).parents[1])
    perform(FIRST, folder)
    return folder


@pytest.fixture
def reader(home: Path, tmp_path: Path) -> Iterator[Path]:
    """A folder of one's own, with what the first page has left."""
    for name in ("datasets", "models", "runs"):
        shutil.copytree(home / name, tmp_path / name)
    (tmp_path / ".venv").symlink_to(Path(sys.executable).parents[1])
    yield tmp_path
    shutil.rmtree(tmp_path / "models")


def film(dataset: Path) -> Film:
    """The pictures of a dataset as a camera would have seen them, some times over, with their truth."""
    content = json.loads((dataset / "annotations.json").read_text())
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


def prepare_isaac_dataset(folder: Path) -> None:
    replicator(folder / "replicator_out", FRAMES * 4)


def prepare_score_a_bag(folder: Path) -> None:
    write_bag(folder / "monday", film(folder / "datasets" / "val"))
    # A second version to compare with: the first under another number.
    first, second = (folder / "models" / "detector" / version for version in ("1", "2"))
    shutil.copytree(first, second)
    manifest = decode((first / MANIFEST_NAME).read_bytes())
    (second / MANIFEST_NAME).write_bytes(encode(msgspec.structs.replace(manifest, version=2)))


def prepare_twenty_photographs(folder: Path) -> None:
    for name in ("images", "annotations.json"):
        source, target = folder / "datasets" / "val" / name, folder / "my_labels" / name
        target.parent.mkdir(exist_ok=True)
        shutil.copytree(source, target) if source.is_dir() else shutil.copyfile(source, target)


def prepare_add_an_architecture(folder: Path) -> None:
    for package in ROOT.glob("perception_*"):
        if package.is_dir() and not package.name.endswith(".egg-info"):
            shutil.copytree(package, folder / package.name, ignore=shutil.ignore_patterns("__pycache__"))


PREPARED: dict[str, Any] = {
    "isaac-dataset": prepare_isaac_dataset,
    "score-a-bag": prepare_score_a_bag,
    "twenty-photographs": prepare_twenty_photographs,
    "add-an-architecture": prepare_add_an_architecture,
}
#: What a page leaves, and a look at it is worth: nothing of it is there when commands only seem to work.
LEFT: dict[str, tuple[str, ...]] = {
    "own-object": ("objects/angle_bracket/preview.png", "runs/look_bracket/index.html"),
    "isaac-dataset": ("runs/look_isaac/index.html", "datasets/isaac_two/val/annotations.json"),
    "score-a-bag": ("runs/monday/report.html", "runs/compared/comparison.json", "data/harvest/harvest.html"),
    "twenty-photographs": ("reports/before/report.html", "runs/gap/gap.html"),
    "jetson": ("models/detector/2/model.fp16.onnx", "models/detector/2/manifest.sig", "robots.token"),
    "several-gpus": ("datasets/shared/annotations.json",),
}
#: And what `make tutorials` leaves beside it.
LEFT_WHOLE: dict[str, tuple[str, ...]] = {
    "own-object": ("runs/bracket/summary.json",),
    "isaac-dataset": ("runs/isaac/summary.json", "runs/both/summary.json"),
    "twenty-photographs": ("runs/finetune/report.md", "runs/curve/curve.png"),
    "several-gpus": ("runs/group/summary.json",),
    "isaac-ros": ("isaac/detector",),
    "add-an-architecture": ("models/tiny/1/manifest.json", "runs/tiny/pictures"),
}


def test_the_first_model(home: Path) -> None:
    assert (home / "models" / "detector" / "1" / "manifest.json").is_file()
    assert (home / "runs" / "look" / "index.html").is_file()
    assert len(list((home / "runs" / "pictures").iterdir())) == 8
    live = json.loads((home / "runs" / "live.json").read_text())
    assert live["frames"]["scored"] > 0
    assert live["serving_version"] == 1


@pytest.mark.slow
@pytest.mark.parametrize("page", [page for page in PAGES if page != FIRST])
def test_a_page(page: str, reader: Path) -> None:
    if not WHOLE and page in TRAINED:
        pytest.skip("it trains first: `make tutorials`")
    PREPARED.get(page, lambda folder: None)(reader)
    perform(page, reader)
    left = LEFT.get(page, ()) + (LEFT_WHOLE.get(page, ()) if WHOLE else ())
    assert [path for path in left if not (reader / path).exists()] == []


def test_blocks_are_told_apart_by_their_first_line() -> None:
    marks = {block.mark for page in PAGES for block in blocks(TUTORIALS / f"{page}.md")}
    assert marks == {"", "needs", "takes", "terminal", "file", "end of"}
    # A mark that nobody knows would be a comment, and the block be run.
    for page in PAGES:
        first = [block.text.split("\n")[0] for block in blocks(TUTORIALS / f"{page}.md") if not block.mark]
        assert [line for line in first if line.startswith("#")] == [], page
