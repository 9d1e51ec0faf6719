"""Starting from a bundle or from published weights, and freezing the backbone's first stages."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from shapes import make_dataset, small_run
from torchvision.models import MobileNet_V3_Large_Weights, mobilenet_v3_large

from perception_common.errors import UserError
from perception_infer.models import find_bundle
from perception_train.export.candidate import Candidate
from perception_train.models import build_model
from perception_train.training.config import TrainParams
from perception_train.training.initial import summarised, take, weights
from perception_train.training.loop import Trainer


@pytest.fixture(scope="module")
def repository(candidate: Candidate, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model repository with ``shapes`` v1: yolo_n for square and disc."""
    root = tmp_path_factory.mktemp("models")
    candidate.write(root, candidate.validate())
    return root


def settings(data: Path, folder: Path, **changes: Any) -> TrainParams:
    return TrainParams(**small_run(data, folder, **({"steps": 2, "validations": 1} | changes)))


def started(params: TrainParams) -> tuple[Trainer, dict[str, Any]]:
    events: list[dict[str, Any]] = []
    trainer = Trainer(params, events.append)
    trainer._set_up()
    return trainer, events[0]


@pytest.mark.parametrize("form", ["shapes/1", "shapes/1/manifest.json", "shapes"])
def test_training_starts_from_the_weights_of_a_bundle(
    repository: Path, shapes: Path, tmp_path: Path, form: str
) -> None:
    torch.manual_seed(9)
    model = build_model("yolo_n", 2)
    held = weights(find_bundle(repository / form))
    told = take(model, ("square", "disc"), held, ("square", "disc"), "shapes v1", repository)
    assert told.taken == told.total
    assert not told.fresh
    own = model.state_dict()
    assert all(torch.equal(own[name], value) for name, value in held.items() if "num_batches" not in name)


def test_the_start_event_tells_what_was_taken(repository: Path, shapes: Path, tmp_path: Path) -> None:
    _, start = started(settings(shapes, tmp_path, initial=str(repository / "shapes" / "1")))
    told = start["initial"]
    assert told["taken"] == told["total"] > 200
    assert told["source"] == "shapes v1"
    assert told["text"] == f"taken {told['total']} of {told['total']} tensors from shapes v1"
    json.dumps(told)


def test_a_resumed_run_needs_no_bundle(repository: Path, shapes: Path, tmp_path: Path) -> None:
    params = settings(shapes, tmp_path, initial=str(repository / "shapes" / "1"))
    Trainer(params, lambda event: None).fit()
    _, start = started(settings(shapes, tmp_path, initial=str(tmp_path / "gone"), steps=3))
    assert start["resumed"]
    assert start["initial"] is None


@pytest.mark.parametrize(
    ("architecture", "heads"),
    [
        ("yolo_n", ("class_heads.0.2.weight", 0, 1)),
        ("ssdlite", ("net.head.classification_head.module_list.0.1.bias", 1, 1)),
        ("faster_rcnn_mobilenet", ("roi_heads.box_predictor.bbox_pred.weight", 1, 4)),
        ("unet_mobilenet", ("net.segmentation_head.0.weight", 1, 1)),
        ("unet_yolo_n", ("pixel_head.1.weight", 1, 1)),
        ("unet_yolo_n", ("class_heads.1.2.bias", 0, 1)),
    ],
)
def test_rows_of_heads_follow_the_names_of_the_classes(architecture: str, heads: tuple[str, int, int]) -> None:
    name, background, inner = heads
    torch.manual_seed(1)
    source, model = build_model(architecture, 3), build_model(architecture, 3)
    for tensor in (source.state_dict()[name], model.state_dict()[name]):
        tensor.normal_()
    before = model.state_dict()[name].clone()
    told = take(model, ("b", "new", "a"), source.state_dict(), ("a", "b", "c"), "source", "here")
    assert told.taken == told.total
    assert told.classes == ("b", "a")
    assert told.fresh_classes == ("new",)
    rows = 3 + background
    views = [
        x.reshape(-1, rows, inner, *x.shape[1:]) for x in (model.state_dict()[name], source.state_dict()[name], before)
    ]
    own, given, old = views
    assert torch.equal(own[:, background], given[:, background + 1])
    assert torch.equal(own[:, background + 2], given[:, background])
    assert torch.equal(own[:, background + 1], old[:, background + 1])
    if background:
        assert torch.equal(own[:, 0], given[:, 0])


