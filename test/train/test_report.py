"""What a run leaves to look at: plots, the page, event files, the best weights; and that none of it ends a run."""

from __future__ import annotations

import csv
import json
import re
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from safetensors.numpy import load_file
from shapes import small_run
from tensorboardX.proto.event_pb2 import Event

from perception_infer.models import ModelRepository
from perception_infer.predictor import Predictor
from perception_train import cli
from perception_train.data.coco import CocoDataset
from perception_train.evaluation import report as report_module
from perception_train.evaluation.curves import moving_mean
from perception_train.evaluation.observer import observed
from perception_train.training.config import TrainParams
from perception_train.training.detection import DetectionValidation
from perception_train.training.loop import Trainer
from perception_train.training.process import TrainingProcess
from perception_train.training.records import BEST_WEIGHTS, Records
from perception_train.training.validation import validate

RUN_PLOTS = {"losses", "learning_rate", "validations"}
DETECTION_PLOTS = {"precision_recall", "classes", "confusion", "calibration"}


def fit(shapes: Path, folder: Path, **changes: Any) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    params = TrainParams(**small_run(shapes, folder, **changes))
    events: list[dict[str, Any]] = []
    return Trainer(params, observed(params, events.append)).fit(), events


@pytest.fixture(scope="module")
def run(shapes: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any], list[dict[str, Any]]]:
    folder = tmp_path_factory.mktemp("observed")
    return folder, *fit(shapes, folder, exports=2)


def records_of(folder: Path) -> Iterator[Event]:
    """All events of TensorBoard's files: length, its checksum, the message, its checksum."""
    for path in sorted(folder.glob("events.out.tfevents.*")):
        data = path.read_bytes()
        while data:
            (length,) = struct.unpack("<Q", data[:8])
            yield Event.FromString(data[12 : 12 + length])
            data = data[16 + length :]


def scalars(folder: Path) -> dict[str, list[tuple[int, float]]]:
    found: dict[str, list[tuple[int, float]]] = {}
    for event in records_of(folder):
        for value in event.summary.value:
            if value.WhichOneof("value") == "simple_value":
                found.setdefault(value.tag, []).append((event.step, value.simple_value))
    return found


def self_contained(page: str) -> bool:
    sources = re.findall(r'(?:src|href)="([^"]{0,40})', page) + re.findall(r"url\(([^)]{0,40})", page)
    return bool(sources) and all(source.startswith("data:image/") for source in sources)


def test_every_plot_is_a_picture_with_something_in_it(run: Any) -> None:
    folder, _, events = run
    plots = {path.stem: path for path in (folder / "run" / "plots").iterdir()}
    assert set(plots) == RUN_PLOTS | DETECTION_PLOTS
    for path in plots.values():
        picture = cv2.imread(str(path))
        assert min(picture.shape[:2]) > 250
        assert len(np.unique(picture.reshape(-1, 3), axis=0)) > 20
    reports = [event for event in events if event["event"] == "report"]
    # At both validations and at the end.
    assert [event["path"] for event in reports] == [str(folder / "run" / "report.html")] * 3
    assert not [event for event in events if event["event"] == "observer_failed"]


def test_the_page_needs_nothing_else_and_says_what_there_is(run: Any) -> None:
    folder, summary, _ = run
    page = (folder / "run" / "report.html").read_text()
    assert self_contained(page)
    # Plots, the samples, and two pictures of each of the twelve validation images.
    assert page.count("data:image/png") == len(RUN_PLOTS | DETECTION_PLOTS)
    assert page.count("data:image/jpeg") == 1 + 2 * 12
    for text in ("square", "disc", "learning_rate", "v1, v2", "small, below 32", f"{summary['val_map50']:.3f}", "done"):
        assert text in page
    assert "By occlusion" not in page
    best = re.search(r'<tr class="best"><td>(\d+)</td>', page)
    assert best is not None
    assert int(best[1]) == summary["best"]["step"]


def test_figures_are_there_as_data_and_the_best_is_known(run: Any) -> None:
    folder, summary, _ = run
    told = json.loads((folder / "run" / "validation.json").read_text())
    assert [row["step"] for row in told["validations"]] == [30, 60]
    assert told["last"]["step"] == 60
    assert len(told["last"]["figures"]["classes"]) == 2
    with (folder / "run" / "validation.csv").open(newline="") as file:
        rows = [(float(row["map"]), -int(row["step"])) for row in csv.DictReader(file)]
    assert summary["metric"] == "map"
    assert (summary["best"]["map"], -summary["best"]["step"]) == max(rows)
    # Both validations were exported: the best weights are those of one of the two bundles.
    ours = load_file(folder / "run" / BEST_WEIGHTS)
    theirs = load_file(folder / "models" / "shapes" / str(summary["best"]["version"]) / "weights.safetensors")
    assert set(ours) == set(theirs)
    assert all(np.array_equal(ours[name], theirs[name]) for name in ours)


def test_event_files_hold_the_curves_and_the_samples(run: Any) -> None:
    folder, summary, events = run
    found = scalars(folder / "run" / "tensorboard")
    steps = [event for event in events if event["event"] == "step"]
    assert found["loss/total"] == [(event["step"], pytest.approx(event["loss"], rel=1e-6)) for event in steps]
    assert {"loss/box", "train/lr", "train/images_per_second", "ap50/disc"} <= set(found)
    assert found["validation/map50"][-1] == (60, pytest.approx(summary["val_map50"]))
    images = [v for e in records_of(folder / "run" / "tensorboard") for v in e.summary.value if v.HasField("image")]
    assert [(image.tag, image.image.width) for image in images] == [("augmented", 400)]


