"""Child processes that are watched while they run and gone when the demo is."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Mapping, MutableMapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

import perception_common
from perception_common.ros import dds

from . import guard

_TAIL_LINES = 15
# A process group of its own keeps the terminal's Ctrl-C away from a child. A session of its own would too, but
# Linux schedules sessions as groups (autogroup), among which a trainer's nice value counts for nothing.
_OWN_GROUP: dict[str, Any] = {"process_group": 0} if sys.version_info >= (3, 11) else {"preexec_fn": os.setpgrp}


class ProcessDied(Exception):
    """A child ended that should not have; ``tail`` holds the last lines of its log."""

    def __init__(self, name: str, status: int, log: Path, tail: Sequence[str]) -> None:
        ended = f"was killed by {signal.Signals(-status).name}" if status < 0 else f"ended with exit status {status}"
        super().__init__(f"{name} {ended} [{log}]")
        self.name, self.status, self.log, self.tail = name, status, log, list(tail)


@dataclass(frozen=True)
class Child:
    """A started process and its log."""

    name: str
    process: subprocess.Popen[bytes]
    log: Path

    @property
    def running(self) -> bool:
        """Whether it has not ended."""
        return self.process.poll() is None

    def death(self) -> ProcessDied:
        """The error that tells how it ended."""
        return ProcessDied(self.name, self.process.returncode, self.log, tail(self.log))


class Processes:
    """Starts, watches and stops the demo's processes; a context manager that leaves none behind.

    Args:
        logs: directory of one log per process.
        environment: what every process gets; see `ros_environment`.
        patience: seconds between SIGINT, SIGTERM and SIGKILL when a process is stopped.
    """

    def __init__(self, logs: Path, environment: Mapping[str, str], patience: float = 8.0) -> None:
        self._logs, self._patience = logs, patience
        self._tag = uuid.uuid4().hex
        self._environment = {**environment, guard.VARIABLE: self._tag}
        self._children: dict[str, Child] = {}
        logs.mkdir(parents=True, exist_ok=True)
        # Without the site module: a guard that needs the environment it guards would be none.
        self._guard = subprocess.Popen(
            [sys.executable, "-I", "-S", guard.__file__, self._tag], stdin=subprocess.PIPE, start_new_session=True
        )

    def __enter__(self) -> Processes:
        """Nothing but itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop everything, at once when there was an error."""
        self.close(patience=self._patience if error is None else min(2.0, self._patience))

    def start(
        self, name: str, command: Sequence[str], nice: int = 0, environment: Mapping[str, str] | None = None
    ) -> Child:
        """Start ``python -m command…``, ``nice`` steps behind this process; output goes to ``logs/<name>.log``."""
        log = self._logs / f"{name}.log"
        with log.open("wb") as file:
            process = subprocess.Popen(
                [sys.executable, "-m", *command],
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                env={**self._environment, **(environment or {})},
                **_OWN_GROUP,
            )
        child = self._children[name] = Child(name, process, log)
        if nice:
            with suppress(ProcessLookupError):  # it ended already: `check` tells how
                os.setpriority(os.PRIO_PROCESS, process.pid, min(os.getpriority(os.PRIO_PROCESS, 0) + nice, 19))
        return child

    def check(self, finished: Sequence[str] = (), waited: Sequence[str] = ()) -> None:
        """Raise `ProcessDied` when a child has ended.

        Those in ``finished`` may, with exit status 0, and those in ``waited`` in any way: whoever waits judges.
        """
        for child in self._children.values():
            expected = child.name in waited or (child.name in finished and child.process.returncode == 0)
            if not child.running and not expected:
                raise child.death()

    def stop(self, name: str) -> None:
        """Ask one child to end with SIGINT, then SIGTERM, then SIGKILL to its whole group."""
        child = self._children.pop(name)
        self._end([child], self._patience)

    def close(self, patience: float | None = None) -> None:
        """Stop all children, the last started first, and whatever they started."""
        children = list(reversed(self._children.values()))
        try:
            self._end(children, self._patience if patience is None else patience)
        finally:
            self._children.clear()
            guard.sweep(self._tag)
            if self._guard.stdin is not None:
                self._guard.stdin.close()
            self._guard.wait()

    def _end(self, children: Sequence[Child], patience: float) -> None:
        try:
            for number in (signal.SIGINT, signal.SIGTERM):
                for child in children:
                    if child.running:
                        child.process.send_signal(number)
                end = time.monotonic() + patience
                while time.monotonic() < end and any(child.running for child in children):
                    time.sleep(0.02)
        finally:
            # Only while it is there: the number of a group that has ended may belong to somebody else.
            for child in children:
                if child.running:
                    with suppress(ProcessLookupError):
                        os.killpg(child.process.pid, signal.SIGKILL)
                child.process.wait()


def ros_environment(base: Mapping[str, str]) -> dict[str, str]:
    """``base`` with a ROS domain of our own on this host, our transport setting, and our packages importable."""
    environment: MutableMapping[str, str] = dict(base)
    environment["ROS_DOMAIN_ID"] = str(free_domain())
    if environment.get("ROS_DISTRO") == "humble":
        environment["ROS_LOCALHOST_ONLY"] = "1"
    else:
        environment.pop("ROS_LOCALHOST_ONLY", None)
        environment["ROS_AUTOMATIC_DISCOVERY_RANGE"] = "LOCALHOST"
    dds.enable(environment)
    root = str(Path(perception_common.__file__).resolve().parents[1])
    known = [path for path in environment.get("PYTHONPATH", "").split(os.pathsep) if path and path != root]
    environment["PYTHONPATH"] = os.pathsep.join([root, *known])
    environment["PYTHONUNBUFFERED"] = "1"
    environment["RCUTILS_LOGGING_USE_STDOUT"] = "1"
    return dict(environment)


def free_domain() -> int:
    """A ROS domain whose discovery port nobody on this host listens on."""
    domains = list(range(1, 102))
    start = os.getpid() % len(domains)
    for domain in domains[start:] + domains[:start]:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            try:
                # The well-known multicast discovery port of a domain (DDSI-RTPS 2.5, 9.6.2.3).
                probe.bind(("", 7400 + 250 * domain))
            except OSError:
                continue
        return domain
    raise RuntimeError("every ROS domain from 1 to 101 is in use on this host")


def tail(log: Path, lines: int = _TAIL_LINES) -> list[str]:
    """The last lines of a log that are not blank."""
    if not log.is_file():
        return []
    text = log.read_bytes()[-20_000:].decode(errors="replace")
    return [line.rstrip() for line in text.splitlines() if line.strip()][-lines:]
