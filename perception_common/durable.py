"""Files and directories that are either there whole or not there at all.

Data is written to a temporary name in the same directory, flushed to the disk, renamed, and the
directory entry flushed: after a crash or a power cut a reader sees the old content or the new one.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .errors import UserError

TEMPORARY_PREFIX = ".partial-"


def write_bytes(path: Path, data: bytes) -> None:
    """Write ``data`` to ``path`` atomically and durably (mode 0644 less the umask)."""
    with told(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(prefix=TEMPORARY_PREFIX, dir=path.parent)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            os.chmod(name, 0o666 & ~_umask())
            os.replace(name, path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
        sync_directory(path.parent)


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 ``text`` to ``path`` atomically and durably."""
    write_bytes(path, text.encode())


@contextmanager
def new_file(path: Path) -> Iterator[Path]:
    """Yield a temporary name in the same directory that becomes ``path`` by one rename when the block succeeds.

    The block writes the file. When it raises, nothing is left, and what was at ``path`` stays.

    Raises:
        UserError: the directory cannot be written.
    """
    with told(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(prefix=TEMPORARY_PREFIX, dir=path.parent)
        os.close(descriptor)
    work = Path(name)
    try:
        yield work
        with told(path):
            _sync_file(work)
            os.chmod(work, 0o666 & ~_umask())
            os.replace(work, path)
            sync_directory(path.parent)
    except BaseException:
        work.unlink(missing_ok=True)
        raise


@contextmanager
def new_directory(path: Path) -> Iterator[Path]:
    """Yield a temporary directory that becomes ``path`` by one rename when the block succeeds.

    Every file in it is flushed first. When the block raises, nothing is left.

    Raises:
        UserError: ``path`` exists already, or its parent cannot be written.
    """
    with told(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        work = Path(tempfile.mkdtemp(prefix=TEMPORARY_PREFIX, dir=path.parent))
    try:
        yield work
        with told(path):
            os.chmod(work, 0o777 & ~_umask())
            for file in sorted(work.rglob("*")):
                sync_directory(file) if file.is_dir() else _sync_file(file)
            sync_directory(work)
            if path.exists():
                raise UserError("directory exists already", where=path, fix="choose another name")
            os.rename(work, path)
            sync_directory(path.parent)
    except BaseException:
        shutil.rmtree(work, ignore_errors=True)
        raise


def sha256(path: Path) -> str:
    """Hexadecimal SHA-256 of a file's content."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest() if hasattr(hashlib, "file_digest") else _digest(file)


def sync_directory(path: Path) -> None:
    """Flush a directory's entries to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def ensure_writable(path: Path) -> None:
    """Make ``path`` a directory that can be written, or raise a `UserError` that says why not."""
    with told(path):
        path.mkdir(parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(prefix=TEMPORARY_PREFIX, dir=path)
        os.close(descriptor)
        os.unlink(name)


def _digest(file) -> str:  # type: ignore[no-untyped-def]  # Python 3.10 has no hashlib.file_digest
    digest = hashlib.sha256()
    while block := file.read(1 << 20):
        digest.update(block)
    return digest.hexdigest()


def _sync_file(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())


def _umask() -> int:
    value = os.umask(0)
    os.umask(value)
    return value


@contextmanager
def told(path: Path) -> Iterator[None]:
    """What the system refuses becomes a `UserError` that names ``path``."""
    try:
        yield
    except OSError as error:
        raise UserError(
            f"cannot write: {error.strerror or error}",
            where=path,
            fix="choose a directory that is writable and has room",
        ) from error
