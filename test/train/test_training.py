"""The loop: events, files, resume, refusals."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import pytest
import torch
from shapes import make_dataset, small_run

from perception_common.errors import UserError
from perception_infer.models import ModelRepository
from perception_infer.predictor import NotFinite
from perception_infer.retention import best_version
from perception_train.export.candidate import Candidate
from perception_train.training import checkpoint
from perception_train.training.config import TrainParams
from perception_train.training.ema import WeightAverage, with_precise_statistics
from perception_train.training.loop import Trainer
from perception_train.training.schedule import Schedule


def params(shapes: Path, run: Path, **changes: Any) -> TrainParams:
    return TrainParams(**small_run(shapes, run.parent, **({"run_directory": str(run)} | changes)))


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def whole(shapes: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any], list[dict[str, Any]]]:
    """The folder of a run of 60 steps, its summary, and what it said; to look at, not to change."""
    folder, events = tmp_path_factory.mktemp("whole"), list[dict[str, Any]]()
    return folder, Trainer(params(shapes, folder / "run"), events.append).fit(), events


@pytest.fixture(scope="module")
def ended(shapes: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """The folder of a run of 40 steps, and its summary; see `finished`."""
    folder = tmp_path_factory.mktemp("ended")
    chosen = params(shapes, folder / "run", steps=40, validations=1)
    return folder, Trainer(chosen, lambda event: None).fit()


@pytest.fixture
def finished(ended: tuple[Path, dict[str, Any]], tmp_path: Path) -> dict[str, Any]:
    """A run of 40 steps that has ended in ``run``, with its bundle in ``models``; its summary."""
    shutil.copytree(ended[0], tmp_path, dirs_exist_ok=True)
    return ended[1]


def test_a_run_leaves_curves_bundles_and_a_summary(whole: tuple[Path, dict[str, Any], list[dict[str, Any]]]) -> None:
    folder, summary, events = whole
    kinds = [event["event"] for event in events]
    assert kinds[0] == "start"
    picture = cv2.imread(events[0]["samples"])
    # A batch of four samples of 96x64 in a row, a gap behind each.
    assert picture.shape == (68, 400, 3)
    assert picture.std() > 10.0
    assert kinds[-1] == "done"
    assert kinds.count("validation") == 2
    assert kinds.count("export") == 1
    json.dumps(events)
    assert summary["state"] == "done"
    assert summary["versions"] == [1]
    assert json.loads((folder / "run" / "summary.json").read_text())["val_map50"] == summary["val_map50"]
    assert (folder / "models" / "shapes" / "1" / "manifest.json").is_file()
    assert [row["step"] for row in rows(folder / "run" / "validation.csv")] == ["30", "60"]
    assert rows(folder / "run" / "train.csv")[-1]["step"] == "60"


def test_answers_that_are_no_numbers_are_refused_and_training_goes_on(
    shapes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(candidate: Candidate) -> None:
        raise NotFinite("not finite")

    monkeypatch.setattr(Candidate, "validate", broken)
    events: list[dict[str, Any]] = []
    summary = Trainer(params(shapes, tmp_path / "run", steps=6), events.append).fit()
    assert (summary["state"], summary["steps"], summary["versions"]) == ("done", 6, [])
    assert [event["message"] for event in events if event["event"] == "refused"] == ["not finite"] * 2


def test_resume_equals_an_uninterrupted_run(
    whole: tuple[Path, dict[str, Any], list[dict[str, Any]]], shapes: Path, tmp_path: Path
) -> None:
    stopped: list[Trainer] = []

    def stop_at_validation(event: dict[str, Any]) -> None:
        if event["event"] == "validation":
            stopped[0].stop()

    stopped.append(Trainer(params(shapes, tmp_path / "parts"), stop_at_validation))
    assert stopped[0].fit()["state"] == "stopped"
    events: list[dict[str, Any]] = []
    summary = Trainer(params(shapes, tmp_path / "parts"), events.append).fit()
    assert events[0]["resumed"]
    assert events[0]["step"] == 30
    assert summary["steps"] == 60

    runs = (whole[0] / "run", tmp_path / "parts")
    once, parts = (checkpoint.load(run) for run in runs)
    assert once is not None
    assert parts is not None
    for part in ("model", "average"):
        assert all(torch.equal(once[part][name], parts[part][name]) for name in once[part])
    ours, theirs = (rows(run / "validation.csv") for run in runs)
    assert [(row["step"], row["map"]) for row in ours] == [(row["step"], row["map"]) for row in theirs]


def test_a_finished_run_is_not_trained_again(finished: dict[str, Any], shapes: Path, tmp_path: Path) -> None:
    chosen = params(shapes, tmp_path / "run", steps=40, validations=1)
    again = Trainer(chosen, lambda event: None).fit()
    assert again == finished
    events: list[dict[str, Any]] = []
    Trainer(chosen, events.append).fit()
    before = next(event for event in events if event["event"] == "exported_before")
    assert before["version"] == 1
    assert before["uri"] == (tmp_path / "models" / "shapes" / "1" / "manifest.json").as_uri()


@pytest.mark.usefixtures("finished")
def test_a_finished_run_goes_on_with_a_larger_budget(shapes: Path, tmp_path: Path) -> None:
    more = Trainer(params(shapes, tmp_path / "run", steps=60, validations=2, exports=2), lambda event: None).fit()
    assert more["steps"] == 60
    assert more["versions"] == [1, 2]


def test_old_versions_make_room_but_for_the_best(shapes: Path, tmp_path: Path) -> None:
    events: list[dict[str, Any]] = []
    given = params(shapes, tmp_path / "run", steps=80, validations=4, exports=4, keep_versions=1)
    summary = Trainer(given, events.append).fit()
    removed = [version for event in events if event["event"] == "pruned" for version in event["versions"]]
    repository = ModelRepository(Path(given.model_root))
    best = best_version(repository, given.model, "map")
    assert summary["versions"] and removed
    assert (
        set(repository.versions(given.model))
        == {summary["versions"][-1], best}
        == set(summary["versions"]) - set(removed)
    )
    for version in repository.versions(given.model):
        repository.open(given.model, version)


@pytest.mark.usefixtures("finished")
def test_export_of_a_checkpoint(shapes: Path, tmp_path: Path) -> None:
    chosen = params(shapes, tmp_path / "run", steps=40, validations=1)
    version, result = Trainer(chosen, lambda event: None).export_checkpoint()
    assert version == 2
    assert result.images == 12


def test_export_of_the_best_weights(shapes: Path, tmp_path: Path) -> None:
    chosen = params(shapes, tmp_path / "run", steps=45, validations=3)
    summary = Trainer(chosen, lambda event: None).fit()
    trainer = Trainer(chosen, lambda event: None)
    version, result = trainer.export_checkpoint(best=True)
    assert version == 2
    assert result.metrics() == pytest.approx({name: summary["best"][name] for name in result.metrics()}, abs=1e-4)
    (tmp_path / "run" / "best.safetensors").write_bytes(b"nothing of the kind")
    with pytest.raises(UserError, match="do not fit"):
        Trainer(chosen, lambda event: None).export_checkpoint(best=True)
    (tmp_path / "run" / "best.safetensors").unlink()
    with pytest.raises(UserError, match="no best weights"):
        Trainer(chosen, lambda event: None).export_checkpoint(best=True)


def test_two_runs_do_not_share_a_directory(shapes: Path, tmp_path: Path) -> None:
    second = Trainer(params(shapes, tmp_path / "run"), lambda event: None)

    def try_second(event: dict[str, Any]) -> None:
        if event["event"] == "start":
            with pytest.raises(UserError, match="another training run"):
                second.fit()

    Trainer(params(shapes, tmp_path / "run", steps=2, validations=1), try_second).fit()


def test_class_names_must_agree(shapes: Path, tmp_path: Path) -> None:
    other = make_dataset(tmp_path / "other", 4, seed=5, classes=("square", "triangle"))
    with pytest.raises(UserError, match=r"class names differ .*disc, triangle"):
        Trainer(params(shapes, tmp_path / "run", validation=str(other)), lambda event: None)


def test_resume_refuses_other_classes(shapes: Path, tmp_path: Path) -> None:
    Trainer(params(shapes, tmp_path / "run", steps=2, validations=1), lambda event: None).fit()
    other = make_dataset(tmp_path / "other", 6, seed=5, classes=("square", "triangle"))
    changed = params(shapes, tmp_path / "run", dataset=(str(other),), validation=str(other))
    with pytest.raises(UserError, match="class names differ between checkpoint"):
        Trainer(changed, lambda event: None).fit()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"dataset": ()}, "no dataset is given"),
        ({"dataset": ("/nowhere",)}, "does not exist"),
        ({"width": 100}, "no multiple of 32"),
        ({"steps": 0}, "no budget"),
        ({"exports": 9}, "exports need"),
    ],
)
def test_wrong_use_is_one_line(shapes: Path, tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message) as caught:
        Trainer(params(shapes, tmp_path / "run", **changes), lambda event: None)
    assert "\n" not in str(caught.value)


def test_unwritable_output(shapes: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="cannot write"):
        Trainer(params(shapes, tmp_path / "file" / "run"), lambda event: None)


def test_damaged_checkpoint(shapes: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    run.mkdir()
    (run / checkpoint.LAST).write_bytes(b"not a checkpoint")
    with pytest.raises(UserError, match="cannot read the checkpoint"):
        Trainer(params(shapes, run), lambda event: None).fit()


def test_schedule_counts_every_milestone_once() -> None:
    schedule = Schedule(TrainParams(minutes=0.0, steps=100, validations=8, exports=3))
    exports = [schedule.pass_milestone(step, 0.0) for step in range(1, 101) if schedule.due(step, 0.0)]
    assert len(exports) == 8
    assert sum(exports) == 3
    assert exports[-1]
    assert schedule.over(100, 0.0)
    assert schedule.rate(99, 0.0) < 0.03 * schedule.rate(5, 0.0) or schedule.rate(99, 0.0) < 1e-4


def test_average_and_precise_statistics() -> None:
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 1), torch.nn.BatchNorm2d(4))
    average = WeightAverage(model, 0.9)
    with torch.no_grad():
        model[0].weight.add_(1.0)
    average.update(model)
    before, after = average.model[0].weight, model[0].weight
    assert torch.allclose(after - before, torch.full_like(after, 2 / 11), atol=1e-6)

    inputs = [torch.randn(8, 3, 5, 5) * 3 + 2 for _ in range(6)]
    precise = with_precise_statistics(average.model, inputs, bf16=False)
    features = torch.cat([average.model[0](x) for x in inputs])
    assert torch.allclose(precise[1].running_mean, features.mean((0, 2, 3)), atol=1e-4)
    assert not precise.training


def diverging(monkeypatch: pytest.MonkeyPatch, wrong: Callable[[int], bool]) -> None:
    """Make the loss infinite at those of its calls."""
    from perception_train.training import optimize

    calls, real = [0], optimize.compute_losses

    def losses(*arguments: Any) -> dict[str, torch.Tensor]:
        calls[0] += 1
        found = real(*arguments)
        return {name: value * float("inf") for name, value in found.items()} if wrong(calls[0]) else found

    monkeypatch.setattr(optimize, "compute_losses", losses)


def test_a_loss_that_is_not_finite_sends_the_run_back_more_slowly(
    shapes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    diverging(monkeypatch, lambda call: call == 16)
    events: list[dict[str, Any]] = []
    summary = Trainer(params(shapes, tmp_path / "run", precision="fp32", steps=24), events.append).fit()
    (recovered,) = [event for event in events if event["event"] == "recovered"]
    # The checkpoint before is that of the export at the first validation, or the beginning.
    assert recovered["step"] in (0, 12)
    assert "became inf at step 15" in recovered["message"]
    assert summary["state"] == "done"
    assert summary["steps"] == 24
    steps = [int(row["step"]) for row in rows(tmp_path / "run" / "train.csv")]
    assert steps == sorted(set(steps))
    state = checkpoint.load(tmp_path / "run")
    assert state is not None
    assert state["slower"] == pytest.approx(0.3)
    assert all(torch.isfinite(value).all() for value in state["model"].values())


def test_a_run_that_diverges_again_and_again_ends_with_one_message(
    shapes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    diverging(monkeypatch, lambda call: call > 5)
    with pytest.raises(UserError, match="lower learning_rate") as caught:
        Trainer(params(shapes, tmp_path / "run", precision="fp32"), lambda event: None).fit()
    assert "\n" not in str(caught.value)
    state = checkpoint.load(tmp_path / "run")
    assert state is not None
    assert state["step"] == 0


def test_accumulated_gradients_are_those_of_one_large_batch(shapes: Path, tmp_path: Path) -> None:
    from perception_train.data.loader import Batch
    from perception_train.models import build_model
    from perception_train.training.optimize import accumulated

    torch.manual_seed(3)
    model = build_model("yolo_n", 2).eval()
    trainer = Trainer(params(shapes, tmp_path / "run", batch=4, accumulate=2), lambda event: None)
    trainer._set_up()
    stream = trainer._batches()
    first = next(stream)
    stream.close()
    accumulated(model.losses, [first, first], bf16=False)
    twice = [parameter.grad.clone() for parameter in model.parameters() if parameter.grad is not None]
    model.zero_grad()
    accumulated(model.losses, [first], bf16=False)
    once = [parameter.grad for parameter in model.parameters() if parameter.grad is not None]
    assert isinstance(first, Batch)
    assert len(once) > 100
    assert all(torch.allclose(a, b, rtol=1e-4, atol=1e-6) for a, b in zip(twice, once, strict=True))


def test_accumulation_takes_the_batches_one_after_the_other(shapes: Path, tmp_path: Path) -> None:
    trainer = Trainer(params(shapes, tmp_path / "run", batch=4, accumulate=3), lambda event: None)
    trainer._set_up()
    trainer._state.step = 5
    stream = trainer._batches()
    assert torch.equal(next(stream).images, trainer._loader.batch(15, True).images)
    stream.close()


def test_patience_ends_a_run_and_its_last_model_is_exported(shapes: Path, tmp_path: Path) -> None:
    events: list[dict[str, Any]] = []
    # Nothing is learnt at such a rate: the first validation stays the best.
    chosen = params(shapes, tmp_path / "run", steps=24, learning_rate=1e-7, validations=6, exports=1, patience=2)
    trainer = Trainer(chosen, events.append)
    summary = trainer.fit()
    validations = [event for event in events if event["event"] == "validation"]
    assert len(validations) == 3
    assert summary["state"] == "done"
    assert summary["steps"] == 12
    # A finished run is not begun again.
    assert Trainer(chosen, lambda event: None).fit()["steps"] == 12
