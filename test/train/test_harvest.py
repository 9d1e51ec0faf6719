"""`perception-train harvest`: planted frames are found; what is written is a dataset that labelling tools read too."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from bundles import scene, write_detector, write_segmenter
from pycocotools.coco import COCO
from recorded import CAMERA, PERIOD, START, Film, compressed, image, jpeg, write_bag

from perception_common.errors import UserError
from perception_infer.recordings.types import COMPRESSED_IMAGE, IMAGE
from perception_infer.replay.coco_truth import CocoTruth
from perception_infer.replay.truth import Names, TrueBoxes
from perception_train import cli
from perception_train.data.coco import CocoDataset
from perception_train.data.importing.command import import_datasets
from perception_train.data.importing.params import ImportParams
from perception_train.harvest.command import harvest
from perception_train.harvest.params import HarvestParams

SIZE = (160, 120)
#: A name that a page must escape, as every text of a user.
CLASSES = ("red", "<b>green", "blue")
STILL, FLICKER, ODD, DIM, COUNT = range(20, 36), 45, 55, 59, 60


def planted(index: int) -> np.ndarray:
    """A red box that moves, stands still for a while, is missing once; one picture unlike the others, one dim."""
    if index == ODD:
        return np.random.default_rng(0).integers(150, 256, (6, 8, 3), np.uint8).repeat(20, 0).repeat(20, 1)
    left = 10 + 2 * (min(index, STILL[0]) + max(0, index - STILL[-1]))
    things = {"red": (left, 30, left + 40, 70), "green": (100, 80, 130, 110)}
    if index == FLICKER:
        del things["red"]
    rgb = scene(SIZE, things)
    if index == DIM:
        # Bright enough for the first version of the model alone.
        rgb[20:40, 20:40] = (10, 10, 215)
    return rgb


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """``rectangles`` v1, and v2 that sees bright things only; ``others`` of other classes; a segmenter."""
    root = tmp_path_factory.mktemp("models")
    write_detector(root, classes=CLASSES)
    write_detector(root, classes=CLASSES, limits=(230.0, 90.0))
    write_detector(root, "others", classes=("red", "green", "violet"))
    write_segmenter(root)
    return root


@pytest.fixture(scope="module")
def bag(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The planted frames as JPEGs, and two messages at the end that hold no picture."""
    film = Film([planted(index) for index in range(COUNT)])
    for index in (COUNT, COUNT + 1):
        stamp = START + index * PERIOD
        film.extra.append((f"{CAMERA}/compressed", COMPRESSED_IMAGE, stamp, compressed(b"no picture", stamp)))
    return write_bag(tmp_path_factory.mktemp("recorded") / "a bag", film, raw=False, packed=True)


def parameters(bag: Path, models: Path, output: Path, **changes: Any) -> HarvestParams:
    told = dict(bag=(str(bag),), model="rectangles:1", model_root=str(models), output=str(output), threads=1)
    return HarvestParams(**{**told, "count": 12, "apart": 0.15, **changes})


