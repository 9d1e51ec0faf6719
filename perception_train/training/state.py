"""What a run knows besides its parameters: everything that a checkpoint holds."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from perception_common.errors import UserError

from ..models.network import Network
from . import checkpoint
from .config import TrainParams
from .ema import WeightAverage
from .optimize import make_optimizer
from .validation import Outcome, outcome


class State:
    """Weights, their average, the optimiser's moments, and how far the run is.

    Args:
        model: on the device that trains it.
        params: of the run.
        classes: what the run learns, in the order of their labels.
    """

    def __init__(self, model: Network, params: TrainParams, classes: Sequence[str]) -> None:
        self._params, self._classes = params, list(classes)
        self.model = model
        self.average = WeightAverage(model, params.ema_decay)
        self.optimizer = make_optimizer(model, params)
        self.step, self.elapsed, self.bf16 = 0, 0.0, False
        #: What the learning rate is multiplied by, and how often the run has gone back, since a loss was not finite.
        self.slower, self.recoveries = 1.0, 0
        #: Chunks that a batch is cut into, since memory ran out.
        self.split = 1
        self.validation: Outcome | None = None
        self.versions: list[int] = []

    def save(self) -> None:
        """Replace the run's checkpoint."""
        p = self._params
        held = {
            "model": self.model.state_dict(),
            "average": self.average.model.state_dict(),
            "average_updates": self.average.updates,
            "optimizer": self.optimizer.state_dict(),
            "step": self.step,
            "elapsed": self.elapsed,
            "bf16": self.bf16,
            "slower": self.slower,
            "recoveries": self.recoveries,
            "split": self.split,
            "validation": None if self.validation is None else dataclasses.asdict(self.validation),
            "versions": self.versions,
            "architecture": p.architecture,
            "classes": self._classes,
            "network": [p.width, p.height],
            "params": dataclasses.asdict(p),
        }
        checkpoint.save(Path(p.run_directory), held)

    def restore(self, held: dict[str, Any]) -> None:
        """Be what a checkpoint holds.

        Raises:
            UserError: it is of another architecture, other classes, or another size of the network.
        """
        p = self._params
        for name, now in (
            ("architecture", p.architecture),
            ("classes", self._classes),
            ("network", [p.width, p.height]),
        ):
            if held[name] != now:
                what = "class names differ" if name == "classes" else f"{name} differs"
                raise UserError(
                    f"{what} between checkpoint ({held[name]}) and this run ({now})",
                    where=Path(p.run_directory) / checkpoint.LAST,
                    fix="choose another run_directory, or set resume to false",
                )
        self.model.load_state_dict(held["model"])
        self.average.model.load_state_dict(held["average"])
        self.average.updates = held["average_updates"]
        self.optimizer.load_state_dict(held["optimizer"])
        self.step, self.elapsed, self.bf16 = held["step"], held["elapsed"], held["bf16"]
        self.slower, self.recoveries = held.get("slower", 1.0), held.get("recoveries", 0)
        self.split = held.get("split", 1)
        if held["validation"] is not None:
            self.validation = outcome(held["validation"])
        self.versions = list(held["versions"])

    def go_back(self, held: dict[str, Any], slower: float) -> None:
        """Be what a checkpoint holds, with a lower learning rate; time that was spent stays spent."""
        elapsed, rate, recoveries, split = self.elapsed, self.slower * slower, self.recoveries, self.split
        self.restore(held)
        self.elapsed, self.slower, self.recoveries, self.split = elapsed, rate, recoveries, split


def parameters(model: torch.nn.Module) -> int:
    """How many numbers a model has learnt or will."""
    return sum(x.numel() for x in model.parameters())
