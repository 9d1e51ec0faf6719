"""Parameters of `perception-train evaluate`."""

from __future__ import annotations

from dataclasses import dataclass

from perception_common.errors import UserError
from perception_common.params import param


@dataclass(frozen=True)
class EvaluateParams:
    """Parameters of `perception-train evaluate`."""

    dataset: str = param("", "directory of the dataset to score on")
    model_root: str = param("models", "model repository")
    model: str = param("detector", "name of the model in the repository")
    version: int = param(0, "version of the model (0: the newest)", minimum=0)
    backend: str = param("auto", "inference backend")
    threads: int = param(0, "threads of one inference (0: the backend's default)", minimum=0)
    report: str = param("", "directory to write report.html, plots and evaluation.json into (empty: none)")

    def require_usable(self) -> None:
        """Check what single ranges cannot.

        Raises:
            UserError: no dataset is given.
        """
        if not self.dataset:
            raise UserError("no dataset is given", fix="--dataset DIR")
