"""Scenes made by several processes at once."""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import subprocess
import sys
from collections.abc import Generator, Iterator, Sequence
from pathlib import Path
from typing import IO, Any

from perception_common.errors import UserError

from .producer import Plan, Producer
from .worker import plan_to_json

_AHEAD = 2
"""Scenes handed to a worker at a time: one being made and one waiting, so that it never idles."""


def produce(plan: Plan, scenes: Sequence[int], workers: int) -> Generator[dict[str, Any], None, None]:
    """The records of ``scenes`` in the order in which they are finished.

    Closing the iterator (or an error, or Ctrl-C) ends every worker before it returns.
    """
    workers = min(workers, len(scenes))
    if workers <= 1:
        yield from _alone(plan, scenes)
        return
    processes = [_start(plan) for _ in range(workers)]
    try:
        yield from _together(processes, iter(scenes), len(scenes))
    finally:
        _stop(processes)


def _alone(plan: Plan, scenes: Sequence[int]) -> Generator[dict[str, Any], None, None]:
    if not scenes:
        return
    producer = Producer(plan)
    try:
        for scene in scenes:
            yield producer.make(scene)
    finally:
        producer.close()


def _start(plan: Plan) -> subprocess.Popen[bytes]:
    environment = dict(os.environ)
    # The worker must find this very package, also when it is imported from a source tree.
    root = str(Path(__file__).resolve().parents[1])
    environment["PYTHONPATH"] = os.pathsep.join(filter(None, [root, environment.get("PYTHONPATH")]))
    command = [sys.executable, "-m", "perception_sim.worker"]
    # Our own module in our own interpreter. In a session of its own, Ctrl-C does not reach it: we end it.
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment, start_new_session=True
    )
    _send(process, plan_to_json(plan))
    return process


def _together(
    processes: Sequence[subprocess.Popen[bytes]], waiting: Iterator[int], count: int
) -> Generator[dict[str, Any], None, None]:
    unread = {process.pid: b"" for process in processes}
    with selectors.DefaultSelector() as selector:
        for process in processes:
            selector.register(_pipe(process.stdout), selectors.EVENT_READ, process)
            for _ in range(_AHEAD):
                _send_next(process, waiting)
        while count:
            for key, _ in selector.select():
                process = key.data
                block = os.read(key.fd, 1 << 16)
                if not block:
                    raise RuntimeError(f"a worker ended unexpectedly with status {process.wait()}")
                *lines, unread[process.pid] = (unread[process.pid] + block).split(b"\n")
                for line in lines:
                    record = _record(line)
                    _send_next(process, waiting)
                    count -= 1
                    yield record


def _record(line: bytes) -> dict[str, Any]:
    answer = json.loads(line)
    if "user_error" in answer:
        told = answer["user_error"]
        raise UserError(told["what"], where=told["where"], fix=told["fix"])
    if "failure" in answer:
        raise RuntimeError(f"a worker failed:\n{answer['failure']}")
    record: dict[str, Any] = answer["record"]
    return record


def _send_next(process: subprocess.Popen[bytes], waiting: Iterator[int]) -> None:
    scene = next(waiting, None)
    if scene is not None:
        _send(process, scene)


def _send(process: subprocess.Popen[bytes], value: Any) -> None:
    pipe = _pipe(process.stdin)
    try:
        pipe.write(json.dumps(value).encode() + b"\n")
        pipe.flush()
    except BrokenPipeError:
        # The worker has gone; its last words, or their absence, are read from its output.
        return


def _stop(processes: Sequence[subprocess.Popen[bytes]]) -> None:
    for process in processes:
        process.terminate()
    for process in processes:
        try:
            process.wait(timeout=5.0)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        _pipe(process.stdout).close()
        # Unsent input for a worker that is gone cannot be flushed any more.
        with contextlib.suppress(BrokenPipeError):
            _pipe(process.stdin).close()


def _pipe(pipe: IO[bytes] | None) -> IO[bytes]:
    """The worker's end of a pipe, which is always there because we asked for it."""
    if pipe is None:
        raise RuntimeError("a worker was started without pipes")
    return pipe
