"""Every format tells the same story of the same pictures, to the pixel; and each of its traps."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from foreign import (
    BOX_ROW,
    FRAMES,
    HEIGHT,
    WIDTH,
    WRITERS,
    coco,
    coco_content,
    picture,
    read,
    reasons,
    replicator,
    runs,
    truth,
    voc,
    write_json,
    yolo,
)

from perception_common.errors import UserError
from perception_train.data.importing.params import FORMAT_NAMES
from perception_train.data.readers import FORMATS, Tally, detect
from perception_train.data.readers.checks import Damaged
from perception_train.data.readers.masks import encode, extent, from_coco
from perception_train.data.readers.tally import DROPPED, NOTE, SKIPPED


@pytest.mark.parametrize("name", FORMATS)
def test_boxes_are_those_that_were_painted(name: str, tmp_path: Path) -> None:
    WRITERS[name](tmp_path)
    assert detect(tmp_path) == name
    tally = Tally()
    samples = read(name, tmp_path, tally)
    assert truth(samples) == FRAMES
    assert tally.rows() == []
    for sample, frame in zip(samples, FRAMES, strict=True):
        image = cv2.imread(str(sample.image))
        for _, (x0, y0, x1, y1) in frame:
            assert (image[y0:y1, x0:x1] == 230).all()


@pytest.mark.parametrize("name", ["replicator", "solo", "coco", "blenderproc", "yolo"])
def test_masks_have_the_boxes_as_extents(name: str, tmp_path: Path) -> None:
    WRITERS[name](tmp_path)
    masked = 0
    for sample in read(name, tmp_path):
        for item in sample.objects:
            if item.mask is not None:
                assert extent(item.mask.pixels(WIDTH, HEIGHT)) == item.box
                masked += 1
    # Every other line of YOLO's is a polygon.
    assert masked == (2 if name == "yolo" else 4)


def test_the_table_of_formats_is_the_one_of_the_command() -> None:
    assert set(FORMATS) == set(FORMAT_NAMES) == set(WRITERS)


def test_detection_says_what_it_looked_for_and_when_it_cannot_tell(tmp_path: Path) -> None:
    (tmp_path / "readme.txt").write_text("nothing here")
    with pytest.raises(UserError, match=r"no known format among 1 files .*bounding_box_2d_tight.*frame_data.json.*xml"):
        detect(tmp_path)
    coco(tmp_path)
    voc(tmp_path)
    with pytest.raises(UserError, match=r"looks like coco and voc.*--format coco"):
        detect(tmp_path)
    with pytest.raises(UserError, match="does not exist"):
        detect(tmp_path / "nowhere")


@pytest.mark.parametrize("layout", ["flat", "nested", "prefix", "nested prefix"])
@pytest.mark.parametrize("number", ["{:04d}", "0_{}", "{:06d}"])
def test_replicator_layouts(layout: str, number: str, tmp_path: Path) -> None:
    replicator(tmp_path, layout=layout, number=number, segmentation="ids" if layout == "prefix" else "colour")
    assert detect(tmp_path) == "replicator"
    samples = read("replicator", tmp_path)
    assert truth(samples) == FRAMES
    assert all(item.mask is not None for sample in samples for item in sample.objects)


def test_replicator_cameras_of_one_moment_are_one_scene(tmp_path: Path) -> None:
    for camera in ("Left", "Right"):
        replicator(tmp_path / "rig", layout="nested")
        (tmp_path / "rig" / "RenderProduct_Camera").rename(tmp_path / "rig" / camera)
    samples = read("replicator", tmp_path)
    assert len(samples) == 6
    assert len({sample.group for sample in samples}) == 3


def test_replicator_joined_labels_and_unknown_occlusion(tmp_path: Path) -> None:
    replicator(tmp_path, occlusion=lambda row: (-1.0, 0.25)[row % 2])
    labels = tmp_path / "bounding_box_2d_tight_labels_0000.json"
    write_json(labels, {"1": {"class": "cone,obstacle,BACKGROUND"}, "0": {"class": "pallet", "colour": "blue"}})
    first = read("replicator", tmp_path)[0].objects
    assert [item.names for item in first] == [("cone", "obstacle"), ("pallet",)]
    assert [item.occlusion for item in first] == [None, 0.25]


def test_replicator_without_the_optional_column(tmp_path: Path) -> None:
    replicator(tmp_path, occlusion=None)
    assert {item.occlusion for sample in read("replicator", tmp_path) for item in sample.objects} == {None}


def test_replicator_frames_that_lack_files(tmp_path: Path) -> None:
    replicator(tmp_path, frames=[FRAMES[0]] * 6, segmentation="")
    (tmp_path / "rgb_0000.png").unlink()
    (tmp_path / "bounding_box_2d_tight_0001.npy").unlink()
    (tmp_path / "bounding_box_2d_tight_labels_0002.json").unlink()
    (tmp_path / "bounding_box_2d_tight_prim_paths_0003.json").unlink()
    write_json(tmp_path / "bounding_box_2d_tight_labels_0004.json", {"1": {"class": "cone"}})
    tally = Tally()
    samples = read("replicator", tmp_path, tally)
    assert [len(sample.objects) for sample in samples] == [2, 1, 2]
    assert reasons(tally, SKIPPED) == {
        "image missing": 1,
        "frame without boxes and instances": 1,
        "labels of the bounding boxes missing": 1,
    }
    assert reasons(tally, DROPPED) == {"label id without a name": 1}
    assert sum(reasons(tally, NOTE).values()) == 1


def test_replicator_boxes_from_instances_and_masks_alone(tmp_path: Path) -> None:
    replicator(tmp_path)
    for path in tmp_path.glob("bounding_box*"):
        path.unlink()
    samples = read("replicator", tmp_path)
    assert [sorted(frame) for frame in truth(samples)] == [sorted(frame) for frame in FRAMES]
    for path in tmp_path.glob("instance*"):
        path.unlink()
    samples = read("replicator", tmp_path)
    assert [sample.objects for sample in samples] == [(), (), ()]
    assert all(sample.semantic is not None for sample in samples)


def test_replicator_loose_boxes_are_amodal(tmp_path: Path) -> None:
    replicator(tmp_path, frames=FRAMES[:1])
    rows = np.array([(0, 0, 1, 49, 39), (1, 5, 6, 19, 29)], BOX_ROW)
    np.save(tmp_path / "bounding_box_2d_loose_0000.npy", rows)
    write_json(tmp_path / "bounding_box_2d_loose_prim_paths_0000.json", ["/World/Thing_1/Mesh", "/World/Other"])
    first = read("replicator", tmp_path)[0].objects
    assert [item.amodal for item in first] == [None, (0, 1, 50, 40)]


def test_replicator_intrinsics_come_from_the_projection(tmp_path: Path) -> None:
    replicator(tmp_path, frames=FRAMES[:1])
    projection = [1.75, 0, 0, 0, 0, 2.5, 0, 0, 0, 0, 1e-9, -1, 0, 0, 0.01, 0]
    write_json(
        tmp_path / "camera_params_0000.json",
        {"cameraModel": "pinhole", "cameraProjection": projection, "renderProductResolution": [WIDTH, HEIGHT]},
    )
    assert read("replicator", tmp_path)[0].intrinsics == ((56.0, 0.0, 32.0), (0.0, 60.0, 24.0), (0.0, 0.0, 1.0))


def test_kitti_lines(tmp_path: Path) -> None:
    numbers = "1.5 1.6 3.9 1.8 1.5 8.4 0.01"
    lines = [
        f'"traffic cone" 0.25 1 0.0 1 2 11 12 {numbers}',
        f"'pallet' 0.00 2 0.0 1 2 11 12 {numbers} 0.97",
        f"{{'class': 'box,obstacle'}} 0.00 3 0.0 1 2 11 12 {numbers}",
        f"traffic sign 0.00 0 0.0 1.5 2 11 12 {numbers}",
        f"DontCare -1 -1 -10 1 2 11 12 {numbers}",
        "Car 0.00 0 0.0 1 2 11",
        "",
    ]
    picture([], tmp_path / "rgb" / "0.jpg")
    picture([], tmp_path / "rgb" / "1.jpg")
    (tmp_path / "object_detection").mkdir()
    (tmp_path / "object_detection" / "0.txt").write_bytes("\r\n".join(lines).encode())
    tally = Tally()
    found = read("kitti", tmp_path, tally)[0].objects
    assert [item.names for item in found] == [("traffic cone",), ("pallet",), ("box", "obstacle"), ("traffic sign",)]
    assert [item.occlusion for item in found] == [1 / 3, 2 / 3, None, 0.0]
    assert [item.truncation for item in found] == [0.25, 0.0, 0.0, 0.0]
    assert found[3].box == (1.5, 2, 11, 12)
    assert reasons(tally, DROPPED) == {"DontCare region": 1, "line without 15 or 16 KITTI fields": 1}
    assert reasons(tally, SKIPPED) == {"no label file": 1}
    assert read("kitti", tmp_path, kitti_inclusive=True)[0].objects[0].box == (1, 2, 12, 13)


def test_coco_masks_in_all_forms(tmp_path: Path) -> None:
    rng = np.random.default_rng(4)
    pixels = rng.random((HEIGHT, WIDTH)) < 0.4
    compressed = encode(pixels)
    for form in (runs(pixels), compressed):
        mask = from_coco(form)
        assert mask is not None
        assert (mask.pixels(WIDTH, HEIGHT) == pixels).all()
    for wrong in (
        {"size": [HEIGHT, WIDTH], "counts": compressed["counts"][:-1]},
        {"size": [WIDTH, HEIGHT], "counts": [1]},
    ):
        mask = from_coco(wrong)
        assert mask is not None
        with pytest.raises(Damaged):
            mask.pixels(WIDTH, HEIGHT)


def test_coco_from_other_tools(tmp_path: Path) -> None:
    content = coco_content(FRAMES, first=0)
    content["annotations"][0]["iscrowd"] = 1
    content["annotations"][1]["category_id"] = 99
    content["annotations"].append({"id": 9, "image_id": 77, "category_id": 0, "bbox": [0, 0, 1, 1]})
    content["images"][0]["file_name"] = "C:\\data\\0.PNG"
    content["images"].append(content["images"][0])
    content["images"].append({"id": 50, "file_name": "gone.png", "width": 3, "height": 3})
    for index, frame in enumerate(FRAMES):
        picture(frame, tmp_path / "train" / f"{index}.png")
    write_json(tmp_path / "train" / "_annotations.coco.json", content)
    tally = Tally()
    samples = read("coco", tmp_path, tally)
    assert [len(sample.objects) for sample in samples] == [1, 0, 2]
    assert samples[0].objects[0].ignored
    assert samples[0].split == "train"
    assert reasons(tally, SKIPPED) == {"image id used twice": 1, "image missing": 1}
    assert reasons(tally, DROPPED) == {
        "annotation of a category that is not listed": 1,
        "annotation of an image that is not listed": 1,
    }


def test_labels_never_go_to_another_image(tmp_path: Path) -> None:
    """An image that is missing is missing, though another of its name, or a stale name, offers itself."""
    content = coco_content(FRAMES, folder="val/")
    for index in (0, 1):
        picture(FRAMES[index], tmp_path / "coco" / "val" / f"{index}.png")
    picture([], tmp_path / "coco" / "train" / "2.png")
    write_json(tmp_path / "coco" / "labels.json", content)
    tally = Tally()
    assert truth(read("coco", tmp_path / "coco", tally)) == FRAMES[:2]
    assert reasons(tally, SKIPPED) == {"image missing": 1}
    voc(tmp_path / "voc")
    path = tmp_path / "voc" / "Annotations" / "0.xml"
    path.write_text(path.read_text().replace("0.png", "2.png"))
    (tmp_path / "voc" / "JPEGImages" / "0.PNG").unlink()
    assert truth(read("voc", tmp_path / "voc")) == FRAMES[1:]


def test_old_blenderproc_boxes_are_mended(tmp_path: Path) -> None:
    WRITERS["blenderproc"](tmp_path)
    path = tmp_path / "coco_data" / "coco_annotations.json"
    content = json.loads(path.read_text())
    for entry in content["annotations"]:
        entry["bbox"][2] -= 1
        entry["bbox"][3] -= 1
    write_json(path, content)
    tally = Tally()
    assert truth(read("blenderproc", tmp_path, tally)) == FRAMES
    assert sum(reasons(tally, NOTE).values()) == 4


def test_yolo_layouts(tmp_path: Path) -> None:
    yolo(tmp_path)
    (tmp_path / "dataset.yaml").write_text(
        "path: /elsewhere\ntrain: ../images/train\nval: list.txt\nnames:\n  0: no\n  1: pallet\n"
    )
    (tmp_path / "list.txt").write_text("images/other/7.JPG\nimages/gone.jpg\n")
    picture([], tmp_path / "images" / "other" / "7.JPG")
    tally = Tally()
    samples = read("yolo", tmp_path, tally)
    assert [sample.split for sample in samples] == ["train", "train", "train", "val"]
    # A class may be called what YAML takes for a truth value.
    assert samples[0].objects[0].names == ("no",)
    assert reasons(tally, SKIPPED) == {"image missing": 1}
    assert sum(reasons(tally, NOTE).values()) == 1
    skipping = Tally()
    assert len(read("yolo", tmp_path, skipping, missing_labels="skip")) == 3
    assert reasons(skipping, SKIPPED) == {"image missing": 1, "no label file": 1}


def test_yolo_without_yaml_and_odd_lines(tmp_path: Path) -> None:
    yolo(tmp_path)
    (tmp_path / "dataset.yaml").unlink()
    (tmp_path / "classes.txt").write_text("cone\npallet\n")
    (tmp_path / "labels" / "train" / "1.txt").write_text(
        "0 0.5 0.5 0.25 0.5 0.93\n0 320 240 20 20\n5 0.5 0.5 0.1 0.1\n0 0.5 0.5\nx y z w h\n0 nan 0.5 0.1 0.1\n"
    )
    assert detect(tmp_path) == "yolo"
    tally = Tally()
    samples = read("yolo", tmp_path, tally)
    assert samples[1].objects[0].box == (24, 12, 40, 36)
    assert sum(reasons(tally, DROPPED).values()) == 4
    assert {sample.split for sample in samples} == {"train"}


def test_voc_flags_lists_and_stale_names(tmp_path: Path) -> None:
    voc(tmp_path)
    path = tmp_path / "Annotations" / "0.xml"
    text = path.read_text().replace("<filename>0.png", "<filename>old name.png")
    path.write_text(text.replace("<truncated>0", "<truncated>1", 1).replace("<difficult>0", "<difficult>1", 1))
    (tmp_path / "ImageSets" / "Main").mkdir(parents=True)
    (tmp_path / "ImageSets" / "Main" / "val.txt").write_text("2\n")
    picture([], tmp_path / "JPEGImages" / "unlabelled.jpg")
    tally = Tally()
    samples = read("voc", tmp_path, tally)
    assert truth(samples) == FRAMES
    assert [sample.split for sample in samples] == ["", "", "val"]
    assert [bool(item.ignored) for item in samples[0].objects] == [True, False]
    assert [item.truncation for item in samples[0].objects] == [0.2, 0.0]
    assert not any(item.ignored for item in read("voc", tmp_path, difficult=True)[0].objects)
    assert reasons(tally, SKIPPED) == {"no annotation file": 1}


def test_voc_refuses_entities(tmp_path: Path) -> None:
    voc(tmp_path)
    bomb = '<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><annotation><filename>&b;</filename></annotation>'
    (tmp_path / "Annotations" / "0.xml").write_text(bomb)
    tally = Tally()
    assert len(read("voc", tmp_path, tally)) == 2
    assert reasons(tally, SKIPPED) == {"XML with a document type, which VOC has not": 1}


def test_solo_occlusion_and_intrinsics(tmp_path: Path) -> None:
    WRITERS["solo"](tmp_path)
    path = tmp_path / "sequence.0" / "step0.frame_data.json"
    content = json.loads(path.read_text())
    values = [{"instanceId": 1, "percentVisible": 0.3, "percentInFrame": 0.6, "visibilityInFrame": 0.5}]
    kind = "type.unity.com/unity.solo.OcclusionMetric"
    content["metrics"] = [{"@type": kind, "sensorId": "camera", "values": values}]
    write_json(path, content)
    first = read("solo", tmp_path)[0]
    assert [(item.occlusion, item.truncation) for item in first.objects] == [(0.5, 0.4), (None, None)]
    assert first.intrinsics == ((48.0, 0.0, 32.0), (0.0, 48.0, 24.0), (0.0, 0.0, 1.0))


def test_solo_boxes_from_instances(tmp_path: Path) -> None:
    WRITERS["solo"](tmp_path)
    for path in tmp_path.rglob("*.json"):
        content: dict[str, Any] = json.loads(path.read_text())
        del content["captures"][0]["annotations"][1]
        write_json(path, content)
    assert [sorted(frame) for frame in truth(read("solo", tmp_path))] == [sorted(frame) for frame in FRAMES]


def test_links_in_a_circle_end(tmp_path: Path) -> None:
    voc(tmp_path / "data")
    (tmp_path / "data" / "again").symlink_to(tmp_path / "data")
    assert len(read("voc", tmp_path)) == 3
    shutil.rmtree(tmp_path / "data" / "JPEGImages")
    tally = Tally()
    assert read("voc", tmp_path, tally) == []
    assert reasons(tally, SKIPPED) == {"image missing": 3}
