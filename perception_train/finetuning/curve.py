"""What a label is worth: fine-tuning on more and more real images."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from perception_common import durable
from perception_common.errors import UserError
from perception_infer.models import Bundle

from ..data.coco import CocoDataset
from ..data.subset import nested, write_subset
from ..training.config import TrainParams
from .params import ALL, FinetuneParams, real_only
from .report import write_curve
from .runs import Runs, score


def draw_curve(
    params: FinetuneParams, run: TrainParams, bundle: Bundle, validation: CocoDataset, runs: Runs
) -> dict[str, Any]:
    """Fine-tune for every number of images and seed that is not done yet; the report is written after each.

    Raises:
        Stopped: somebody asked for it.
        UserError: there are not so many images, or a run cannot be done.
    """
    real = CocoDataset.open(Path(params.real))
    folder = Path(params.run_directory) / "curve"
    told: dict[str, Any] = {
        "state": "running",
        "bundle": bundle.title,
        "real": params.real,
        "validation": params.validation,
        "validation_images": len(validation.samples),
        "rows": [],
    }
    counts = _counts(params.curve, real)
    # Seed by seed, so that the whole curve is there early.
    for seed in range(params.seed, params.seed + params.seeds):
        for count in counts:
            told["rows"] += _rows(params, run, bundle, real, validation, runs, folder, count, seed)
            _write(params, told)
    told["state"] = "done"
    _write(params, told)
    print((Path(params.run_directory) / "curve.md").read_text(), file=sys.stderr)
    return told


def _rows(
    params: FinetuneParams,
    run: TrainParams,
    bundle: Bundle,
    real: CocoDataset,
    validation: CocoDataset,
    runs: Runs,
    folder: Path,
    count: int,
    seed: int,
) -> list[dict[str, Any]]:
    """Results of fine-tuning on ``count`` images and, where asked, of training on these alone."""
    at = {"images": count, "seed": seed}
    if count == 0:
        scores = score(bundle, validation, params.threads)
        return [] if scores is None or seed != params.seed else [{"how": "synthetic + real", **at, "scores": scores}]
    place = folder / f"{count}" / f"{seed}"
    subset = place / "real"
    if not subset.is_dir():
        write_subset(real, nested(real, seed)[:count].tolist(), subset)
    tuned = params.on_images(run, subset, place / "finetuned", seed)
    done = runs.train(f"fine-tuning on {count} images, seed {seed}", tuned)
    rows = [{"how": "synthetic + real", **at, "scores": done["scores"], "steps": done["steps"]}]
    if params.compare:
        alone = runs.train(f"{count} real images alone, seed {seed}", real_only(tuned, place / "real_only"))
        rows.append({"how": "real only", **at, "scores": alone["scores"], "steps": alone["steps"]})
    return rows


def _counts(curve: tuple[str, ...], real: CocoDataset) -> list[int]:
    there = len(real.samples)
    counts = sorted({there if text == ALL else int(text) for text in curve})
    if counts[-1] > there:
        raise UserError(
            f"the curve wants {counts[-1]} images, and there are {there}", where=real.root, fix=f"use {ALL}"
        )
    return counts


def _write(params: FinetuneParams, told: dict[str, Any]) -> None:
    folder = Path(params.run_directory)
    durable.write_text(folder / "curve.json", json.dumps(told, indent=2) + "\n")
    write_curve(folder, told)
