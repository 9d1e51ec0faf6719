"""`perception-train gap`: what differs between synthetic and real sources is found, told, and told only then."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from bundles import CLASSES, write_detector, write_segmenter
from gap_worlds import PICTURES, SIZE, Pixels, blurred, darker, greyish, noisy, recording, reddish, world, write
from markupsafe import Markup
from safetensors.torch import save

from perception_common.errors import UserError
from perception_infer.models import open_bundle
from perception_infer.predictor import Predictor
from perception_infer.replay.truth import Names
from perception_sim.view import charts
from perception_train import cli
from perception_train.gap.command import gap, labels_of
from perception_train.gap.comparing import CLASSES as CLASS_MIX
from perception_train.gap.comparing import FOUND, LESS, MORE, TRUTH, Compared, compare
from perception_train.gap.distances import feature_distance, squared_distances
from perception_train.gap.looking import Looked, look_at
from perception_train.gap.measures import BY_KEY, CONTENT, LOOK, MEASURES
from perception_train.gap.panel import far, worst
from perception_train.gap.params import GapParams
from perception_train.gap.rules import FEATURES, advise, changes
from perception_train.gap.sources import open_labelled, open_real
from perception_train.harvest.embedding import ModelEmbedding, PictureEmbedding
from perception_train.models import build_model

HOSTILE = "<script>alert('x')</script>"


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("gap")


@pytest.fixture(scope="module")
def bundle(place: Path) -> Path:
    """The detector of rectangles, with the weights of a YOLO that has learned nothing beside its graph."""
    torch.manual_seed(0)
    weights = save(build_model("yolo_n", len(CLASSES)).state_dict())
    return write_detector(
        place / "models", size=SIZE, meant_for=("onnxruntime",), architecture="yolo_n", weights=weights
    )


@pytest.fixture(scope="module")
def predictor(bundle: Path) -> Predictor:
    return Predictor.load(open_bundle(bundle), "onnxruntime", 1)


@pytest.fixture(scope="module")
def synthetic(place: Path, predictor: Predictor) -> Looked:
    return look(world(place / "synthetic", 1), predictor)


@pytest.fixture
def plain_charts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Charts are drawn in one test; everywhere else they would take most of the time."""
    for name in ("histogram", "class_bars"):
        monkeypatch.setattr(charts, name, lambda *_: Markup("<svg/>"))


def look(root: Path, predictor: Predictor, embedding: Any = None, most: int = 300) -> Looked:
    source = open_real(str(root), Names(predictor.classes), predictor.task)
    return look_at(root.name, source, most, predictor, embedding or PictureEmbedding())


def first_of(compared: Compared, group: str) -> Any:
    return next(row for row in compared.differences if row.group == group)


PLANTED: dict[str, tuple[Mapping[str, Any], str, str, str]] = {
    "darker": ({"change": darker}, LOOK, "brightness", LESS),
    "blurred": ({"change": blurred}, LOOK, "edge_blur", MORE),
    "noisy": ({"change": noisy}, LOOK, "noise", MORE),
    "reddish": ({"change": reddish}, LOOK, "warmth", MORE),
    "greyish": ({"change": greyish}, LOOK, "saturation", LESS),
    "compressed": ({"suffix": ".jpg"}, LOOK, "blockiness", MORE),
    "larger": ({"sides": (75, 125)}, CONTENT, "size_relative", MORE),
    "fuller": ({"most": 14}, CONTENT, "objects_per_image", MORE),
    "left": ({"across": (0.12, 0.35)}, CONTENT, "center_x", LESS),
    "mostly_blue": ({"mix": (0.02, 0.03, 0.95)}, CONTENT, CLASS_MIX, MORE),
}


@pytest.mark.parametrize("name", PLANTED)
def test_a_planted_gap_is_the_largest_of_its_kind(
    name: str, synthetic: Looked, predictor: Predictor, tmp_path: Path
) -> None:
    options, group, key, side = PLANTED[name]
    compared = compare(synthetic, look(world(tmp_path / name, 2, **options), predictor), CLASSES)
    assert compared.basis == TRUTH
    row = first_of(compared, group)
    assert (row.key, row.side, row.certain) == (key, side, True)
    assert row.verdict.startswith(("clearly ", "far "))
    advice = [one for one in advise(compared, {}) if BY_KEY.get(one.measure, row).group == group]
    if name == "left":
        # The synthetic pictures have objects there, too.
        assert advice == []
        return
    assert advice[0].measure == key
    assert (advice[0].world, advice[0].training) == changes(key, side)


