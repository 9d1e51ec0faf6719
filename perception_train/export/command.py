"""`perception-train export`: a run's checkpoint in, a bundle or a graph for Isaac ROS out."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from perception_common.errors import UserError
from perception_common.params import build

from ..training import checkpoint
from ..training.config import TrainParams
from ..training.loop import Trainer
from .further import Further
from .params import ExportParams


def export(params: ExportParams) -> dict[str, Any]:
    """Export the averaged weights of a run's checkpoint as the next version of its model, or for Isaac ROS.

    Raises:
        UserError: parameters contradict each other, the run has no checkpoint, or its model, in any of the precisions,
            is not fit to be published.
    """
    params.require_usable()
    run_directory = Path(params.run_directory)
    state = checkpoint.load(run_directory)
    if state is None:
        raise UserError(
            "the run has no checkpoint", where=run_directory, fix="train first, with `perception-train run`"
        )
    told = {**state["params"], "run_directory": params.run_directory, "resume": True}
    trained = build(
        TrainParams,
        told | {key: given for key in ("model_root", "signing_key") if (given := getattr(params, key))},
        run_directory / checkpoint.LAST,
    )
    variants: dict[str, Any] = {}

    def listen(event: dict[str, Any]) -> None:
        if event["event"] == "variant":
            variants[event["precision"]] = {k: v for k, v in event.items() if k not in ("event", "precision")}

    trainer, best = Trainer(trained, listen), params.weights == "best"
    if params.layout == "isaac":
        files = trainer.export_isaac(Path(params.output), params.precisions, best)
        print(f"wrote {trained.model} for Isaac ROS into {params.output}: {', '.join(files.values())}", file=sys.stderr)
        return {"model": trained.model, "layout": "isaac", "output": params.output, "files": files}
    version, result = trainer.export_checkpoint(_further(params), best)
    print(f"exported {trained.model} v{version} into {trained.model_root}: {result}", file=sys.stderr)
    for precision, told in variants.items():
        kept = f", {len(told['skipped'])} layers left in float" if told["skipped"] else ""
        kept += f" (loses {told['drop']:.4f}, more than the budget)" if told["drop"] > params.budget else ""
        figures = ", ".join(f"{key} {value:.3f}" for key, value in told.items() if key not in ("drop", "skipped"))
        print(f"  {precision:8} {figures}{kept}", file=sys.stderr)
    return {"model": trained.model, "version": version, **result.metrics(), "variants": variants}


def _further(params: ExportParams) -> Further:
    """What is asked for beside fp32."""
    return Further(
        params.precisions,
        params.budget,
        params.accept_drop,
        Path(params.calibration) if params.calibration else None,
        params.calibration_topic,
        params.calibration_images,
    )
