"""Engines on disk: found by their key, checked before they are loaded, and made by one process at a time.

``DIGEST.engine`` is the engine, ``DIGEST.json`` says what it was built from and its SHA-256 and is written last,
``DIGEST.lock`` is held while it is built, and ``timing-DIGEST.bin`` makes later builds shorter.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import stat
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
from filelock import FileLock, Timeout

from perception_common import durable
from perception_common.errors import UserError

from ..cancelling import Cancelled, never
from .key import Key

_POLL_SECONDS = 0.1
#: Work of a process that was killed; a build never takes so long.
_LEFT_OVER_SECONDS = 24 * 3600


class Entry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is known of an engine."""

    key: Key
    model: str
    sha256: str
    size: int
    seconds: float
    created: str


class EngineCache:
    """The directory of engines.

    Args:
        root: made when it is missing, for this user alone.
        limit_mb: when engines take more, those that were not used for longest are removed; 0 for no limit.
        tell: called with a line about everything that was found damaged.

    Raises:
        UserError: it cannot be written, or others could put engines there.
    """

    def __init__(self, root: Path, limit_mb: int = 0, tell: Callable[[str], object] = lambda _: None) -> None:
        self.root, self._limit, self._tell = root, limit_mb << 20, tell
        if not root.is_dir():
            durable.ensure_writable(root)
            root.chmod(0o700)
        durable.ensure_writable(root)
        status = root.stat()
        if status.st_uid not in (os.geteuid(), 0) or status.st_mode & stat.S_IWOTH:
            raise UserError(
                "anybody could put an engine there, and loading an engine is running its code",
                where=root,
                fix="chmod o-w, or choose a directory of your own with engine_cache",
            )

    def find(self, key: Key) -> bytes | None:
        """The engine of a key, or None. One that is damaged is removed."""
        engine, sidecar = self._engine(key), self._sidecar(key)
        try:
            entry, data = msgspec.json.decode(sidecar.read_bytes(), type=Entry), engine.read_bytes()
        except FileNotFoundError:
            return None
        except (OSError, msgspec.DecodeError, UnicodeDecodeError) as error:
            self._damaged(key, str(error))
            return None
        if entry.key != key:
            self._damaged(key, "it was built from something else")
            return None
        if len(data) != entry.size or hashlib.sha256(data).hexdigest() != entry.sha256:
            self._damaged(key, "its content changed")
            return None
        with contextlib.suppress(OSError):
            os.utime(sidecar)
        return data

    def store(self, key: Key, model: str, engine: bytes, seconds: float) -> None:
        """Keep an engine; called with the key's lock held.

        Raises:
            UserError: it cannot be written; then nothing of it is left.
        """
        created = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        entry = Entry(key, model, hashlib.sha256(engine).hexdigest(), len(engine), round(seconds, 3), created)
        # Never a new engine beside the old one's description.
        self._sidecar(key).unlink(missing_ok=True)
        try:
            durable.write_bytes(self._engine(key), engine)
            durable.write_bytes(self._sidecar(key), msgspec.json.format(msgspec.json.encode(entry), indent=2) + b"\n")
        except UserError:
            # Without its description nobody would find it, nor remove it.
            self.remove(key)
            raise
        self._make_room(key)

    def remove(self, key: Key) -> None:
        """Forget an engine."""
        self._sidecar(key).unlink(missing_ok=True)
        self._engine(key).unlink(missing_ok=True)

    def entries(self) -> list[Entry]:
        """What is there and can be read, the one used last first."""
        found = []
        for sidecar in self._sidecars():
            with contextlib.suppress(OSError, msgspec.DecodeError, UnicodeDecodeError):
                found.append(msgspec.json.decode(sidecar.read_bytes(), type=Entry))
        return found

    @contextmanager
    def lock(self, key: Key, cancelled: Callable[[], bool] = never) -> Iterator[None]:
        """Hold the key: whoever builds its engine is alone. The system frees it when the holder dies.

        Raises:
            Cancelled: ``cancelled`` said so while another process held it.
        """
        lock, told = FileLock(self.root / f"{key.digest}.lock"), False
        while True:
            try:
                lock.acquire(timeout=_POLL_SECONDS)
                break
            except Timeout:
                if not told:
                    self._tell("another process builds this engine: waiting for it")
                    told = True
                if cancelled():
                    raise Cancelled from None
        try:
            yield
        finally:
            lock.release()

    @contextmanager
    def workplace(self) -> Iterator[Path]:
        """A directory for a build, removed after it; what killed builds left is removed now."""
        limit = time.time() - _LEFT_OVER_SECONDS
        for left in self.root.glob(f"{durable.TEMPORARY_PREFIX}*"):
            with contextlib.suppress(OSError):
                if left.is_dir() and left.stat().st_mtime < limit:
                    shutil.rmtree(left, ignore_errors=True)
        with tempfile.TemporaryDirectory(prefix=durable.TEMPORARY_PREFIX, dir=self.root) as folder:
            yield Path(folder)

    def timing(self, key: Key) -> bytes:
        """What earlier builds measured on this GPU; nothing when there were none."""
        try:
            return self._timing(key).read_bytes()
        except OSError:
            return b""

    def store_timing(self, key: Key, timing: bytes) -> None:
        """Keep what a build measured."""
        if timing:
            durable.write_bytes(self._timing(key), timing)

    def _engine(self, key: Key) -> Path:
        return self.root / f"{key.digest}.engine"

    def _sidecar(self, key: Key) -> Path:
        return self.root / f"{key.digest}.json"

    def _timing(self, key: Key) -> Path:
        return self.root / f"timing-{key.timing_digest}.bin"

    def _sidecars(self) -> list[Path]:
        """The one used last first."""
        found = []
        for path in self.root.glob("*.json"):
            with contextlib.suppress(OSError):
                found.append((path.stat().st_mtime, path))
        return [path for _, path in sorted(found, reverse=True)]

    def _damaged(self, key: Key, why: str) -> None:
        self._tell(f"the engine {self._engine(key)} cannot be used ({why}): it is removed and built anew")
        self.remove(key)

    def _make_room(self, kept: Key) -> None:
        if not self._limit:
            return
        room = self._limit
        for sidecar in [self._sidecar(kept), *(path for path in self._sidecars() if path != self._sidecar(kept))]:
            engine = sidecar.with_suffix(".engine")
            with contextlib.suppress(OSError):
                room -= engine.stat().st_size
            if room < 0 and sidecar != self._sidecar(kept):
                self._tell(f"the engine {engine} is removed: the cache is full")
                sidecar.unlink(missing_ok=True)
                engine.unlink(missing_ok=True)
