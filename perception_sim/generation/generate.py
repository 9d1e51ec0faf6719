"""Datasets from the synthetic world: ``perception-sim generate`` and `generate`."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterable
from typing import Any

from perception_common.errors import UserError

from ..params import GenerateParams
from ..progress import Meter
from .finishing import finish, summary
from .job import Job, effective_preset, job_of
from .journal import Journal
from .pool import produce
from .producer import Plan
from .shards import Shard

Source = Callable[[Iterable[int], int], Generator[bytes, None, None]]
"""Makes scenes, given and counted, and yields their records in any order."""


def generate(params: GenerateParams) -> dict[str, Any]:
    """Make the dataset or a shard of it, or the rest of it, and say what it holds.

    The files depend on the parameters alone, not on ``workers``, ``shards``, ``ray``, interruptions, or the
    directory's name (for one version of this package, MuJoCo and the OpenGL driver).

    Returns:
        `finishing.summary`, ``images_made`` and ``images_per_second`` (of this call), ``seconds``,
        ``complete``. While other shards are missing, ``complete`` is false and there are ``output``, ``shard``,
        ``shards``, ``waiting_for`` (numbers of shards) and the figures of this call.

    Raises:
        UserError: a wrong parameter, an output directory that cannot be used, no off-screen OpenGL, no Ray.

    """
    start = time.monotonic()
    if not params.output:
        raise UserError("no output directory", fix="say --output DIRECTORY")
    shard = Shard(params.shard, params.shards)
    job = job_of(params, effective_preset(params))
    provenance, made = job.store.finished(), 0
    if provenance is None:
        with job.store.opened(shard) as journal:
            provenance, made = _make(job, shard, journal, _source(params, job))
    seconds = time.monotonic() - start
    figures = {"images_made": made, "images_per_second": round(made / seconds, 2), "seconds": round(seconds, 2)}
    if provenance is not None:
        return {**summary(job, provenance), **figures, "complete": True}
    waiting = {"shard": shard.index, "shards": shard.count, "waiting_for": job.store.undone(shard)}
    return {"output": params.output, **waiting, **figures, "complete": False}


def _make(job: Job, shard: Shard, journal: Journal, source: Source) -> tuple[dict[str, Any] | None, int]:
    """Make what is missing of a shard, and finish when nothing is missing any more.

    Returns:
        The contents of dataset.json, or None while other shards are missing, and the number of images made.

    """
    made = _fill(job.plan, shard.scenes(job.plan.scenes), journal, source)
    if shard.count > 1:
        job.store.shard_is_done(shard)
        if job.store.undone(shard):
            return None, made
    with job.store.finishing():
        provenance = job.store.finished()
        if provenance is None:
            journal.refresh()
            # Nothing, unless files of another shard were lost or did not arrive whole.
            made += _fill(job.plan, range(job.plan.scenes), journal, source)
            provenance = finish(job, journal)
    return provenance, made


def _fill(plan: Plan, scenes: range, journal: Journal, source: Source) -> int:
    """Make those of ``scenes`` that have no record; how many images that was."""
    missing = journal.missing(scenes)
    if not missing.size:
        return 0
    wanted = sum(len(plan.numbers(int(scene))) for scene in missing)
    total = sum(len(plan.numbers(scene)) for scene in scenes)
    with Meter(f"generating {plan.output.name}", total, "images", done=total - wanted) as meter:
        records = source(map(int, missing), missing.size)
        try:
            for raw in records:
                meter.advance(journal.append(raw))
        finally:
            records.close()
    return wanted


def _source(params: GenerateParams, job: Job) -> Source:
    if not params.ray:
        return lambda scenes, count: produce(job.plan, scenes, count, params.workers)
    from .cluster import produce_on_ray

    return lambda scenes, count: produce_on_ray(job.plan, scenes, count, params.workers, params.ray, job.folders)
