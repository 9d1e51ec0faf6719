"""Old versions of a model make room for new ones; what serves, or may have to come back, stays."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Callable, Collection
from pathlib import Path

from perception_common import durable
from perception_common.errors import UserError

from .contract.manifest import MANIFEST_NAME, MAX_MANIFEST_BYTES, decode
from .history import History, history_file
from .models import ModelRepository

_REMOVED = ".removed-"


def prune(repository: ModelRepository, name: str, keep: int, spared: Collection[int] = ()) -> list[int]:
    """Remove all versions of a model but the newest; which were removed, ascending.

    A version leaves by one rename, so that nobody finds half of it.

    Args:
        repository: where they are.
        name: of the model.
        keep: how many of the newest stay; 0 keeps all.
        spared: versions that stay in any case.

    Raises:
        UserError: a version cannot be removed.
    """
    if not keep:
        return []
    folder, removed = repository.root / name, []
    for version in repository.versions(name)[:-keep]:
        if version in spared:
            continue
        aside = folder / f"{_REMOVED}{version}"
        with durable.told(folder):
            with contextlib.suppress(FileNotFoundError):
                # Of a removal that was interrupted.
                shutil.rmtree(aside)
            (folder / str(version)).rename(aside)
            durable.sync_directory(folder)
            shutil.rmtree(aside)
        removed.append(version)
    return removed


def best_version(repository: ModelRepository, name: str, metric: str) -> int | None:
    """The version whose float32 graph has the highest figure, the newest of equals; None where none tells one."""
    figures: dict[int, float] = {}
    for version in repository.versions(name):
        path = repository.root / name / str(version) / MANIFEST_NAME
        with contextlib.suppress(OSError, UserError):
            with path.open("rb") as file:
                manifest = decode(file.read(MAX_MANIFEST_BYTES + 1), path)
            if metric in (told := manifest.variants["fp32"].metrics):
                figures[version] = told[metric]
    return max(figures, key=lambda version: (figures[version], version), default=None)


def serving_here(repository: Path, name: str, at_ns: int, tell: Callable[[str], object]) -> set[int]:
    """Versions that nodes of this machine serve from a repository, as the history in its usual place knows."""
    file = history_file()
    if not file.is_file():
        return set()
    try:
        history = History(file, repository, tell)
        try:
            return {event.version for event in history.serving(at_ns, name)}
        finally:
            history.close()
    except UserError as error:
        tell(str(error))
        return set()
