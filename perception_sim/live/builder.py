"""Live scenes built ahead in a process of their own.

So building takes no time from rendering (in a thread it would hold Python's lock), and can be given up at any moment.
The process runs `building`, which the package does not import: Python warns of a program that is there already.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import subprocess
import sys
import threading
from collections import Counter
from concurrent.futures import Future
from typing import IO, Any

from perception_common.errors import UserError
from perception_common.processes import search_path

from .scenes import Episode, Setup


class Builder:
    """Builds the scenes of a setup, one after the other; close it.

    A process that ends unexpectedly is replaced, and its scenes are built again, but each of them only once.
    """

    def __init__(self, setup: Setup) -> None:
        self._setup = setup
        self._lock = threading.Lock()
        self._futures: dict[int, Future[Episode]] = {}
        self._ended: Counter[int] = Counter()
        self._closed = False
        self._process = self._start()
        self._reader = threading.Thread(target=self._read, name="next-scene", daemon=True)
        self._reader.start()

    def order(self, scene: int) -> Future[Episode]:
        """The scene of that number, now or later; it is built once, and kept until `forget`.

        Its exception is a `UserError` when scenes cannot be built for a reason that a user can mend.
        """
        with self._lock:
            if scene not in self._futures:
                self._futures[scene] = Future()
                _send(self._process, scene)
            return self._futures[scene]

    def forget(self, keep: set[int]) -> None:
        """Drop all finished scenes but those."""
        with self._lock:
            self._futures = {n: future for n, future in self._futures.items() if n in keep or not future.done()}

    def close(self) -> None:
        """End the process, whatever it is doing."""
        with self._lock:
            self._closed = True
            self._process.kill()
        self._reader.join()
        _end(self._process)

    def _start(self) -> subprocess.Popen[bytes]:
        environment = {**os.environ, "PYTHONPATH": search_path()}
        # In a session of its own, Ctrl-C does not reach it: we end it.
        process = subprocess.Popen(
            [sys.executable, "-m", "perception_sim.live.building"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment, start_new_session=True,
        )  # fmt: skip
        _send(process, self._setup)
        return process

    def _read(self) -> None:
        while True:
            try:
                scene, answer = pickle.load(_pipe(self._process.stdout))  # noqa: S301 - what our own process wrote
            except Exception:  # the answer ends early, or cannot be read for any other reason
                if not self._replace():
                    return
                continue
            with self._lock:
                future = self._futures[scene]
            if isinstance(answer, BaseException):
                future.set_exception(answer)
            else:
                future.set_result(answer)

    def _replace(self) -> bool:
        """A new process in place of one that ended; False when there is to be none."""
        with self._lock:
            if self._closed:
                return False
            status = _end(self._process)
            waiting = [n for n, future in self._futures.items() if not future.done()]
            for scene in waiting[:1]:
                self._ended[scene] += 1
                if self._ended[scene] > 1:
                    failed = self._futures[scene]
                    failed.set_exception(_given_up(self._setup, scene, status))
                    return False
            self._process = self._start()
            for scene in waiting:
                _send(self._process, scene)
            return True


def _given_up(setup: Setup, scene: int, status: int) -> UserError:
    return UserError(
        f"scene {scene} of preset '{setup.preset.name}', seed {setup.seed}, ended two processes (status {status})",
        fix="if memory ran short, take smaller pictures or fewer objects; else report it with preset, scene and seed",
    )


def _send(process: subprocess.Popen[bytes], value: Any) -> None:
    # A process that has gone is noticed by the end of its output.
    with contextlib.suppress(BrokenPipeError):
        pickle.dump(value, _pipe(process.stdin), pickle.HIGHEST_PROTOCOL)
        _pipe(process.stdin).flush()


def _end(process: subprocess.Popen[bytes]) -> int:
    """The exit status of a process that is not needed any more."""
    process.kill()
    status = process.wait()
    for pipe in (process.stdin, process.stdout):
        # Unsent orders cannot be flushed any more.
        with contextlib.suppress(BrokenPipeError):
            _pipe(pipe).close()
    return status


def _pipe(pipe: IO[bytes] | None) -> IO[bytes]:
    """The process's end of a pipe, which is always there because we asked for it."""
    if pipe is None:
        raise RuntimeError("the process was started without pipes")
    return pipe
