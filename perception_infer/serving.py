"""Which model answers: the rules of announcements, loading in the background, and swaps between two frames.

No ROS here. Three threads meet in `ModelServer`: the node's (announcements), its own loader, and the one
worker that answers frames.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from perception_common.errors import UserError

from .loading import Cancelled
from .models import Bundle, ModelRepository, open_bundle, resolve_location
from .predictor import Predictor

T = TypeVar("T")


@dataclass(frozen=True)
class Rules:
    """What a robot accepts: one model name, whether to step back in versions, whether the classes may change.

    The model before stays ready over the first ``watch_frames`` frames of a new one, and comes back if that fails.
    """

    name: str
    allow_downgrade: bool = False
    accept_class_change: bool = False
    watch_frames: int = 0


@dataclass(frozen=True)
class Announcement:
    """Name, URI of the manifest and version, as told on the topic ``checkpoint``."""

    name: str
    uri: str
    version: int


@dataclass(frozen=True)
class Answer(Generic[T]):
    """What a model answered; ``first`` when another one, or none, answered the frame before."""

    value: T
    predictor: Predictor
    first: bool


@dataclass(frozen=True)
class ServerStatus:
    """Counters and state at one moment.

    ``swaps`` counts replacements, ``loads`` models that were proven ready, ``rolled_back`` those of the swaps that were
    undone because the new model failed.
    """

    name: str
    version: int
    backend: str
    loading: bool
    loads: int
    swaps: int
    refused: int
    ignored: int
    rolled_back: int
    last_error: str


class Load(Protocol):
    """Makes a bundle ready to serve (load, warm up, prove parity), giving up when the callable returns True."""

    def __call__(self, bundle: Bundle, cancelled: Callable[[], bool], /) -> Predictor:
        """Raise `UserError` or `Cancelled` when it cannot."""


class ModelServer:
    """Holds the model that answers, and replaces it by newer ones.

    Args:
        repository: the only place from which models are taken.
        rules: what is accepted.
        load: makes a bundle ready.
        tell: called with one line for the log, and whether it is an error; from any thread.
    """

    def __init__(
        self, repository: ModelRepository, rules: Rules, load: Load, tell: Callable[[str, bool], None]
    ) -> None:
        self._repository, self._rules, self._load, self._tell = repository, rules, load, tell
        self._lock = threading.Condition()
        self._current: Predictor | None = None
        self._candidate: Predictor | None = None
        self._trying: Predictor | None = None
        self._previous: Predictor | None = None
        self._watched = 0
        self._wanted: Announcement | None = None
        self._loading: Announcement | None = None
        self._accepted: set[int] = set()
        self._loads = self._swaps = self._refused = self._ignored = self._rolled_back = 0
        self._last_error = ""
        self._closed = False
        self._thread: threading.Thread | None = None

    def load_first(self, version: int | None = None) -> bool:
        """Make a model of the repository ready, now.

        With ``version`` None this is the newest that works: one that does not is refused and the next older
        one tried. A repository without any is fine: the first announcement will bring one.

        Returns:
            whether a model is ready.

        Raises:
            UserError: the given version is not there or cannot be made ready.
        """
        name = self._rules.name
        if version is not None:
            self._ready(self._load(self._repository.open(name, version), self._is_closed), version)
            return True
        for candidate in reversed(self._repository.versions(name)):
            try:
                self._ready(self._load(self._repository.open(name, candidate), self._is_closed), candidate)
                return True
            except UserError as error:
                self._refuse(f"{name} v{candidate} refused: {error}")
        return False

    def announce(self, announcement: Announcement) -> None:
        """Take note of an announcement and return at once; what is acceptable is loaded in the background."""
        with self._lock:
            refusal = self._judge(announcement)
            if refusal is None:
                self._wanted = announcement
                if self._thread is None:
                    self._thread = threading.Thread(target=self._load_wanted, name="model loader", daemon=True)
                    self._thread.start()
                self._lock.notify_all()
        if refusal:
            self._refuse(refusal)

    def answer(self, ask: Callable[[Predictor], T]) -> Answer[T] | None:
        """Ask the newest model that is ready; None when there is none. Called by the worker only.

        A new model takes over with its first answer. When that fails, the old one answers instead and stays; when
        one of its first ``watch_frames`` does, and the old one can answer it, the old one comes back.
        """
        with self._lock:
            self._trying, self._candidate = self._candidate, None
        if self._trying is not None:
            candidate = self._trying
            try:
                value = ask(candidate)
            except Exception as error:  # whatever a new model breaks on, the old one keeps serving
                self._fall_back(candidate, error)
            else:
                self._take_over(candidate)
                return Answer(value, candidate, True)
        if self._current is None:
            return None
        try:
            value = ask(self._current)
        except Exception as error:  # whatever it breaks on
            return self._roll_back(ask, error)
        if self._previous is not None:
            self._watch()
        return Answer(value, self._current, False)

    @property
    def replacing(self) -> bool:
        """Whether a model serves while its successor is being loaded, or waits for its first frame."""
        with self._lock:
            pending = (self._loading, self._candidate, self._trying)
            return self._current is not None and any(part is not None for part in pending)

    def status(self) -> ServerStatus:
        """Counters and state; the model shown is the one that answers, else the one that waits for a first frame."""
        with self._lock:
            shown = self._current or self._trying or self._candidate
            return ServerStatus(
                name=shown.bundle.manifest.name if shown else "",
                version=shown.bundle.manifest.version if shown else 0,
                backend=f"{shown.backend.name} {shown.backend.precision}" if shown else "",
                loading=self._loading is not None,
                loads=self._loads,
                swaps=self._swaps,
                refused=self._refused,
                ignored=self._ignored,
                rolled_back=self._rolled_back,
                last_error=self._last_error,
            )

    def close(self, timeout: float = 1.5) -> None:
        """Give up loading and free the models. The worker must have stopped."""
        with self._lock:
            self._closed = True
            self._lock.notify_all()
        if self._thread is not None:
            self._thread.join(timeout)
        with self._lock:
            for predictor in (self._current, self._previous, self._trying, self._candidate):
                if predictor is not None:
                    predictor.close()
            self._current = self._previous = self._trying = self._candidate = None

    def _newest_model(self) -> Predictor | None:
        """The model that answers from the next frame on. Called with the lock held."""
        return self._candidate or self._trying or self._current

    def _judge(self, announcement: Announcement) -> str | None:
        """None: load it; "": ignored; else the reason of refusal. Called with the lock held."""
        if announcement.name != self._rules.name:
            self._ignored += 1
            return ""
        version, newest_model = announcement.version, self._newest_model()
        under_way = {pending.version for pending in (self._wanted, self._loading) if pending}
        if version in under_way or (newest_model and version == newest_model.bundle.manifest.version):
            self._ignored += 1
            return ""
        newest = max({0, *self._accepted, *under_way})
        if version < newest and version not in self._accepted and not self._rules.allow_downgrade:
            return f"{announcement.name} v{version} refused: older than the accepted v{newest} (see allow_downgrade)"
        return None

    def _load_wanted(self) -> None:
        """The loader thread: always the newest announcement, one at a time."""
        while (announcement := self._next_wanted()) is not None:
            title = f"{announcement.name} v{announcement.version}"
            try:
                self._ready(self._load(self._open(announcement), self._superseded), announcement.version)
            except Cancelled:
                self._tell(f"{title} given up: a newer announcement came", False)
            except UserError as error:
                self._refuse(f"{title} refused: {error}")
            except Exception as error:  # the loader must outlive a bundle that breaks in a new way
                self._refuse(f"{title} refused: {error!r}")

    def _next_wanted(self) -> Announcement | None:
        """Wait for an announcement to load; None when the server is closed."""
        with self._lock:
            self._loading = None
            self._lock.wait_for(lambda: self._closed or self._wanted is not None)
            if self._closed:
                return None
            self._loading, self._wanted = self._wanted, None
            return self._loading

    def _open(self, announcement: Announcement) -> Bundle:
        bundle = open_bundle(resolve_location(announcement.uri, self._repository.root))
        manifest = bundle.manifest
        if (manifest.name, manifest.version) != (announcement.name, announcement.version):
            raise UserError(f"the bundle is {bundle.title}, not what was announced", where=announcement.uri)
        with self._lock:
            served = self._newest_model()
        if served is not None and not self._rules.accept_class_change:
            old = served.bundle.manifest
            if (old.task, old.classes) != (manifest.task, manifest.classes):
                change = (
                    f"{old.task} of {', '.join(old.classes)} becomes {manifest.task} of {', '.join(manifest.classes)}"
                )
                raise UserError(
                    f"the classes change: {change}", where=announcement.uri, fix="set on_class_change to accept"
                )
        return bundle

    def _ready(self, predictor: Predictor, version: int) -> None:
        with self._lock:
            # Closed while a step of the loading could not be interrupted: nobody would free it later.
            unused: Predictor | None = predictor
            if not self._closed:
                unused, self._candidate = self._candidate, predictor
                self._accepted.add(version)
                self._loads += 1
        if unused is not None:
            unused.close()
        if unused is predictor:
            return
        self._tell(
            f"{predictor.bundle.title} is ready on {predictor.backend.name} {predictor.backend.precision}", False
        )

    def _take_over(self, candidate: Predictor) -> None:
        with self._lock:
            unused = [self._previous]
            self._previous, self._current, self._trying = self._current, candidate, None
            self._swaps += self._previous is not None
            self._watched = 1
            if self._watched >= self._rules.watch_frames:
                unused.append(self._previous)
                self._previous = None
        for predictor in unused:
            if predictor is not None:
                predictor.close()

    def _watch(self) -> None:
        """A new model has answered one more frame; after enough of them the one before is freed."""
        self._watched += 1
        if self._watched >= self._rules.watch_frames:
            with self._lock:
                unused, self._previous = self._previous, None
            if unused is not None:
                unused.close()

    def _roll_back(self, ask: Callable[[Predictor], T], error: Exception) -> Answer[T]:
        """The answer of the model before, which serves again.

        Raises:
            Exception: ``error``, if there is no model before, or it cannot answer either: then the frame is to blame.
        """
        previous = self._previous
        if previous is None:
            raise error
        try:
            value = ask(previous)
        except Exception:  # whatever it breaks on, the first is told
            raise error from None
        with self._lock:
            failed, self._current, self._previous = self._current, previous, None
            self._rolled_back += 1
        # A model before there is only where one came after it.
        assert failed is not None
        told = f"frame {self._watched + 1} that it served failed: {error!r}; {previous.bundle.title} serves again"
        self._dismiss(failed, told)
        return Answer(value, previous, True)

    def _fall_back(self, candidate: Predictor, error: Exception) -> None:
        with self._lock:
            self._trying = None
        self._dismiss(candidate, f"its first frame failed: {error!r}")

    def _dismiss(self, failed: Predictor, why: str) -> None:
        """Free a model that fails on frames; the same version may be announced again."""
        with self._lock:
            self._accepted.discard(failed.bundle.manifest.version)
        failed.close()
        self._refuse(f"{failed.bundle.title} refused: {why}")

    def _refuse(self, line: str) -> None:
        with self._lock:
            self._refused += 1
            self._last_error = line
        self._tell(line, True)

    def _is_closed(self) -> bool:
        return self._closed

    def _superseded(self) -> bool:
        with self._lock:
            return self._closed or self._wanted is not None
