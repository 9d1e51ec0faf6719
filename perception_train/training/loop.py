"""The training loop: set up, fit, validate, export, save. Knows nothing of ROS or terminals."""

from __future__ import annotations

import dataclasses
import math
import threading
import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec.structs
import numpy as np
import torch
from filelock import FileLock, Timeout
from torch import Tensor

from perception_common import durable
from perception_common.errors import UserError
from perception_infer.contract.manifest import MANIFEST_NAME

from ..data.coco import CocoDataset
from ..data.loader import Batch, TrainLoader, letterboxed
from ..export.bundle import Precision
from ..export.candidate import Candidate, Source
from ..export.variants import BUDGET, Variant, calibration_images
from ..models import build_model
from ..models.network import Detector, Task
from ..models.suppression import DEFAULT
from . import checkpoint
from .config import TrainParams
from .ema import WeightAverage, with_precise_statistics
from .meter import Meter
from .optimize import accumulated, bf16_is_faster, make_optimizer
from .records import Records
from .samples import write_samples
from .schedule import Schedule
from .validation import Outcome, outcome

Event = dict[str, Any]
_STATISTICS_BATCHES = 24
_RECOVERIES, _SLOWER = 3, 0.3
"""How often a run that diverges goes back to its last checkpoint, and by what the learning rate is lowered then."""
_REPORT_SECONDS = 1.0


def _metric(chosen: str, task: Task) -> str:
    """The validation figure that says what is better.

    Raises:
        UserError: it is not one of the task.

    """
    figures = {"detection": ("map", "map50", "map75"), "segmentation": ("miou",)}[task]
    if chosen not in ("auto", *figures):
        raise UserError(f"metric '{chosen}' is not one of {task}", fix=f"use auto or {', '.join(figures)}")
    return figures[0] if chosen == "auto" else chosen


class _Diverged(Exception):
    """The loss or its gradient is not a finite number."""


