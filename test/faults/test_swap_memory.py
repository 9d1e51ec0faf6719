"""What swaps add to the memory of a process, in which a server or a whole node swaps again and again."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import numpy as np
import psutil
import pytest
from matrix import Fault
from servers import Bench, version
from swapping import RATE, SWAPS, cut, film, regraph, renumbered, robot
from waiting import until

from perception_infer.predictor import Predictor
from perception_infer.serving import ModelServer

#: The weakness: what was loaded once is kept.
KEEPS_ALL = """
from perception_infer.predictor import Predictor
kept = []
def keep(self):
    kept.append(self)
Predictor.close = keep
"""


@dataclass
class Taken:
    """What a process holds."""

    kib: float
    files: int
    threads: int

    @classmethod
    def by(cls, pid: int) -> Taken:
        process = psutil.Process(pid)
        return cls(process.memory_info().rss / 1024, process.num_fds(), process.num_threads())


def grown(taken: list[Taken], files: int = 0, threads: int = 0) -> float:
    """How many KiB a swap adds, over the second half; neither open files nor threads may have grown by more."""
    begin = len(taken) // 2
    kib = [one.kib for one in taken[begin:]]
    if taken[-1].files - taken[begin].files > files or taken[-1].threads - taken[begin].threads > threads:
        return float("inf")
    return float(np.polyfit(range(len(kib)), kib, 1)[0])


def held(server: ModelServer, bench: Bench, count: int, change: Callable[[bytes], bytes] | None = None) -> list[Taken]:
    """What this process holds after each swap of a server, good or failing."""
    taken = []
    for _ in range(count):
        bundle = renumbered(bench.root / "rectangles")
        if change:
            regraph(bundle, change)
        number, refused = int(bundle.name), server.status().refused
        server.announce(bench.announcement(number))
        if change:
            until(lambda refused=refused: server.status().refused > refused)
        else:
            until(lambda number=number: version(server) == number)
        if change:
            shutil.rmtree(bundle)
        taken.append(Taken.by(psutil.Process().pid))
    return taken


@pytest.mark.long
@pytest.mark.fault(
    SWAPS,
    "memory of swaps",
    "20 good and 20 failing versions, one after another",
    "less than 1,000 KiB a swap, no open file and no thread more",
)
def test_memory(fault: Fault, bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.write()
    server = bench.serving(1)
    worst = max(grown(held(server, bench, 20)), grown(held(server, bench, 20, cut)))
    fault.observe("KiB a swap", worst, lambda slope: slope < 1000)
    kept: list[Predictor] = []

    def keep(predictor: Predictor) -> None:
        kept.append(predictor)

    with monkeypatch.context() as patch:
        patch.setattr(Predictor, "close", keep)
        fault.plant("a loader that keeps every model", grown(held(server, bench, 20), 1000, 1000))
    for predictor in kept:
        predictor.backend.close()


@pytest.mark.long
@pytest.mark.timeout(1800)
@pytest.mark.fault(
    SWAPS,
    "memory of many swaps",
    "1,000 good and 200 failing versions announced over DDS under a camera of 30 Hz, in the node's process",
    "less than 50 KiB a swap, at most 2 open files and threads more",
)
def test_memory_of_a_node(
    fault: Fault, world: Any, module_processes: Any, tmp_path_factory: pytest.TempPathFactory
) -> None:
    def slopes(name: str, weakness: str, good: int, failing: int, others: int) -> float:
        folder = tmp_path_factory.mktemp(name)
        with ExitStack() as stack:
            one = robot(world, module_processes, folder, weakness)
            film(stack, one, folder)
            one.wait(lambda: len(one.client.detections) > RATE)
            taken: list[list[Taken]] = [[], []]
            for _ in range(good):
                one.swap()
                taken[0].append(Taken.by(one.process.pid))
            for _ in range(failing):
                one.refused(cut)
                taken[1].append(Taken.by(one.process.pid))
        module_processes.stop(one.process)
        return max(grown(part, others, others) for part in taken if part)

    fault.observe("KiB a swap", slopes("holds", "", 1000, 200, 2), lambda slope: slope < 50)
    fault.plant("a node that keeps every model", slopes("keeps", KEEPS_ALL, 60, 0, 1000))
