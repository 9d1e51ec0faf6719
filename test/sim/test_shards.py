"""Shards: whatever the machines and directories, the dataset is the one that a single run makes."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from worlds import tree

from perception_common.errors import UserError
from perception_sim.cli import main
from perception_sim.generation import coco
from perception_sim.generation.dataset import Store
from perception_sim.generation.generate import generate
from perception_sim.generation.journal import Journal
from perception_sim.generation.merge import merge
from perception_sim.generation.shards import Shard
from perception_sim.params import GenerateParams, MergeParams

SMALL = GenerateParams(
    preset="demo", images=9, views_per_scene=2, seed=5, workers=1, width=160, height=120, contact_sheet=True
)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The dataset that one run makes."""
    output = tmp_path_factory.mktemp("whole") / "data"
    generate(dataclasses.replace(SMALL, output=str(output)))
    return output


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """The directories of its two shards."""
    root = tmp_path_factory.mktemp("parts")
    outputs = [root / "a", root / "b"]
    for shard, output in enumerate(outputs):
        assert not generate(dataclasses.replace(SMALL, output=str(output), shards=2, shard=shard))["complete"]
    return outputs


@pytest.fixture
def copies(parts: list[Path], tmp_path: Path) -> list[Path]:
    """Copies of the shards that may be spoilt."""
    return [Path(shutil.copytree(part, tmp_path / part.name)) for part in parts]


def join(inputs: list[Path], output: Path) -> dict[str, Any]:
    return merge(MergeParams(inputs=tuple(map(str, inputs)), output=str(output)))


@pytest.mark.parametrize("total", [0, 1, 5, 250_000])
@pytest.mark.parametrize("count", [1, 2, 3, 7, 1000])
def test_shards_are_the_scenes_one_after_the_other(total: int, count: int) -> None:
    ranges = [shard.scenes(total) for shard in Shard(0, count).siblings()]
    assert [scene for part in ranges for scene in part] == list(range(total))
    assert max(map(len, ranges)) - min(map(len, ranges)) <= 1


def test_shards_in_directories_of_their_own_are_merged(whole: Path, parts: list[Path], tmp_path: Path) -> None:
    before = [tree(part) for part in parts]
    summary = join([parts[1], parts[0]], tmp_path / "data")
    assert tree(tmp_path / "data") == tree(whole)
    assert summary["images"] == SMALL.images
    assert (tmp_path / "data/images/000000.jpg").samefile(parts[0] / "images/000000.jpg")
    assert join(parts, tmp_path / "data")["annotations_sha256"] == summary["annotations_sha256"]
    assert [tree(part) for part in parts] == before


def test_two_shards_at_once_in_one_directory(whole: Path, tmp_path: Path) -> None:
    output = tmp_path / "data"
    command = [sys.executable, "-m", "perception_sim", "generate", "--output", str(output), "--shards", "2"]
    for field in ("images", "views_per_scene", "seed", "workers", "width", "height"):
        command += ["--" + field.replace("_", "-"), str(getattr(SMALL, field))]
    runs = [
        subprocess.Popen([*command, "--shard", str(shard), "--json", str(tmp_path / f"{shard}.json")])
        for shard in range(2)
    ]
    assert [run.wait(timeout=120) for run in runs] == [0, 0]
    assert tree(output) == tree(whole)
    told = [json.loads((tmp_path / f"{shard}.json").read_text()) for shard in range(2)]
    assert sum(one["images_made"] for one in told) == SMALL.images
    assert any(one["complete"] for one in told)


def test_a_plain_run_completes_shards_that_never_ended(whole: Path, copies: list[Path]) -> None:
    summary = generate(dataclasses.replace(SMALL, output=str(copies[1])))
    assert summary["complete"]
    assert 0 < summary["images_made"] < SMALL.images
    assert tree(copies[1]) == tree(whole)


def test_what_another_shard_lost_is_made_again(whole: Path, tmp_path: Path) -> None:
    common = tmp_path / "data"
    params = dataclasses.replace(SMALL, output=str(common), shards=2)
    waiting = generate(dataclasses.replace(params, shard=1))
    assert (waiting["complete"], waiting["waiting_for"]) == (False, [0])
    (common / "images/000008.jpg").unlink()
    assert generate(params)["images_made"] == 5
    assert tree(common) == tree(whole)


