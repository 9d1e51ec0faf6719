"""What a server remembers of its model: which versions were good, and what served when and why."""

from __future__ import annotations

import time
import weakref

from perception_common.errors import UserError

from ..history import Event, History, Kind
from ..models import Bundle
from ..predictor import Predictor

_FORGET = "perception-infer history --forget"


class Record:
    """One server's part of the history; may be used by any thread.

    Args:
        history: where it is kept.
        name: of the model.
        node: full name of the node, for people.

    Raises:
        UserError: the history cannot be read.
    """

    def __init__(self, history: History, name: str, node: str = "") -> None:
        self._history, self._name, self._node = history, name, node
        self._accepted = history.accepted(name)
        self._reasons: weakref.WeakKeyDictionary[Predictor, str] = weakref.WeakKeyDictionary()
        self._serves = False

    @property
    def newest(self) -> int:
        """The highest version that was ever accepted; 0 when none was."""
        return max(self._accepted, default=0)

    def before(self, version: int) -> int:
        """The highest accepted version below one; 0 when there is none."""
        return max((known for known in self._accepted if known < version), default=0)

    def knows(self, version: int) -> bool:
        """Whether a version was accepted."""
        return version in self._accepted

    def require_older_known(self, version: int) -> None:
        """Refuse a version below the newest accepted one that was never accepted itself.

        Raises:
            UserError: it is one.
        """
        if version < self.newest and not self.knows(version):
            raise UserError(
                f"older than the accepted v{self.newest}",
                fix=f"where it is meant, set allow_downgrade; where the trainer began again at 1, run `{_FORGET}"
                f" {self._name}` and start the node again",
            )

    def require_same(self, bundle: Bundle) -> None:
        """Refuse another bundle under the number of an accepted one.

        Raises:
            UserError: it is one.
        """
        known = self._accepted.get(bundle.manifest.version)
        if known is not None and known != bundle.sha256:
            raise UserError(
                f"{bundle.title} is not the {bundle.title} that was accepted here: its manifest has changed",
                where=bundle.directory,
                fix=f"export it as a new version; where the trainer began again, run `{_FORGET} {self._name}` and start"
                " the node again",
            )

    def accept(self, predictor: Predictor, why: str) -> None:
        """A model was proven good; ``why`` it was loaded is told when it serves."""
        bundle = predictor.bundle
        self._reasons[predictor] = why
        version = bundle.manifest.version
        if self._accepted.get(version) != bundle.sha256:
            self._history.accept(self._name, version, bundle.sha256)
            self._accepted[version] = bundle.sha256

    def withdraw(self, version: int) -> None:
        """An accepted version failed on frames: it has to prove itself anew."""
        if self._accepted.pop(version, None) is not None:
            self._history.withdraw(self._name, version)

    def serves(self, predictor: Predictor, why: str = "") -> None:
        """A model answers from now on; ``why`` is, unless given, what it was loaded for."""
        self._serves = True
        bundle, backend = predictor.bundle, predictor.backend
        self._add(
            "serves",
            bundle.manifest.version,
            why or self._reasons.get(predictor, ""),
            bundle.sha256,
            bundle.signer,
            f"{backend.name} {backend.precision}",
        )

    def refused(self, version: int, why: str) -> None:
        """A version was not taken."""
        self._add("refused", version, why)

    def ended(self) -> None:
        """Nothing serves any more."""
        if self._serves:
            self._add("ended", 0, "the node stopped serving")
        self._serves = False
        self._history.close()

    def _add(self, kind: Kind, version: int, why: str, sha256: str = "", signer: str = "", backend: str = "") -> None:
        now = time.time_ns()
        self._history.add(Event(now, self._node, self._name, version, kind, why, sha256, signer, backend))
