"""The training loop: set up, fit, validate, export, save. Knows nothing of ROS or terminals."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import torch

from perception_common import durable
from perception_common.errors import UserError
from perception_infer.predictor import NotFinite

from ..data.coco import CocoDataset
from ..data.loader import Batch, TrainLoader
from ..data.mixture import Mixture
from ..export.further import Further
from ..export.isaac import write_isaac
from ..models import build_model
from ..models.network import Network
from . import checkpoint
from .config import TrainParams
from .exporting import Exporter
from .group import Group, joined_group
from .initial import begin
from .meter import Meter, memory_mb
from .optimize import bf16_is_faster
from .records import BEST_WEIGHTS, Records
from .samples import write_samples
from .schedule import Schedule
from .state import State, parameters
from .step import Diverged, Stepper
from .validation import Outcome, by_class, headline

Event = dict[str, Any]
_RECOVERIES, _SLOWER = 3, 0.3
"""How often a run that diverges goes back to its last checkpoint, and by what the learning rate is lowered then."""
_REPORT_SECONDS = 1.0


class Trainer:
    """One training run in one directory, by this process or by all that torchrun has started.

    Args:
        params: what to train.
        listen: receives events: ``start``, ``step`` (about once a second), ``validation``, ``export``
            (a bundle is in the repository), ``exported_before`` (the last one, of a resumed run), ``refused``
            (a candidate was not fit), ``variant`` (an exported checkpoint in a further precision), ``recovered``
            (the loss was not finite), ``less_memory`` (memory ran out and batches are cut), ``checkpoint`` and
            ``done``; each has its name under ``event``. Only the first of several processes says anything.

    Raises:
        UserError: datasets, parameters or the run directory are not usable.
    """

    def __init__(self, params: TrainParams, listen: Callable[[Event], None]) -> None:
        params.require_usable()
        self.params, self._listen = params, listen
        self._run = Path(params.run_directory)
        self._train = Mixture.open(params.dataset, params.shares)
        self._validation = CocoDataset.open(Path(params.validation))
        self._validation.require_classes(self._train.classes, "training dataset")
        durable.ensure_writable(self._run)
        durable.ensure_writable(Path(params.model_root))
        if params.threads:
            torch.set_num_threads(params.threads)
        self._stop, self._go, self._export_now = threading.Event(), threading.Event(), threading.Event()
        self._go.set()
        # Until the run begins; see `_joined`.
        self._group = Group(0, 1, torch.device("cpu"))
        self._schedule = Schedule(params)
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
        with self._joined():
            self._set_up()
            self._loop()
            return self._finish()

    def export_checkpoint(self, further: Further | None = None, best: bool = False) -> tuple[int, Outcome]:
        """Export the run's last checkpoint, or its best weights, without training; the new version and its metrics.

        Raises:
            UserError: the run has no checkpoint, or its model, in any of the precisions, is not fit to be published.
        """
        with self._joined():
            self._set_up_trained()
            return self._exporter.publish_in(further or Further(), best)

    def export_isaac(self, folder: Path, precisions: Sequence[str], best: bool = False) -> dict[str, str]:
        """Write the run's last checkpoint, or its best weights, for Isaac ROS; see `write_isaac`."""
        with self._joined():
            self._set_up_trained()
            return write_isaac(self._exporter.chosen(best), folder, precisions)

    @contextmanager
    def _joined(self) -> Iterator[Group]:
        """The processes of this run, of which the first holds the run directory."""
        with (
            joined_group(self.params.device) as self._group,
            checkpoint.one_run(self._run) if self._group.leads else nullcontext(),
        ):
            yield self._group

    # -- set up -----------------------------------------------------------------------------------

    def _set_up_trained(self) -> None:
        self._set_up()
        if self._state.step == 0:
            raise UserError(
                "the run has no checkpoint", where=self._run, fix="train first, with `perception-train run`"
            )

    def _set_up(self) -> None:
        p, classes = self.params, self._train.classes
        torch.manual_seed(p.seed)
        model = self._built()
        resumed = p.resume and (self._run / checkpoint.LAST).exists()
        self._begun = begin(model, p, classes, resumed)
        self._metric = headline(p.metric, model.task)
        segments = model.task == "segmentation"
        if segments:
            self._train.require_masks()
            self._validation.require_masks()
        self._state = State(model, p, classes)
        self._exporter = Exporter(p, self._train, self._validation, self._state, self._emit)
        network, cache = (p.width, p.height), p.cache_mb << 20
        places = self._group.share(p.batch)
        self._loader = TrainLoader(self._train, network, p.batch, p.seed, p, cache, segments, places, p, p.workers)
        held = checkpoint.load(self._run) if p.resume else None
        # Nobody writes before everybody has read.
        self._group.told([0.0])
        if held is not None:
            self._state.restore(held)
            self._schedule.resume(self._state.step, self._state.elapsed)
        else:
            self._state.bf16 = self._choose_precision()
        if p.compile:
            model.compile()
        self._stepper = Stepper(
            model, self._state.optimizer, self._group, p.clip_norm, self._cut_batches, self._state.split
        )
        if self._group.leads:
            self._records.clear() if held is None else self._records.keep_until(self._state.step)
            self._tell_start(resumed=held is not None)
        if held is None:
            # What a run that diverges before its next checkpoint goes back to.
            self._save()

    def _built(self) -> Network:
        model = build_model(self.params.architecture, len(self._train.classes))
        return model.to(self._group.device, memory_format=torch.channels_last)  # type: ignore[call-overload,no-any-return]

    def _tell_start(self, resumed: bool) -> None:
        state = self._state
        shown = self._loader.batch(
            state.step * self.params.accumulate, self._schedule.mosaic(state.step, state.elapsed)
        )
        self._emit(
            "start",
            samples=str(write_samples(self._run, shown, self._train.classes)),
            step=state.step,
            classes=list(self._train.classes),
            images=len(self._train.samples),
            validation_images=len(self._validation.samples),
            precision="bf16" if state.bf16 else "fp32",
            device=str(self._group.device),
            processes=self._group.size,
            parameters=parameters(state.model),
            resumed=resumed and state.step > 0,
            initial=None if self._begun is None else self._begun.told(),
        )
        if state.versions:
            self._emit("exported_before", **self._exporter.announcement(state.versions[-1]))

    def _choose_precision(self) -> bool:
        """Whether bf16 is the faster here; measured by the first process on a copy of the model, with real batches."""
        if self.params.precision != "auto":
            return self.params.precision == "bf16"
        faster = False
        if self._group.leads:
            faster = bf16_is_faster(self._built(), self._loader.batch(0, False).to(self._group.device))
        return bool(self._group.told([faster])[0])

    # -- fit --------------------------------------------------------------------------------------

    def _loop(self) -> None:
        state = self._state
        stream = self._batches()
        saved = reported = time.monotonic()
        meter = Meter(self.params.batch * self.params.accumulate)
        try:
            while self._going_on():
                begin = time.monotonic()
                try:
                    losses, rate = self._train_step([next(stream) for _ in range(self.params.accumulate)])
                except Diverged as diverged:
                    stream.close()
                    state.elapsed += time.monotonic() - begin
                    self._recover(diverged)
                    stream = self._batches()
                    continue
                state.step += 1
                state.elapsed += time.monotonic() - begin
                meter.add(losses, time.monotonic() - begin)
                export, state.elapsed = self._group.told([self._export_now.is_set(), state.elapsed])
                due = self._schedule.due(state.step, state.elapsed)
                if time.monotonic() - reported >= _REPORT_SECONDS or due:
                    reported = time.monotonic()
                    self._report(meter.take(), rate)
                if due or export:
                    begin = time.monotonic()
                    if export:
                        # Only what was told: who asks from now on has an export of his own.
                        self._export_now.clear()
                    self._milestone(self._schedule.pass_milestone(state.step, state.elapsed) or bool(export))
                    state.elapsed += time.monotonic() - begin
                if time.monotonic() - saved >= self.params.checkpoint_seconds:
                    self._save()
                    saved = time.monotonic()
        finally:
            stream.close()

    def _going_on(self) -> bool:
        """Whether there is another step, which the first process decides; waits while the run is paused."""
        while not self._go.wait(0.2) and not self._stop.is_set():
            pass
        over, self._state.elapsed = self._group.told([self._stop.is_set() or self._over(), self._state.elapsed])
        return not over

    def _over(self) -> bool:
        """Whether the budget is used up, or nothing has become better for too long."""
        return self._schedule.over(self._state.step, self._state.elapsed) or self._stale()

    def _stale(self, *figures: float) -> bool:
        """Whether the best validation, these latest ones included, is as old as the run's patience."""
        return self._records.stale(self._metric, self.params.patience, *figures)

    def _batches(self) -> Generator[Batch, None, None]:
        """Batches from the present step on."""
        each = self.params.accumulate
        return self._loader.stream(
            each * self._state.step, lambda number: self._schedule.mosaic(number // each, self._state.elapsed)
        )

    def _train_step(self, batches: list[Batch]) -> tuple[dict[str, float], float]:
        """One step of the optimiser: its losses, and its learning rate.

        Raises:
            Diverged: the loss or its gradient is not finite; the weights are as they were.
        """
        state = self._state
        rate = self._schedule.rate(state.step, state.elapsed) * state.slower
        try:
            losses = self._stepper.run(batches, rate, state.bf16)
        except Diverged as diverged:
            raise Diverged(f"{diverged} at step {state.step}") from None
        state.average.update(state.model)
        return losses, rate

    def _cut_batches(self, images: int) -> None:
        self._state.split = self._stepper.split
        message = f"memory ran out: batches are cut, {images} images in a forward pass from now on"
        self._emit("less_memory", step=self._state.step, images=images, message=message)

    def _recover(self, diverged: Diverged) -> None:
        """Back to the last good state with a lower learning rate.

        Raises:
            UserError: that has been done too often.
        """
        state = self._state
        state.recoveries += 1
        if state.recoveries > _RECOVERIES:
            raise UserError(
                f"{diverged}, {_RECOVERIES} lower learning rates notwithstanding",
                where=self._run,
                fix="start again with a lower learning_rate, or fp32 if precision is bf16; the last checkpoint is good",
            )
        held = checkpoint.load(self._run)
        if held is None:
            raise UserError(str(diverged), where=self._run, fix="somebody removed the run's checkpoint: start again")
        # The same batches come again: what differs is the rate.
        state.go_back(held, _SLOWER)
        self._schedule.resume(state.step, state.elapsed)
        if self._group.leads:
            self._records.keep_until(state.step)
        self._emit("recovered", step=state.step, message=f"{diverged}: going on from step {state.step} more slowly")

    def _milestone(self, export: bool) -> None:
        if not self._group.leads:
            return
        state = self._state
        candidate = self._exporter.candidate()
        try:
            result = state.validation = candidate.validate()
        except NotFinite as error:
            self._emit("refused", step=state.step, message=str(error))
            return
        # The last validation of a run is exported, also when patience ends it.
        export = export or self._stale(result.metrics()[self._metric])
        try:
            version = self._exporter.publish(candidate, result) if export else None
        except UserError as error:
            # A candidate that is not fit to be published costs nothing but itself: training goes on.
            version = None
            self._emit("refused", step=state.step, message=str(error))
        row = dict(step=state.step, seconds=round(state.elapsed, 2), version=version, **result.metrics())
        if self._records.validation(row, result, self._metric):
            durable.write_bytes(self._run / BEST_WEIGHTS, candidate.weights)
        kind, per_class = result.per_class
        self._emit("validation", **{kind: per_class}, text=str(result), images=result.images, **row)
        if version is not None:
            self._save()

    # -- report and save --------------------------------------------------------------------------

    def _report(self, means: dict[str, float], rate: float) -> None:
        if not self._group.leads:
            return
        state, speed = self._state, means.pop("images_per_second")
        epoch = state.step * self.params.accumulate / self._loader.steps_per_epoch
        row = dict(step=state.step, seconds=round(state.elapsed, 2), epoch=round(epoch, 3))
        row |= means | {"lr": rate, "images_per_second": speed, "memory_mb": memory_mb(self._group.device)}
        self._records.step(row)
        self._emit("step", progress=self._schedule.progress(state.step, state.elapsed), **row)

    def _save(self) -> None:
        if self._group.leads:
            self._state.save()
            self._emit("checkpoint", step=self._state.step)

    def _finish(self) -> Event:
        self._save()
        state = self._state
        over = bool(self._group.told([self._over()])[0])
        summary = self._records.summarise("done" if over else "stopped", state.step, state.elapsed, state.versions)
        if not self._group.leads:
            return summary
        if state.validation is not None:
            summary |= by_class(state.validation, self._train.classes)
        self._records.write_summary(summary)
        self._emit("done", **summary)
        return summary

    def _emit(self, event: str, **values: Any) -> None:
        if self._group.leads:
            self._listen({"event": event, **values})