def test_an_interrupted_merge_continues(whole: Path, parts: list[Path], tmp_path: Path) -> None:
    output = tmp_path / "data"
    with Journal([parts[0]], 5) as source:
        raw = source.raw(1)
    (output / ".progress").mkdir(parents=True)
    (output / "images").mkdir()
    shutil.copy(parts[0] / ".progress/config.json", output / ".progress")
    (output / ".progress/shard_0_of_1.jsonl").write_bytes(raw + b"\n" + raw[:40])
    shutil.copy(parts[0] / "images/000000.jpg", output / "images")
    (output / "images/000001.jpg").write_bytes(b"half a pict")
    join(parts, output)
    assert tree(output) == tree(whole)


def test_shards_on_another_disk_are_copied(whole: Path, parts: list[Path]) -> None:
    elsewhere = Path("/dev/shm")
    if not os.access(elsewhere, os.W_OK) or elsewhere.stat().st_dev == parts[0].stat().st_dev:
        pytest.skip("needs a second file system")
    with tempfile.TemporaryDirectory(dir=elsewhere) as directory:
        join(parts, Path(directory) / "data")
        assert tree(Path(directory) / "data") == tree(whole)


def test_what_cannot_be_merged_is_told_in_one_line(
    whole: Path, parts: list[Path], copies: list[Path], tmp_path: Path
) -> None:
    picture = copies[1] / "images/000007.jpg"
    content = picture.read_bytes()
    picture.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    other = tmp_path / "other"
    generate(dataclasses.replace(SMALL, output=str(other), seed=6, shards=5, shard=1))
    older = Path(shutil.copytree(parts[1], tmp_path / "older"))
    config = json.loads((older / ".progress/config.json").read_text())
    config["software"]["mujoco"] = "1.0"
    (older / ".progress/config.json").write_text(json.dumps(config))
    cases: dict[str, list[Path]] = {
        "--inputs": [],
        "3 of 5 scenes are missing, the first is scene 2": [parts[0]],
        "differs in seed": [parts[0], other],
        "differs in software": [parts[0], older],
        "has changed since it was made": copies,
        "complete already": [parts[0], whole],
        "no shard": [parts[0], tmp_path],
    }
    for expected, inputs in cases.items():
        with pytest.raises(UserError) as caught:
            join(inputs, tmp_path / "out")
        assert expected in str(caught.value)
        assert "\n" not in str(caught.value)
    assert not (tmp_path / "out/dataset.json").exists()
    picture.write_bytes(content[:-1])
    with pytest.raises(UserError, match="1 of 5 scenes are missing, the first is scene 3"):
        join(copies, tmp_path / "out")


def test_a_record_cannot_name_files_outside(copies: list[Path], tmp_path: Path) -> None:
    path = copies[1] / ".progress/shard_1_of_2.jsonl"
    path.write_bytes(path.read_bytes().replace(b'"images/000008.jpg":', b'"images/../images/000008.jpg":'))
    with pytest.raises(UserError, match="names a file outside"):
        join(copies, tmp_path / "out")


def test_wrong_shards_are_told_in_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["generate", "--output", str(tmp_path / "x"), "--shards", "3", "--shard", "3"]) == 2
    assert "no shard 3 of 3 [--shard]: shards count from 0: allowed is 0 to 2" in capsys.readouterr().err
    assert main(["generate", "--output", str(tmp_path / "x"), "--shard", "1"]) == 2
    assert "--shards" in capsys.readouterr().err
    assert not (tmp_path / "x").exists()


