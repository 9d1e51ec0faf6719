"""The commands of README and docs, run as a reader would run them, with fewer pictures and steps.

`make test` leaves out long pages and what trains, but for the first tutorial; `make tutorials` leaves out nothing but
what needs hardware, other software or hours. The world is an easier one, and validated on what was trained on: one kind
of things, large, of which a network knows a handful of pictures by heart within seconds. What is for a robot is done on
this machine.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from page_commands import Block, Terminals, blocks, pages

from perception_train.data.appearance import HOME

pytest.importorskip("rclpy", reason="ROS 2 is not installed")
from page_folders import LEFT, LEFT_WHOLE, PREPARED

PAGES = pages()
FIRST = "tutorials/first-model"
RUN = [name for name, page in PAGES.items() if name != FIRST and any(block.runs for block in blocks(page))]
WHOLE = os.environ.get("TUTORIALS") == "whole"
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
    (r"(--output datasets/(?:train|val)) --images \d+\b", r"\1 --images 8 --preset quick_world.yaml"),
    (r"--images \d+\b", "--images 8"),
    (r"--seed \d+", "--seed 1"),
    (r"\bsim_camera_node\b", "sim_camera_node --ros-args -p preset:=quick_world.yaml"),
    (r" --(width|height|batch) \d+", ""),
    (r"--minutes \d+(?!.*--print-config)", "--config quick_training.yaml"),
    (r"-p minutes:=\S+", NODE),
    (r"finetune --real", f"finetune {FURTHER} --real"),
    (r"--curve 0 5( 25)? all", "--curve 0 2 all"),
    (r"adapt --self-training", "adapt --self-training --steps 4 --batch 4 --validations 1"),
    (r"-s INT 60", "-s INT 12"),
    (r"p99_ms<=\d+", "p99_ms<=60000"),
    (r"map50>=0\.8", "map50>=0"),
    # Of so few pictures there are no intervals.
    (r'harvest_val --gate "not worse\(map50\)"', 'harvest_val --gate "map50>=0"'),
    (r"perception-infer bench", "perception-infer bench --seconds 1 --sizes 320x240"),
    # What the reader fills in.
    (r"\bRECORDING\b", "yesterday"),
    (r"\bDIR\b", "my_labels"),
    (r"\bPHOTOGRAPHS\b", "photographs"),
    # The robot and the workstation are this machine, and `ros2 run` is there with ROS 2 from apt only.
    (r"ssh robot ", ""),
    (r"scp (\S+) robot:(\S+)", r"cp \1 \2"),
    (r"\bworkstation\b", "localhost"),
    (r"ros2 run perception_suite (\w+)_node", r"\1_node"),
)
#: NVIDIA's decoder knows one size.
AT_640 = (
    r"--minutes \d+ --width 640 --height 640 --batch 16",
    "--config quick_training.yaml --steps 2 --width=640 --height=640 --batch=2",
)
LONG = re.compile(r"perception-train (run|finetune)(?!.*--print-config)|-m perception_train|--self-training|--ray ")
#: Of these pages nothing is left without their training, or what is left takes a minute.
LONG_PAGES = (
    *("tutorials/add-an-architecture", "tutorials/isaac-ros"),
    *("README", "datasets", "gap", "harvest", "remote", "replay", "training", "world"),
)


def chosen(page: str) -> list[Block]:
    """What is done of a page now."""
    found = [block for block in blocks(PAGES[page]) if block.runs]
    if WHOLE or page == FIRST:
        return found
    kept = [replace(block, text="".join(line for line in block.text.splitlines(True) if not LONG.search(line)))
            for block in found]  # fmt: skip
    return [block for block in kept if block.text.strip()]


def perform(page: str, folder: Path) -> None:
    """Do what a page says, in a folder that holds what it supposes."""
    quicker = (AT_640, *QUICKER) if page == "tutorials/isaac-ros" else QUICKER
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
            else:
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


def test_the_first_model(home: Path) -> None:
    assert (home / "models" / "detector" / "1" / "manifest.json").is_file()
    assert (home / "runs" / "look" / "index.html").is_file()
    assert len(list((home / "runs" / "pictures").iterdir())) == 8
    live = json.loads((home / "runs" / "live.json").read_text())
    assert live["frames"]["scored"] > 0
    assert live["serving_version"] == 1


@pytest.mark.slow
@pytest.mark.parametrize("page", RUN)
def test_a_page(page: str, reader: Path) -> None:
    if not WHOLE and page in LONG_PAGES:
        pytest.skip("a long page: `make tutorials`")
    PREPARED.get(page, lambda folder: None)(reader)
    perform(page, reader)
    left = LEFT.get(page, ()) + (LEFT_WHOLE.get(page, ()) if WHOLE else ())
    assert [path for path in left if not (reader / path).exists()] == []


def test_blocks_are_told_apart_by_their_first_line() -> None:
    found = {name: blocks(page) for name, page in PAGES.items()}
    marks = {block.mark for page in found.values() for block in page}
    assert marks == {"", "needs", "takes", "terminal", "file", "end of"}
    # A mark that nobody knows would be a comment, and the block be run.
    for name, page in found.items():
        first = [block.text.lstrip().split("\n")[0] for block in page if not block.mark and block.language == "bash"]
        assert [line for line in first if line.startswith("#")] == [], name


@pytest.mark.parametrize("page", PAGES)
def test_every_command_is_in_a_block(page: str) -> None:
    """So that it is run, or says what it needs."""
    text = PAGES[page].read_text(encoding="utf-8")
    outside = re.sub(r"^ *```(bash|python)\n.*?^ *```$", "", text, flags=re.MULTILINE | re.DOTALL)
    programs = (
        r"^ *(?:\$ )?(?:\.venv/bin/|sudo )?(?:perception-(?:sim|train|infer)|ros2|make|python3?|pip|torchrun) [\w-]"
    )
    assert re.findall(programs + r".*$", outside, re.MULTILINE) == []
