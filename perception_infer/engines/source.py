"""Engines for variants of bundles: from the cache, or built."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from perception_common.errors import UserError

from ..backends.onnx_file import refuse_external_data
from ..backends.tensorrt import load_module
from ..cancelling import never
from .build import BuildFailed, Built, Limits, Options, build
from .cache import EngineCache
from .key import Device, Key, this_device

if TYPE_CHECKING:
    from ..contract.manifest import Variant
    from ..models import Bundle


class EngineMissing(UserError):
    """There is no engine for ``backend`` yet, and now is not the time to build it."""

    def __init__(self, backend: str, title: str) -> None:
        super().__init__(
            f"the engine of {title} for {backend} is not built yet", fix="perception-infer build-engine builds it"
        )
        self.backend = backend


def default_root() -> Path:
    """Where engines are kept unless told otherwise: ``$XDG_CACHE_HOME/perception_suite/engines``."""
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "perception_suite" / "engines"


def _silent(_: str) -> None:
    pass


@dataclass
class Engines:
    """Finds and builds engines; may be used by several threads.

    Args:
        root: the directory of the cache, which is made when it is first needed.
        options: what the builder is told.
        limits: when a build is given up.
        limit_mb: how much the cache may hold; 0 for no limit.
        tell: called with a line about everything that happens, such as the phases of a build.
        complain: called with a line about a build that failed (None: ``tell`` is).

    Attributes:
        builds: how many engines this object has built.
    """

    root: Path = field(default_factory=default_root)
    options: Options = field(default_factory=Options)
    limits: Limits = field(default_factory=Limits)
    limit_mb: int = 0
    tell: Callable[[str], object] = _silent
    complain: Callable[[str], object] | None = None
    builds: int = 0
    _failed: dict[str, str] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def key(self, backend: str, bundle: Bundle, variant: Variant, device: Device | None = None) -> Key:
        """What the engine of that variant depends on.

        Raises:
            ImportError: the backend is not installed.
        """
        return Key(
            graph_sha256=bundle.manifest.files[variant.file].sha256,
            backend=backend,
            backend_version=str(load_module(backend).__version__),
            precision=variant.precision,
            options=dict(vars(self.options)),
            device=this_device() if device is None else device,
        )

    def remove(self, backend: str, bundle: Bundle, variant: Variant) -> None:
        """Forget an engine that TensorRT does not take."""
        self._cache().remove(self.key(backend, bundle, variant))

    def get(
        self,
        backend: str,
        bundle: Bundle,
        variant: Variant,
        may_build: bool = True,
        cancelled: Callable[[], bool] = never,
    ) -> bytes:
        """The engine, built first where it is not there. Of several processes one builds, and the others wait.

        A build that failed is not tried again by this object, unless its files could not be written.

        Raises:
            ImportError: the backend is not installed.
            EngineMissing: it is not there, and ``may_build`` is False.
            BuildFailed: it cannot be built.
            Cancelled: ``cancelled`` said so.
            UserError: the cache or the graph cannot be used.
        """
        key, cache = self.key(backend, bundle, variant), self._cache()
        title = f"{bundle.title} {variant.precision}"
        engine = cache.find(key)
        if engine is not None:
            return engine
        if not may_build:
            raise EngineMissing(backend, title)
        with self._lock:
            if key.digest in self._failed:
                raise BuildFailed(self._failed[key.digest])
        graph = bundle.read(variant.file)
        refuse_external_data(graph, bundle.directory / variant.file)
        with cache.lock(key, cancelled):
            # Whoever held the lock before may have built it.
            engine = cache.find(key)
            if engine is not None:
                return engine
            self.tell(f"{title}: building the engine with {backend} {key.backend_version} for {key.device.title}")
            try:
                built = self._build(cache, key, graph, bundle.title, cancelled)
            except UserError as error:
                if isinstance(error, BuildFailed):
                    with self._lock:
                        self._failed[key.digest] = str(error)
                self._complain(f"{title}: {error}")
                raise
        self.tell(f"{title}: engine of {len(built.engine) / 1e6:.1f} MB built in {built.seconds:.1f} s")
        return built.engine

    def _build(self, cache: EngineCache, key: Key, graph: bytes, model: str, cancelled: Callable[[], bool]) -> Built:
        """Build and keep an engine; called with the key's lock held."""
        try:
            with cache.workplace() as folder:
                built = build(
                    key.backend, graph, cache.timing(key), folder, self.options, self.limits, cancelled, self.tell
                )
            with self._lock:
                self.builds += 1
            cache.store(key, model, built.engine, built.seconds)
            cache.store_timing(key, built.timing)
        except OSError as error:
            raise UserError(
                f"the engine cannot be built: {error.strerror or error}",
                where=error.filename or self.root,
                fix="make room, or choose another directory with engine_cache",
            ) from error
        return built

    def _complain(self, line: str) -> None:
        """Where another backend takes over, nobody else would say it."""
        (self.complain or self.tell)(line)

    def _cache(self) -> EngineCache:
        try:
            return EngineCache(self.root, self.limit_mb, self.tell)
        except UserError as error:
            self._complain(f"no engine can be used: {error}")
            raise
