"""What a robot accepted, served and refused: one SQLite file, kept over restarts and power cuts.

Two things live in it. *Accepted versions* of a model, by the SHA-256 of their manifests, protect against replay: what
is older than the newest of them and was never accepted here is refused, also after a restart. *Events* tell what served
when, and what was refused and why. Both are kept per model repository and name: another repository starts anew.
"""

from __future__ import annotations

import contextlib
import os
import queue
import sqlite3
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from perception_common.errors import UserError

Kind = Literal["serves", "refused", "ended"]
FILE_NAME = "history.sqlite"
_SCHEMA = """
CREATE TABLE IF NOT EXISTS accepted (
    repository TEXT NOT NULL, name TEXT NOT NULL, version INTEGER NOT NULL, sha256 TEXT NOT NULL,
    at_ns INTEGER NOT NULL,
    PRIMARY KEY (repository, name, version)
);
CREATE TABLE IF NOT EXISTS events (
    number INTEGER PRIMARY KEY, at_ns INTEGER NOT NULL, node TEXT NOT NULL, repository TEXT NOT NULL,
    name TEXT NOT NULL, version INTEGER NOT NULL, sha256 TEXT NOT NULL, signer TEXT NOT NULL, backend TEXT NOT NULL,
    kind TEXT NOT NULL, why TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS by_time ON events (name, at_ns);
PRAGMA user_version = 1;
"""
_VERSION = 1
_EVENTS = """
SELECT at_ns, node, name, version, kind, why, sha256, signer, backend FROM events
WHERE (? = '' OR repository = ?) AND (? = '' OR name = ?) AND at_ns BETWEEN ? AND ?
ORDER BY at_ns DESC, number DESC LIMIT ?
"""
_SERVING = """
SELECT at_ns, node, name, version, kind, why, sha256, signer, backend FROM events
WHERE number IN (
    SELECT MAX(number) FROM events
    WHERE (? = '' OR repository = ?) AND (? = '' OR name = ?) AND at_ns <= ? AND kind IN ('serves', 'ended')
    GROUP BY node, name, repository
) AND kind = 'serves'
ORDER BY node, name
"""
_BUSY_SECONDS = 5.0
#: Whoever announces nonsense again and again must not fill the disk: of refusals, the newest are kept.
KEPT_REFUSALS = 10_000
#: Refusals that wait for a slow disk, or a full one; of more, nothing is written.
_MOST_WAITING = 1_000
_MAX_WHY = 2_000
_RETRY_SECONDS = 2.0


@dataclass(frozen=True)
class Event:
    """Something that happened to a model on a node.

    Attributes:
        at_ns: nanoseconds since 1970, by this machine's clock.
        node: full name of the node.
        kind: ``serves`` from now on, was ``refused``, or has ``ended`` with its node.
        sha256: of the manifest; empty where it was not read.
        signer: name of the trusted key; empty for none.
        backend: and precision, for what serves.
        why: one line.
    """

    at_ns: int
    node: str
    name: str
    version: int
    kind: Kind
    why: str
    sha256: str = ""
    signer: str = ""
    backend: str = ""


def history_file(state: str = "") -> Path:
    """The file in the folder of the parameter ``state``; empty: in ``$XDG_STATE_HOME/perception_suite``."""
    if state:
        return Path(state).expanduser() / FILE_NAME
    base = os.environ.get("XDG_STATE_HOME")
    return (Path(base) if base else Path.home() / ".local" / "state") / "perception_suite" / FILE_NAME