def test_more_classes_keep_what_is_known() -> None:
    source, model = build_model("yolo_n", 2), build_model("yolo_n", 5)
    told = take(model, ("e", "a", "c", "b", "d"), source.state_dict(), ("a", "b"), "source", "here")
    assert told.taken == told.total
    head, given = (x.state_dict()["class_heads.1.2.weight"] for x in (model, source))
    assert torch.equal(head[[1, 3]], given)


def test_heads_of_other_classes_stay_fresh() -> None:
    source, model = build_model("yolo_n", 2), build_model("yolo_n", 2)
    told = take(model, ("x", "y"), source.state_dict(), ("a", "b"), "source", "here")
    assert set(told.fresh) == {f"class_heads.{i}.2.{kind}" for i in range(3) for kind in ("weight", "bias")}
    assert "fresh: class_heads" in str(told)


def test_related_architectures_share_what_fits() -> None:
    source, model = build_model("yolo_n", 2), build_model("yolo_n_ibn", 2)
    told = take(model, ("a", "b"), source.state_dict(), ("a", "b"), "source", "here")
    assert 0 < len(told.fresh) < told.total // 4
    assert torch.equal(model.stem[0][0].weight, source.stem[0][0].weight)


def test_a_segmenter_starts_from_a_detector_and_the_other_way_round() -> None:
    detector, segmenter = build_model("yolo_n", 2), build_model("unet_yolo_n", 2)
    told = take(segmenter, ("a", "b"), detector.state_dict(), ("a", "b"), "source", "here")
    assert {name.split(".")[0] for name in told.fresh} == {"told", "top_down4", "pixel_head"}
    assert told.taken == sum("num_batches" not in name for name in detector.state_dict())
    fresh = build_model("yolo_n", 2)
    assert take(fresh, ("a", "b"), segmenter.state_dict(), ("a", "b"), "source", "here").fresh == ()
    assert all(torch.equal(x, detector.state_dict()[name]) for name, x in fresh.state_dict().items())


def test_a_bundle_of_which_nothing_fits_is_refused(repository: Path, shapes: Path, tmp_path: Path) -> None:
    params = settings(shapes, tmp_path, architecture="ssdlite", initial=str(repository / "shapes" / "1"))
    with pytest.raises(UserError, match="nothing of shapes v1 fits this model"):
        started(params)


def test_a_changed_bundle_is_refused(repository: Path, shapes: Path, tmp_path: Path) -> None:
    copy = tmp_path / "shapes" / "1"
    copy.mkdir(parents=True)
    for file in (repository / "shapes" / "1").iterdir():
        (copy / file.name).write_bytes(file.read_bytes())
    data = bytearray((copy / "weights.safetensors").read_bytes())
    data[-1] ^= 1
    (copy / "weights.safetensors").write_bytes(data)
    with pytest.raises(UserError, match="SHA-256"):
        started(settings(shapes, tmp_path, initial=str(copy)))
    with pytest.raises(UserError, match="holds no bundle"):
        started(settings(shapes, tmp_path, initial=str(shapes)))


@pytest.mark.parametrize(
    ("architecture", "stages"),
    [
        ("yolo_n", 5),
        ("ssdlite", 5),
        ("ssd300", 5),
        ("faster_rcnn_mobilenet", 5),
        ("faster_rcnn_resnet50", 5),
        ("unet_yolo_n", 5),
        ("unet_mobilenet", 5),
        ("unet_resnet18", 5),
        ("unet_efficientnet", 5),
    ],
)
def test_every_backbone_tells_its_stages(architecture: str, stages: int) -> None:
    model = build_model(architecture, 2)
    assert len(model.stages()) == stages
    model.freeze(stages)
    names = {name for name, x in model.named_parameters() if not x.requires_grad}
    assert names
    assert len(names) < len(list(model.parameters()))
    with pytest.raises(UserError, match=f"has {stages} stages"):
        model.freeze(stages + 1)