def test_a_resumed_run_goes_on_in_the_same_place(shapes: Path, tmp_path: Path) -> None:
    fit(shapes, tmp_path, steps=8, validations=1)
    fit(shapes, tmp_path, steps=12, validations=1)
    folder = tmp_path / "run" / "tensorboard"
    sessions = [event.step for event in records_of(folder) if event.HasField("session_log")]
    assert sessions == [9]
    assert [step for step, _ in scalars(folder)["validation/map"]] == [8, 12]
    told = json.loads((tmp_path / "run" / "validation.json").read_text())
    assert [row["step"] for row in told["validations"]] == [8, 12]
    # A run that begins again forgets all of it.
    fit(shapes, tmp_path, steps=4, validations=1, resume=False)
    assert [step for step, _ in scalars(folder)["validation/map"]] == [4]


def test_what_fails_is_told_and_training_goes_on(shapes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(run: Any) -> dict[str, bytes]:
        raise RuntimeError("no fonts")

    monkeypatch.setattr(report_module, "run_plots", broken)
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "tensorboard").write_text("a file where a folder should be")
    summary, events = fit(shapes, tmp_path, steps=20, validations=3)
    assert summary["state"] == "done"
    failed = [event["message"] for event in events if event["event"] == "observer_failed"]
    assert sum("the report could not be written (RuntimeError: no fonts)" in message for message in failed) == 3
    assert sum("TensorBoard's event file could not be written" in message for message in failed) == 1
    assert len(failed) == 4


def test_a_run_can_do_without(shapes: Path, tmp_path: Path) -> None:
    fit(shapes, tmp_path, steps=4, validations=1, report=False, tensorboard=False)
    left = {path.name for path in (tmp_path / "run").iterdir()}
    assert not left & {"report.html", "plots", "tensorboard"}
    assert "validation.json" in left


def test_a_process_of_its_own_leaves_the_same(shapes: Path, tmp_path: Path) -> None:
    process = TrainingProcess(TrainParams(**small_run(shapes, tmp_path, steps=4, validations=1)))
    events = []
    while not events or events[-1]["event"] not in ("done", "error", "exit"):
        events.append(process.events.get(timeout=120))
    # What comes after the end is the last report.
    while events[-1]["event"] != "exit":
        events.append(process.events.get(timeout=120))
    process.close()
    assert [event["event"] for event in events].count("report") == 2
    assert (tmp_path / "run" / "report.html").stat().st_size > 50_000
    assert list((tmp_path / "run" / "tensorboard").glob("events.out.tfevents.*"))


def test_a_segmenter_has_a_report_too(shapes: Path, tmp_path: Path) -> None:
    _, events = fit(shapes, tmp_path, steps=4, validations=1, architecture="unet_mobilenet")
    assert not [event["message"] for event in events if event["event"] == "observer_failed"]
    plots = {path.stem for path in (tmp_path / "run" / "plots").iterdir()}
    assert plots == RUN_PLOTS | {"classes", "confusion", "calibration"}
    page = (tmp_path / "run" / "report.html").read_text()
    assert self_contained(page)
    assert "of the pixels wrong" in page
    assert "mIoU" in page


def test_evaluate_writes_a_report(
    shapes: Path, candidate: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    candidate.write(tmp_path / "models", candidate.validate())
    words = ["evaluate", "--dataset", shapes / "val", "--model-root", tmp_path / "models", "--model", "shapes"]
    assert cli.main([str(w) for w in [*words, "--report", tmp_path / "report", "--json", tmp_path / "told.json"]]) == 0
    errors = capsys.readouterr().err
    assert "expected calibration error" in errors
    assert "small, below 32² px" in errors
    told, kept = (
        json.loads(path.read_text()) for path in (tmp_path / "told.json", tmp_path / "report" / "evaluation.json")
    )
    assert told["figures"] == kept["figures"]
    assert {path.stem for path in (tmp_path / "report" / "plots").iterdir()} == DETECTION_PLOTS
    assert self_contained((tmp_path / "report" / "report.html").read_text())
    with Predictor.load(ModelRepository(tmp_path / "models").open("shapes"), threshold=0.0) as predictor:
        result = validate(predictor, CocoDataset.open(shapes / "val"))
    assert isinstance(result, DetectionValidation)
    assert told["map50"] == pytest.approx(result.map50)


def test_rows_after_the_checkpoint_are_forgotten(tmp_path: Path) -> None:
    first = Records(tmp_path)
    for step, value in ((10, 0.4), (20, 0.6)):
        result = DetectionValidation(value, value, value, {}, (), 1)
        row = dict(step=step, seconds=1.0, version=None, **result.metrics())
        if first.validation(row, result, "map"):
            (tmp_path / BEST_WEIGHTS).write_bytes(b"weights of step %d" % step)
    assert first.best() is not None
    assert first.best()["step"] == 20  # type: ignore[index]
    again = Records(tmp_path)
    again.keep_until(20)
    assert (tmp_path / BEST_WEIGHTS).read_bytes() == b"weights of step 20"
    assert json.loads((tmp_path / "validation.json").read_text())["last"]["step"] == 20
    again.keep_until(15)
    told = json.loads((tmp_path / "validation.json").read_text())
    assert told["last"] is None
    assert told["best"]["step"] == 10
    # They were those of a validation that is forgotten.
    assert not (tmp_path / BEST_WEIGHTS).exists()
    assert again.summarise("stopped", 15, 1.0, [])["best"]["map"] == 0.4


def test_moving_mean_by_hand() -> None:
    told = moving_mean(np.array([1.0, 3.0, np.nan, 5.0, 7.0]), 2)
    assert told.tolist() == [1.0, 2.0, 3.0, 5.0, 6.0]
