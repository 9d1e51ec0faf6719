"""The end of a dataset: what is written when all its scenes have been made."""

from __future__ import annotations

import dataclasses
from typing import Any

from ..view.annotations import read_dataset
from ..view.sheet import spread, write_sheet
from . import coco
from .job import Job
from .journal import Journal, Record

_COLUMNS, _ROWS = 6, 4


def finish(job: Job, journal: Journal) -> dict[str, Any]:
    """Write what depends on all scenes, whose records are there; the contents of dataset.json."""
    plan = job.plan
    description = f"perception_sim, preset {plan.preset.name}"
    header = coco.Header(plan.preset.content.classes, description, plan.width, plan.height)
    written = job.store.write_labels(header, journal)
    if job.contact_sheet:
        _draw_sheet(job, header, journal)
    return job.store.finish(written)


def summary(job: Job, provenance: dict[str, Any]) -> dict[str, Any]:
    """What a complete dataset holds.

    ``output``, ``preset``, ``description``, ``seed``, ``images``, ``scenes``, ``annotations``, ``unlabelled``,
    ``negative_images``, ``per_class``, ``annotations_sha256``, ``contact_sheet``.
    """
    plan = job.plan
    return {
        "output": str(plan.output),
        "preset": plan.preset.name,
        "description": plan.preset.description,
        "seed": plan.seed,
        **provenance["counts"],
        "annotations_sha256": provenance["annotations_sha256"],
        "contact_sheet": str(plan.output / "contact_sheet.png") if job.contact_sheet else "",
    }


def _draw_sheet(job: Job, header: coco.Header, journal: Journal) -> None:
    """contact_sheet.png, from the annotations of the images on it alone."""
    scratch = job.store.progress / "sheet"
    scratch.mkdir(exist_ok=True)
    numbers = spread(range(job.plan.images), _COLUMNS * _ROWS)
    scenes = sorted({number // job.plan.views_per_scene for number in numbers})
    coco.write(scratch, scratch, header, (_only(journal.record(scene), numbers) for scene in scenes))
    excerpt = dataclasses.replace(read_dataset(scratch), root=job.plan.output)
    write_sheet(excerpt, job.plan.output / "contact_sheet.png", _COLUMNS, _ROWS)


def _only(record: Record, numbers: list[int]) -> Record:
    """A record without the images that are not among ``numbers``."""
    record.shots = [shot for shot in record.shots if shot.number in numbers]
    return record