def test_frozen_stages_keep_weights_and_statistics(repository: Path, shapes: Path, tmp_path: Path) -> None:
    initial = str(repository / "shapes" / "1")
    summary = Trainer(settings(shapes, tmp_path, initial=initial, freeze=3, steps=6), lambda event: None).fit()
    before = weights(find_bundle(repository / "shapes"))
    after = weights(find_bundle(tmp_path / "models" / "shapes" / str(summary["versions"][-1])))
    for name, value in before.items():
        if name.startswith(("stem.", "stage8.")) and "num_batches" not in name:
            assert torch.equal(value, after[name]), name
    for name in ("stage16.0.0.weight", "stage16.0.1.running_mean", "class_heads.0.2.bias"):
        assert not torch.equal(before[name], after[name]), name


def test_published_weights_reach_the_backbone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from perception_train.models.pretrained import published

    published_weights = MobileNet_V3_Large_Weights.IMAGENET1K_V2
    torch.manual_seed(5)
    source = mobilenet_v3_large(weights=None)
    # Where torch keeps what it has fetched.
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    folder = tmp_path / "hub" / "checkpoints"
    folder.mkdir(parents=True)
    torch.save(source.state_dict(), folder / published_weights.url.rpartition("/")[2])
    for architecture, first, share in (
        ("faster_rcnn_mobilenet", "backbone.body.0.0.weight", 0.6),
        ("ssdlite", "net.backbone.features.0.0.0.weight", 0.35),
    ):
        model = build_model(architecture, 2)
        name, tensors = published(architecture, model)
        told = take(model, ("a", "b"), tensors, (), name, architecture)
        assert torch.equal(model.state_dict()[first], source.features[0][0].weight)
        assert told.taken > share * told.total
        assert not told.fresh_classes


def test_published_weights_offline_are_a_clear_error(
    shapes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "empty"))
    for name in ("http_proxy", "https_proxy"):
        # Nobody listens on the discard port.
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    with pytest.raises(UserError, match=r"cannot be fetched.*leave pretrained out"):
        started(settings(shapes, tmp_path, architecture="ssdlite", pretrained=True))
    with pytest.raises(UserError, match="no backbone weights are published for yolo_n"):
        started(settings(shapes, tmp_path, pretrained=True))


def test_long_lists_of_names_are_summarised() -> None:
    assert summarised(["a.b.weight", "a.b.bias", "c"]) == ["a.b (2)", "c (1)"]
    assert summarised([f"a{i}.b.c" for i in range(9)])[-1] == "5 more"


def test_more_data_for_the_same_names(tmp_path: Path, repository: Path) -> None:
    for name, seed in (("train", 1), ("val", 2)):
        make_dataset(tmp_path / name, 12, seed=seed, classes=("disc", "cross"))
    _, start = started(settings(tmp_path, tmp_path / "run", initial=str(repository / "shapes")))
    assert start["initial"]["classes"] == ["disc"]
    assert start["initial"]["fresh_classes"] == ["cross"]


class Trap:
    """Makes a file when it is unpickled."""

    def __init__(self, proof: Path) -> None:
        self.proof = proof

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.proof,)


def test_published_weights_that_are_a_pickle_run_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from perception_train.models.pretrained import published

    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    path = tmp_path / "hub" / "checkpoints" / MobileNet_V3_Large_Weights.IMAGENET1K_V2.url.rpartition("/")[2]
    path.parent.mkdir(parents=True)
    torch.save({"features.0.0.weight": Trap(tmp_path / "proof")}, path)
    for architecture in ("faster_rcnn_mobilenet", "ssdlite"):
        with pytest.raises(UserError, match="published weights"):
            published(architecture, build_model(architecture, 2))
    assert not (tmp_path / "proof").exists()
    torch.load(path, weights_only=False)
    assert (tmp_path / "proof").exists()
