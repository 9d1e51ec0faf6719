"""``perception-train import``: classes, filters, splits, masks, joins, and an output that is whole or not there."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from foreign import FRAMES, HEIGHT, WIDTH, WRITERS, params, picture, replicator, voc, write_json, yolo
from PIL import Image
from pycocotools.coco import COCO
from waiting import until

from perception_common.errors import UserError
from perception_train.cli import main
from perception_train.data.coco import CocoDataset
from perception_train.data.importing import command as importing
from perception_train.data.importing.command import import_datasets
from perception_train.data.readers import FORMATS


def annotations(folder: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((folder / "annotations.json").read_text())
    return content


def report(result: dict[str, Any], kind: str) -> dict[str, int]:
    return {reason: entry["count"] for reason, entry in result["report"].get(kind, {}).items()}


def left_behind(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir() if path.name.startswith(".partial-")]


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_opens_as_our_dataset(name: str, tmp_path: Path) -> None:
    WRITERS[name](tmp_path / "in")
    result = import_datasets(params(tmp_path / "in", tmp_path / "out"))
    assert result["report"] == {}
    dataset = CocoDataset.open(tmp_path / "out")
    assert dataset.classes == ("cone", "pallet")
    assert dataset.skipped == 0
    for sample, frame in zip(dataset.samples, FRAMES, strict=True):
        assert [tuple(box) for box in sample.boxes] == [box for _, box in frame]
        assert [dataset.classes[label] for label in sample.labels] == [label for label, _ in frame]
        image = sample.read()
        assert all((image[y0:y1, x0:x1] == 230).all() for _, (x0, y0, x1, y1) in frame)
    masks = {"replicator", "solo", "coco", "blenderproc"}
    assert (tmp_path / "out" / "masks").is_dir() == (name in masks)
    if name in masks:
        for index, frame in enumerate(FRAMES):
            mask = cv2.imread(str(tmp_path / "out" / "masks" / f"{index:06d}.png"), cv2.IMREAD_UNCHANGED)
            wanted = np.zeros((HEIGHT, WIDTH), np.uint8)
            for label, (x0, y0, x1, y1) in frame:
                wanted[y0:y1, x0:x1] = 1 + dataset.classes.index(label)
            assert mask.dtype == np.uint8
            assert (mask == wanted).all()
    # What the rest of the world opens COCO with, too; ids count from 1.
    coco = COCO(str(tmp_path / "out" / "annotations.json"))
    assert min(coco.anns) == min(coco.imgs) == min(coco.cats) == 1
    assert all(coco.annToMask(entry).sum() == entry["area"] for entry in coco.anns.values() if "segmentation" in entry)
    provenance = json.loads((tmp_path / "out" / "dataset.json").read_text())
    assert provenance["counts"] == {
        "images": 3,
        "negative_images": 1,
        "annotations": 4,
        "unlabelled": 0,
        "per_class": {"cone": 3, "pallet": 1},
    }


def test_our_own_datasets_can_be_joined_again(tmp_path: Path) -> None:
    for name in ("replicator", "voc"):
        WRITERS[name](tmp_path / name)
        import_datasets(params(tmp_path / name, tmp_path / f"{name}_ours"))
    sources = [tmp_path / "replicator_ours", tmp_path / "voc_ours"]
    result = import_datasets(params(sources, tmp_path / "out", classes=("pallet", "cone=obstacle")))
    dataset = CocoDataset.open(tmp_path / "out")
    assert result["classes"] == list(dataset.classes) == ["pallet", "obstacle"]
    assert [len(sample.boxes) for sample in dataset.samples] == [2, 0, 2] * 2
    assert dataset.samples[0].labels.tolist() == [1, 0]
    content = annotations(tmp_path / "out")
    assert [image["source"] for image in content["images"]] == [0, 0, 0, 1, 1, 1]
    assert content["images"][3]["original"] == "images/000000.png"
    # Only the first has masks; what is known is written.
    assert len(list((tmp_path / "out" / "masks").iterdir())) == 4


def test_class_selection(tmp_path: Path) -> None:
    voc(tmp_path / "in")
    result = import_datasets(params(tmp_path / "in", tmp_path / "out", classes=("pallet", "crate"), negatives=False))
    assert result["parts"][""]["per_class"] == {"pallet": 1, "crate": 0}
    assert report(result, "object_dropped") == {"class not selected": 3}
    assert report(result, "image_skipped") == {"no object of the classes": 2}
    assert report(result, "note") == {"class that no object has": 1}
    with pytest.raises(UserError, match=r"none of the classes \[palet\] occurs.*did you mean 'pallet'"):
        import_datasets(params(tmp_path / "in", tmp_path / "more", classes=("palet",)))
    with pytest.raises(UserError, match="given twice"):
        import_datasets(params(tmp_path / "in", tmp_path / "more", classes=("cone", "cone=other")))
    assert left_behind(tmp_path) == []


def test_filters_ignore_what_is_visible(tmp_path: Path) -> None:
    frame = [("cone", (5, 6, 20, 30)), ("cone", (30, 10, 64, 48)), ("cone", (1, 1, 3, 4)), ("cone", (0, 40, 9, 48))]
    shares = (0.5, 0.9, 0.0, 1.0)
    replicator(tmp_path / "in", frames=[frame], occlusion=lambda row: shares[row])
    result = import_datasets(params(tmp_path / "in", tmp_path / "out", min_box_px=4.0))
    assert report(result, "object_ignored") == {"hidden by more than max_occlusion": 1, "smaller than min_box_px": 1}
    assert report(result, "object_dropped") == {"hidden entirely": 1}
    content = annotations(tmp_path / "out")
    assert [entry["iscrowd"] for entry in content["annotations"]] == [0, 1, 1]
    assert [entry["occlusion"] for entry in content["annotations"]] == [0.5, 0.9, 0.0]
    # Ignored objects stay in the mask: they are visible.
    mask = cv2.imread(str(tmp_path / "out" / "masks" / "000000.png"), cv2.IMREAD_UNCHANGED)
    assert mask[20, 40] == 1
    assert CocoDataset.open(tmp_path / "out").samples[0].boxes.tolist() == [[5, 6, 20, 30]]


def test_parts_of_one_object_are_one(tmp_path: Path) -> None:
    frame = [("cone", (5, 6, 20, 30))] * 3 + [("pallet", (30, 10, 64, 48)), ("cone", (1, 1, 9, 9))]
    replicator(tmp_path / "in", frames=[frame], occlusion=lambda row: (-1.0, 0.25, 0.0, 0.0, 0.0)[row], segmentation="")
    prims = ["/World/Cone", "/World/Cone/Mesh", "/World/Cone/Group/Mesh", "/World/Cone/Pallet", "/World/Cone_2"]
    path = tmp_path / "in" / "bounding_box_2d_tight_prim_paths_0000.json"
    write_json(path, prims)
    result = import_datasets(params(tmp_path / "in", tmp_path / "out"))
    assert report(result, "object_dropped") == {"part of an object of the same class": 2}
    kept = annotations(tmp_path / "out")["annotations"]
    assert [entry["bbox"] for entry in kept] == [[5, 6, 15, 24], [30, 10, 34, 38], [1, 1, 8, 8]]
    # The whole has no occlusion of its own, its part with the same box has.
    assert kept[0]["occlusion"] == 0.25
    path.unlink()
    result = import_datasets(params(tmp_path / "in", tmp_path / "blind"))
    assert report(result, "object_dropped") == {"part of an object of the same class": 2}


def test_joined_labels_follow_the_selection(tmp_path: Path) -> None:
    frame = [("cone", (5, 6, 20, 30)), ("cone", (5, 6, 20, 28))]
    replicator(tmp_path / "in", frames=[frame], segmentation="")
    labels = tmp_path / "in" / "bounding_box_2d_tight_labels_0000.json"
    write_json(labels, {"0": {"class": "cone,obstacle"}})
    write_json(tmp_path / "in" / "bounding_box_2d_tight_prim_paths_0000.json", ["/World/A", "/World/B"])
    for index, (words, expected) in enumerate(
        [(("obstacle",), "obstacle"), (("obstacle", "cone"), "obstacle"), (("cone,obstacle=both",), "both")]
    ):
        result = import_datasets(params(tmp_path / "in", tmp_path / f"out{index}", classes=words))
        assert result["parts"][""]["per_class"][expected] == 2


def test_split_by_share_and_seed(tmp_path: Path) -> None:
    for index in range(10):
        picture([], tmp_path / "in" / "images" / f"{index}.png")
        path = tmp_path / "in" / "labels" / f"{index}.txt"
        path.parent.mkdir(exist_ok=True)
        path.write_text("0 0.5 0.5 0.5 0.5")
    (tmp_path / "in" / "classes.txt").write_text("thing")

    def originals(name: str, seed: int) -> tuple[list[str], list[str]]:
        import_datasets(params(tmp_path / "in", tmp_path / name, val_share=0.3, seed=seed))
        train, val = (annotations(tmp_path / name / part)["images"] for part in ("train", "val"))
        return [image["original"] for image in train], [image["original"] for image in val]

    first, again, other = originals("a", 1), originals("b", 1), originals("c", 2)
    assert (len(first[0]), len(first[1])) == (7, 3)
    assert sorted(first[0] + first[1]) == sorted(f"images/{index}.png" for index in range(10))
    assert first == again
    assert first != other
    for part in ("train", "val"):
        assert (tmp_path / "a" / part / "annotations.json").read_bytes() == (
            tmp_path / "b" / part / "annotations.json"
        ).read_bytes()
    assert sorted(path.name for path in (tmp_path / "a").iterdir()) == ["train", "val"]


def test_scenes_are_not_divided(tmp_path: Path) -> None:
    for camera in ("A", "B", "C"):
        replicator(tmp_path / "in", frames=[FRAMES[0]] * 4, layout="nested", segmentation="")
        (tmp_path / "in" / "RenderProduct_Camera").rename(tmp_path / "in" / camera)
    import_datasets(params(tmp_path / "in", tmp_path / "out", val_share=0.25))
    val = {image["original"].rpartition("_")[2] for image in annotations(tmp_path / "out" / "val")["images"]}
    train = {image["original"].rpartition("_")[2] for image in annotations(tmp_path / "out" / "train")["images"]}
    assert len(val) == 1
    assert not val & train
    replicator(tmp_path / "one", frames=FRAMES[:1])
    with pytest.raises(UserError, match="one scene"):
        import_datasets(params(tmp_path / "one", tmp_path / "nothing", val_share=0.5))


def test_split_of_the_source(tmp_path: Path) -> None:
    yolo(tmp_path / "in")
    (tmp_path / "in" / "images" / "train" / "2.png").rename(tmp_path / "in" / "images" / "2.png")
    (tmp_path / "in" / "labels" / "train" / "2.txt").rename(tmp_path / "in" / "labels" / "2.txt")
    (tmp_path / "in" / "list.txt").write_text("images/2.png\n")
    (tmp_path / "in" / "dataset.yaml").write_text("train: images/train\nval: list.txt\nnames: {0: cone, 1: pallet}\n")
    result = import_datasets(params(tmp_path / "in", tmp_path / "out", split="source"))
    assert {name: counts["images"] for name, counts in result["parts"].items()} == {"train": 2, "val": 1}
    assert CocoDataset.open(tmp_path / "out" / "train").classes == CocoDataset.open(tmp_path / "out" / "val").classes


def test_images_are_copied_or_linked(tmp_path: Path) -> None:
    voc(tmp_path / "in")
    before = (tmp_path / "in" / "JPEGImages" / "0.PNG").stat()
    import_datasets(params(tmp_path / "in", tmp_path / "copied"))
    import_datasets(params(tmp_path / "in", tmp_path / "linked", images="link"))
    assert (tmp_path / "copied" / "images" / "000000.png").stat().st_ino != before.st_ino
    assert (tmp_path / "linked" / "images" / "000000.png").stat().st_ino == before.st_ino


def test_damaged_images_are_counted(tmp_path: Path) -> None:
    voc(tmp_path / "in", frames=[FRAMES[0]] * 6)
    folder = tmp_path / "in" / "JPEGImages"
    whole = cv2.imencode(".jpg", np.random.default_rng(0).integers(0, 255, (HEIGHT, WIDTH, 3), dtype=np.uint8))[1]
    for index in (0, 1):
        (folder / f"{index}.PNG").unlink()
    (folder / "0.JPG").write_bytes(whole.tobytes())
    (folder / "1.JPG").write_bytes(whole.tobytes()[: len(whole) // 2])
    content = (folder / "2.PNG").read_bytes()
    (folder / "2.PNG").write_bytes(content[: len(content) // 2])
    (folder / "3.PNG").write_bytes(b"")
    cv2.imwrite(str(folder / "small.png"), np.zeros((5, 5, 3), np.uint8))
    (folder / "small.png").replace(folder / "4.PNG")
    result = import_datasets(params(tmp_path / "in", tmp_path / "out"))
    assert report(result, "image_skipped") == {
        "image cannot be decoded": 2,
        "image cannot be read": 1,
        "image of another size than its annotation": 1,
    }
    for sample in CocoDataset.open(tmp_path / "out").samples:
        sample.read()


@pytest.mark.parametrize("ending", ["jpg", "png"])
@pytest.mark.parametrize("aware", [True, False])
def test_exif_orientation(aware: bool, ending: str, tmp_path: Path) -> None:
    """A portrait stored on its side: labels of a tool that turned it, and of one that did not, both fit."""
    stored = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    stored[4:12, 8:24] = 255
    exif = Image.Exif()
    exif[0x0112] = 6
    (tmp_path / "in").mkdir()
    Image.fromarray(stored).save(tmp_path / "in" / f"1.{ending}", quality=95, exif=exif)
    # Turned clockwise: x' = H − y, y' = x.
    box, size = ((HEIGHT - 12, 8, HEIGHT - 4, 24), (HEIGHT, WIDTH)) if aware else ((8, 4, 24, 12), (WIDTH, HEIGHT))
    image = {"id": 0, "file_name": f"1.{ending}", "width": size[0], "height": size[1]}
    entry = {"id": 0, "image_id": 0, "category_id": 0, "bbox": [box[0], box[1], box[2] - box[0], box[3] - box[1]]}
    content = {"images": [image], "annotations": [entry], "categories": [{"id": 0, "name": "thing"}]}
    write_json(tmp_path / "in" / "labels.json", content)
    if ending == "png" and cv2.imread(str(tmp_path / "in" / "1.png")).shape[0] == HEIGHT:
        pytest.skip("this OpenCV does not look at the orientation of PNG")
    result = import_datasets(params(tmp_path / "in", tmp_path / "out"))
    assert sum(report(result, "note").values()) == (0 if aware else 1)
    sample = CocoDataset.open(tmp_path / "out").samples[0]
    x0, y0, x1, y1 = sample.boxes[0].astype(int)
    picked = sample.read()[..., 0] > 128
    assert picked[y0:y1, x0:x1].mean() > 0.99
    assert picked.sum() <= 1.02 * (y1 - y0) * (x1 - x0)


def test_boxes_are_checked_against_masks(tmp_path: Path) -> None:
    WRITERS["coco"](tmp_path / "in")
    path = tmp_path / "in" / "annotations" / "instances.json"
    content = json.loads(path.read_text())
    content["annotations"][0]["bbox"][0] += 1
    write_json(path, content)
    result = import_datasets(params(tmp_path / "in", tmp_path / "out"))
    assert report(result, "note") == {"box differs from its mask (--boxes mask takes the mask's)": 1}
    import_datasets(params(tmp_path / "in", tmp_path / "mended", boxes="mask"))
    boxes = [sample.boxes.tolist() for sample in CocoDataset.open(tmp_path / "mended").samples]
    assert boxes == [[list(box) for _, box in frame] for frame in FRAMES]


def test_boxes_that_are_none(tmp_path: Path) -> None:
    wanted: dict[str, list[Any]] = {
        "box without area": [5, 5, 0, 4],
        "box that is not finite": [float("nan"), 0, 4, 4],
        "box outside of the image": [WIDTH + 1, 0, 4, 4],
        "entry that is no box (a number is expected)": ["1", 0, 4, 4],
        "entry that is no box (a list of 4 numbers is expected)": [1, 2, 3],
    }
    boxes = [*wanted.values(), [5, 5, -2, 4], [-5.5, 40, 20, 40], [10**400, 0, 1, 1]]
    picture([], tmp_path / "in" / "0.png")
    image = {"id": 0, "file_name": "0.png", "width": WIDTH, "height": HEIGHT}
    entries = [{"id": index, "image_id": 0, "category_id": 0, "bbox": box} for index, box in enumerate(boxes)]
    content = {"images": [image], "annotations": entries, "categories": [{"id": 0, "name": "thing"}]}
    write_json(tmp_path / "in" / "labels.json", content)
    result = import_datasets(params(tmp_path / "in", tmp_path / "out"))
    counts = dict.fromkeys(wanted, 1) | {"box without area": 2, "box that is not finite": 2}
    assert report(result, "object_dropped") == counts
    assert report(result, "note") == {"box clipped to the image": 1}
    assert CocoDataset.open(tmp_path / "out").samples[0].boxes.tolist() == [[0, 40, 14.5, 48]]


def test_amodal_boxes_hold_the_visible_ones(tmp_path: Path) -> None:
    replicator(tmp_path / "in", frames=FRAMES[:1], segmentation="")
    for kind in ("npy", "labels", "prim_paths"):
        name = "bounding_box_2d_{}_" + ("0000.npy" if kind == "npy" else f"{kind}_0000.json")
        tight = tmp_path / "in" / name.format("tight")
        (tmp_path / "in" / name.format("loose")).write_bytes(tight.read_bytes())
    rows = np.load(tmp_path / "in" / "bounding_box_2d_loose_0000.npy")
    rows["x_min"] -= 3
    rows["y_max"] -= 2
    np.save(tmp_path / "in" / "bounding_box_2d_loose_0000.npy", rows)
    import_datasets(params(tmp_path / "in", tmp_path / "out"))
    assert [entry["amodal_bbox"] for entry in annotations(tmp_path / "out")["annotations"]] == [
        [2, 6, 18, 24],
        [27, 10, 37, 38],
    ]


def test_the_same_image_is_taken_once(tmp_path: Path) -> None:
    WRITERS["coco"](tmp_path / "in")
    folder = tmp_path / "in" / "annotations"
    (folder / "instances_again.json").write_bytes((folder / "instances.json").read_bytes())
    result = import_datasets(params(tmp_path / "in", tmp_path / "out"))
    assert report(result, "image_skipped") == {"image given twice": 3}


def test_mistakes_leave_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    voc(tmp_path / "in")
    (tmp_path / "there").mkdir()
    (tmp_path / "empty").mkdir()
    source = ("--source", str(tmp_path / "in"))
    output = ("--output", str(tmp_path / "out"))
    for words, message in (
        (output, "no dataset is given"),
        (source, "no output directory"),
        ((*source, "--output", str(tmp_path / "there")), "exists already"),
        (("--source", str(tmp_path / "gone"), *output), "does not exist"),
        (("--source", str(tmp_path / "empty"), *output), "no known format"),
        ((*source, *output, "--format", "kitti"), "no image can be imported"),
        ((*source, *output, "--classes", "a=b=c", ""), "cannot read the class ''"),
        ((*source, "--output", str(tmp_path / "in" / "JPEGImages" / "0.PNG" / "x")), "cannot write"),
    ):
        assert main(["import", *words]) == 2
        lines = capsys.readouterr().err.strip().splitlines()
        assert len(lines) == 1, lines
        assert message in lines[0]
    assert not (tmp_path / "out").exists()
    assert left_behind(tmp_path) == []


def test_failures_half_way_leave_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    voc(tmp_path / "in")

    def full(*_: object) -> None:
        raise UserError("cannot write: no room")

    monkeypatch.setattr(importing.Part, "write", full)
    with pytest.raises(UserError, match="no room"):
        import_datasets(params(tmp_path / "in", tmp_path / "out"))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_command_leaves_nothing(number: signal.Signals, tmp_path: Path) -> None:
    voc(tmp_path / "in", frames=FRAMES[:1] * 250)
    words = ["import", "--source", tmp_path / "in", "--output", tmp_path / "out", "--classes", "cone"]
    process = subprocess.Popen([sys.executable, "-m", "perception_train", *map(str, words)], stderr=subprocess.PIPE)
    until(lambda: any((path / "pool" / "20.png").exists() for path in tmp_path.iterdir()))
    assert process.poll() is None
    process.send_signal(number)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130, errors
    assert errors.decode().strip().splitlines()[-1].endswith("interrupted")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in"]


def test_the_command_reports(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    voc(tmp_path / "in")
    (tmp_path / "in" / "Annotations" / "1.xml").write_text("<annotation>")
    words = ["--source", tmp_path / "in", "--output", tmp_path / "out", "--val-share", "0.5", "--classes", "cone=thing"]
    assert main(["import", *map(str, words), "--json", "-"]) == 0
    captured = capsys.readouterr()
    result = json.loads(captured.out)
    assert result["report"]["image_skipped"]["not valid XML"] == {
        "count": 1,
        "examples": [str(tmp_path / "in" / "Annotations" / "1.xml")],
    }
    assert {name: counts["images"] for name, counts in result["parts"].items()} == {"train": 1, "val": 1}
    assert "not valid XML" in captured.err
    assert json.loads((tmp_path / "out" / "val" / "dataset.json").read_text())["report"] == result["report"]
