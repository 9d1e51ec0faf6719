"""`perception-train adapt`: statistics from pictures without labels, and the bundle that comes of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import safetensors.torch
import torch
from bundles import write_detector, write_segmenter

from perception_common.errors import UserError
from perception_infer.models import Bundle, ModelRepository, open_bundle
from perception_infer.predictor import Predictor
from perception_infer.recordings.bag import Recording
from perception_train import cli
from perception_train.adaptation.command import adapt, load_model
from perception_train.adaptation.objects import Found, keep_counts
from perception_train.adaptation.params import AdaptParams
from perception_train.adaptation.statistics import adapted, make_views
from perception_train.data.coco import CocoDataset
from perception_train.data.unlabelled import from_bag, from_folder, list_sha256, spread
from perception_train.export.calibration import calibration_pictures
from perception_train.export.candidate import Candidate

BAGS = Path(__file__).resolve().parents[3] / "shared" / "data" / "bags"

STATISTICS = ("running_mean", "running_var")


@pytest.fixture
def repository(candidate: Candidate, tmp_path: Path) -> Path:
    """A repository with version 1 of the model ``shapes``."""
    candidate.write(tmp_path / "models", candidate.validate())
    return tmp_path / "models"


def pictures(shapes: Path) -> list[np.ndarray]:
    return [sample.read() for sample in CocoDataset.open(shapes / "val").samples]


def weights(bundle: Bundle) -> dict[str, torch.Tensor]:
    return safetensors.torch.load(bundle.read("weights.safetensors"))


def test_six_pictures_make_the_next_version(shapes: Path, repository: Path, tmp_path: Path) -> None:
    folder = tmp_path / "camera"
    folder.mkdir()
    for index, picture in enumerate(pictures(shapes)[:6]):
        # Not of the network's size, and darker.
        cv2.imwrite(str(folder / f"{index}.JPG"), cv2.resize(picture // 2, (150, 120)))
    told = adapt(AdaptParams(model_root=str(repository), model="shapes", images=str(folder), views=20, threads=1))
    assert (told["from_version"], told["version"], told["images"], told["views"]) == (1, 2, 6, 24)
    json.dumps(told)

    models = ModelRepository(repository)
    one, two = models.open("shapes", 1), models.open("shapes", 2)
    assert sorted(path.name for path in two.directory.iterdir()) == sorted(p.name for p in one.directory.iterdir())
    for name in ("architecture", "classes", "input", "suppression", "task"):
        assert getattr(two.manifest, name) == getattr(one.manifest, name)
    assert two.manifest.dataset.train_sha256 == one.manifest.dataset.train_sha256
    assert (two.manifest.dataset.validation, two.manifest.dataset.validation_images) == ("camera", 6)
    assert two.manifest.variants["fp32"].metrics == {}
    software = two.manifest.software
    assert software["adapted_from"] == "shapes v1"
    assert software["adapted_images"] == "6"
    assert software["adapted_images_sha256"] == list_sha256(from_folder(folder, 99)) == told["images_sha256"]

    before, after = weights(one), weights(two)
    differ = {name for name in before if not torch.equal(before[name], after[name])}
    tracked = {name for name in before if name.endswith("num_batches_tracked")}
    stem = {name for name in before if name.startswith("stem.") and name.endswith(STATISTICS)}
    assert differ - tracked == stem
    # The robot's own way: verified, loaded, and it answers as the references say.
    found = Predictor.load(two, threshold=0.0).predict(pictures(shapes)[0])
    assert len(found) > 0


def test_the_statistics_are_those_of_the_views_as_far_as_blend_says(repository: Path, shapes: Path) -> None:
    model = load_model(ModelRepository(repository).open("shapes"))
    views = make_views(pictures(shapes), 24, seed=0)
    pixels = torch.from_numpy(np.stack(views)).permute(0, 3, 1, 2).float() / 255
    first = model.stem[0]
    with torch.no_grad():
        mean = first[0](pixels).mean((0, 2, 3))
    known = first[1].running_mean.clone()
    whole, half, none = (adapted(model, views, blend).stem[0][1].running_mean for blend in (1.0, 0.5, 0.0))
    assert torch.allclose(whole, mean, atol=1e-5)
    assert torch.allclose(half, (mean + known) / 2, atol=1e-5)
    assert torch.allclose(none, known, atol=1e-7)
    assert torch.equal(first[1].running_mean, known)


def test_layers_choose_what_changes(repository: Path, shapes: Path) -> None:
    model = load_model(ModelRepository(repository).open("shapes"))
    before = model.state_dict()
    views = make_views([picture // 2 for picture in pictures(shapes)], 1, seed=0)

    def changed(layers: str) -> set[str]:
        after = adapted(model, views, 0.7, layers).state_dict()
        return {
            name.split(".")[0]
            for name in after
            if name.endswith(STATISTICS) and not torch.equal(after[name], before[name])
        }

    assert changed("stem") == {"stem"}
    assert changed("backbone") == {"stem", "stage8", "stage16", "stage32"}
    assert {"stem", "top_down8", "box_heads", "class_heads"} <= changed("all")


def test_a_change_of_light_is_undone(repository: Path, shapes: Path) -> None:
    """Batch norm of the first layer takes out any gain and offset of the pixels, so the answers stay the same."""
    model = load_model(ModelRepository(repository).open("shapes"))
    usual = [picture // 2 for picture in pictures(shapes)]
    foggy = [picture + np.array([90, 60, 120], np.uint8) for picture in usual]

    def answer(network: torch.nn.Module, images: list[np.ndarray]) -> torch.Tensor:
        with torch.no_grad():
            raw = network(torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2).float() / 255)
        # Without the cells at the border: the zeros around the image do not change with the light.
        return raw[:, :, : 8 * 12].reshape(len(images), -1, 8, 12)[:, :, 3:5, 3:9]

    views, foggy_views = (make_views(images, 1, seed=4) for images in (usual, foggy))
    wanted = answer(adapted(model, views, 1.0), usual)
    before = (answer(adapted(model, views, 1.0), foggy) - wanted).abs().mean()
    after = (answer(adapted(model, foggy_views, 1.0), foggy) - wanted).abs().mean()
    assert after < 0.5 * before


def test_every_picture_is_shown_equally_often(shapes: Path) -> None:
    few = pictures(shapes)[:3]
    assert len(make_views(few, 1, seed=0)) == 6
    views = make_views(few, 10, seed=0)
    assert len(views) == 12
    assert all(sum(np.array_equal(view, picture) for view in views) == 1 for picture in few)
    assert all(np.array_equal(a, b) for a, b in zip(views, make_views(few, 10, seed=0), strict=True))


def test_a_validation_set_gives_scores_and_thresholds(shapes: Path, repository: Path) -> None:
    source, labelled = str(shapes / "train"), str(shapes / "val")
    told = adapt(
        AdaptParams(
            model_root=str(repository), model="shapes", images=source, max_images=8, validation=labelled, threads=1
        )
    )
    manifest = ModelRepository(repository).open("shapes", 2).manifest
    assert manifest.variants["fp32"].metrics == {name: told[name] for name in ("map", "map50", "map75")}
    assert (told["images"], manifest.dataset.validation_images) == (8, 12)
    assert manifest.dataset.validation_sha256 == CocoDataset.open(shapes / "val").sha256


def test_evenly_spaced() -> None:
    assert spread(range(10), 4) == [0, 3, 6, 9]
    assert spread(range(3), 10) == [0, 1, 2]
    assert spread((), 4) == []


@pytest.fixture
def bag(shapes: Path, tmp_path: Path) -> Path:
    """Two image topics, raw (rgb8, with padded rows) and PNG, with the validation pictures, and one of no image."""
    rosbag2 = pytest.importorskip("rosbags.rosbag2")
    from rosbags.typesys import Stores, get_typestore

    store = get_typestore(Stores.ROS2_HUMBLE)
    kinds = store.types
    with rosbag2.Writer(tmp_path / "bag", version=8) as writer:
        raw = writer.add_connection("/raw", "sensor_msgs/msg/Image", typestore=store)
        packed = writer.add_connection("/packed", "sensor_msgs/msg/CompressedImage", typestore=store)
        text = writer.add_connection("/text", "std_msgs/msg/String", typestore=store)
        for index, picture in enumerate(pictures(shapes)):
            header = kinds["std_msgs/msg/Header"](kinds["builtin_interfaces/msg/Time"](index, 0), "camera")
            height, width = picture.shape[:2]
            rows = np.pad(picture.reshape(height, -1), ((0, 0), (0, 7))).ravel()
            image = kinds["sensor_msgs/msg/Image"](header, height, width, "rgb8", 0, width * 3 + 7, rows)
            png = cv2.imencode(".png", picture[..., ::-1])[1].ravel()
            for connection, message in (
                (raw, image),
                (packed, kinds["sensor_msgs/msg/CompressedImage"](header, "rgb8; png compressed bgr8", png)),
                (text, kinds["std_msgs/msg/String"]("hello")),
            ):
                data = store.serialize_cdr(message, connection.msgtype)
                writer.write(connection, index * 10**9, data)
    return tmp_path / "bag"


@pytest.mark.parametrize("topic", ["/raw", "/packed"])
def test_a_bag_is_as_good_as_its_pictures(shapes: Path, repository: Path, bag: Path, topic: str) -> None:
    options: dict[str, Any] = dict(model_root=str(repository), model="shapes", version=1, threads=1)
    adapt(AdaptParams(images=str(shapes / "val"), **options))
    told = adapt(AdaptParams(bag=str(bag), topic=topic, **options))
    assert told["images"] == 12
    folder, recorded = (weights(ModelRepository(repository).open("shapes", version)) for version in (2, 3))
    assert all(torch.equal(folder[name], recorded[name]) for name in folder)


def test_frames_of_a_bag_are_spread(bag: Path, tmp_path: Path) -> None:
    taken = from_bag(next(bag.glob("*.db3")), "/packed", 3, tmp_path)
    assert [picture.name for picture in taken] == ["/packed@0", "/packed@6000000000", "/packed@11000000000"]


def test_a_bag_calibrates_as_its_pictures_do(shapes: Path, bag: Path) -> None:
    from_pictures = calibration_pictures(shapes / "val" / "images", "", (96, 64), 5)
    recorded = calibration_pictures(bag, "/packed", (96, 64), 5)
    assert len(recorded) == 5
    assert all(np.array_equal(one, other) for one, other in zip(from_pictures, recorded, strict=True))
    with pytest.raises(UserError, match="a topic is given, but no bag"):
        calibration_pictures(shapes / "val" / "images", "/packed", (96, 64), 5)


@pytest.mark.skipif(not BAGS.is_dir(), reason="the sample recordings are not here")
@pytest.mark.parametrize("name", ["nuts_db3", "nuts_mcap"])
def test_sample_recordings(name: str, tmp_path: Path) -> None:
    taken = from_bag(BAGS / name, "/camera/image_raw/compressed", 5, tmp_path)
    assert [cv2.imread(str(picture.path)).shape for picture in taken] == [(600, 800, 3)] * 5
    assert len({picture.sha256 for picture in taken}) == 5


def refused(capsys: pytest.CaptureFixture[str], *words: object) -> str:
    """The one line that the command says."""
    assert cli.main(["adapt", *map(str, words)]) == 2
    lines = capsys.readouterr().err.strip().splitlines()
    assert len(lines) == 1
    return lines[0]


def test_mistakes_are_told_in_one_line(
    shapes: Path, repository: Path, bag: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    good = ("--model-root", repository, "--model", "shapes")
    empty, broken = tmp_path / "empty", tmp_path / "broken"
    empty.mkdir()
    broken.mkdir()
    (broken / "a.png").write_bytes(b"no picture")
    assert "no pictures are given" in refused(capsys, *good)
    assert "both images and bag" in refused(capsys, *good, "--images", shapes, "--bag", bag)
    assert "without a bag" in refused(capsys, *good, "--images", shapes, "--topic", "/raw")
    assert "no such folder" in refused(capsys, *good, "--images", tmp_path / "nothing")
    assert "there is no picture" in refused(capsys, *good, "--images", empty)
    assert "not a picture" in refused(capsys, *good, "--images", broken)
    assert "no version 7" in refused(capsys, *good, "--images", shapes / "val", "--version", 7)
    assert "no model" in refused(capsys, "--model-root", empty, "--images", shapes / "val")
    assert "cannot be 1.5" in refused(capsys, *good, "--images", shapes / "val", "--blend", 1.5)
    assert "does not exist" in refused(capsys, *good, "--bag", tmp_path / "nothing")
    assert "holds no recording" in refused(capsys, *good, "--bag", empty)
    assert "/packed (12), /raw (12)" in refused(capsys, *good, "--bag", bag)
    assert "no topic '/pack'" in refused(capsys, *good, "--bag", bag, "--topic", "/pack")
    assert "the topic /text has std_msgs/msg/String" in refused(capsys, *good, "--bag", bag, "--topic", "/text")
    assert ModelRepository(repository).versions("shapes") == [1]


def test_a_bag_with_a_frame_that_cannot_be_used(bag: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cv2, "imdecode", lambda *_: None)
    with pytest.raises(UserError, match="not an image that can be decoded"):
        from_bag(bag, "/packed", 3, tmp_path)


def test_a_bag_that_breaks_off_gives_what_is_whole(
    bag: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = Recording.messages

    def broken(self: Recording, topics: Any) -> Any:
        for index, message in enumerate(whole(self, topics)):
            if index == 7:
                self.warnings.append("it breaks off")
                return
            yield message

    monkeypatch.setattr(Recording, "messages", broken)
    taken = from_bag(bag, "/packed", 4, tmp_path)
    assert [picture.name for picture in taken] == ["/packed@0", "/packed@4000000000"]
    assert "it breaks off" in capsys.readouterr().err


def test_thresholds_keep_the_number_of_objects() -> None:
    rng = np.random.default_rng(0)
    pairs = [(rng.random(20, np.float32), rng.integers(0, 2, 20, dtype=np.int32)) for _ in range(5)]
    sure, unsure = Found(tuple(pairs)), Found(tuple((scores * np.float32(0.7), labels) for scores, labels in pairs))
    limits = (0.6, 0.8)
    lower = keep_counts(sure, unsure, limits)
    assert lower == pytest.approx((0.42, 0.56), abs=0.03)
    assert unsure.counts(lower) == sure.counts(limits)
    assert sum(unsure.counts(limits)) < sum(unsure.counts(lower))
    # A model that became surer keeps its thresholds; nothing found before gives no reason to change them.
    assert keep_counts(unsure, sure, limits) == limits
    assert keep_counts(sure, unsure, (1.0, 1.0)) == (1.0, 1.0)
    # Never below half, and not for want of any detection either.
    faint = Found(tuple((scores * np.float32(0.1), labels) for scores, labels in pairs))
    assert keep_counts(sure, faint, limits) == (0.3, 0.4)
    nothing = Found(((np.zeros(0, np.float32), np.zeros(0, np.int32)),))
    assert keep_counts(sure, nothing, limits) == limits
    assert nothing.counts(limits) == [0]


def test_other_models_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="unknown architecture 'rectangles'"):
        load_model(open_bundle(write_detector(tmp_path)))
    with pytest.raises(UserError, match="is a segmentation model"):
        load_model(open_bundle(write_segmenter(tmp_path)))


def test_weights_of_another_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bundle = open_bundle(write_detector(tmp_path))
    monkeypatch.setattr("perception_train.models.restore.build_model", lambda *_: torch.nn.Conv2d(3, 4, 1))
    with pytest.raises(UserError, match="the weights are not those of a rectangles") as caught:
        load_model(bundle)
    assert "\n" not in str(caught.value)


def test_a_model_without_batch_norm(shapes: Path) -> None:
    model = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 1), torch.nn.GroupNorm(2, 4))
    with pytest.raises(UserError, match="no batch normalisation"):
        adapted(model, pictures(shapes), 0.5)


def test_pictures_in_which_nothing_is_found(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shapes: Path
) -> None:
    monkeypatch.setattr(Found, "counts", lambda self, thresholds: [0] * len(self.pictures))
    with pytest.raises(UserError, match="finds nothing in the pictures"):
        adapt(AdaptParams(model_root=str(repository), model="shapes", images=str(shapes / "val"), threads=1))
    assert ModelRepository(repository).versions("shapes") == [1]