class Trainer:
    """One training run in one directory.

    Args:
        params: what to train.
        listen: receives events: ``start``, ``step`` (about once a second), ``validation``, ``export``
            (a bundle is in the repository), ``exported_before`` (the last one, of a resumed run), ``refused``
            (a candidate was not fit), ``variant`` (an exported checkpoint in a further precision), ``recovered``
            (the loss was not finite), ``checkpoint`` and ``done``; each has its name under ``event``.

    Raises:
        UserError: datasets, parameters or the run directory are not usable.
    """

    def __init__(self, params: TrainParams, listen: Callable[[Event], None]) -> None:
        params.require_usable()
        self.params, self._listen = params, listen
        self._run, self._repository = Path(params.run_directory), Path(params.model_root)
        self._train = CocoDataset.open(Path(params.dataset))
        self._validation = CocoDataset.open(Path(params.validation))
        self._validation.require_classes(self._train.classes, "training dataset")
        durable.ensure_writable(self._run)
        durable.ensure_writable(self._repository)
        if params.threads:
            torch.set_num_threads(params.threads)
        self._stop, self._go, self._export_now = threading.Event(), threading.Event(), threading.Event()
        self._go.set()
        self._network = (params.width, params.height)
        self._schedule = Schedule(params)
        self._elapsed, self._step = 0.0, 0
        self._slower, self._recoveries = 1.0, 0
        self._last_validation: Outcome | None = None
        self._records = Records(self._run)

    def stop(self) -> None:
        """End after the present step, with a checkpoint; the run can be resumed."""
        self._stop.set()
        self._go.set()

    def pause(self, paused: bool = True) -> None:
        """Wait before the next step, or go on; the time spent waiting is not counted."""
        self._go.clear() if paused else self._go.set()

    def export(self) -> None:
        """Validate and export after the present step."""
        self._export_now.set()

    def fit(self) -> Event:
        """Train to the end of the budget (or `stop`) and return the summary."""
        with self._locked():
            self._set_up()
            self._loop()
            return self._finish()

    def export_checkpoint(
        self, precisions: Sequence[str] = ("fp32",), budget: float = BUDGET, calibration: int = 128
    ) -> tuple[int, Outcome]:
        """Export the run's last checkpoint without training; its new version and metrics.

        ``precisions``, ``budget`` and the number of training images to calibrate with: see `Candidate.variants`.

        Raises:
            UserError: the run has no checkpoint, or its model, in any of the precisions, is not fit to be published.
        """
        with self._locked():
            self._set_up()
            if self._step == 0:
                raise UserError(
                    "the run has no checkpoint", where=self._run, fix="train first, with `perception-train run`"
                )
            candidate = self._candidate()
            result = candidate.validate()
            quantised = any(name.startswith("int8") for name in precisions)
            images = list(calibration_images(self._train, self._network, calibration if quantised else 0))
            variants = candidate.variants(precisions, images, budget, result)
            for precision, variant in variants.items():
                self._emit("variant", precision=precision, skipped=list(variant.skipped), **variant.graph.metrics)
            return self._publish(candidate, result, variants), result

    @contextmanager
    def _locked(self) -> Iterator[None]:
        try:
            with FileLock(self._run / ".lock", timeout=0):
                yield
        except Timeout as error:
            raise UserError(
                "another training run uses the directory", where=self._run, fix="choose another run_directory"
            ) from error

    # -- set up -----------------------------------------------------------------------------------

    def _set_up(self) -> None:
        p = self.params
        torch.manual_seed(p.seed)
        model = build_model(p.architecture, len(self._train.classes))
        options, segments = DEFAULT, model.task == "segmentation"
        if isinstance(model, Detector):
            options = msgspec.structs.replace(DEFAULT, iou=model.suppression_iou)
        if segments:
            self._train.require_masks()
            self._validation.require_masks()
        self._metric = _metric(p.metric, model.task)
        self._source = Source(p.model, p.architecture, self._train, self._validation, p.width, p.height, options)
        self._model = model.to(memory_format=torch.channels_last)
        self._average = WeightAverage(self._model, p.ema_decay)
        self._optimizer = make_optimizer(self._model, p)
        self._loader = TrainLoader(self._train, self._network, p.batch, p.seed, p, p.cache_mb << 20, segments)
        state = checkpoint.load(self._run) if p.resume else None
        if state is not None:
            self._restore(state)
            self._records.keep_until(self._step)
        else:
            self._records.clear()
            self._bf16 = self._choose_precision()
        first = self._step * p.accumulate
        shown = self._loader.batch(first, self._schedule.mosaic(self._step, self._elapsed))
        self._emit(
            "start",
            samples=str(write_samples(self._run, shown, self._train.classes)),
            step=self._step,
            classes=list(self._train.classes),
            images=len(self._train.samples),
            validation_images=len(self._validation.samples),
            precision="bf16" if self._bf16 else "fp32",
            parameters=sum(x.numel() for x in self._model.parameters()),
            resumed=self._step > 0,
        )
        if state is None:
            # What a run that diverges before its next checkpoint goes back to.
            self._save()
        if self._records.versions:
            self._emit("exported_before", **self._announcement(self._records.versions[-1]))

    def _restore(self, state: dict[str, Any]) -> None:
        p = self.params
        for name, now in (
            ("architecture", p.architecture),
            ("classes", list(self._train.classes)),
            ("network", list(self._network)),
        ):
            if state[name] != now:
                what = "class names differ" if name == "classes" else f"{name} differs"
                raise UserError(
                    f"{what} between checkpoint ({state[name]}) and this run ({now})",
                    where=self._run / checkpoint.LAST,
                    fix="choose another run_directory, or set resume to false",
                )
        self._model.load_state_dict(state["model"])
        self._average.model.load_state_dict(state["average"])
        self._average.updates = state["average_updates"]
        self._optimizer.load_state_dict(state["optimizer"])
        self._step, self._elapsed, self._bf16 = state["step"], state["elapsed"], state["bf16"]
        self._slower, self._recoveries = state.get("slower", 1.0), state.get("recoveries", 0)
        self._schedule.resume(self._step, self._elapsed)
        if state["validation"] is not None:
            self._last_validation = outcome(state["validation"])
        self._records.versions = list(state["versions"])

    def _choose_precision(self) -> bool:
        """Whether bf16 is the faster here; measured on a copy of the model, with real batches."""
        if self.params.precision != "auto":
            return self.params.precision == "bf16"
        probe = build_model(self.params.architecture, len(self._train.classes))
        return bf16_is_faster(probe.to(memory_format=torch.channels_last), self._loader.batch(0, False))

    # -- fit --------------------------------------------------------------------------------------

    def _loop(self) -> None:
        if self._over():
            return
        stream = self._batches()
        saved = reported = time.monotonic()
        meter = Meter(self.params.batch * self.params.accumulate)
        try:
            while not self._stop.is_set() and not self._over():
                begin = time.monotonic()
                try:
                    losses, rate = self._train_step([next(stream) for _ in range(self.params.accumulate)])
                except _Diverged as diverged:
                    stream.close()
                    self._elapsed += time.monotonic() - begin
                    self._recover(diverged)
                    stream = self._batches()
                    continue
                self._step += 1
                self._elapsed += time.monotonic() - begin
                meter.add(losses, time.monotonic() - begin)
                due = self._schedule.due(self._step, self._elapsed)
                if time.monotonic() - reported >= _REPORT_SECONDS or due:
                    reported = time.monotonic()
                    self._report(meter.take(), rate)
                if due or self._export_now.is_set():
                    begin = time.monotonic()
                    self._milestone(
                        self._schedule.pass_milestone(self._step, self._elapsed) or self._export_now.is_set()
                    )
                    self._export_now.clear()
                    self._elapsed += time.monotonic() - begin
                if time.monotonic() - saved >= self.params.checkpoint_seconds:
                    self._save()
                    saved = time.monotonic()
                while not self._go.wait(0.2) and not self._stop.is_set():
                    pass
        finally:
            stream.close()

    def _over(self) -> bool:
        """Whether the budget is used up, or nothing has become better for too long."""
        return self._schedule.over(self._step, self._elapsed) or self._stale()

    def _stale(self, *figures: float) -> bool:
        """Whether the best validation, these latest ones included, is as old as the run's patience."""
        every = [*self._records.figures(self._metric), *figures]
        return bool(self.params.patience and every and len(every) - 1 - int(np.argmax(every)) >= self.params.patience)

    def _batches(self) -> Generator[Batch, None, None]:
        """Batches from the present step on."""
        each = self.params.accumulate
        return self._loader.stream(
            each * self._step, lambda number: self._schedule.mosaic(number // each, self._elapsed)
        )

    def _train_step(self, batches: list[Batch]) -> tuple[dict[str, float], float]:
        """One step of the optimiser.

        Raises:
            _Diverged: the loss or its gradient is not finite; the weights are as they were.

        """
        rate = self._schedule.rate(self._step, self._elapsed) * self._slower
        for group in self._optimizer.param_groups:
            group["lr"] = rate
        self._optimizer.zero_grad(set_to_none=True)
        values = accumulated(self._model.train(), batches, self._bf16)
        norm = float(torch.nn.utils.clip_grad_norm_(self._model.parameters(), self.params.clip_norm))
        for name, value in (("loss", values["total"]), ("gradient", norm)):
            if not math.isfinite(value):
                raise _Diverged(f"the {name} became {value} at step {self._step}")
        self._optimizer.step()
        self._average.update(self._model)
        return values, rate

    def _recover(self, diverged: _Diverged) -> None:
        """Back to the last good state with a lower learning rate.

        Raises:
            UserError: that has been done too often.

        """
        self._recoveries += 1
        if self._recoveries > _RECOVERIES:
            raise UserError(
                f"{diverged}, {_RECOVERIES} lower learning rates notwithstanding",
                where=self._run,
                fix="start again with a lower learning_rate, or fp32 if precision is bf16; the last checkpoint is good",
            )
        state = checkpoint.load(self._run)
        if state is None:
            raise UserError(str(diverged), where=self._run, fix="somebody removed the run's checkpoint: start again")
        # The same batches come again: what differs is the rate. Time is not given back.
        elapsed, slower, recoveries = self._elapsed, self._slower * _SLOWER, self._recoveries
        self._restore(state)
        self._elapsed, self._slower, self._recoveries = elapsed, slower, recoveries
        self._schedule.resume(self._step, self._elapsed)
        self._records.keep_until(self._step)
        self._emit("recovered", step=self._step, message=f"{diverged}: going on from step {self._step} more slowly")

    def _milestone(self, export: bool) -> None:
        candidate = self._candidate()
        result = self._last_validation = candidate.validate()
        # The last validation of a run is exported, also when patience ends it.
        export = export or self._stale(result.metrics()[self._metric])
        try:
            version = self._publish(candidate, result) if export else None
        except UserError as error:
            # A candidate that is not fit to be published costs nothing but itself: training goes on.
            version = None
            self._emit("refused", step=self._step, message=str(error))
        row = dict(step=self._step, seconds=round(self._elapsed, 2), version=version, **result.metrics())
        self._records.validation(row)
        kind, per_class = result.per_class
        self._emit("validation", **{kind: per_class}, text=str(result), images=result.images, **row)
        if version is not None:
            self._save()

    def _candidate(self) -> Candidate:
        precise = with_precise_statistics(self._average.model, self._statistics_batches(), self._bf16)
        return Candidate(precise, self._source, self.params.threads)

    def _publish(
        self, candidate: Candidate, result: Outcome, variants: Mapping[Precision, Variant] | None = None
    ) -> int:
        directory = candidate.write(self._repository, result, variants)
        version = int(directory.name)
        self._records.versions.append(version)
        self._emit("export", **self._announcement(version), **result.metrics())
        return version

    def _announcement(self, version: int) -> Event:
        """Where a version of the model is."""
        manifest = self._repository / self.params.model / str(version) / MANIFEST_NAME
        return {"name": self.params.model, "version": version, "uri": manifest.resolve().as_uri()}

    def _statistics_batches(self) -> Iterator[Tensor]:
        """Training images as the robot will see them, without augmentation."""
        rng = np.random.default_rng(self.params.seed)
        count = min(_STATISTICS_BATCHES * self.params.batch, len(self._train.samples))
        chosen = rng.choice(len(self._train.samples), count, replace=False)
        for start in range(0, count, self.params.batch):
            images = [
                letterboxed(self._train, int(i), self._network)[0] for i in chosen[start : start + self.params.batch]
            ]
            yield torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2).float().div_(255.0)

    # -- report and save --------------------------------------------------------------------------

    def _report(self, means: dict[str, float], rate: float) -> None:
        row = dict(
            step=self._step,
            seconds=round(self._elapsed, 2),
            epoch=round(self._step * self.params.accumulate / self._loader.steps_per_epoch, 3),
            loss=means["total"],
            **{f"loss_{part}": value for part, value in means.items() if part not in ("total", "images_per_second")},
            lr=rate,
            images_per_second=means["images_per_second"],
        )
        self._records.step(row)
        self._emit("step", progress=self._schedule.progress(self._step, self._elapsed), **row)

    def _save(self) -> None:
        checkpoint.save(
            self._run,
            {
                "model": self._model.state_dict(),
                "average": self._average.model.state_dict(),
                "average_updates": self._average.updates,
                "optimizer": self._optimizer.state_dict(),
                "step": self._step,
                "elapsed": self._elapsed,
                "bf16": self._bf16,
                "slower": self._slower,
                "recoveries": self._recoveries,
                "validation": None if self._last_validation is None else dataclasses.asdict(self._last_validation),
                "versions": self._records.versions,
                "architecture": self.params.architecture,
                "classes": list(self._train.classes),
                "network": list(self._network),
                "params": dataclasses.asdict(self.params),
            },
        )
        self._emit("checkpoint", step=self._step)

    def _finish(self) -> Event:
        self._save()
        finished = self._over()
        summary = self._records.summarise("done" if finished else "stopped", self._step, self._elapsed)
        result = self._last_validation
        if result is not None:
            kind, per_class = result.per_class
            summary |= {
                f"per_class_{kind}": per_class,
                "thresholds": dict(zip(self._train.classes, result.thresholds, strict=True)),
            }
        self._records.write_summary(summary)
        self._emit("done", **summary)
        return summary

    def _emit(self, event: str, **values: Any) -> None:
        self._listen({"event": event, **values})
