"""Event files for TensorBoard: the scalars of a run and the picture of its augmented samples."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
from tensorboardX import SummaryWriter

from ..training.records import METRICS

FOLDER = "tensorboard"


class TensorBoard:
    """Writes what a trainer's events tell; a resumed run goes on in the same folder, where it left off."""

    def __init__(self, run_directory: Path) -> None:
        self._folder = run_directory / FOLDER
        self._writer: SummaryWriter | None = None

    def __call__(self, event: dict[str, Any]) -> None:
        """Write one event of the trainer."""
        kind = event["event"]
        if kind == "start":
            self._start(event)
        elif self._writer is None:
            return
        elif kind == "step":
            self._writer.add_scalar("loss/total", event["loss"], event["step"])
            for name, value in event.items():
                if name.startswith("loss_"):
                    self._writer.add_scalar(f"loss/{name.removeprefix('loss_')}", value, event["step"])
            for name in ("lr", "images_per_second", "epoch"):
                self._writer.add_scalar(f"train/{name}", event[name], event["step"])
        elif kind == "validation":
            for name in METRICS:
                if name in event:
                    self._writer.add_scalar(f"validation/{name}", event[name], event["step"])
            for group in ("ap50", "iou"):
                for name, value in event.get(group, {}).items():
                    self._writer.add_scalar(f"{group}/{name}", value, event["step"])
            self._writer.flush()
        elif kind == "recovered":
            # What comes next repeats steps that are there already.
            self._open(event["step"] + 1)
        elif kind == "done":
            self._writer.close()
            self._writer = None

    def _start(self, event: dict[str, Any]) -> None:
        if not event["resumed"]:
            # An earlier run in this directory is forgotten, as its curves are.
            for path in self._folder.glob("events.out.tfevents.*"):
                path.unlink()
        # Readers drop what an interrupted run has written of the steps that come now.
        self._open(event["step"] + 1 if event["resumed"] else None)
        picture = cv2.imread(event["samples"])
        if picture is not None and self._writer is not None:
            rgb = cv2.cvtColor(picture, cv2.COLOR_BGR2RGB)
            self._writer.add_image("augmented", rgb, event["step"], dataformats="HWC")

    def _open(self, purge_step: int | None) -> None:
        if self._writer is not None:
            self._writer.close()
        self._writer = SummaryWriter(str(self._folder), purge_step=purge_step, flush_secs=10)