def test_the_same_pictures_have_no_distance_and_no_advice(synthetic: Looked, predictor: Predictor, place: Path) -> None:
    compared = compare(synthetic, look(place / "synthetic", predictor), CLASSES)
    assert {row.distance for row in compared.differences} == {0.0}
    assert {row.verdict for row in compared.differences} == {"alike"}
    assert compared.features is not None and compared.features.times == compared.features.outside == 0.0
    assert advise(compared, {}) == []
    assert far(synthetic, compared.source, 6) == []


def test_other_pictures_of_the_same_world_give_no_advice(
    synthetic: Looked, predictor: Predictor, tmp_path: Path
) -> None:
    compared = compare(synthetic, look(world(tmp_path / "again", 3), predictor), CLASSES)
    assert not any(row.certain and (row.distance or 0) > 0.5 for row in compared.differences)
    assert compared.features is not None and compared.features.times < 3
    assert advise(compared, {}) == []
    # What only the features tell is not nothing.
    strange = dataclasses.replace(compared, features=compared.features._replace(times=20.0, outside=0.6))
    (told,) = advise(strange, {"background.stage": 0.5})
    assert told.measure == FEATURES and told.now == {"background.stage": 0.5} and told.what.startswith("60% of")


def test_what_the_synthetic_pictures_cover_is_no_reason_to_change_them(
    synthetic: Looked, predictor: Predictor, tmp_path: Path
) -> None:
    level = float(np.percentile([one.look["brightness"] for one in synthetic.seen], 25))

    def evenly_dim(rgb: Pixels, rng: np.random.Generator) -> Pixels:
        return np.clip(rgb * (level / cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY).mean()), 0, 255).astype(np.uint8)

    compared = compare(synthetic, look(world(tmp_path / "even", 4, evenly_dim), predictor), CLASSES)
    row = next(row for row in compared.differences if row.key == "brightness")
    assert (row.distance or 0) > 0.5 and row.certain and row.uncovered < 0.1
    assert "brightness" not in {advice.measure for advice in advise(compared, {})}


def test_the_backbone_of_the_model_tells_sources_apart(
    bundle: Path, predictor: Predictor, place: Path, tmp_path: Path, synthetic: Looked
) -> None:
    own = ModelEmbedding(open_bundle(bundle))
    one, again, other = (
        look(root, predictor, own, 16)
        for root in (place / "synthetic", world(tmp_path / "again", 3), world(tmp_path / "near", 4, sides=(75, 125)))
    )
    near, away = (feature_distance(one.vectors, two.vectors) for two in (again, other))
    assert near is not None and away is not None
    assert near.times < 3 < away.times
    assert near.outside < 0.3 < away.outside
    # The nearest synthetic neighbours are those by these vectors.
    nearest = squared_distances(other.vectors, one.vectors).argmin(axis=1)
    pairs = far(one, other, 3)
    for pair in pairs:
        assert pair.synthetic.seen is one.seen[nearest[list(other.seen).index(pair.real.seen)]]


def test_a_folder_without_labels_is_compared_by_what_is_found(
    synthetic: Looked, predictor: Predictor, tmp_path: Path
) -> None:
    world(tmp_path / "made", 5, darker)
    (tmp_path / "made" / "images").rename(tmp_path / "photos")
    photos = look(tmp_path / "photos", predictor, most=7)
    assert (len(photos.seen), photos.labelled, photos.accuracy, photos.source.kind) == (7, 0, None, "folder")
    # Spread over all of them.
    assert [one.name for one in photos.seen][::6] == ["001.png", "020.png"]
    compared = compare(synthetic, photos, CLASSES)
    assert compared.basis == FOUND
    assert first_of(compared, LOOK).key == "brightness"
    # What a model takes things for is no reason to train it on other classes.
    world(tmp_path / "blue", 2, mix=(0.02, 0.03, 0.95))
    (tmp_path / "blue" / "images").rename(tmp_path / "blue_photos")
    blue = compare(synthetic, look(tmp_path / "blue_photos", predictor), CLASSES)
    assert first_of(blue, CONTENT).key == CLASS_MIX and first_of(blue, CONTENT).certain
    assert CLASS_MIX not in {advice.measure for advice in advise(blue, {})}
    bests = [shot.seen.best for shot in worst(photos, 4)]
    assert bests == sorted(one.best for one in photos.seen)[:4]


