"""Where unfinished bundles lie: beside the models, on the same file system, until they are complete and verified."""

from __future__ import annotations

import contextlib
import hashlib
import shutil
import stat
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from perception_common import durable
from perception_common.errors import UserError

from .transfer import Patience

FOLDER = ".quarantine"
_POLL_SECONDS = 0.2
_LEFT_OVER_SECONDS = 7 * 24 * 3600


class Quarantine:
    """The directory ``model_root/.quarantine``, in which each unfinished bundle is a repository of its own.

    It is ``<name>-<version>-<manifest's SHA-256, 16 digits>/<name>/<version>/``: an interrupted download goes on from
    what is there only if the manifest is still the same.

    Raises:
        UserError: it cannot be written, or is a link.
    """

    def __init__(self, root: Path) -> None:
        self._root, self._folder = root, root / FOLDER
        durable.ensure_writable(root)
        with durable.told(self._folder):
            self._folder.mkdir(mode=0o700, exist_ok=True)
            if not stat.S_ISDIR(self._folder.lstat().st_mode):
                raise UserError("it has to be a directory", where=self._folder, fix="remove it")

    @contextmanager
    def lock(self, name: str, patience: Patience) -> Iterator[None]:
        """Be the only one who fetches versions of a model. The system frees it when the holder dies.

        Raises:
            Cancelled: it was given up while another process held it.
            UserError: another process held it for too long.
        """
        lock = self._lock(name)
        with durable.told(self._folder):
            while True:
                # Another one fetches: this is not the server's silence.
                patience.progress()
                patience.check(self._folder / name)
                with contextlib.suppress(Timeout):
                    lock.acquire(timeout=_POLL_SECONDS)
                    break
        try:
            yield
        finally:
            lock.release()

    def place(self, name: str, version: int, manifest: bytes) -> Path:
        """The directory for the files of a bundle, made or found; called with the model's lock held."""
        directory = self._key(name, version, manifest) / name / str(version)
        with durable.told(directory):
            directory.mkdir(parents=True, exist_ok=True)
        return directory

    def release(self, name: str, version: int, manifest: bytes) -> Path:
        """Give a complete bundle its place among the models by one rename; its directory there."""
        directory, target = self.place(name, version, manifest), self._root / name / str(version)
        with durable.told(target):
            durable.sync_directory(directory)
            target.parent.mkdir(exist_ok=True)
            directory.rename(target)
            durable.sync_directory(target.parent)
            durable.sync_directory(self._root)
        self.drop(name, version, manifest)
        return target

    def drop(self, name: str, version: int, manifest: bytes) -> None:
        """Remove what is there of a bundle."""
        shutil.rmtree(self._key(name, version, manifest), ignore_errors=True)

    def clear(self, name: str, version: int, manifest: bytes) -> None:
        """Remove what nobody will go on with; called with the model's lock held.

        These are other manifests of the same version, older versions of the model, and of other models what nobody
        touched for a week.
        """
        kept, limit = self._key(name, version, manifest).name, time.time() - _LEFT_OVER_SECONDS
        for entry in list(self._folder.iterdir()):
            owner, _, rest = entry.name.rpartition("-")[0].rpartition("-")
            if entry.name == kept or not rest.isdecimal() or not entry.is_dir():
                continue
            old = entry.stat().st_mtime < limit
            if owner == name and (old or int(rest) <= version):
                shutil.rmtree(entry, ignore_errors=True)
            elif old and owner != name:
                # A clock that was set makes all look old: what another process works on is left alone.
                with contextlib.suppress(Timeout), self._lock(owner).acquire(timeout=0):
                    shutil.rmtree(entry, ignore_errors=True)

    def _key(self, name: str, version: int, manifest: bytes) -> Path:
        return self._folder / f"{name}-{version}-{hashlib.sha256(manifest).hexdigest()[:16]}"

    def _lock(self, name: str) -> FileLock:
        return FileLock(self._folder / f"{name}.lock")


def tidy(directory: Path, allowed: Iterable[str]) -> None:
    """Remove everything but plain files of these names: what was interrupted may have left more."""
    names = set(allowed)
    with durable.told(directory):
        for entry in list(directory.iterdir()):
            if stat.S_ISDIR(entry.lstat().st_mode):
                shutil.rmtree(entry)
            elif entry.name not in names or not stat.S_ISREG(entry.lstat().st_mode):
                entry.unlink()
