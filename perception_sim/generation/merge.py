"""Shards that were made in directories of their own become one dataset: ``perception-sim merge``.

Every file is checked against the hash that was taken when it was made. It is a hard link in the joint dataset where the
disk allows that, else a copy; the shards stay as they are. What depends on all scenes is then written as `generate`
does, so the result is the dataset that one machine would have made.
"""

from __future__ import annotations

import errno
import hashlib
import time
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path, PurePosixPath
from typing import Any

from perception_common.errors import UserError
from perception_common.machine import cores

from ..params import MergeParams
from ..progress import Meter
from .dataset import begun_config, same_config
from .finishing import finish, summary
from .job import Job, job_from
from .journal import Journal, files_of

_AT_ONCE = 256
"""Scenes in work at a time."""
_NO_LINKS = (errno.EXDEV, errno.EPERM, errno.EOPNOTSUPP, errno.EMLINK, errno.ENOSYS)
"""What a disk says that cannot link: another disk, a file system without links, too many of them."""


def merge(params: MergeParams) -> dict[str, Any]:
    """Join the shards and say what the dataset holds.

    Returns:
        `perception_sim.generation.finishing.summary`, and ``seconds``.

    Raises:
        UserError: a directory is no shard or belongs to another dataset, scenes are missing, a file has changed since
            it was made, or the output cannot be used.

    """
    start = time.monotonic()
    if not params.inputs or not params.output:
        raise UserError("nothing to merge", fix="say --inputs DIRECTORY... --output DIRECTORY")
    inputs = [Path(name) for name in params.inputs]
    job = job_from(begun_config(inputs[0]), Path(params.output))
    for directory in inputs:
        same_config(begun_config(directory), job.store.config, directory)
    provenance = job.store.finished()
    if provenance is None:
        provenance = _merge(job, inputs)
    return {**summary(job, provenance), "seconds": round(time.monotonic() - start, 2)}


def _merge(job: Job, inputs: list[Path]) -> dict[str, Any]:
    scenes = job.plan.scenes
    with Journal(inputs, scenes) as shards:
        missing = shards.missing(range(scenes))
        if missing.size:
            raise UserError(
                f"{missing.size} of {scenes} scenes are missing, the first is scene {missing[0]}",
                where=", ".join(map(str, inputs)),
                fix="give the directories of all shards, each complete (start perception-sim generate there again)",
            )
        with job.store.opened() as journal:
            _gather(job, shards, journal)
            return finish(job, journal)


def _gather(job: Job, shards: Journal, journal: Journal) -> None:
    """Bring the files and records of all scenes that the output lacks."""
    plan = job.plan
    missing = journal.missing(range(plan.scenes)).tolist()
    left = sum(len(plan.numbers(scene)) for scene in missing)
    wanted = ((shards.root(scene), shards.raw(scene)) for scene in missing)
    with (
        Meter(f"merging {plan.output.name}", plan.images, "images", done=plan.images - left) as meter,
        ThreadPoolExecutor(cores()) as threads,
    ):
        while batch := list(islice(wanted, _AT_ONCE)):
            for raw in threads.map(lambda one: _bring(one[0], one[1], plan.output), batch):
                meter.advance(journal.append(raw))


def _bring(shard: Path, raw: bytes, output: Path) -> bytes:
    """Bring the files of a record from a shard into the output; the record."""
    files = files_of(raw)
    for name in files.sizes:
        if PurePosixPath(name).is_absolute() or ".." in PurePosixPath(name).parts:
            raise UserError(f"the record of scene {files.scene} names a file outside", where=shard / name)
        _bring_file(shard / name, output / name, files.sha256.get(name))
    return raw


def _bring_file(source: Path, target: Path, sha256: str | None) -> None:
    """Link or copy a file whose content has that hash; raises a `UserError` when it has another."""
    try:
        content = source.read_bytes()
        if hashlib.sha256(content).hexdigest() != sha256:
            raise UserError(
                "the file has changed since it was made",
                where=source,
                fix="delete it, start perception-sim generate for this shard again, then merge",
            )
        if target.exists() and target.samefile(source):
            return
        target.unlink(missing_ok=True)  # left half written by a run that was killed
        target.parent.mkdir(parents=True, exist_ok=True)
        _link_or_write(source, target, content)
    except OSError as error:
        raise UserError(
            f"cannot bring {source}: {error.strerror}", where=target, fix="see that both can be used and have room"
        ) from error


def _link_or_write(source: Path, target: Path, content: bytes) -> None:
    try:
        target.hardlink_to(source)
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        target.write_bytes(content)
