"""Scenes made by the machines of a Ray cluster.

Every worker is a Ray actor with one CPU. Where it sees the output directory (a common disk, mounted at the same path),
it writes the pictures there; where it does not, it sends their bytes back and they are written here. So a cluster with
a common disk writes in parallel, and one without needs nothing. What the plan reads besides (a preset's folders of
images, meshes) has to be at the same path on every node. Ray is an optional dependency (the extra ``cluster``).
"""

from __future__ import annotations

import contextlib
import logging
import os
import secrets
import shutil
import socket
import sys
import tempfile
import textwrap
from collections import deque
from collections.abc import Generator, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from perception_common.errors import UserError
from perception_common.machine import cores
from perception_common.processes import search_path

from .dataset import software
from .journal import PROGRESS
from .pool import AHEAD, Queue
from .producer import Plan
from .ray_worker import SceneMaker
from .worker import plan_to_json, record_in

LOCAL = "local"
"""The address of a Ray that is started on this machine for one run."""
_LOCAL_STORE_BYTES = 128 << 20
_REPORT_AFTER_S = 30.0
_ANSWER_S = 10.0


def produce_on_ray(
    plan: Plan, scenes: Iterable[int], count: int, workers: int, address: str, folders: Sequence[str]
) -> Generator[bytes, None, None]:
    """The records of ``count`` scenes, as `perception_sim.generation.pool.produce` yields them, made on a Ray cluster.

    Args:
        plan: the dataset; its output directory and ``.progress`` in it are there.
        scenes: the scenes to make.
        count: how many they are.
        workers: how many workers; 0 is one for each CPU of the cluster.
        address: of the cluster (``host:6379``, ``auto``, ``ray://host:10001``), or ``local``.
        folders: the directories below the output that pictures go to.

    Raises:
        UserError: Ray is not installed, the cluster cannot be reached or runs other versions, or what
            `perception_sim.generation.pool.produce` says.

    """
    if count:
        with _mark(plan.output) as mark, _connected(address, workers) as ray:
            workers = min(workers or int(ray.cluster_resources().get("CPU", 0)) or 1, count)
            crew = _Crew(ray, {**plan_to_json(plan), "output": str(plan.output.resolve())}, mark, folders)
            try:
                yield from _together(ray, crew, Queue(scenes, count, plan.seed), workers, plan.output)
            finally:
                crew.dismiss()


class _Crew:
    """The workers, and for each the scenes it has in hand."""

    def __init__(self, ray: Any, plan: dict[str, Any], mark: str, folders: Sequence[str]) -> None:
        self._ray, self._arguments = ray, (plan, mark, folders, software())
        self._kind = ray.remote(num_cpus=1, max_restarts=0)(SceneMaker)
        self._hands: dict[Any, deque[tuple[Any, int]]] = {}

    def hire(self) -> Any:
        worker = self._kind.remote(*self._arguments)
        self._hands[worker] = deque()
        return worker

    def hand_out(self, worker: Any, scene: int | None) -> None:
        if scene is not None:
            self._hands[worker].append((worker.make.remote(scene), scene))

    def first(self, timeout: float | None) -> Any | None:
        """A worker whose oldest scene is ready (or who has ended), or None."""
        oldest = {hand[0][0]: worker for worker, hand in self._hands.items() if hand}
        ready, _ = self._ray.wait(list(oldest), num_returns=1, timeout=timeout)
        return oldest[ready[0]] if ready else None

    def oldest(self, worker: Any) -> Any:
        return self._hands[worker][0][0]

    def done(self, worker: Any) -> None:
        self._hands[worker].popleft()

    def bury(self, worker: Any) -> list[int]:
        """Forget a worker; the scenes it had in hand."""
        with contextlib.suppress(self._ray.exceptions.RayError):
            self._ray.kill(worker)
        return [scene for _, scene in self._hands.pop(worker)]

    def dismiss(self) -> None:
        """End all workers, also those that are in the middle of a scene."""
        with contextlib.suppress(self._ray.exceptions.RayError):
            self._ray.wait([worker.close.remote() for worker in self._hands], num_returns=len(self._hands), timeout=2.0)
        for worker in self._hands:
            with contextlib.suppress(self._ray.exceptions.RayError):
                self._ray.kill(worker)


