"""Training runs one after another, each done once: what is finished is read back, what was interrupted goes on."""

from __future__ import annotations

import json
import signal
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from perception_common import durable
from perception_common.errors import UserError
from perception_infer.models import Bundle
from perception_infer.predictor import Predictor

from ..data.coco import CocoDataset
from ..progress import TrainingDisplay
from ..training.config import TrainParams
from ..training.loop import Trainer
from ..training.validation import Outcome, validate

Scores = dict[str, Any]
RESULT = "result.json"


class Stopped(Exception):
    """Somebody asked to stop; the run that was under way has a checkpoint."""


class Runs:
    """Use as a context manager: meanwhile, Ctrl-C and SIGTERM end the present run with a checkpoint."""

    def __init__(self) -> None:
        self._trainer: Trainer | None = None
        self._stopped = False
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Runs:
        for number in (signal.SIGINT, signal.SIGTERM):
            self._before[number] = signal.signal(number, lambda *_: self.stop())
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def stop(self) -> None:
        """End the present run, and begin no other."""
        self._stopped = True
        if self._trainer is not None:
            self._trainer.stop()

    def train(self, title: str, params: TrainParams) -> dict[str, Any]:
        """What the run came to: ``scores``, ``steps``, ``version`` (None where none was fit) and ``initial``.

        Raises:
            Stopped: before or during the run.
            UserError: the run directory holds a finished run with other parameters, or the run cannot be done.
        """
        told = json.loads(json.dumps(asdict(params)))
        file = Path(params.run_directory) / RESULT
        if file.is_file():
            found: dict[str, Any] = json.loads(file.read_text())
            if found["params"] == told:
                return found
            differ = sorted(name for name in told if found["params"].get(name) != told[name])
            raise UserError(
                f"the directory holds a finished run with other parameters ({', '.join(differ)})",
                where=params.run_directory,
                fix="choose another run_directory, or remove it",
            )
        if self._stopped:
            raise Stopped
        print(title, file=sys.stderr)
        begun: list[dict[str, Any]] = []
        with TrainingDisplay() as display:

            def listen(event: dict[str, Any]) -> None:
                if event["event"] == "start":
                    begun.append(event)
                display.show(event)

            self._trainer = Trainer(params, listen)
            if self._stopped:
                raise Stopped
            summary = self._trainer.fit()
        self._trainer = None
        if summary["state"] != "done":
            raise Stopped
        result = {
            "params": told,
            "scores": _of_summary(summary),
            "steps": summary["steps"],
            "seconds": summary["seconds"],
            "version": summary["versions"][-1] if summary["versions"] else None,
            "initial": begun[0]["initial"],
        }
        durable.write_text(file, json.dumps(result, indent=2) + "\n")
        return result


def score(bundle: Bundle, dataset: CocoDataset, threads: int) -> Scores | None:
    """Figures of a bundle on a dataset, or None where it has other classes.

    Raises:
        UserError: the bundle cannot be run, or a picture cannot be read.
    """
    if bundle.manifest.classes != dataset.classes:
        return None
    predictor = Predictor.load(bundle, "auto", threads, threshold=0.0)
    result: Outcome = validate(predictor, dataset)
    return {**result.metrics(), "per_class": result.per_class[1]}


def _of_summary(summary: dict[str, Any]) -> Scores:
    """Figures of the last validation of a run."""
    per_class = next((value for key, value in summary.items() if key.startswith("per_class_")), {})
    figures = {key.removeprefix("val_"): value for key, value in summary.items() if key.startswith("val_")}
    return {**figures, "per_class": per_class}
