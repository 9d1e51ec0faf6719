"""Steps: batches that do not fit in memory, batches in parts, devices that are not there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from shapes import small_run

from perception_common.errors import UserError
from perception_train.data.coco import CocoDataset
from perception_train.data.loader import Batch, TrainLoader
from perception_train.models import build_model
from perception_train.models.losses import Targets
from perception_train.models.network import Network
from perception_train.training import checkpoint
from perception_train.training.config import TrainParams
from perception_train.training.group import Group, choose_device
from perception_train.training.loop import Trainer
from perception_train.training.optimize import make_optimizer
from perception_train.training.step import Stepper, split_batch

ALONE = Group(0, 1, torch.device("cpu"))


@pytest.fixture(scope="module")
def batch(shapes: Path) -> Batch:
    return TrainLoader(CocoDataset.open(shapes / "train"), (96, 64), 6, 0, TrainParams(), 0).batch(0, False)


def fits(monkeypatch: pytest.MonkeyPatch, images: int, words: str = "CUDA out of memory") -> None:
    """Memory for so many images in a forward pass of a YOLO."""
    from perception_train.models.yolo import Yolo

    real = Yolo.losses

    def losses(self: Yolo, shown: torch.Tensor, targets: Targets, bf16: bool) -> dict[str, torch.Tensor]:
        if len(shown) > images:
            raise torch.OutOfMemoryError(words) if "CUDA" in words else RuntimeError(words)
        return real(self, shown, targets, bf16)

    monkeypatch.setattr(Yolo, "losses", losses)


def stepper(model: Network, less: Any = lambda images: None) -> Stepper:
    return Stepper(model, make_optimizer(model, TrainParams()), ALONE, 10.0, less)


@pytest.mark.parametrize("words", ["CUDA out of memory", "DefaultCPUAllocator: can't allocate memory: 8 bytes"])
def test_a_batch_that_does_not_fit_is_cut_and_nothing_of_it_is_lost(
    batch: Batch, monkeypatch: pytest.MonkeyPatch, words: str
) -> None:
    torch.manual_seed(1)
    # Without batch-norm's own statistics the parts of a batch have the gradients of the whole.
    model = build_model("yolo_n", 2)
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.track_running_stats, module.momentum = False, 0.0
    told: list[int] = []
    fits(monkeypatch, 2, words)
    one = stepper(model, told.append)
    losses = one.run([batch], 1e-3, False)
    assert told == [3, 2]
    assert one.split == 4
    assert losses["total"] > 0
    # The next step begins with what fits.
    one.run([batch], 1e-3, False)
    assert told == [3, 2]


def test_one_image_that_does_not_fit_ends_the_run_with_advice(batch: Batch, monkeypatch: pytest.MonkeyPatch) -> None:
    fits(monkeypatch, 0)
    with pytest.raises(UserError, match="lower width and height"):
        stepper(build_model("yolo_n", 2)).run([batch], 1e-3, False)


def test_other_failures_are_not_taken_for_a_lack_of_memory(batch: Batch) -> None:
    wrong = Batch(batch.images[:, :, :, :2], batch.targets)
    with pytest.raises(RuntimeError, match="channels"):
        stepper(build_model("yolo_n", 2)).run([wrong], 1e-3, False)


def test_a_run_whose_memory_runs_out_goes_on_and_remembers_it(
    shapes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fits(monkeypatch, 2)
    events: list[dict[str, Any]] = []
    told = small_run(shapes, tmp_path, steps=4, validations=1, learning_rate=1e-3)
    assert Trainer(TrainParams(**told), events.append).fit()["state"] == "done"
    (less,) = [event for event in events if event["event"] == "less_memory"]
    assert less["images"] == 2
    state = checkpoint.load(tmp_path / "run")
    assert state is not None
    assert state["split"] == 2


def test_the_parts_of_a_batch_are_its_images_in_order(batch: Batch) -> None:
    parts = split_batch(batch, 4)
    assert [len(part.images) for part in parts] == [2, 2, 1, 1]
    assert torch.equal(torch.cat([part.images for part in parts]), batch.images)
    for whole, *cut in zip(batch.targets.tensors(), *(part.targets.tensors() for part in parts), strict=True):
        assert torch.equal(torch.cat(cut), whole)
    assert len(split_batch(batch, 16)) == 6


def test_masks_are_cut_with_their_images(batch: Batch) -> None:
    pixels = torch.arange(6, dtype=torch.uint8)[:, None, None].expand(6, 64, 96)
    targets = Targets(batch.targets.boxes, batch.targets.labels, batch.targets.mask, pixels)
    parts = split_batch(Batch(batch.images, targets), 2)
    assert [part.targets.pixels[0, 0, 0] for part in parts if part.targets.pixels is not None] == [0, 3]


@pytest.mark.parametrize("name", ["gpu", "cuda:x", "cuda:99", "cudaa", "cpu:0"])
def test_a_device_that_is_not_there_is_refused_in_one_line(name: str) -> None:
    with pytest.raises(UserError, match=f"device '{name}'") as caught:
        choose_device(name)
    assert "\n" not in str(caught.value)


def test_a_batch_is_divided_evenly_among_processes_or_not_at_all() -> None:
    shares = [Group(rank, 3, ALONE.device).share(12) for rank in range(3)]
    assert [place for share in shares for place in share] == list(range(12))
    with pytest.raises(UserError, match="multiple of 3"):
        Group(0, 3, ALONE.device).share(16)


def test_processes_make_the_parts_of_the_batch_that_one_would_make(shapes: Path) -> None:
    dataset, size = CocoDataset.open(shapes / "train"), (96, 64)

    def made(places: range | None) -> torch.Tensor:
        return TrainLoader(dataset, size, 6, 0, TrainParams(), 0, places=places).batch(3, True).images

    assert torch.equal(torch.cat((made(range(3)), made(range(3, 6)))), made(None))