def test_the_command_says_what_is_still_missing(
    copies: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["--images", "9", "--views-per-scene", "2", "--seed", "5", "--width", "160", "--height", "120"]
    assert main(["generate", "--output", str(copies[0]), *arguments, "--shards", "2"]) == 0
    assert "shard 0 of 2 is complete, 1 not yet in this directory (1), 0 made" in capsys.readouterr().err
    assert main(["merge", "--inputs", *map(str, copies), "--output", str(tmp_path / "out")]) == 0
    assert "9 images" in capsys.readouterr().err


def test_only_shards_of_one_division_share_a_directory(tmp_path: Path) -> None:
    store = Store(tmp_path / "data", {"seed": 1}, 6, ("images",))
    with store.opened(Shard(0, 3)), store.opened(Shard(1, 3)):
        for shard in (Shard(0, 3), Shard(0, 1), Shard(0, 2)):
            with pytest.raises(UserError, match="another process"), store.opened(shard):
                pass
        with (
            pytest.raises(UserError, match="differs in seed"),
            Store(tmp_path / "data", {"seed": 2}, 6, ()).opened(Shard(2, 3)),
        ):
            pass
    with store.opened(Shard(0, 1)):
        pass


def record(scene: int, root: Path) -> dict[str, Any]:
    """A record of two images, and its files."""
    numbers = (2 * scene, 2 * scene + 1)
    instances = [
        {"category_id": 1 + k % 2, "bbox": [0.5, 1e-7, 3, 4], "iscrowd": int(k == 3), "note": '},"é'} for k in range(5)
    ]
    shots = [
        {
            "number": number,
            "file_name": f"{number:06d}.jpg",
            "sizes": {f"images/{number:06d}.jpg": 3 + number},
            "view": {"fovy": 0.1 * number} if number % 3 else {},
            "instances": instances[: number % 6],
        }
        for number in numbers
    ]
    for number in numbers:
        (root / f"images/{number:06d}.jpg").write_bytes(b"x" * (3 + number))
    return {"scene": scene, "negative": scene == 1, "sampled": {"lights": [1.5]} if scene else {}, "shots": shots}


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    (tmp_path / "images").mkdir()
    (tmp_path / ".progress").mkdir()
    with Journal([tmp_path], 6, "own.jsonl") as opened:
        yield opened


def test_annotations_are_the_records_in_order(journal: Journal, tmp_path: Path) -> None:
    records = [record(scene, tmp_path) for scene in range(6)]
    for scene in (3, 0, 5, 1, 4, 2):
        assert journal.append(json.dumps(records[scene]).encode()) == 2
    written = coco.write(tmp_path, tmp_path, coco.Header(("cone", "ball"), "d", 20, 10), journal.records())

    found = json.loads((tmp_path / "annotations.json").read_text())
    shots = [shot for one in records for shot in one["shots"]]
    assert [image["id"] for image in found["images"]] == list(range(1, 13))
    assert found["images"][3] == {"id": 4, "file_name": "000003.jpg", "width": 20, "height": 10, "scene": 1}
    wanted = [{"image_id": shot["number"] + 1, **instance} for shot in shots for instance in shot["instances"]]
    assert found["annotations"] == [{"id": number, **annotation} for number, annotation in enumerate(wanted, 1)]
    assert [category["name"] for category in found["categories"]] == ["cone", "ball"]
    lines = [json.loads(line) for line in (tmp_path / "sampled.jsonl").read_text().splitlines()]
    assert lines == [
        {
            "scene": one["scene"],
            "negative": one["negative"],
            **one["sampled"],
            "views": [{"file_name": shot["file_name"], **shot["view"]} for shot in one["shots"]],
        }
        for one in records
    ]
    labelled = [annotation["category_id"] for annotation in wanted if not annotation["iscrowd"]]
    assert written.counts == {
        "images": 12,
        "scenes": 6,
        "negative_images": 2,
        "annotations": len(labelled),
        "unlabelled": len(wanted) - len(labelled),
        "per_class": {"cone": labelled.count(1), "ball": labelled.count(2)},
    }
    for name, digest in (("annotations.json", written.annotations_sha256), ("sampled.jsonl", written.sampled_sha256)):
        assert hashlib.sha256((tmp_path / name).read_bytes()).hexdigest() == digest
    assert not list(tmp_path.glob("*.part"))


def test_damaged_records_count_as_not_made(journal: Journal, tmp_path: Path) -> None:
    for scene in range(6):
        journal.append(json.dumps(record(scene, tmp_path)).encode())
    lines = (tmp_path / ".progress/own.jsonl").read_bytes().splitlines(keepends=True)
    journal.close()
    lines[1] = b"\0" * (len(lines[1]) - 1) + b"\n"
    lines[2] = b'{"scene":2}\n'
    lines[3] = lines[3].replace(b'"scene": 3', b'"scene": 333')
    (tmp_path / "images/000009.jpg").unlink()
    (tmp_path / ".progress/own.jsonl").write_bytes(b"".join(lines)[:-20])
    with Journal([tmp_path], 6, "own.jsonl") as again:
        assert again.missing(range(6)).tolist() == [1, 2, 3, 4, 5]
        assert again.missing(range(2, 4)).tolist() == [2, 3]
        for scene in (4, 5):
            again.append(json.dumps(record(scene, tmp_path)).encode())
        assert json.loads(again.raw(5)) == record(5, tmp_path)
    with Journal([tmp_path], 6) as read_only:
        assert read_only.missing(range(6)).tolist() == [1, 2, 3]
        assert json.loads(read_only.raw(0)) == record(0, tmp_path)
