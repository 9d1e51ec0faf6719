"""The two normalisations against a change of world: what they do, and that they train, resume, export and adapt."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from engines import engine_outputs
from shapes import small_run

from perception_infer.models import ModelRepository
from perception_infer.predictor import Predictor
from perception_train import models
from perception_train.adaptation.command import adapt
from perception_train.adaptation.params import AdaptParams
from perception_train.data.coco import CocoDataset
from perception_train.export.graph import DetectionGraph, to_onnx
from perception_train.models.blocks import ConvBlock, HalfInstanceNorm, standardize
from perception_train.models.suppression import DEFAULT
from perception_train.models.yolo import SIZES, Yolo
from perception_train.training import checkpoint
from perception_train.training.config import TrainParams
from perception_train.training.loop import Trainer

VARIANTS = ("n_std", "n_ibn")


def test_standardize_is_zero_mean_and_unit_variance_per_image_and_channel() -> None:
    x = torch.rand(2, 3, 20, 30) * torch.tensor([0.1, 0.5, 1.0]).view(1, 3, 1, 1) + 0.2
    y = standardize(x, 1e-4)
    assert y.mean((2, 3)).abs().max() < 1e-5
    assert (y.var((2, 3), unbiased=False) - 1).abs().max() < 0.2
    # Gain and offset, other for each channel, leave no trace worth the name.
    assert (standardize(x * 0.8 + 0.1, 0.0) - standardize(x, 0.0)).abs().max() < 1e-3
    assert standardize(torch.full((1, 3, 8, 8), 0.7), 1e-4).abs().max() < 1e-4


def test_standardize_stays_float32_in_bf16() -> None:
    with torch.autocast("cpu", torch.bfloat16):
        assert standardize(torch.rand(1, 3, 8, 8).bfloat16(), 1e-4).dtype == torch.float32


def test_half_of_the_channels_is_normalised_per_image() -> None:
    block = torch.nn.Sequential(*list(ConvBlock(3, 5, ibn=True))[:-1]).train()
    torch.nn.init.uniform_(block[0].weight, 0.1, 1.0)  # brighter in, brighter out
    dark, bright = torch.rand(1, 3, 9, 9), torch.rand(1, 3, 9, 9) * 3 + 4
    y = block(torch.cat((dark, bright)))
    assert y[:, :2].mean((2, 3)).abs().max() < 1e-4
    # Over the batch, one image lies above the mean and the other below it.
    assert y[:, 2:].mean((2, 3)).abs().min() > 0.5
    assert y[:, 2:].mean((0, 2, 3)).abs().max() < 1e-4
    assert HalfInstanceNorm(4)(torch.rand(1, 4, 8, 8).bfloat16()).dtype == torch.bfloat16


def test_the_usual_network_is_what_it_was() -> None:
    """Names of the weights are part of every bundle: options that are off may not change them."""
    plain = Yolo(2, SIZES["n"]).state_dict()
    assert plain.keys() == Yolo(2, SIZES["n_std"]).state_dict().keys()
    assert not [name for name in plain if ".2.weight" in name and plain[name].ndim == 1]


def test_a_change_of_light_does_not_change_the_answer() -> None:
    """What `standardize` is for: a tint and a gain of the whole image change nothing but by rounding."""
    torch.manual_seed(0)
    model = Yolo(2, SIZES["n_std"]).eval()
    x = torch.rand(1, 3, 64, 64)
    lit = x * torch.tensor([0.5, 0.7, 0.4]).view(1, 3, 1, 1) + 0.1
    with torch.no_grad():
        assert (model(lit) - model(x)).abs().max() < 0.05 * (model(x).std() + 1)


@pytest.mark.parametrize("variant", VARIANTS)
def test_graphs_have_only_what_every_builder_takes(variant: str) -> None:
    def exported(name: str) -> tuple[bytes, set[str]]:
        data = to_onnx(DetectionGraph(Yolo(2, SIZES[name]).eval(), DEFAULT), 96, 64)
        return data, {node.op_type for node in onnx.load_from_string(data).graph.node}

    data, kinds = exported(variant)
    assert "ReduceMean" in kinds
    assert kinds - exported("n")[1] <= {"ReduceMean", "Sqrt", "Sub", "Mul", "Add", "Div", "Split", "Slice"}
    engine_outputs(data)


@pytest.mark.parametrize("variant", VARIANTS)
def test_train_resume_export_evaluate_adapt(
    variant: str, shapes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = f"yolo_{variant}"
    monkeypatch.setitem(models.BUILDERS, name, lambda classes: Yolo(classes, SIZES[variant]))
    chosen = TrainParams(**small_run(shapes, tmp_path, architecture=name, validations=1))
    first = Trainer(chosen, lambda event: None).fit()
    state = checkpoint.load(tmp_path / "run")
    assert state is not None
    assert state["architecture"] == name
    # Builds the network anew, loads the checkpoint into it, and finds the budget used up.
    assert Trainer(chosen, lambda event: None).fit() == first
    bundle = ModelRepository(tmp_path / "models").open("shapes")
    assert bundle.manifest.architecture == name
    # Loading proves parity of nothing by itself: the exporter did, on these references, before it wrote the bundle.
    image = CocoDataset.open(shapes / "val").samples[0].read()
    assert len(Predictor.load(bundle, threshold=0.0).predict(image)) > 0
    told = adapt(
        AdaptParams(
            model_root=str(tmp_path / "models"),
            model="shapes",
            images=str(shapes / "train"),
            validation=str(shapes / "val"),
            threads=1,
        )
    )
    assert told["version"] == bundle.manifest.version + 1
    assert np.isfinite(told["map50"])
