"""Datasets from the synthetic world: ``perception-sim generate`` and `generate`."""

from __future__ import annotations

import dataclasses
import json
import os
import time
from pathlib import Path
from typing import Any

from perception_common.errors import UserError

from . import dataset, sheet
from .params import GenerateParams
from .pool import produce
from .presets import Preset, load_preset
from .producer import Plan
from .progress import Meter


def generate(params: GenerateParams) -> dict[str, Any]:
    """Make the dataset, or the rest of it, and say what it holds.

    The files depend on the parameters alone, not on ``workers``, interruptions, or the directory's name
    (for one version of this package, MuJoCo and the OpenGL driver).

    Returns:
        ``output``, ``preset``, ``description``, ``seed``, ``images``, ``scenes``, ``annotations``, ``unlabelled``,
        ``negative_images``, ``per_class``, ``annotations_sha256``, ``images_made`` and ``images_per_second`` (of this
        call), ``seconds``, ``contact_sheet``.

    Raises:
        UserError: a wrong parameter, an output directory that cannot be used, or no off-screen OpenGL.

    """
    start = time.monotonic()
    if not params.output:
        raise UserError("no output directory", fix="say --output DIRECTORY")
    preset = _preset(params)
    plan = _plan(params, preset)
    store = dataset.Store(plan.output, _config(params, preset), params.masks)
    provenance, made = store.finished(), 0
    if provenance is None:
        with store.opened():
            provenance, made = _make(plan, store, _cores(params.workers), params.contact_sheet)
    seconds = time.monotonic() - start
    return {
        "output": str(plan.output),
        "preset": preset.name,
        "description": preset.description,
        "seed": plan.seed,
        **provenance["counts"],
        "annotations_sha256": provenance["annotations_sha256"],
        "images_made": made,
        "images_per_second": round(made / seconds, 2),
        "seconds": round(seconds, 2),
        "contact_sheet": str(plan.output / "contact_sheet.png") if params.contact_sheet else "",
    }


def _make(plan: Plan, store: dataset.Store, workers: int, draw: bool) -> tuple[dict[str, Any], int]:
    """Make what is missing and finish; the contents of dataset.json, and the number of images made."""
    records = {scene: record for scene in range(plan.scenes) if (record := store.kept(scene)) is not None}
    missing = [scene for scene in range(plan.scenes) if scene not in records]
    before = sum(len(record["shots"]) for record in records.values())
    with Meter(f"generating {plan.output.name}", plan.images, "images", done=before) as meter:
        scenes = produce(plan, missing, workers)
        try:
            for record in scenes:
                store.keep(record)
                records[record["scene"]] = record
                meter.advance(len(record["shots"]))
        finally:
            scenes.close()
    ordered = [records[scene] for scene in range(plan.scenes)]
    classes = plan.preset.content.classes
    store.write_annotations(classes, ordered, f"perception_sim, preset {plan.preset.name}", (plan.width, plan.height))
    if draw:
        sheet.write_sheet(plan.output, plan.output / "contact_sheet.png")
    return store.finish(dataset.count(classes, ordered)), plan.images - before


def _preset(params: GenerateParams) -> Preset:
    preset = load_preset(params.preset)
    limits = {name: value for name in ("min_box_px", "max_occlusion") if (value := getattr(params, name)) >= 0.0}
    return dataclasses.replace(preset, labels=dataclasses.replace(preset.labels, **limits))


def _plan(params: GenerateParams, preset: Preset) -> Plan:
    return Plan(
        output=Path(params.output),
        preset=preset,
        seed=params.seed,
        images=params.images,
        views_per_scene=params.views_per_scene,
        width=params.width,
        height=params.height,
        image_format=params.image_format,
        jpg_quality=params.jpg_quality,
        masks=params.masks,
    )


def _config(params: GenerateParams, preset: Preset) -> dict[str, Any]:
    """All that the dataset's content depends on, as JSON values."""
    values = {**dataclasses.asdict(params), "preset": preset.as_dict()}
    for name in ("output", "workers", "min_box_px", "max_occlusion"):
        del values[name]
    content: dict[str, Any] = json.loads(json.dumps(values))
    return content


def _cores(workers: int) -> int:
    if workers:
        return workers
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