class History:
    """The history of a model repository, for any number of processes at once.

    Args:
        file: made when it is not there; None keeps everything in memory.
        repository: model repository whose history this is; None for those of all, which can be looked at only.
        tell: called with one line when the file turns out to be damaged, or cannot be written.

    Raises:
        UserError: the file cannot be opened, or was written by a later version of the suite.
    """

    def __init__(self, file: Path | None, repository: Path | None, tell: Callable[[str], object]) -> None:
        self._repository, self._tell = str(repository.absolute()) if repository is not None else "", tell
        self._lock = threading.Lock()
        self._database = _opened(file, tell)
        self._events: queue.SimpleQueue[Event | None] = queue.SimpleQueue()
        self._writer = threading.Thread(target=self._write, name="history", daemon=True)
        self._writer.start()

    def accepted(self, name: str) -> dict[int, str]:
        """The SHA-256 of the manifest of every version of a model that was accepted here."""
        with self._transaction() as database:
            rows = database.execute(
                "SELECT version, sha256 FROM accepted WHERE repository = ? AND name = ?", (self._repository, name)
            )
            return dict(rows.fetchall())

    def accept(self, name: str, version: int, sha256: str) -> None:
        """Take note, durably, that a version was found good."""
        with self._transaction() as database:
            database.execute(
                "INSERT OR REPLACE INTO accepted VALUES (?, ?, ?, ?, ?)",
                (self._repository, name, version, sha256, time.time_ns()),
            )

    def withdraw(self, name: str, version: int) -> None:
        """Forget that a version was accepted: it failed on frames."""
        with self._transaction() as database:
            database.execute(
                "DELETE FROM accepted WHERE repository = ? AND name = ? AND version = ?",
                (self._repository, name, version),
            )

    def forget(self, name: str) -> int:
        """Forget all accepted versions of a model, for a trainer that begins again at 1; how many there were."""
        with self._transaction() as database:
            return database.execute(
                "DELETE FROM accepted WHERE repository = ? AND name = ?", (self._repository, name)
            ).rowcount

    def add(self, event: Event) -> None:
        """Write an event soon, in a thread of its own: frames do not wait for the disk.

        Refusals that come faster than they can be written are left out.
        """
        if event.kind != "refused" or self._events.qsize() < _MOST_WAITING:
            self._events.put(replace(event, why=event.why[:_MAX_WHY]))

    def events(self, name: str = "", since_ns: int = 0, until_ns: int = 1 << 62, limit: int = 1000) -> list[Event]:
        """Events of a model, or of all, oldest first; of more than ``limit`` the newest."""
        with self._transaction() as database:
            rows = database.execute(
                _EVENTS, (self._repository, self._repository, name, name, since_ns, until_ns, limit)
            ).fetchall()
        return [Event(*row) for row in reversed(rows)]

    def serving(self, at_ns: int, name: str = "") -> list[Event]:
        """What each node served at a time: its last event until then, unless it had ended."""
        with self._transaction() as database:
            rows = database.execute(_SERVING, (self._repository, self._repository, name, name, at_ns)).fetchall()
        return [Event(*row) for row in rows]

    def close(self, timeout: float = 1.0) -> None:
        """Write what waits, and close the file."""
        self._events.put(None)
        self._writer.join(timeout)
        if not self._writer.is_alive():
            self._database.close()

    def _write(self) -> None:
        """Write what comes; what cannot be written waits for room, and is tried again now and then."""
        waiting: deque[Event] = deque()
        told = closing = False
        while not closing:
            with contextlib.suppress(queue.Empty):
                event = self._events.get(timeout=_RETRY_SECONDS if waiting else None)
                closing = event is None
                if event is not None and (event.kind != "refused" or len(waiting) < _MOST_WAITING):
                    waiting.append(event)
            try:
                while waiting:
                    self._insert(waiting[0])
                    waiting.popleft()
            except UserError as error:
                # Once, until it works again.
                if not told:
                    self._tell(str(error))
                told = True
                continue
            if told:
                self._tell("the history can be written again; what happened meanwhile is in it")
            told = False

    def _insert(self, event: Event) -> None:
        with self._transaction() as database:
            database.execute(
                "INSERT INTO events (at_ns, node, repository, name, version, sha256, signer, backend, kind, why)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    event.at_ns,
                    event.node,
                    self._repository,
                    event.name,
                    event.version,
                    event.sha256,
                    event.signer,
                    event.backend,
                    event.kind,
                    event.why,
                ),
            )
            if event.kind == "refused":
                database.execute(
                    "DELETE FROM events WHERE kind = 'refused' AND number <= (SELECT number FROM events WHERE"
                    " kind = 'refused' ORDER BY number DESC LIMIT 1 OFFSET ?)",
                    (KEPT_REFUSALS,),
                )

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        try:
            with self._lock, self._database:
                yield self._database
        except sqlite3.Error as error:
            raise UserError(
                f"the history cannot be read or written: {error}",
                where=self._repository,
                fix="see that the folder of the parameter 'state' is writable and has room",
            ) from error


def _opened(file: Path | None, tell: Callable[[str], object]) -> sqlite3.Connection:
    if file is None:
        return _connected(":memory:")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        return _connected(str(file))
    except sqlite3.DatabaseError as error:
        # OperationalError is what the system refuses; everything else, that this is no database, or a broken one.
        if isinstance(error, sqlite3.OperationalError):
            raise _refused(file, str(error)) from error
        aside = file.with_name(f"{file.name}.damaged-{time.time_ns()}")
        file.replace(aside)
        tell(f"the history {file} is damaged ({error}); it was moved to {aside.name}, and a new one begins")
        return _connected(str(file))
    except OSError as error:
        raise _refused(file, error.strerror or str(error)) from error


def _connected(file: str) -> sqlite3.Connection:
    database = sqlite3.connect(file, timeout=_BUSY_SECONDS, check_same_thread=False)
    try:
        database.execute("PRAGMA synchronous = FULL")
        problem = database.execute("PRAGMA quick_check(1)").fetchone()[0]
        if problem != "ok":
            raise sqlite3.DatabaseError(problem)
        written = database.execute("PRAGMA user_version").fetchone()[0]
        if written > _VERSION:
            raise UserError(
                f"the history has version {written}, and this suite knows {_VERSION}",
                where=file,
                fix="use the newer version of the suite, or another folder for the parameter 'state'",
            )
        if written < _VERSION:
            database.executescript(_SCHEMA)
    except BaseException:
        database.close()
        raise
    return database


def _refused(file: Path, problem: str) -> UserError:
    return UserError(
        f"the history cannot be opened: {problem}",
        where=file,
        fix="set the parameter 'state' to a folder that is writable and has room",
    )