def _together(ray: Any, crew: _Crew, queue: Queue, workers: int, output: Path) -> Iterator[bytes]:
    for _ in range(workers):
        _start(crew, queue)
    patience: float | None = _REPORT_AFTER_S
    while queue.left:
        worker = crew.first(patience)
        if worker is None:
            print("perception-sim: still waiting for the cluster to start a worker", file=sys.stderr, flush=True)
        patience = None
        if worker is None:
            continue
        try:
            answer, files = ray.get(crew.oldest(worker))
        except (ray.exceptions.RayActorError, ray.exceptions.OutOfMemoryError) as error:
            queue.back(crew.bury(worker), _how(error))
            _start(crew, queue)
            continue
        record = record_in(answer)
        _write(output, files)
        crew.done(worker)
        crew.hand_out(worker, queue.next())
        queue.left -= 1
        yield record


def _start(crew: _Crew, queue: Queue) -> None:
    worker = crew.hire()
    for _ in range(AHEAD):
        crew.hand_out(worker, queue.next())


def _write(output: Path, files: dict[str, bytes]) -> None:
    for name, content in files.items():
        try:
            (output / name).write_bytes(content)
        except OSError as error:
            raise UserError(
                f"cannot write: {error.strerror}", where=output / name, fix="make room and start again: it continues"
            ) from error


def _how(error: Exception) -> str:
    """How a worker ended, in one line: the end of what Ray tells in many."""
    told = [line.strip() for line in str(error).splitlines() if line.strip()] or [type(error).__name__]
    return "Ray says: " + textwrap.shorten(told[-1].rpartition("Worker exit detail: ")[2], 160, placeholder=" …")


@contextlib.contextmanager
def _connected(address: str, workers: int) -> Iterator[Any]:
    """Ray, connected to a cluster (or to a local one of our own, which ends with the block)."""
    # Both are read when Ray starts. Nothing is reported to Ray's makers, and graphics cards stay visible to EGL.
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    try:
        import ray
    except ImportError as error:
        raise UserError(
            f"Ray cannot be imported ({error})", where="--ray", fix="pip install 'perception_suite[cluster]'"
        ) from error
    _see_whether_it_answers(address)
    with contextlib.ExitStack() as stack:
        options = _local_options(stack, workers) if address == LOCAL else {}
        stack.callback(ray.shutdown)
        try:
            ray.init(address, log_to_driver=False, logging_level=logging.ERROR, **options)
        except Exception as error:  # of many kinds: ConnectionError, RuntimeError, ValueError, OSError, grpc's own
            raise _unreachable(address, error) from error
        yield ray


def _local_options(stack: contextlib.ExitStack, workers: int) -> dict[str, Any]:
    directory = tempfile.mkdtemp(prefix="ray-")
    stack.callback(shutil.rmtree, directory, ignore_errors=True)
    return {
        "num_cpus": workers or cores(),
        "include_dashboard": False,
        "object_store_memory": _LOCAL_STORE_BYTES,
        "runtime_env": {"env_vars": {"PYTHONPATH": search_path()}},
        "_temp_dir": directory,
    }


def _see_whether_it_answers(address: str) -> None:
    """Ray itself tries for minutes to reach a machine that is not there."""
    if address in (LOCAL, "auto"):
        return
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if not (host and port.isdecimal() and int(port) < 1 << 16):
        raise _unreachable(address, ValueError("this is no address"))
    try:
        socket.create_connection((host.strip("[]"), int(port)), _ANSWER_S).close()
    except OSError as error:
        raise _unreachable(address, error) from error


def _unreachable(address: str, error: Exception) -> UserError:
    told = next(iter(str(error).splitlines()), "") or type(error).__name__
    if address == LOCAL:
        fix = "see that there is room in memory and in the temporary directory (TMPDIR), whose path has to be short"
        return UserError(f"no Ray could be started: {told}", where="--ray local", fix=fix)
    fix = "say local, auto, HOST:PORT or ray://HOST:PORT, and see that the cluster is up"
    return UserError(f"no Ray could be reached: {told}", where=f"--ray {address}", fix=fix)


@contextlib.contextmanager
def _mark(output: Path) -> Iterator[str]:
    """A file in the output directory, by which a worker knows whether it sees the same directory; its name there."""
    name = f"{PROGRESS}/ray_{secrets.token_hex(16)}"
    (output / name).touch()
    try:
        yield name
    finally:
        (output / name).unlink(missing_ok=True)
