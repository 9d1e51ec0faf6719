"""`perception-train finetune`: a trained model and a little real data in, its next version and a report out."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from perception_common import durable
from perception_common.errors import UserError
from perception_infer.models import Bundle, find_bundle

from ..data.coco import CocoDataset
from .curve import draw_curve
from .params import FinetuneParams, real_only
from .report import figures, write_comparison
from .runs import Runs, Stopped, score

_START = "start.json"


def finetune(params: FinetuneParams) -> dict[str, Any]:
    """Fine-tune, and compare with the model before and, where asked, with one of the real images alone.

    Raises:
        UserError: bundle or datasets cannot be used, or the run directory holds another finished run.
    """
    params.require_usable()
    folder = Path(params.run_directory)
    durable.ensure_writable(folder)
    bundle = _start(params, folder)
    validation = CocoDataset.open(Path(params.validation))
    run = params.training(bundle.manifest, bundle.directory)
    run.require_usable()
    with Runs() as runs:
        try:
            if params.curve:
                return draw_curve(params, run, bundle, validation, runs)
            return _compared(params, bundle, validation, runs)
        except Stopped:
            print("stopped; the same command goes on from there", file=sys.stderr)
            return {"state": "stopped"}


def _compared(params: FinetuneParams, bundle: Bundle, validation: CocoDataset, runs: Runs) -> dict[str, Any]:
    run, folder = params.training(bundle.manifest, bundle.directory), Path(params.run_directory)
    before = score(bundle, validation, params.threads)
    after = runs.train(f"fine-tuning {bundle.title}", run)
    rows = [{"name": "before", "scores": before}, {"name": "after", "scores": after["scores"]}]
    if params.compare:
        alone = runs.train("the same on real images alone", real_only(run, folder / "real_only"))
        rows.append({"name": "real only", "scores": alone["scores"]})
    told = {
        "state": "done",
        "model": params.model,
        "version": after["version"],
        "initial": {"bundle": bundle.title, **(after["initial"] or {})},
        "real": params.real,
        "real_images": len(CocoDataset.open(Path(params.real)).samples),
        "synthetic": params.synthetic,
        "replay": params.replay if len(run.dataset) > 1 else 0.0,
        "validation": params.validation,
        "validation_images": len(validation.samples),
        "steps": after["steps"],
        "rows": rows,
    }
    told["report"] = str(write_comparison(folder, told))
    print((folder / "report.md").read_text(), file=sys.stderr)
    kind = figures(rows)[0]
    if before is not None and after["scores"][kind] < before[kind]:
        print("the model has become worse on the validation set: keep serving the one before", file=sys.stderr)
    print(f"exported {params.model} v{after['version']} into {params.model_root}", file=sys.stderr)
    return told


def _start(params: FinetuneParams, folder: Path) -> Bundle:
    """The bundle to start from: the one that this directory's run began with, where it went by "the newest"."""
    file = folder / _START
    if params.initial or not file.is_file():
        bundle = find_bundle(params.location())
        durable.write_text(file, json.dumps({"bundle": str(bundle.directory)}) + "\n")
        return bundle
    try:
        return find_bundle(Path(json.loads(file.read_text())["bundle"]))
    except (ValueError, KeyError, TypeError) as error:
        raise UserError("the file does not name a bundle", where=file, fix="remove it") from error
