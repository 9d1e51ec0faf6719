"""Scenes made by several processes at once."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import selectors
import signal
import subprocess
import sys
from collections import Counter, deque
from collections.abc import Generator, Iterable, Iterator
from typing import IO, Any

from perception_common.errors import UserError
from perception_common.machine import cores
from perception_common.processes import search_path

from .producer import Plan, Producer
from .worker import plan_to_json, record_in, record_of

AHEAD = 2
"""Scenes handed to a worker at a time: one being made and one waiting, so that it never idles."""
_PATIENCE_S = 5.0
"""How long a worker may take to end."""


class Queue:
    """Scenes waiting to be made, and what became of workers that ended while they made one."""

    def __init__(self, scenes: Iterable[int], count: int, seed: int) -> None:
        self._scenes, self._seed = iter(scenes), seed
        self._again: deque[int] = deque()
        self._ended: Counter[int] = Counter()
        self.left = count
        """How many scenes have not come back."""

    def next(self) -> int | None:
        """The next scene to hand out, or None."""
        return self._again.popleft() if self._again else next(self._scenes, None)

    def back(self, handed: Iterable[int], how: str) -> None:
        """A worker ended with these scenes in hand, the first of them in work: they are made again.

        Raises:
            UserError: the scene in work has ended a worker before.

        """
        scenes = list(handed)
        self._ended[scenes[0]] += 1
        if self._ended[scenes[0]] > 1:
            raise UserError(
                f"scene {scenes[0]} of seed {self._seed} ended two workers, the second {how}",
                fix="if memory ran short, take fewer --workers; else report it with preset, scene and seed",
            )
        print(
            f"perception-sim: a worker ended ({how}) while it made scene {scenes[0]}: a new one makes it again",
            file=sys.stderr,
            flush=True,
        )
        self._again.extend(scenes)


def produce(plan: Plan, scenes: Iterable[int], count: int, workers: int = 0) -> Generator[bytes, None, None]:
    """The records of ``count`` scenes, as lines of JSON, in the order in which they are finished.

    ``workers`` is how many processes; 0 is one per core. A worker that ends unexpectedly is replaced, and its scenes
    are made again. Closing the iterator (or an error, or Ctrl-C) ends every worker before it returns.

    Raises:
        UserError: a scene cannot be made for a reason that a user can mend, or has ended two workers.

    """
    workers = min(workers or cores(), count)
    if workers <= 1:
        yield from _alone(plan, scenes)
        return
    crew: list[_Worker] = []
    try:
        yield from _together(plan, Queue(scenes, count, plan.seed), crew, workers)
    finally:
        _stop(crew)


def _alone(plan: Plan, scenes: Iterable[int]) -> Generator[bytes, None, None]:
    producer: Producer | None = None
    try:
        for scene in scenes:
            producer = producer or Producer(plan)
            yield record_of(producer, plan.output, scene)
    finally:
        if producer is not None:
            producer.close()


@dataclasses.dataclass(eq=False)
class _Worker:
    """A process, the scenes it has in hand (the first in work), and the beginning of its next answer."""

    process: subprocess.Popen[bytes]
    scenes: deque[int] = dataclasses.field(default_factory=deque)
    unread: bytes = b""


def _together(plan: Plan, queue: Queue, crew: list[_Worker], workers: int) -> Iterator[bytes]:
    with selectors.DefaultSelector() as selector:
        for _ in range(workers):
            _hire(plan, queue, crew, selector)
        while queue.left:
            for key, _ in selector.select():
                worker: _Worker = key.data
                block = os.read(key.fd, 1 << 16)
                if not block:
                    selector.unregister(key.fd)
                    _bury(worker, crew)
                    if worker.scenes:
                        queue.back(worker.scenes, _how(worker.process.returncode))
                        _hire(plan, queue, crew, selector)
                    continue
                *lines, worker.unread = (worker.unread + block).split(b"\n")
                for line in lines:
                    record = record_in(line)
                    worker.scenes.popleft()
                    _hand_out(worker, queue)
                    queue.left -= 1
                    yield record


def _hire(plan: Plan, queue: Queue, crew: list[_Worker], selector: selectors.BaseSelector) -> None:
    worker = _Worker(_start(plan))
    crew.append(worker)
    selector.register(_pipe(worker.process.stdout), selectors.EVENT_READ, worker)
    for _ in range(AHEAD):
        _hand_out(worker, queue)


def _start(plan: Plan) -> subprocess.Popen[bytes]:
    environment = {**os.environ, "PYTHONPATH": search_path()}
    command = [sys.executable, "-m", "perception_sim.generation.worker"]
    # Our own module in our own interpreter. In a session of its own, Ctrl-C does not reach it: we end it.
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment, start_new_session=True
    )
    _send(process, plan_to_json(plan))
    return process


def _hand_out(worker: _Worker, queue: Queue) -> None:
    scene = queue.next()
    if scene is not None:
        worker.scenes.append(scene)
        _send(worker.process, scene)


def _send(process: subprocess.Popen[bytes], value: Any) -> None:
    pipe = _pipe(process.stdin)
    # A worker that has gone is noticed by the end of its output.
    with contextlib.suppress(BrokenPipeError):
        pipe.write(json.dumps(value).encode() + b"\n")
        pipe.flush()


def _bury(worker: _Worker, crew: list[_Worker]) -> None:
    """Take a worker whose output has ended out of the crew; its status is known then."""
    with contextlib.suppress(subprocess.TimeoutExpired):
        worker.process.wait(timeout=_PATIENCE_S)
    _stop([worker])
    crew.remove(worker)


def _how(status: int) -> str:
    """How a process ended, in words."""
    if status == -signal.SIGKILL:
        return "killed, as the system does when memory runs out"
    if status < 0:
        return f"by signal {signal.Signals(-status).name}"
    return f"with status {status}"


def _stop(crew: Iterable[_Worker]) -> None:
    for worker in crew:
        worker.process.terminate()
    for worker in crew:
        process = worker.process
        try:
            process.wait(timeout=_PATIENCE_S)
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
