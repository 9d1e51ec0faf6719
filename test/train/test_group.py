"""Several processes that train one model, started by the real torchrun, over gloo."""

from __future__ import annotations

import csv
import os
from itertools import pairwise
from pathlib import Path
from typing import Any

import jobs
import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from shapes import small_run

from perception_train.data.coco import CocoDataset
from perception_train.data.loader import Batch, TrainLoader
from perception_train.models import build_model
from perception_train.training import checkpoint
from perception_train.training.config import TrainParams
from perception_train.training.group import Group, joined_group
from perception_train.training.loop import Trainer
from perception_train.training.optimize import accumulated
from perception_train.training.step import Losses

_STEPS = 60


def _model(architecture: str) -> Losses:
    torch.manual_seed(5)
    # With fixed statistics the mean over parts of a batch is the mean over the whole.
    return Losses(build_model(architecture, 2).eval())


def _batch(shapes: str, places: range | None) -> Batch:
    dataset = CocoDataset.open(Path(shapes) / "train")
    return TrainLoader(dataset, (96, 64), 4, 0, TrainParams(), 0, with_masks=True, places=places).batch(0, False)


def _gradients(model: torch.nn.Module) -> list[torch.Tensor]:
    return [x.grad.clone() for x in model.parameters() if x.grad is not None]


def _rank(rank: int, architecture: str, shapes: str, folder: str) -> None:
    os.environ.update(RANK=str(rank), WORLD_SIZE="2", LOCAL_RANK=str(rank), MASTER_ADDR="127.0.0.1", MASTER_PORT="0")
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{folder}/meet", rank=rank, world_size=2)
    group = Group(rank, 2, torch.device("cpu"))
    model = _model(architecture)
    batch = _batch(shapes, group.share(4))
    values = group.means(accumulated(group.joined(model), [batch, batch], False))
    torch.save((values, _gradients(model)), f"{folder}/{rank}.pt")
    dist.destroy_process_group()


@pytest.mark.parametrize("architecture", ["yolo_n", "ssdlite", "unet_yolo_n"])
def test_two_processes_have_the_gradients_of_one_with_the_whole_batch(
    architecture: str, shapes: Path, tmp_path: Path
) -> None:
    mp.spawn(_rank, (architecture, str(shapes), str(tmp_path)), nprocs=2)
    model = _model(architecture)
    batch = _batch(str(shapes), None)
    expected = accumulated(model, [batch, batch], False)
    for rank in range(2):
        values, gradients = torch.load(tmp_path / f"{rank}.pt")
        assert values == pytest.approx(expected, rel=1e-4)
        for found, wanted in zip(gradients, _gradients(model), strict=True):
            assert torch.allclose(found, wanted, rtol=1e-3, atol=1e-4 * float(wanted.abs().max()))


def test_a_process_alone_is_its_own_group() -> None:
    with joined_group("cpu") as group:
        assert group.leads
        assert group.share(5) == range(5)
        assert group.told([1.0, 2.5]) == [1.0, 2.5]


def mean_losses(run: Path) -> float:
    """The mean loss over all steps, from rows that hold the means since the row before."""
    with (run / "train.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    steps = [0, *(int(row["step"]) for row in rows)]
    spans = [after - before for before, after in pairwise(steps)]
    return sum(float(row["loss"]) * span for row, span in zip(rows, spans, strict=True)) / sum(spans)


def test_torchrun_learns_as_one_process_does_and_survives_a_killed_rank(shapes: Path, tmp_path: Path) -> None:
    def told(folder: Path) -> dict[str, Any]:
        return small_run(
            shapes, folder, steps=_STEPS, batch=8, warmup_steps=8, learning_rate=1e-3, checkpoint_seconds=1.0,
            validations=1, report=False,
        )  # fmt: skip

    Trainer(TrainParams(**told(tmp_path / "one")), lambda event: None).fit()
    run = tmp_path / "two" / "run"
    job = jobs.started(told(tmp_path / "two"), tmp_path / "two.yaml", 1, f"--json={tmp_path / 'result.json'}")
    try:
        jobs.kill_a_follower(job, run, _STEPS)
    finally:
        said = jobs.ended(job)
    assert job.returncode == 0, said
    # Said once: by the first process, not by both.
    assert said.count("training resumed at step") == 1, said
    assert (tmp_path / "result.json").exists()
    state = checkpoint.load(run)
    assert state is not None
    assert state["step"] == _STEPS
    assert state["versions"] == [1]
    # Each process has batch-norm statistics of its own half, hence the tolerance.
    assert mean_losses(run) == pytest.approx(mean_losses(tmp_path / "one" / "run"), rel=0.08)