@pytest.fixture(scope="module")
def done(bag: Path, models: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A harvest with another version to compare with."""
    output = tmp_path_factory.mktemp("harvest") / "to label"
    harvest(parameters(bag, models, output, against="rectangles:2"))
    return output


def read(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def test_planted_frames_are_picked_first_and_a_duplicate_once(done: Path) -> None:
    told = read(done / "harvest.json")
    picks = {entry["frame"]: entry for entry in told["picks"]}
    assert (told["counts"]["frames"], len(picks), told["counts"]["by_lot"]) == (COUNT, 12, 1)
    assert len(set(picks) & set(STILL)) <= 1
    best = [entry["frame"] for entry in told["picks"] if entry["picked"] == "worth"][:4]
    assert {FLICKER, ODD, DIM} < set(best)
    for name, frame in (("inconsistency", FLICKER), ("novelty", ODD), ("disagreement", DIM)):
        assert picks[frame]["scores"][name] == max(entry["scores"][name] for entry in picks.values()), name
    assert picks[FLICKER]["scores"]["inconsistency"] == 0.7
    assert picks[DIM]["scores"]["disagreement"] == pytest.approx(0.2)
    assert "1 red missing in this frame alone" in picks[FLICKER]["reasons"]
    assert "times as far" in picks[ODD]["reasons"][0]
    assert any(reason.startswith("rectangles v2: 1 <b>green and 1 red, against") for reason in picks[DIM]["reasons"])
    frames = sorted(picks)
    assert min(np.diff(frames)) * 0.1 >= 0.15
    assert told["recordings"][0]["skipped"][0]["count"] == 2
    assert told["model"]["sha256"] != told["against"]["sha256"]
    assert all(0 <= score <= 1 for entry in picks.values() for score in entry["scores"].values())


def test_the_result_is_a_dataset_of_the_model_s_classes(done: Path, bag: Path) -> None:
    dataset = CocoDataset.open(done)
    assert dataset.classes == CLASSES
    dataset.require_classes(CLASSES, "model")
    assert len(dataset.samples) == 12
    content = read(done / "annotations.json")
    by_frame = {
        entry["frame"]: (entry, sample) for entry, sample in zip(content["images"], dataset.samples, strict=True)
    }
    entry, sample = by_frame[FLICKER]
    # JPEGs are kept as they were recorded; the stamp at the end of the name is how a replay finds its frame again.
    stamp = START + FLICKER * PERIOD
    assert sample.path.read_bytes() == jpeg(planted(FLICKER))
    assert re.fullmatch(rf"\d{{4}}_a-bag_{stamp}\.jpg", entry["file_name"])
    assert (entry["stamp_ns"], entry["topic"], entry["bag"]) == (stamp, f"{CAMERA}/compressed", str(bag))
    assert sample.labels.tolist() == [1]
    assert np.abs(sample.boxes - [100, 80, 130, 110]).max() < 2

    coco = COCO(str(done / "annotations.json"))
    assert coco.getCatIds() == [1, 2, 3]
    assert coco.getAnnIds() == list(range(1, len(content["annotations"]) + 1))
    assert all(0 < annotation["score"] <= 1 and annotation["area"] > 0 for annotation in content["annotations"])
    assert all(coco.loadImgs(annotation["image_id"]) for annotation in content["annotations"])


def test_import_reads_it_as_every_other_dataset(done: Path, tmp_path: Path) -> None:
    told = import_datasets(ImportParams(source=(str(done),), output=str(tmp_path / "real"), val_share=0.25))
    assert told["classes"] == list(CLASSES)
    assert {name: part["images"] for name, part in told["parts"].items()} == {"train": 9, "val": 3}


@pytest.mark.parametrize("tool", ["cvat", "label_studio"])
def test_what_tools_export_comes_back(done: Path, tmp_path: Path, tool: str) -> None:
    """They forget what they do not know, number classes anew, and Label Studio names files from its own directory."""
    shutil.copytree(done, tmp_path / "harvest")
    content = read(done / "annotations.json")
    order = [3, 1, 2] if tool == "label_studio" else [1, 2, 3]
    exported = {
        "categories": [{"id": place, "name": CLASSES[number - 1]} for place, number in enumerate(order)],
        "images": [
            {
                "id": entry["id"] - 1,
                "width": entry["width"],
                "height": entry["height"],
                "file_name": ("../../../data/x/images/" if tool == "label_studio" else "") + entry["file_name"],
            }
            for entry in content["images"]
        ],
        "annotations": [
            {
                "id": entry["id"] - 1,
                "image_id": entry["image_id"] - 1,
                "category_id": order.index(entry["category_id"]),
                "bbox": entry["bbox"],
                "area": entry["area"],
                "segmentation": [],
                "iscrowd": 0,
            }
            for entry in content["annotations"]
        ],
    }
    (tmp_path / "harvest" / "annotations.json").write_text(json.dumps(exported))
    params = ImportParams(source=(str(tmp_path / "harvest"),), output=str(tmp_path / "real"), val_share=0.0)
    import_datasets(params)
    before, after = CocoDataset.open(done), CocoDataset.open(tmp_path / "real")
    assert set(after.classes) == set(CLASSES)
    for one, other in zip(before.samples, after.samples, strict=True):
        assert other.path.read_bytes() == one.path.read_bytes()
        assert np.allclose(other.boxes, one.boxes)
        names = [
            [dataset.classes[label] for label in found.labels] for dataset, found in ((before, one), (after, other))
        ]
        assert names[0] == names[1]
    # And as the truth of a replay, by the stamp in the file's name.
    truth = CocoTruth(tmp_path / "harvest", Names(CLASSES), COUNT, segments=False)
    boxes, _ = truth.of(FLICKER, START + FLICKER * PERIOD, *SIZE)
    assert isinstance(boxes, TrueBoxes)
    assert boxes.labels.tolist() == [1]


def test_label_studio_and_cvat_can_read_it(done: Path) -> None:
    tasks, content = read(done / "label_studio.json"), read(done / "annotations.json")
    assert len(tasks) == len(content["images"])
    config = ElementTree.fromstring((done / "label_config.xml").read_text())
    rectangles, picture = config.find("RectangleLabels"), config.find("Image")
    assert rectangles is not None and picture is not None
    assert [label.get("value") for label in rectangles] == list(CLASSES)
    results = [result for task in tasks for result in task["predictions"][0]["result"]]
    assert len(results) == len(content["annotations"]) == len({result["id"] for result in results})
    for result, annotation in zip(results, content["annotations"], strict=True):
        assert (result["from_name"], result["to_name"]) == (rectangles.get("name"), picture.get("name"))
        assert rectangles.get("toName") == picture.get("name")
        assert result["type"] == "rectanglelabels"
        value, width, height = result["value"], result["original_width"], result["original_height"]
        box = [value["x"] * width, value["y"] * height, value["width"] * width, value["height"] * height]
        assert np.asarray(box) / 100 == pytest.approx(annotation["bbox"], abs=0.01)
        assert value["rectanglelabels"] == [CLASSES[annotation["category_id"] - 1]]
        assert result["score"] == annotation["score"]
    assert picture.get("value") == "$image"
    assert tasks[0]["data"]["image"] == f"/data/local-files/?d=to%20label/images/{content['images'][0]['file_name']}"
    assert tasks[0]["predictions"][0]["model_version"] == "rectangles v1"
    assert read(done / "cvat_labels.json") == [{"name": name, "attributes": []} for name in CLASSES]


def test_the_page_shows_every_pick_and_escapes_names(done: Path) -> None:
    page = (done / "harvest.html").read_text(encoding="utf-8")
    assert page.count('<figure class="pick panel"') == page.count("data:image/jpeg;base64,") == 12
    assert "<b>green" not in page
    assert "&lt;b&gt;green" in page
    assert "1 red missing in this frame alone" in page
    assert not re.findall(r"""(?:src|href)=["'](?!data:|#)""", page)
    assert "<script" not in page


def test_the_same_again_is_the_same_bytes(done: Path, bag: Path, models: Path, tmp_path: Path) -> None:
    again, told = tmp_path / "to label", tmp_path / "told.json"
    words = ["--bag", bag, "--model", "rectangles:1", "--against", "rectangles:2", "--model-root", models]
    words += ["--count", 12, "--apart", 0.15, "--threads", 1, "--output", again, "--json", told]
    assert cli.main(["harvest", *map(str, words)]) == 0
    one, other = (
        {path.relative_to(root): path.read_bytes() for path in root.rglob("*") if path.is_file()}
        for root in (done, again)
    )
    assert one == other
    assert read(told) == {"output": str(again), **read(done / "harvest.json")}


def test_what_is_known_is_not_picked_again(done: Path, bag: Path, models: Path, tmp_path: Path) -> None:
    before = {entry["frame"] for entry in read(done / "harvest.json")["picks"]}
    told = harvest(parameters(bag, models, tmp_path / "next", known=(str(done),), random=0.0))
    frames = {entry["frame"] for entry in told["picks"]}
    assert frames
    assert not frames & (before | set(STILL) if before & set(STILL) else before)
    assert {entry["picked"] for entry in told["picks"]} == {"worth"}
    assert {entry["scores"]["disagreement"] for entry in told["picks"]} == {None}
    assert told["known"] == [
        {"path": str(done), "pictures": 12, "annotations_sha256": CocoDataset.open(done).sha256},
    ]


def test_segmenters_give_masks_and_outlines(models: Path, tmp_path: Path) -> None:
    frames = [scene((320, 256), {"red": (20 + 12 * i, 30, 90 + 12 * i, 100)}) for i in range(6)]
    frames[3] = scene((320, 256), {})
    bag = write_bag(tmp_path / "bag", Film(frames), mcap=False)
    output = tmp_path / "out"
    told = harvest(parameters(bag, models, output, model="segments", count=6, apart=0.0))
    picks = {entry["frame"]: entry for entry in told["picks"]}
    assert picks[2]["scores"]["inconsistency"] < 0.3
    assert (
        picks[3]["scores"]["inconsistency"] == max(entry["scores"]["inconsistency"] for entry in picks.values()) > 0.4
    )
    dataset = CocoDataset.open(output)
    dataset.require_masks()
    for number, entry in enumerate(told["picks"]):
        sample, rgb = dataset.samples[number], frames[entry["frame"]]
        assert np.array_equal(sample.read(), rgb)
        assert np.array_equal(dataset.mask(number), (rgb[..., 0] > 200).astype(np.uint8))
        if entry["frame"] != 3:
            (annotation,) = COCO(str(output / "annotations.json")).imgToAnns[number + 1]
            assert annotation["area"] == 70 * 70
            pixels = sample.pixels_of(0)
            assert pixels is not None
            assert (pixels != (rgb[..., 0] > 200)).mean() < 0.005
    results = [result for task in read(output / "label_studio.json") for result in task["predictions"][0]["result"]]
    assert {result["type"] for result in results} == {"polygonlabels"}
    assert all(0 <= value <= 100 for result in results for point in result["value"]["points"] for value in point)
    assert "<PolygonLabels" in (output / "label_config.xml").read_text()


def test_tiles_find_what_the_whole_image_hides(models: Path, tmp_path: Path) -> None:
    """In the whole image, which is twice as large as the network, a single pixel is mixed with those around it."""
    frames = [scene((640, 512), {"green": (40, 40, 90, 90)}) for _ in range(3)]
    frames[1][100, 120] = (250, 10, 10)
    bag = write_bag(tmp_path / "bag", Film(frames), mcap=False)
    told = harvest(parameters(bag, models, tmp_path / "out", count=3, apart=0.0, similar=0.0, tiles=320, random=0.0))
    assert told["picks"][0]["frame"] == 1
    assert told["picks"][0]["scores"]["disagreement"] == pytest.approx(1 / 3, abs=1e-3)
    # The labels come of both.
    assert CocoDataset.open(tmp_path / "out").samples[0].labels.tolist() == [0, 1]


def refused(capsys: pytest.CaptureFixture[str], **changes: Any) -> str:
    """The one line that the command says, and no output appears."""
    words = [part for name, value in changes.items() for part in (f"--{name.replace('_', '-')}", *value)]
    assert cli.main(["harvest", *map(str, words)]) == 2
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("perception-train: ")]
    assert len(lines) == 1
    return lines[0]