def test_the_command_takes_datasets_folders_and_recordings(
    bundle: Path, place: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], plain_charts: None
) -> None:
    labelled = world(tmp_path / "labelled", 6, darker, classes=(*CLASSES[:2], HOSTILE), masks=True)
    arguments = ["--model", str(bundle), "--synthetic", str(place / "synthetic"), "--real", str(labelled)]
    arguments += [str(labelled / "images"), "--bag", str(recording(tmp_path / "bag")), "--threads", "1"]
    arguments += ["--embedding", "picture", "--pictures", "2", "--most", "10"]
    for name in ("one", "two"):
        output = tmp_path / name
        assert cli.main(["gap", *arguments, "--output", str(output), "--json", str(tmp_path / "told.json")]) == 0
    told = json.loads((tmp_path / "one" / "gap.json").read_text())
    for file in ("gap.json", "gap.html"):
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes()
    assert json.loads((tmp_path / "told.json").read_text()) == {"output": str(tmp_path / "two"), **told}
    assert told["schema"] == "perception_suite/gap/1"
    assert [source["kind"] for source in told["real"]] == ["dataset", "folder", "bag"]
    assert [source["labelled"] for source in told["real"]] == [10, 0, 3]
    assert [source["gap"]["objects_are"] for source in told["real"]] == ["truth", "found", "truth"]
    # On the recording nothing is missed.
    bag = told["real"][2]
    assert bag["accuracy"]["value"] == pytest.approx(1.0, abs=1e-3)
    assert bag["gap"]["accuracy"]["value"] == pytest.approx(
        1.0 - np.mean([told["synthetic"]["accuracy"]["classes"][name]["value"] for name in ("red", "blue")]), abs=1e-3
    )
    assert told["advice"][0]["measure"] == "brightness" and told["advice"][0]["world"]["sensor.exposure"] == "lower"
    # A class that the model does not have is told, and counts neither for nor against it.
    assert HOSTILE in {row["name"] for row in told["real"][0]["gap"]["classes"]}
    assert HOSTILE not in told["real"][0]["accuracy"]["classes"]
    page = (tmp_path / "one" / "gap.html").read_text()
    assert HOSTILE not in page and "&lt;script&gt;" in page
    sources = re.findall(r'(?:src|href)="([^"]{0,40})', page) + re.findall(r"url\(([^)]{0,40})", page)
    assert sources and all(source.startswith("data:image/") for source in sources)
    assert "Brightness: far darker" in capsys.readouterr().err


def test_the_page_has_charts_and_the_axes_as_they_were(bundle: Path, place: Path, tmp_path: Path) -> None:
    made = world(tmp_path / "made", 1)
    preset = {"config": {"preset": {"name": "x", "sensor": {"noise": {"mixture": [[1, 0.1]]}}}}}
    (made / "dataset.json").write_text(json.dumps(preset))
    real = world(tmp_path / "real", 7, noisy)
    params = GapParams(
        model=str(bundle), synthetic=str(made), real=(str(real),), output=str(tmp_path / "out"), threads=1, most=10
    )
    told = gap(params)
    assert told["embedding"]["title"].startswith("features of the backbone")
    assert told["advice"][0]["now"] == {"sensor.noise": {"mixture": [[1, 0.1]]}}
    page = (tmp_path / "out" / "gap.html").read_text()
    assert "(now {mixture: [[1, 0.1]]})" in page
    assert page.count("<svg role=") == len(MEASURES) + 1
    assert len(set(re.findall(r'aria-label="([^"]+)"', page))) == len(MEASURES) + 1


