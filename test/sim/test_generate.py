"""Datasets: the same bytes whatever the workers and interruptions, and true to their labels."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import psutil
import pytest
from pycocotools import mask as coco_mask
from pycocotools.coco import COCO
from worlds import finished, tree, until_finished

from perception_common.errors import UserError
from perception_sim.generation.generate import generate
from perception_sim.params import GenerateParams

SMALL = GenerateParams(preset="demo", images=22, views_per_scene=3, seed=5, workers=1)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """A small dataset made by one worker, and its summary."""
    output = tmp_path_factory.mktemp("one") / "data"
    return output, generate(dataclasses.replace(SMALL, output=str(output)))


def start(output: Path, *arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "perception_sim", "generate", "--output", str(output), *arguments]
    for field in ("preset", "images", "views_per_scene", "seed"):
        command += ["--" + field.replace("_", "-"), str(getattr(SMALL, field))]
    return subprocess.Popen(command, stderr=subprocess.PIPE, text=True)


def test_two_workers_make_the_same_bytes_as_one(made: tuple[Path, dict[str, Any]], tmp_path: Path) -> None:
    output = tmp_path / "elsewhere"
    summary = generate(dataclasses.replace(SMALL, output=str(output), workers=2))
    assert tree(output) == tree(made[0])
    assert summary["annotations_sha256"] == made[1]["annotations_sha256"]
    names = {"images", "masks", "annotations.json", "sampled.jsonl", "contact_sheet.png", "dataset.json"}
    assert {path.name for path in output.iterdir()} == names


def test_another_seed_makes_another_dataset(made: tuple[Path, dict[str, Any]], tmp_path: Path) -> None:
    output = tmp_path / "data"
    generate(dataclasses.replace(SMALL, output=str(output), seed=6, images=3))
    assert (output / "images/000000.jpg").read_bytes() != (made[0] / "images/000000.jpg").read_bytes()


def test_interrupted_and_resumed_equals_uninterrupted(made: tuple[Path, dict[str, Any]], tmp_path: Path) -> None:
    output = tmp_path / "data"
    process = start(output, "--workers", "2")
    until_finished(output, 2, process)
    family = psutil.Process(process.pid).children(recursive=True)
    assert len(family) == 2
    process.send_signal(signal.SIGINT)
    _, told = process.communicate(timeout=20)
    assert process.returncode == 130
    assert "continue" in told
    assert "Traceback" not in told
    assert not [child for child in family if child.is_running() and child.status() != psutil.STATUS_ZOMBIE]
    assert 2 <= finished(output) < 8
    assert not (output / "dataset.json").exists()
    # A picture that a power cut truncated is noticed and made again.
    (output / "images/000000.jpg").write_bytes(b"")

    summary = generate(dataclasses.replace(SMALL, output=str(output)))
    assert 0 < summary["images_made"] < SMALL.images
    assert tree(output) == tree(made[0])


def test_killed_and_resumed_equals_uninterrupted(made: tuple[Path, dict[str, Any]], tmp_path: Path) -> None:
    output = tmp_path / "data"
    process = start(output, "--workers", "2")
    until_finished(output, 2, process)
    family = psutil.Process(process.pid).children(recursive=True)
    process.kill()
    process.communicate()
    _, alive = psutil.wait_procs(family, timeout=10)
    assert not alive, "workers end with their parent"
    # As if it had been killed in the middle of a line.
    journal = output / ".progress/shard_0_of_1.jsonl"
    first, rest = journal.read_bytes().split(b"\n", 1)
    journal.write_bytes(first + b"\n" + rest[: len(rest) // 2])

    summary = generate(dataclasses.replace(SMALL, output=str(output), workers=2))
    assert 0 < summary["images_made"] < SMALL.images
    assert tree(output) == tree(made[0])


def test_a_worker_that_is_killed_is_replaced(made: tuple[Path, dict[str, Any]], tmp_path: Path) -> None:
    output = tmp_path / "data"
    process = start(output, "--workers", "2")
    until_finished(output, 1, process)
    psutil.Process(process.pid).children()[0].kill()
    _, told = process.communicate(timeout=60)
    assert process.returncode == 0, told
    assert re.search(r"a worker ended \(killed, .*\) while it made scene \d", told)
    assert re.search(r"22/22 images, \d+\.\d images/s, 0:00:00 left", told)
    assert tree(output) == tree(made[0])


def test_a_scene_that_ends_two_workers_is_told_in_one_line(tmp_path: Path) -> None:
    process = start(tmp_path / "data", "--workers", "2")
    parent = psutil.Process(process.pid)
    while process.poll() is None:
        with contextlib.suppress(psutil.NoSuchProcess):
            for worker in parent.children():
                worker.kill()
        time.sleep(0.01)
    _, told = process.communicate(timeout=60)
    assert process.returncode == 2, told
    assert re.search(r"scene \d of seed 5 ended two workers, the second killed", told.splitlines()[-1])
    assert "Traceback" not in told


def test_classes_and_negatives_take_the_place_of_the_presets(tmp_path: Path) -> None:
    params = dataclasses.replace(
        SMALL, output=str(tmp_path / "data"), images=4, views_per_scene=1, classes=("cone", "ball"), contact_sheet=False
    )
    assert list(generate(params)["per_class"]) == ["cone", "ball"]
    config = json.loads((tmp_path / "data/dataset.json").read_text())["config"]
    assert config["preset"]["content"]["classes"] == ["cone", "ball"]
    assert not {"classes", "negatives", "workers", "shards", "shard", "ray"} & set(config)
    summary = generate(dataclasses.replace(params, output=str(tmp_path / "none"), negatives=1.0))
    assert (summary["annotations"], summary["negative_images"]) == (0, 4)
    for wrong in ({"classes": ("cone", "bal")}, {"classes": ("cone", "cone")}, {"negatives": -0.5}):
        with pytest.raises(UserError, match=f"--{next(iter(wrong))}"):
            generate(dataclasses.replace(params, output=str(tmp_path / "new"), **wrong))
    assert not (tmp_path / "new").exists()


def test_a_finished_dataset_is_left_alone(made: tuple[Path, dict[str, Any]]) -> None:
    before = {path: path.stat().st_mtime_ns for path in made[0].rglob("*")}
    summary = generate(dataclasses.replace(SMALL, output=str(made[0]), workers=2))
    assert summary["images_made"] == 0
    assert summary["annotations"] == made[1]["annotations"]
    assert {path: path.stat().st_mtime_ns for path in made[0].rglob("*")} == before


def test_pycocotools_reads_it(made: tuple[Path, dict[str, Any]], capsys: pytest.CaptureFixture[str]) -> None:
    coco = COCO(str(made[0] / "annotations.json"))
    assert [category["name"] for category in coco.loadCats(coco.getCatIds())] == [
        "ball",
        "box",
        "cone",
        "hammer",
        "mug",
        "ring",
    ]
    assert coco.getCatIds() == [1, 2, 3, 4, 5, 6]
    assert sorted(coco.getAnnIds()) == list(range(1, len(coco.getAnnIds()) + 1))
    assert len(coco.getImgIds()) == SMALL.images
    for image in coco.loadImgs(coco.getImgIds()):
        picture = cv2.imread(str(made[0] / "images" / image["file_name"]))
        assert picture.shape == (image["height"], image["width"], 3) == (240, 320, 3)


def test_boxes_areas_and_masks_agree(made: tuple[Path, dict[str, Any]]) -> None:
    coco = COCO(str(made[0] / "annotations.json"))
    for image in coco.loadImgs(coco.getImgIds()):
        semantic = cv2.imread(str(made[0] / "masks" / image["file_name"].replace(".jpg", ".png")), cv2.IMREAD_UNCHANGED)
        rebuilt = np.zeros_like(semantic)
        for annotation in coco.imgToAnns[image["id"]]:
            mask = coco_mask.decode(annotation["segmentation"]).astype(bool)
            rows, columns = np.nonzero(mask)
            x, y, w, h = annotation["bbox"]
            assert [x, y, w, h] == [
                columns.min(),
                rows.min(),
                columns.max() - columns.min() + 1,
                rows.max() - rows.min() + 1,
            ]
            assert annotation["area"] == mask.sum()
            assert 0.0 <= annotation["occlusion"] <= 0.6 or annotation["iscrowd"]
            assert max(w, h) >= 24 or annotation["iscrowd"]
            assert not rebuilt[mask].any(), "two instances share a pixel"
            rebuilt[mask] = annotation["category_id"]
        assert np.array_equal(rebuilt, semantic)


def test_provenance_tells_what_was_made(made: tuple[Path, dict[str, Any]]) -> None:
    output, summary = made
    provenance = json.loads((output / "dataset.json").read_text())
    coco = json.loads((output / "annotations.json").read_text())
    assert provenance["annotations_sha256"] == hashlib.sha256((output / "annotations.json").read_bytes()).hexdigest()
    assert provenance["seed"] == SMALL.seed
    assert provenance["config"]["preset"]["name"] == "demo"
    assert provenance["counts"]["images"] == SMALL.images == len(coco["images"])
    labelled = [annotation for annotation in coco["annotations"] if not annotation["iscrowd"]]
    assert sum(provenance["counts"]["per_class"].values()) == provenance["counts"]["annotations"] == len(labelled)
    assert summary["per_class"] == provenance["counts"]["per_class"]
    assert str(output) not in (output / "dataset.json").read_text()


def test_what_was_sampled_is_kept_for_every_image(made: tuple[Path, dict[str, Any]]) -> None:
    lines = [json.loads(line) for line in (made[0] / "sampled.jsonl").read_text().splitlines()]
    names = [view["file_name"] for line in lines for view in line["views"]]
    assert names == [f"{number:06d}.jpg" for number in range(SMALL.images)]
    for line in lines:
        assert line["lights"]
        assert line["stage"]["floor"]["texture"]["pattern"]
        assert all(view["sensor"]["exposure"] > 0 and view["camera"]["fovy"] > 0 for view in line["views"])
    positions = [tuple(view["camera"]["position"]) for line in lines for view in line["views"]]
    assert len(set(positions)) == SMALL.images


def test_wrong_use_is_told_in_one_line(made: tuple[Path, dict[str, Any]], tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("not a directory")
    stranger = tmp_path / "stranger"
    stranger.mkdir()
    (stranger / "thesis.txt").write_text("precious")
    cases = {
        "--output": dataclasses.replace(SMALL, output=""),
        "cannot write": dataclasses.replace(SMALL, output=str(blocked / "data")),
        "not empty": dataclasses.replace(SMALL, output=str(stranger)),
        "differs in seed": dataclasses.replace(SMALL, output=str(made[0]), seed=99),
        "did you mean 'demo'": dataclasses.replace(SMALL, output=str(tmp_path / "new"), preset="dem"),
        "cannot read the file": dataclasses.replace(SMALL, output=str(tmp_path / "new"), preset="./none.yaml"),
    }
    for expected, params in cases.items():
        with pytest.raises(UserError) as caught:
            generate(params)
        assert expected in str(caught.value)
        assert "\n" not in str(caught.value)
    assert not (tmp_path / "new").exists()
    assert [path.name for path in stranger.iterdir()] == ["thesis.txt"]


def test_two_runs_in_one_directory_do_not_mix(tmp_path: Path) -> None:
    output = tmp_path / "data"
    process = start(output, "--workers", "1")
    try:
        until_finished(output, 1, process)
        with pytest.raises(UserError, match="another process"):
            generate(dataclasses.replace(SMALL, output=str(output)))
    finally:
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=20)
    with pytest.raises(UserError, match="differs in images"):
        generate(dataclasses.replace(SMALL, output=str(output), images=SMALL.images + 1))


@pytest.mark.parametrize("workers", [1, 2])
def test_no_egl_is_told_in_one_line_and_leaves_the_directory_usable(tmp_path: Path, workers: int) -> None:
    # libglvnd finds no driver, as on a machine without one.
    environment = {**os.environ, "__EGL_VENDOR_LIBRARY_FILENAMES": str(tmp_path / "none.json"), "MUJOCO_GL": "egl"}
    command = [sys.executable, "-m", "perception_sim", "generate", "--images", "2", "--views-per-scene", "1"]
    command += ["--output", str(tmp_path / "data"), "--workers", str(workers)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2
    assert "libegl1 libgl1-mesa-dri" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    params = dataclasses.replace(SMALL, output=str(tmp_path / "data"), images=1, contact_sheet=False)
    assert generate(params)["images"] == 1
