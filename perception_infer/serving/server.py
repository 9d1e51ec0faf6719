"""The server of a node's models: announcements in, answers out, loading in a thread of its own."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from perception_common.errors import UserError

from ..cancelling import Cancelled
from ..engines.source import EngineMissing
from ..fetching import is_remote
from ..history import History
from ..loading import Proven
from ..models import Bundle, ModelRepository, open_bundle, resolve_location
from ..predictor import Predictor
from ..retention import prune
from .errands import Errands
from .lineup import Lineup
from .record import Record
from .rules import Announcement, Answer, Hung, Load, Rules, ServerStatus

T = TypeVar("T")


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
        record: what was accepted before, and where it is told what serves (None: nowhere, and nothing was).
        fetch: brings an announced bundle of http or https into the repository and returns its directory, giving up when
            the callable returns True (None: such announcements are refused).
    """

    def __init__(
        self,
        repository: ModelRepository,
        rules: Rules,
        load: Load,
        tell: Callable[[str, bool], None],
        idle: Callable[[], bool] = _busy,
        record: Record | None = None,
        fetch: Callable[[Announcement, Callable[[], bool]], Path] | None = None,
    ) -> None:
        self._fetch = fetch
        self._repository, self._rules, self._load, self._tell, self._idle = repository, rules, load, tell, idle
        self._lock = threading.Condition()
        self._record = record or Record(History(None, repository.root, lambda line: tell(line, True)), rules.name)
        self._lineup = Lineup(self._lock, rules, self._record.serves, self._on_dismissed)
        self._errands = Errands(self._lock, self._load_announced)
        self._held: Announcement | None = None
        self._lost = ""
        self._pinned = False
        self._waits = ""
        self._loads = self._refused = self._ignored = 0
        self._last_error = ""

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
            return self._load_now(self._repository.open(name, version), "chosen at the start")
        for candidate in reversed(self._repository.versions(name)):
            try:
                if not self._rules.allow_downgrade:
                    self._record.require_older_known(candidate)
                return self._load_now(self._repository.open(name, candidate), "the newest at the start")
            except UserError as error:
                self._refuse(candidate, f"{name} v{candidate} refused: {error}")
        return False

    def announce(self, announcement: Announcement) -> None:
        """Take note of an announcement and return at once; what is acceptable is loaded in the background."""
        with self._lock:
            refusal = self._judge(announcement)
            if refusal is None:
                self._errands.want(announcement)
        if refusal:
            self._refuse(announcement.version, refusal)

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

    def abandon(self, limit: float) -> Hung | None:
        """Leave behind a model that hangs, see `Lineup.abandon`; `go_on` is what is to come after it."""
        return self._lineup.abandon(limit)

    def go_on(self, hung: Hung) -> None:
        """With the model before; where there is none, load the one that hung anew, before all else (see `lost`)."""
        bundle, successor = hung.predictor.bundle, hung.successor
        kept = f"a frame has kept it for {time.monotonic() - hung.since:.0f} s"
        if successor is not None:
            self._on_dismissed(hung.predictor, f"{kept}; {successor.bundle.title} serves")
            return
        line = f"{hung.title} hangs: {kept}; it is loaded anew"
        with self._lock:
            self._last_error, self._lost = line, ""
            self._errands.want(self._announcement_of(bundle, again=True))
        self._tell(line, True)

    @property
    def lost(self) -> str:
        """Why nothing serves any more: a model hung and could not be loaded anew; "" while that is not so."""
        return self._lost

    def expected(self) -> Predictor | None:
        """The model that will probably answer the next frame; only to be asked what images it takes."""
        with self._lock:
            return self._lineup.newest

    @property
    def replacing(self) -> bool:
        """Whether a model serves while its successor is being loaded, or waits for its first frame."""
        with self._lock:
            loads = self._errands.loading and self._lineup.shown is not None
            return loads or self._lineup.replacing

    def status(self) -> ServerStatus:
        """Counters and state; the model shown is the one that answers, else the one that waits for a first frame."""
        with self._lock:
            status = ServerStatus(
                loading=self._errands.loading,
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
                status,
                name=manifest.name,
                version=manifest.version,
                backend=f"{backend.name} {backend.precision}",
                signer=shown.bundle.signer,
            )

    def close(self, timeout: float = 1.5) -> None:
        """Give up loading and free the models. The worker must have stopped."""
        self._errands.close(timeout)
        with self._lock:
            self._lineup.close()
        self._record.ended()

    def _judge(self, announcement: Announcement) -> str | None:
        """None: load it; "": ignored; else the reason of refusal. Called with the lock held."""
        if announcement.name != self._rules.name:
            self._ignored += 1
            return ""
        version, newest_model = announcement.version, self._lineup.newest
        under_way = self._errands.versions()
        serves = newest_model is not None and version == newest_model.bundle.manifest.version
        # By hand, the version that serves is chosen against the one that loads.
        if version in under_way or (serves and not (announcement.by_hand and under_way)):
            self._ignored += 1
            return ""
        if announcement.by_hand:
            return None
        if not self._rules.allow_downgrade:
            try:
                self._record.require_older_known(version)
            except UserError as error:
                return f"{announcement.title} refused: {error}"
            if version < max(under_way, default=0) and not self._record.knows(version):
                return f"{announcement.title} refused: a newer version is being loaded"
        if self._pinned:
            self._ignored, self._held = self._ignored + 1, announcement
            return ""
        return None

    def _load_now(self, bundle: Bundle, why: str) -> bool:
        self._record.require_same(bundle)
        try:
            self._ready(self._load(bundle, self._errands.closed, False), why)
        except EngineMissing as error:
            if self._rules.build == "never":
                raise
            self._tell(f"{bundle.title}: {error}; it will be", False)
            self._rebuild(bundle, error.backend)
            return False
        return True

    def _load_announced(self, announcement: Announcement) -> None:
        """Called by the thread of `Errands`."""
        try:
            self._load_one(announcement)
        except Cancelled:
            if not self._errands.take_up(announcement):
                self._tell(f"{announcement.title} given up: a newer announcement came", False)
        except UserError as error:
            self._give_up(announcement, str(error))
        except Exception as error:  # the loader must outlive a bundle that breaks in a new way
            self._give_up(announcement, repr(error))

    def _load_one(self, announcement: Announcement) -> None:
        bundle = self._open(announcement)
        may_build = self._rules.build == "at_once"
        if announcement.rebuild and not may_build:
            self._errands.wait_until(self._idle)
            may_build = True
        try:
            # Nothing serves until it does.
            superseded = self._errands.closed if announcement.again else self._errands.superseded
            self._ready(self._load(bundle, superseded, may_build), announcement.why)
        except EngineMissing as error:
            if self._rules.build != "when_idle":
                raise
            self._tell(f"{bundle.title} waits: {error}, which happens when nobody needs answers", False)
            self._rebuild(bundle, error.backend)

    def _open(self, announcement: Announcement) -> Bundle:
        bundle = open_bundle(self._locate(announcement), self._repository.trust)
        self._record.require_same(bundle)
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

    def _locate(self, announcement: Announcement) -> Path:
        if self._fetch is not None and is_remote(announcement.uri):
            return self._fetch(announcement, self._errands.superseded)
        return resolve_location(announcement.uri, self._repository.root)

    def _ready(self, proven: Proven, why: str) -> None:
        predictor, bundle = proven.predictor, proven.predictor.bundle
        # Before it can serve, so that it is never served without being remembered.
        self._record.accept(predictor, why)
        with self._lock:
            # Closed while a step of the loading could not be interrupted: nobody would free it later.
            unused: Predictor | None = predictor
            if not self._errands.closed():
                unused = self._lineup.offer(predictor)
                self._loads += 1
                self._waits = ""
        if unused is not None:
            unused.close()
        if unused is predictor:
            return
        self._tell(f"{bundle.title} is ready on {predictor.backend.name} {predictor.backend.precision}", False)
        self._make_room()
        if proven.waiting is not None and self._rules.build != "never":
            self._rebuild(bundle, proven.waiting)

    def _make_room(self) -> None:
        """Remove old versions, but none that is loaded, nor the last good one before: they may have to come back."""
        with self._lock:
            spared = self._lineup.versions()
        spared |= {self._record.before(max(spared, default=0))}
        try:
            removed = prune(self._repository, self._rules.name, self._rules.keep_versions, spared)
        except UserError as error:
            self._tell(str(error), True)
            return
        if removed:
            self._tell(f"removed old versions of {self._rules.name}: {', '.join(map(str, removed))}", False)

    def _rebuild(self, bundle: Bundle, backend: str) -> None:
        """Load a bundle once more when its engine can be built, unless there is something newer to load."""
        with self._lock:
            self._waits = backend
            if not self._errands.waiting:
                self._errands.want(self._announcement_of(bundle, rebuild=True))

    def _announcement_of(
        self, bundle: Bundle, by_hand: bool = False, rebuild: bool = False, again: bool = False
    ) -> Announcement:
        manifest = bundle.manifest
        return Announcement(manifest.name, bundle.uri, manifest.version, by_hand, rebuild, again)

    def _on_dismissed(self, failed: Predictor, why: str) -> None:
        """A model failed on frames; the same version may be announced again."""
        version = failed.bundle.manifest.version
        with self._lock:
            serves = self._lineup.shown
        # The same version may serve on another backend.
        if serves is None or serves.bundle.manifest.version != version:
            self._record.withdraw(version)
        self._refuse(version, f"{failed.bundle.title} on {failed.backend.name} refused: {why}")

    def _give_up(self, announcement: Announcement, why: str) -> None:
        if announcement.again:
            with self._lock:
                self._lost = self._last_error = f"{announcement.title} hung, and could not be loaded anew: {why}"
            return
        if not announcement.rebuild:
            self._refuse(announcement.version, f"{announcement.title} refused: {why}")
            return
        with self._lock:
            backend, self._waits = self._waits, ""
        self._refuse(announcement.version, f"{announcement.title} does not come to {backend}: {why}")

    def _refuse(self, version: int, line: str) -> None:
        with self._lock:
            self._refused += 1
            self._last_error = line
        self._record.refused(version, line)
        self._tell(line, True)