def test_a_segmenter_is_compared_by_the_parts_of_its_masks(tmp_path: Path, plain_charts: None) -> None:
    model = write_segmenter(tmp_path / "models")
    one, two = (
        world(tmp_path / name, seed, masks=True, mix=(1, 0, 0), classes=("red",), sides=sides)
        for name, seed, sides in (("one", 1, (16, 30)), ("two", 2, (60, 90)))
    )
    params = GapParams(model=str(model), synthetic=str(one), real=(str(two),), output=str(tmp_path / "out"), most=10)
    told = gap(params)
    assert told["synthetic"]["accuracy"]["metric"] == "miou"
    assert told["synthetic"]["accuracy"]["value"] > 0.95
    rows = [row for row in told["real"][0]["gap"]["differences"] if row["group"] == CONTENT]
    assert rows[0]["key"] == "size_relative" and rows[0]["side"] == MORE
    without = world(tmp_path / "without", 3, mix=(1, 0, 0), classes=("red",))
    with pytest.raises(UserError, match="have no mask"):
        gap(dataclasses.replace(params, real=(str(without),), output=str(tmp_path / "more")))
    assert not (tmp_path / "more").exists()


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"model": ""}, "no model is given"),
        ({"synthetic": ""}, "no synthetic is given"),
        ({"output": ""}, "no output is given"),
        ({"real": ()}, "nothing real is given"),
        ({"truth": ("none",)}, "a truth is given without a recording"),
        ({"bag": ("a", "b", "c"), "truth": ("x", "y")}, "2 truths for 3 recordings"),
        ({"model": "nothing"}, "there is no model"),
        ({"real": ("nowhere",)}, "there is no such dataset or folder"),
        ({"bag": ("nowhere",)}, "the bag does not exist"),
        ({"synthetic": "nowhere"}, "cannot read the annotations"),
        ({"real": ("EMPTY",)}, "there is no picture"),
        ({"real": ("STRANGE",)}, "none of the model's classes"),
        ({"real": ("BROKEN",)}, "no picture could be used"),
        ({"output": "EMPTY"}, "the output exists already"),
    ],
)
def test_mistakes_are_told_in_a_line(
    changed: dict[str, Any], message: str, bundle: Path, place: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folders = {name: tmp_path / name.lower() for name in ("EMPTY", "STRANGE", "BROKEN")}
    for folder in folders.values():
        folder.mkdir()
    (folders["BROKEN"] / "a.png").write_bytes(b"no picture")
    strange = {"images": [], "annotations": [], "categories": [{"id": 1, "name": "mug"}]}
    (folders["STRANGE"] / "annotations.json").write_text(json.dumps(strange))
    values: dict[str, Any] = {
        "model": str(bundle),
        "model_root": str(tmp_path),
        "synthetic": str(place / "synthetic"),
        "real": (str(place / "synthetic"),),
        "output": str(tmp_path / "out"),
        "most": 2,
        "embedding": "picture",
    }
    for key, value in changed.items():
        told = [str(folders.get(one, one)) for one in (value if isinstance(value, tuple) else (value,))]
        values[key] = tuple(told) if isinstance(value, tuple) else told[0]
    config = tmp_path / "config.yaml"
    config.write_text(json.dumps({k: list(v) if isinstance(v, tuple) else v for k, v in values.items()}))
    assert cli.main(["gap", "--config", str(config)]) == 2
    last = capsys.readouterr().err.strip().splitlines()[-1]
    assert last.startswith("perception-train: ") and message in last
    assert not (tmp_path / "out").exists()


def test_pictures_that_cannot_be_used_are_counted(predictor: Predictor, tmp_path: Path) -> None:
    root = world(tmp_path / "damaged", 8)
    (root / "images" / "001.png").write_bytes(b"")
    (root / "images" / "002.png").unlink()
    write(root / "images" / "003.png", np.zeros((10, 10, 3), np.uint8))
    found = look(root, predictor)
    assert len(found.seen) == PICTURES - 3
    assert sorted(count for count, _ in found.source.skips.counts.values()) == [1, 2]


def test_what_is_marked_as_crowd_is_neither_missed_nor_false(predictor: Predictor, tmp_path: Path) -> None:
    root = world(tmp_path / "crowds", 9)
    content = json.loads((root / "annotations.json").read_text())
    before = look(root, predictor)
    for annotation in content["annotations"]:
        annotation["iscrowd"] = 1
    content["annotations"].append(content["annotations"][0] | {"id": 999, "iscrowd": 0, "bbox": [0, 0, 9, 9]})
    (root / "annotations.json").write_text(json.dumps(content))
    after = look(root, predictor)
    assert before.accuracy is not None and after.accuracy is not None
    assert sum(row["objects"] for row in after.accuracy["classes"].values()) == 1
    assert sum(len(one.true.labels) for one in after.seen if one.true is not None) == 1
    assert sum(one.errors or 0 for one in after.seen) <= 1 + sum(one.errors or 0 for one in before.seen)


def test_sources_have_names_of_their_own() -> None:
    assert labels_of(["/a/x", "/b/y"]) == ["x", "y"]
    assert labels_of(["/a/x/images", "/a/y"]) == ["x", "y"]
    assert labels_of(["/a/val", "/b/val", "/b/val"]) == ["a/val", "b/val", "b/val (2)"]


def test_a_dataset_that_leads_out_is_refused(predictor: Predictor, tmp_path: Path) -> None:
    root = world(tmp_path / "out", 1)
    content = json.loads((root / "annotations.json").read_text())
    content["images"][0]["file_name"] = "../../secret.png"
    (root / "annotations.json").write_text(json.dumps(content))
    with pytest.raises(UserError, match="leads out"):
        open_labelled(str(root), Names(CLASSES), "detection")


def test_a_bundle_without_a_network_of_ours_is_compared_by_pictures(
    place: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], plain_charts: None
) -> None:
    params = GapParams(
        model=str(write_detector(tmp_path / "models")),
        synthetic=str(place / "synthetic"),
        real=(str(place / "synthetic"),),
        output=str(tmp_path / "out"),
        most=4,
    )
    assert "colours" in gap(params)["embedding"]["title"]
    assert "unknown architecture" in capsys.readouterr().err
    with pytest.raises(UserError, match="unknown architecture"):
        gap(dataclasses.replace(params, embedding="model", output=str(tmp_path / "more")))
