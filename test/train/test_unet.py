"""Segmentation: masks through augmentation, the loss, a whole run, its bundle, and NVIDIA's builder."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import onnx
import pytest
import torch
from engines import engine_outputs
from shapes import make_dataset, small_run

from perception_common.errors import UserError
from perception_infer.contract.detections import Segmentation
from perception_infer.evaluation.confusion import IGNORED
from perception_infer.models import open_bundle
from perception_infer.predictor import Predictor
from perception_train.data.augment import AugmentParams, Labelled, mosaic, random_view
from perception_train.data.coco import CocoDataset
from perception_train.data.loader import TrainLoader
from perception_train.export.graph import inference_graph, to_onnx
from perception_train.models import build_model
from perception_train.models.unet import segmentation_losses
from perception_train.training.config import TrainParams
from perception_train.training.loop import Trainer
from perception_train.training.optimize import compute_losses
from perception_train.training.segmentation import SegmentationValidation, validate_segmentation
from perception_train.training.validation import outcome

UNETS = ("unet_yolo_n", "unet_mobilenet", "unet_resnet18", "unet_resnet34", "unet_efficientnet")


def params(shapes: Path, folder: Path, **changes: Any) -> TrainParams:
    return TrainParams(**small_run(shapes, folder, **({"architecture": "unet_mobilenet"} | changes)))


def a_disc(rng: np.random.Generator) -> Labelled:
    """A dark image with a bright disc, and the disc's mask."""
    image, mask = np.zeros((120, 160, 3), np.uint8), np.zeros((120, 160), np.uint8)
    centre = (int(rng.integers(40, 120)), int(rng.integers(40, 80)))
    cv2.circle(image, centre, 22, (255, 255, 255), -1)
    cv2.circle(mask, centre, 22, (1,), -1)
    none = np.zeros((0, 4), np.float32), np.zeros(0, np.int64)
    return Labelled(image, *none, mask)


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("four", [False, True], ids=["one", "mosaic"])
def test_masks_follow_the_pixels(seed: int, four: bool) -> None:
    rng = np.random.default_rng(seed)
    network, strength = (128, 96), AugmentParams()
    sample = a_disc(rng)
    shown = mosaic([sample] * 4, network, strength, rng) if four else random_view(sample, network, strength, rng)
    assert shown.mask is not None
    bright = shown.image[..., 0] > 127
    # Edges are blended in the picture and not in the mask: they may lie a pixel apart.
    core = cv2.erode(bright.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
    rim = cv2.dilate(bright.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
    assert (shown.mask[core] == 1).all()
    assert (shown.mask[~rim] != 1).all()
    grey = (shown.image == 114).all(-1)
    inner = cv2.erode(grey.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
    assert (shown.mask[inner] == IGNORED).all()
    assert (shown.mask == IGNORED).mean() < 0.9


def test_what_is_covered_has_no_class() -> None:
    shown = random_view(
        a_disc(np.random.default_rng(0)), (128, 96), AugmentParams(cutout=1.0), np.random.default_rng(1)
    )
    still = random_view(
        a_disc(np.random.default_rng(0)), (128, 96), AugmentParams(cutout=0.0), np.random.default_rng(1)
    )
    assert shown.mask is not None and still.mask is not None
    covered = (shown.image != still.image).any(-1)
    assert covered.any()
    assert (shown.mask[covered] == IGNORED).all()


def test_detectors_see_the_batches_they_saw_without_masks(shapes: Path) -> None:
    dataset = CocoDataset.open(shapes / "train")
    batches = [
        TrainLoader(dataset, (96, 64), 4, 7, AugmentParams(cutout=0.5), 0, with_masks).batch(3, True)
        for with_masks in (False, True)
    ]
    assert batches[0].targets.pixels is None
    assert batches[1].targets.pixels is not None
    assert torch.equal(batches[0].images, batches[1].images)
    assert torch.equal(batches[0].targets.boxes, batches[1].targets.boxes)


def test_the_loss_of_the_truth_is_nothing_and_ignored_pixels_do_not_count() -> None:
    pixels = torch.randint(0, 3, (2, 16, 16), generator=torch.Generator().manual_seed(0))
    pixels[:, :, 8:] = IGNORED
    logits = (
        30.0 * torch.nn.functional.one_hot(torch.where(pixels == IGNORED, 0, pixels), 3).permute(0, 3, 1, 2).float()
    )
    losses = segmentation_losses(logits, pixels)
    assert float(losses["ce"]) < 1e-6
    assert float(losses["dice"]) < 1e-2
    other = logits.clone()
    other[..., 8:] = torch.randn(2, 3, 16, 8)
    assert float(segmentation_losses(other, pixels)["ce"]) == float(losses["ce"])
    assert float(segmentation_losses(other, pixels)["dice"]) == float(losses["dice"])
    wrong = segmentation_losses(-logits, pixels)
    assert float(wrong["ce"]) > 5.0
    assert float(wrong["dice"]) > 0.5


def test_a_batch_without_anything_to_learn_from() -> None:
    logits = torch.randn(1, 3, 8, 8, requires_grad=True)
    for pixels in (torch.full((1, 8, 8), IGNORED), torch.zeros(1, 8, 8, dtype=torch.int64)):
        total = torch.stack(list(segmentation_losses(logits, pixels).values())).sum()
        total.backward()
        assert torch.isfinite(total)


def test_iou_by_hand(shapes: Path, tmp_path: Path) -> None:
    """A predictor that calls every pixel of class 1 background, and is right otherwise."""
    dataset = CocoDataset.open(shapes / "val")
    truths = iter([dataset.mask(index) for index in range(len(dataset.samples))])

    class Half:
        classes, task = dataset.classes, "segmentation"

        def segment(self, rgb: np.ndarray) -> Any:
            truth = next(truths)
            return Segmentation(np.where(truth == 1, 0, truth).astype(np.uint8), np.full_like(truth, 204))

    told = validate_segmentation(Half(), dataset)  # type: ignore[arg-type]
    assert told.iou == {"square": 0.0, "disc": 1.0}
    assert told.miou == 0.5
    every = np.concatenate([dataset.mask(index).ravel() for index in range(len(dataset.samples))])
    assert told.pixel_accuracy == pytest.approx(float((every != 1).mean()))
    figures = told.figures
    assert figures is not None
    # It says everywhere that it is right four times in five.
    assert figures.calibration.error == pytest.approx(abs(0.8 - told.pixel_accuracy))
    assert figures.calibration.count[8] == every.size
    assert [row.name for row in figures.classes] == ["background", "square", "disc"]
    counts = np.bincount(every, minlength=3).tolist()
    assert figures.confusion.counts == ((counts[0], 0, 0), (counts[1], 0, 0), (0, 0, counts[2]))
    assert (figures.classes[1].precision, figures.classes[1].recall) == (None, 0.0)
    wrong = [float((dataset.mask(index) == 1).mean()) for index in range(len(dataset.samples))]
    assert [example.index for example in figures.examples] == sorted(range(12), key=lambda index: -wrong[index])
    assert outcome(dataclasses.asdict(told)) == told


def test_a_run_learns_and_its_bundle_answers(shapes: Path, tmp_path: Path) -> None:
    events: list[dict[str, Any]] = []
    summary = Trainer(params(shapes, tmp_path, steps=70, batch=8, learning_rate=0.006), events.append).fit()
    # Guessing finds a twentieth.
    assert summary["val_miou"] > 0.15
    assert set(summary["per_class_iou"]) == {"square", "disc"}
    assert {"loss_ce", "loss_dice"} < set(next(e for e in events if e["event"] == "step"))
    assert "mIoU" in next(e for e in events if e["event"] == "validation")["text"]
    bundle = open_bundle(tmp_path / "models" / "shapes" / "1")
    manifest = bundle.manifest
    assert (manifest.task, manifest.suppression) == ("segmentation", None)
    assert manifest.variants["fp32"].metrics["miou"] == summary["val_miou"]
    dataset = CocoDataset.open(shapes / "val")
    with Predictor.load(bundle) as predictor:
        again = validate_segmentation(predictor, dataset)
        answer = predictor.segment(dataset.samples[0].read())
    assert isinstance(again, SegmentationValidation)
    assert again.miou == pytest.approx(summary["val_miou"], abs=1e-6)
    assert answer.mask.shape == (64, 96)
    # A run that goes on reads its last validation back.
    more = Trainer(params(shapes, tmp_path, steps=74, batch=8, learning_rate=0.006), events.append).fit()
    assert more["steps"] == 74


def test_boxes_teach_beside_pixels_and_stay_out_of_the_graph(shapes: Path) -> None:
    dataset = CocoDataset.open(shapes / "train")
    batch = TrainLoader(dataset, (96, 64), 4, 7, AugmentParams(), 0, True).batch(0, False)
    torch.manual_seed(0)
    model = build_model("unet_yolo_n", 2)
    losses = compute_losses(model.losses, batch, bf16=False)
    assert set(losses) == {"ce", "dice", "box", "cls", "dfl", "total"}
    losses["total"].backward()
    assert all(x.grad is not None for x in model.parameters())
    graph = onnx.load_from_string(to_onnx(inference_graph(model.eval(), None), 96, 64)).graph
    # Convolutions before a normalisation lose their names when both are folded; the last of each head has none.
    held = {tensor.name for tensor in graph.initializer}
    assert any("pixel_head.1" in name for name in held)
    assert not any("box_heads" in name or "class_heads" in name for name in held)


def test_without_boxes_only_what_the_pixels_need_runs_and_learns(shapes: Path) -> None:
    batch = TrainLoader(CocoDataset.open(shapes / "train"), (96, 64), 4, 7, AugmentParams(), 0, True).batch(0, False)
    torch.manual_seed(0)
    model = build_model("unet_yolo_n", 2)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    model.leave_out_boxes()
    model.train()
    losses = compute_losses(model.losses, batch, bf16=False)
    assert set(losses) == {"ce", "dice", "total"}
    losses["total"].backward()
    learning = {name for name, x in model.named_parameters() if x.requires_grad}
    assert learning == {name for name, x in model.named_parameters() if x.grad is not None}
    rested = {name for name, _ in model.named_parameters()} - learning
    assert {name.split(".")[0] for name in rested} == {"box_heads", "class_heads"}
    # What the heads know of a cell's class tells pixels theirs; the logits of cells are for boxes.
    assert {name for name in rested if "class_heads" in name} == {
        f"class_heads.{level}.2.{part}" for level in range(3) for part in ("weight", "bias")
    }
    # Statistics of what did not run stay as well.
    after = model.state_dict()
    assert all(torch.equal(before[name], after[name]) for name in after if name in rested or "box_heads" in name)


def test_the_parameter_boxes_reaches_the_network(shapes: Path, tmp_path: Path) -> None:
    events: list[dict[str, Any]] = []
    Trainer(params(shapes, tmp_path, architecture="unet_yolo_n", boxes=False, steps=3), events.append).fit()
    with (tmp_path / "run" / "train.csv").open() as stream:
        assert stream.readline().strip().split(",")[3:6] == ["loss", "loss_ce", "loss_dice"]


def test_a_dataset_without_masks_is_refused(tmp_path: Path) -> None:
    for name in ("train", "val"):
        make_dataset(tmp_path / name, 6, seed=1)
    (tmp_path / "val" / "masks" / "0003.png").unlink()
    with pytest.raises(UserError, match="1 of 6 images have no mask"):
        Trainer(params(tmp_path, tmp_path), lambda event: None).fit()


def test_masks_that_do_not_fit_are_told(tmp_path: Path) -> None:
    dataset = CocoDataset.open(make_dataset(tmp_path / "data", 6, seed=1))
    path = dataset.samples[0].mask_path
    cv2.imwrite(str(path), np.full((64, 96), 7, np.uint8))
    with pytest.raises(UserError, match="names class 7 of 2"):
        dataset.mask(0)
    cv2.imwrite(str(path), np.zeros((10, 10), np.uint8))
    with pytest.raises(UserError, match=r"not uint8 \[64, 96\]"):
        dataset.mask(0)


def test_a_detectors_metric_is_refused(shapes: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="'map50' is not one of segmentation"):
        Trainer(params(shapes, tmp_path, metric="map50"), lambda event: None).fit()


@pytest.mark.parametrize("name", UNETS)
def test_graphs_build_with_nvidias_builder(name: str) -> None:
    torch.manual_seed(0)
    graph = to_onnx(inference_graph(build_model(name, 2).eval(), None), 96, 64)
    kinds = {node.op_type for node in onnx.load_from_string(graph).graph.node}
    assert not kinds & {"NonZero", "If", "Loop"}
    assert engine_outputs(graph) == {"mask": (1, 64, 96), "confidence": (1, 64, 96)}
