"""Parameters of train_node: those of a training run, and what only a node has."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from perception_common.params import param
from perception_infer.contract.manifest import MANIFEST_NAME
from perception_infer.fetching import Location

from ..training.config import TrainParams


@dataclass(frozen=True)
class TrainNodeParams(TrainParams):
    """Parameters of `train_node`."""

    autostart: bool = param(True, "configure and activate at start, without waiting for a lifecycle manager")
    restarts: int = param(
        3, "how often training that dies without a new checkpoint is started again from its last one", minimum=0
    )
    announce_url: str = param(
        "",
        "URL under which robots find model_root, such as http://workstation:8170/ where `perception-train serve` runs;"
        " checkpoints are announced there (empty: as files, for robots that share model_root)",
    )

    def __post_init__(self) -> None:
        """Refuse what single ranges cannot."""
        if self.announce_url:
            Location.prefix(self.announce_url)

    def location(self, exported: Mapping[str, Any]) -> str:
        """The URI to announce of an exported bundle: its manifest's."""
        if not self.announce_url:
            return str(exported["uri"])
        return f"{self.announce_url}{exported['name']}/{exported['version']}/{MANIFEST_NAME}"
