"""Parameters of train_node: those of a training run, and what only a node has."""

from __future__ import annotations

from dataclasses import dataclass

from perception_common.params import param

from ..training.config import TrainParams


@dataclass(frozen=True)
class TrainNodeParams(TrainParams):
    """Parameters of `train_node`."""

    autostart: bool = param(True, "configure and activate at start, without waiting for a lifecycle manager")
    restarts: int = param(
        3, "how often training that dies without a new checkpoint is started again from its last one", minimum=0
    )