def test_mistakes_are_told_in_one_line(
    done: Path, bag: Path, models: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    good: dict[str, Any] = dict(bag=[bag], model=["rectangles:1"], model_root=[models], output=[tmp_path / "out"])
    good |= dict(threads=[1])
    assert "no bag was named" in refused(capsys, **good | {"bag": []})
    assert "no model is given" in refused(capsys, **good | {"model": [""]})
    assert "no output is given" in refused(capsys, **good | {"output": [""]})
    assert "the output exists already" in refused(capsys, **good | {"output": [done]})
    assert "the bag is given twice" in refused(capsys, **good | {"bag": [bag, bag / ".." / bag.name]})
    assert "the bag does not exist" in refused(capsys, **good | {"bag": [tmp_path / "none"]})
    assert "no topic '/camera/imag'" in refused(capsys, **good, topic=["/camera/imag"])
    assert "no version 9" in refused(capsys, **good | {"model": ["rectangles:9"]})
    assert "have other classes (<b>green, blue, green, violet)" in refused(capsys, **good, against=["others"])
    assert "segments v1 segmentation" in refused(capsys, **good, against=["segments"])
    assert "the dataset does not exist" in refused(capsys, **good, known=[tmp_path / "none"])
    unreadable = image(np.zeros((4, 4, 3), np.uint8), START)
    unreadable.encoding = "spectral"
    empty = write_bag(tmp_path / "empty", Film([], extra=[(CAMERA, IMAGE, START, unreadable)]))
    assert "no frame could be used" in refused(capsys, **good | {"bag": [empty]})
    still = write_bag(tmp_path / "still", Film([planted(STILL[0])] * 2), raw=False, packed=True)
    known = tmp_path / "known"
    harvest(parameters(still, models, known))
    assert "no frame is left: all are in the known datasets already" in refused(
        capsys, **good | {"bag": [still]}, known=[known]
    )
    assert sorted(path.name for path in tmp_path.iterdir()) == ["empty", "known", "still"]


def test_parameters_that_say_too_little() -> None:
    with pytest.raises(UserError, match="no bag was named"):
        HarvestParams().require_usable()
