"""The server of a node's models: announcements in, answers out, loading in a thread of its own."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar

from perception_common.errors import UserError

from ..cancelling import Cancelled
from ..engines.source import EngineMissing
from ..loading import Proven
from ..models import Bundle, ModelRepository, open_bundle, resolve_location
from ..predictor import Predictor
from .lineup import Lineup
from .rules import Announcement, Answer, Load, Rules, ServerStatus

T = TypeVar("T")
_IDLE_POLL_SECONDS = 0.5


def _busy() -> bool:
    return False


class ModelServer:
    """Holds the model that answers, and replaces it by newer ones.

    Args:
        repository: the only place from which models are taken.
        rules: what is accepted.
        load: makes a bundle ready.
        tell: called with one line for the log, and whether it is an error; from any thread.
        idle: whether nobody needs answers now; asked twice a second where engines are built ``when_idle``.
    """

    def __init__(
        self,
        repository: ModelRepository,
        rules: Rules,
        load: Load,
        tell: Callable[[str, bool], None],
        idle: Callable[[], bool] = _busy,
    ) -> None:
        self._repository, self._rules, self._load, self._tell, self._idle = repository, rules, load, tell, idle
        self._lock = threading.Condition()
        self._lineup = Lineup(self._lock, rules, self._on_dismissed)
        self._wanted: Announcement | None = None
        self._loading: Announcement | None = None
        self._held: Announcement | None = None
        self._pinned = False
        self._waits = ""
        self._accepted: set[int] = set()
        self._loads = self._refused = self._ignored = 0
        self._last_error = ""
        self._closed = False
        self._thread: threading.Thread | None = None

    def load_first(self, version: int | None = None) -> bool:
        """Make a model of the repository ready, now; an engine is never waited for, but built in the background.

        With ``version`` None this is the newest that works: one that does not is refused and the next older
        one tried. A repository without any is fine: the first announcement will bring one.

        Returns:
            whether a model is ready.

        Raises:
            UserError: the given version is not there or cannot be made ready.
        """
        name = self._rules.name
        if version is not None:
            return self._load_now(self._repository.open(name, version))
        for candidate in reversed(self._repository.versions(name)):
            try:
                return self._load_now(self._repository.open(name, candidate))
            except UserError as error:
                self._refuse(f"{name} v{candidate} refused: {error}")
        return False

    def announce(self, announcement: Announcement) -> None:
        """Take note of an announcement and return at once; what is acceptable is loaded in the background."""
        with self._lock:
            refusal = self._judge(announcement)
            if refusal is None:
                self._want(announcement)
        if refusal:
            self._refuse(refusal)

    def choose(self, version: int) -> None:
        """Serve a version of the repository by hand: also an older one, and while pinned. 0 is the newest.

        Raises:
            UserError: it is not there, or damaged.
        """
        bundle = self._repository.open(self._rules.name, version or None)
        self.announce(self._announcement_of(bundle, by_hand=True))

    def pin(self, pinned: bool) -> None:
        """Stay with the model that serves, whatever is announced; the last of that is taken when the pin is pulled."""
        with self._lock:
            self._pinned = pinned
            held, self._held = self._held, None
        if not pinned and held is not None:
            self.announce(held)

    def answer(self, ask: Callable[[Predictor], T]) -> Answer[T] | None:
        """Ask the newest model that is ready, see `Lineup.answer`. Called by the worker only."""
        return self._lineup.answer(ask)

    def audition(self, compare: Callable[[Predictor], float | None]) -> None:
        """Try a new model beside the one that serves, see `Lineup.audition`. Called by the worker only."""
        self._lineup.audition(compare)

    def expected(self) -> Predictor | None:
        """The model that will probably answer the next frame; only to be asked what images it takes."""
        with self._lock:
            return self._lineup.newest

    @property
    def replacing(self) -> bool:
        """Whether a model serves while its successor is being loaded, or waits for its first frame."""
        with self._lock:
            loads = self._loading is not None and self._lineup.shown is not None
            return loads or self._lineup.replacing

    def status(self) -> ServerStatus:
        """Counters and state; the model shown is the one that answers, else the one that waits for a first frame."""
        with self._lock:
            status = ServerStatus(
                loading=self._loading is not None,
                pinned=self._pinned,
                waits=self._waits,
                loads=self._loads,
                swaps=self._lineup.swaps,
                refused=self._refused,
                ignored=self._ignored,
                rolled_back=self._lineup.rolled_back,
                canary=self._lineup.agreement,
                last_error=self._last_error,
            )
            shown = self._lineup.shown
            if shown is None:
                return status
            manifest, backend = shown.bundle.manifest, shown.backend
            return replace(
                status, name=manifest.name, version=manifest.version, backend=f"{backend.name} {backend.precision}"
            )

    def close(self, timeout: float = 1.5) -> None:
        """Give up loading and free the models. The worker must have stopped."""
        with self._lock:
            self._closed = True
            self._lock.notify_all()
        if self._thread is not None:
            self._thread.join(timeout)
        with self._lock:
            self._lineup.close()

    def _judge(self, announcement: Announcement) -> str | None:
        """None: load it; "": ignored; else the reason of refusal. Called with the lock held."""
        if announcement.name != self._rules.name:
            self._ignored += 1
            return ""
        version, newest_model = announcement.version, self._lineup.newest
        under_way = {pending.version for pending in (self._wanted, self._loading) if pending}
        serves = newest_model is not None and version == newest_model.bundle.manifest.version
        # By hand, the version that serves is chosen against the one that loads.
        if version in under_way or (serves and not (announcement.by_hand and under_way)):
            self._ignored += 1
            return ""
        if announcement.by_hand:
            return None
        newest = max({0, *self._accepted, *under_way})
        if version < newest and version not in self._accepted and not self._rules.allow_downgrade:
            return f"{announcement.title} refused: older than the accepted v{newest} (see allow_downgrade)"
        if self._pinned:
            self._ignored, self._held = self._ignored + 1, announcement
            return ""
        return None

    def _want(self, announcement: Announcement) -> None:
        """Load this next. Called with the lock held."""
        self._wanted = announcement
        if self._thread is None:
            self._thread = threading.Thread(target=self._load_wanted, name="model loader", daemon=True)
            self._thread.start()
        self._lock.notify_all()

    def _load_now(self, bundle: Bundle) -> bool:
        try:
            self._ready(self._load(bundle, self._is_closed, False))
        except EngineMissing as error:
            if self._rules.build == "never":
                raise
            self._tell(f"{bundle.title}: {error}; it will be", False)
            self._rebuild(bundle, error.backend)
            return False
        return True

    def _load_wanted(self) -> None:
        """The loader thread: always the newest announcement, one at a time."""
        while (announcement := self._next_wanted()) is not None:
            try:
                self._load_one(announcement)
            except Cancelled:
                self._tell(f"{announcement.title} given up: a newer announcement came", False)
            except UserError as error:
                self._give_up(announcement, str(error))
            except Exception as error:  # the loader must outlive a bundle that breaks in a new way
                self._give_up(announcement, repr(error))

    def _load_one(self, announcement: Announcement) -> None:
        bundle = self._open(announcement)
        may_build = self._rules.build == "at_once"
        if announcement.rebuild and not may_build:
            self._wait_until_idle()
            may_build = True
        try:
            self._ready(self._load(bundle, self._superseded, may_build))
        except EngineMissing as error:
            if self._rules.build != "when_idle":
                raise
            self._tell(f"{bundle.title} waits: {error}, which happens when nobody needs answers", False)
            self._rebuild(bundle, error.backend)

    def _next_wanted(self) -> Announcement | None:
        """Wait for an announcement to load; None when the server is closed."""
        with self._lock:
            self._loading = None
            self._lock.wait_for(lambda: self._closed or self._wanted is not None)
            if self._closed:
                return None
            self._loading, self._wanted = self._wanted, None
            return self._loading

    def _wait_until_idle(self) -> None:
        while not self._idle():
            with self._lock:
                self._lock.wait_for(lambda: self._closed or self._wanted is not None, _IDLE_POLL_SECONDS)
            if self._superseded():
                raise Cancelled

    def _open(self, announcement: Announcement) -> Bundle:
        bundle = open_bundle(resolve_location(announcement.uri, self._repository.root))
        manifest = bundle.manifest
        if (manifest.name, manifest.version) != (announcement.name, announcement.version):
            raise UserError(f"the bundle is {bundle.title}, not what was announced", where=announcement.uri)
        with self._lock:
            served = self._lineup.newest
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

    def _ready(self, proven: Proven) -> None:
        predictor, bundle = proven.predictor, proven.predictor.bundle
        with self._lock:
            # Closed while a step of the loading could not be interrupted: nobody would free it later.
            unused: Predictor | None = predictor
            if not self._closed:
                unused = self._lineup.offer(predictor)
                self._accepted.add(bundle.manifest.version)
                self._loads += 1
                self._waits = ""
        if unused is not None:
            unused.close()
        if unused is predictor:
            return
        self._tell(f"{bundle.title} is ready on {predictor.backend.name} {predictor.backend.precision}", False)
        if proven.waiting is not None and self._rules.build != "never":
            self._rebuild(bundle, proven.waiting)

    def _rebuild(self, bundle: Bundle, backend: str) -> None:
        """Load a bundle once more when its engine can be built, unless there is something newer to load."""
        with self._lock:
            self._waits = backend
            if self._wanted is None:
                self._want(self._announcement_of(bundle, rebuild=True))

    def _announcement_of(self, bundle: Bundle, by_hand: bool = False, rebuild: bool = False) -> Announcement:
        manifest = bundle.manifest
        return Announcement(manifest.name, bundle.uri, manifest.version, by_hand, rebuild)

    def _on_dismissed(self, failed: Predictor, why: str) -> None:
        """A model failed on frames; the same version may be announced again."""
        version = failed.bundle.manifest.version
        with self._lock:
            serves = self._lineup.shown
            # The same version may serve on another backend.
            if serves is None or serves.bundle.manifest.version != version:
                self._accepted.discard(version)
        self._refuse(f"{failed.bundle.title} on {failed.backend.name} refused: {why}")

    def _give_up(self, announcement: Announcement, why: str) -> None:
        if not announcement.rebuild:
            self._refuse(f"{announcement.title} refused: {why}")
            return
        with self._lock:
            backend, self._waits = self._waits, ""
        self._refuse(f"{announcement.title} does not come to {backend}: {why}")

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
