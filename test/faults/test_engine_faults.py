"""Faults of engines, with NVIDIA's real builder: killed, hanging, interrupted, mistaken, damaged; none is trusted."""

from __future__ import annotations

import hashlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import psutil
import pytest
from engine_bundles import LIMITS, RTX, bundle, fp32, repository
from filelock import FileLock, Timeout
from matrix import Fault, zero
from servers import Bench, ask, version
from waiting import PATIENCE, until

from perception_infer.backends.select import Wish
from perception_infer.cancelling import Cancelled, never
from perception_infer.engines.build import BuildFailed, Limits
from perception_infer.engines.cache import EngineCache
from perception_infer.engines.key import Device, Key
from perception_infer.engines.source import EngineMissing, Engines
from perception_infer.loading import Proven, load_proven
from perception_infer.models import Bundle

pytest.importorskip("tensorrt_rtx", reason="tensorrt-rtx is not installed")
__all__ = ["bundle", "repository"]
ENGINES = "Engines"


@pytest.fixture(scope="module")
def engine(bundle: Bundle, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A real engine of the bundle."""
    return Engines(tmp_path_factory.mktemp("cache"), limits=LIMITS).get(RTX, bundle, fp32(bundle))


def engines_at(root: Path, limits: Limits = LIMITS, tell: Callable[[str], object] = lambda _: None) -> Engines:
    return Engines(root, limits=limits, tell=tell)


def found(engines: Engines, bundle: Bundle) -> int:
    """1 where there is an engine that would be loaded."""
    try:
        engines.get(RTX, bundle, fp32(bundle), may_build=False)
    except EngineMissing:
        return 0
    return 1


def builders(process: psutil.Process | None = None) -> list[psutil.Process]:
    """Processes below one (this one) that build engines."""
    below = (process or psutil.Process()).children(recursive=True)
    return [child for child in below if any("engines.worker" in word for word in _words(child))]


def _words(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return []


def locked(root: Path) -> int:
    """How many locks of a cache somebody still holds."""
    count = 0
    for path in root.glob("*.lock"):
        lock = FileLock(path)
        try:
            lock.acquire(timeout=0)
            lock.release()
        except Timeout:
            count += 1
    return count


@pytest.mark.fault(
    ENGINES,
    "the builder is killed",
    "SIGKILL to the builder's process in the middle of its work",
    "one line that names the signal; 0 engines, files and locks of it left; another try builds",
)
def test_a_killed_builder(fault: Fault, bundle: Bundle, tmp_path: Path) -> None:
    def kill(told: str) -> None:
        if told.startswith("Building engine"):
            for child in builders():
                child.kill()

    engines = engines_at(tmp_path / "cache", tell=kill)
    with pytest.raises(BuildFailed, match=r"builder ended with signal SIGKILL") as caught:
        engines.get(RTX, bundle, fp32(bundle))
    assert "\n" not in str(caught.value) and not builders()
    left = found(engines, bundle) + locked(engines.root)
    left += sum(not path.name.endswith(".lock") for path in engines.root.iterdir())
    fault.observe("left", left, zero)
    engines_at(engines.root).get(RTX, bundle, fp32(bundle))
    fault.plant("not killed", found(engines, bundle))


@pytest.mark.fault(
    ENGINES,
    "the builder hangs",
    "SIGSTOP to the builder's process, a limit of half a second",
    "given up within a second of the limit, 0 processes left",
)
def test_a_hanging_builder(fault: Fault, bundle: Bundle, tmp_path: Path) -> None:
    def seconds(limit: float) -> float:
        """How long a build that hangs lasts; three seconds are waited for the limit."""

        def hang() -> None:
            until(builders)
            builders()[0].suspend()

        began, stopper = time.monotonic(), threading.Thread(target=hang)
        stopper.start()
        engines = engines_at(tmp_path / str(limit), Limits(seconds=limit))
        with pytest.raises((BuildFailed, Cancelled)):
            engines.get(RTX, bundle, fp32(bundle), cancelled=lambda: time.monotonic() - began > 3)
        took = time.monotonic() - began
        stopper.join()
        assert not builders()
        return took

    fault.observe("seconds", seconds(0.5), lambda took: took <= 1.5)
    fault.plant("a limit of 100 s, given up by hand", seconds(100.0))


#: The node as it is, on a machine whose GPU it believes in: it builds, and does not come to load.
BELIEVES = """
from perception_infer.backends import select
select.require_gpu = lambda: None
"""
#: The weakness: nothing interrupts a build; before any library starts a thread.
HELD_BACK = """
import signal
signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
"""


class Building:
    """infer_node in the middle of a build that hangs."""

    def __init__(self, processes: Any, repository: Path, folder: Path, weakness: str = "") -> None:
        self.cache = folder / "cache"
        told = {"model_root": repository, "model": "rectangles", "require_signature": False, "state": folder}
        told |= {"backend": RTX, "engine_cache": self.cache}
        self.process: subprocess.Popen[bytes] = processes.node(
            "perception_infer.ros.infer_node", before=weakness + BELIEVES, namespace=folder.name, **told
        )
        self.node = psutil.Process(self.process.pid)

    def hang(self) -> None:
        until(lambda: builders(self.node))
        self.builders = builders(self.node)
        for builder in self.builders:
            builder.suspend()

    def ends(self) -> float:
        """Seconds from SIGINT to the end; four are waited."""
        began = time.monotonic()
        self.process.send_signal(signal.SIGINT)
        try:
            self.process.wait(4)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        took = time.monotonic() - began
        _, self.orphans = psutil.wait_procs(self.builders, timeout=1)
        for orphan in self.orphans:
            orphan.kill()
        return took


@pytest.mark.long
@pytest.mark.fault(
    ENGINES,
    "SIGINT to infer_node in the middle of a build",
    "to the real node, while its builder hangs",
    "it ends within 2 s with status 0; 0 orphans, 0 locks held",
)
def test_interrupted(fault: Fault, repository: Path, tmp_path: Path, processes: Any) -> None:
    pytest.importorskip("rclpy", reason="ROS 2 is not installed")
    folders = tmp_path / "sound_node", tmp_path / "deaf_node"
    nodes = [
        Building(processes, repository, folder, weakness)
        for folder, weakness in zip(folders, ("", HELD_BACK), strict=True)
    ]
    for node in nodes:
        node.hang()
    assert locked(nodes[0].cache) == 1
    took = nodes[0].ends()
    assert nodes[0].process.returncode == 0
    assert not nodes[0].orphans and not locked(nodes[0].cache)
    fault.observe("seconds", took, lambda seconds: seconds <= 2)
    fault.plant("SIGINT held back while it builds", nodes[1].ends())


@pytest.mark.long
@pytest.mark.fault(
    ENGINES,
    "a newer announcement while an engine is built",
    "version 3 announced while the engine of version 2 is built",
    "the build of 2 is given up; 0 engines of it, only 3 serves",
)
def test_superseded(fault: Fault, bench: Bench, tmp_path: Path) -> None:
    for score in (0.9, 0.8, 0.7):
        bench.write(score=score, meant_for=("onnxruntime", "tensorrt"))

    def superseded(root: Path, deaf: bool) -> int:
        engines = engines_at(root)

        def load(bundle: Bundle, cancelled: Callable[[], bool], may_build: bool) -> Proven:
            if bundle.manifest.version > 1:
                engines.get(RTX, bundle, fp32(bundle), may_build, never if deaf else cancelled)
            return load_proven(bundle, Wish("onnxruntime", threads=1, cancelled=cancelled))

        bench.loader = load  # type: ignore[assignment]
        server = bench.server()
        server.load_first(1)
        ask(server)
        server.announce(bench.announcement(2))
        until(lambda: bool(builders()))
        server.announce(bench.announcement(3))
        until(lambda: version(server) == 3)
        assert server.status().refused == 0 and not builders() and not locked(root)
        server.close()
        return len(EngineCache(root).entries()) - 1

    loader = bench.loader
    fault.observe("engines of it", superseded(tmp_path / "cache", False), zero)
    fault.plant("a builder that nobody tells", superseded(tmp_path / "deaf", True))
    bench.loader = loader


def kept(engines: Engines, key: Key, engine: bytes) -> Path:
    """The cache holds an engine under a key."""
    cache = EngineCache(engines.root)
    cache.store(key, "rectangles v1", engine, 1.0)
    return cache.root / f"{key.digest}.engine"


def forged(path: Path, key: Key) -> None:
    """The weakness: whoever can write the engine writes its description to match."""
    sidecar, data = path.with_suffix(".json"), path.read_bytes()
    told = json.loads(sidecar.read_text())
    told |= {"key": msgspec.to_builtins(key), "sha256": hashlib.sha256(data).hexdigest(), "size": len(data)}
    sidecar.write_text(json.dumps(told))


@pytest.mark.fault(
    ENGINES,
    "an engine of another machine",
    "GPU, capability, memory, driver, L4T or library differ in the key; as it lies, and renamed to the key wanted here",
    "0 loaded; built anew",
)
def test_other_keys(fault: Fault, bundle: Bundle, engine: bytes, tmp_path: Path) -> None:
    engines = engines_at(tmp_path / "cache")
    own = engines.key(RTX, bundle, fp32(bundle))
    devices: list[dict[str, Any]] = [
        {"name": "Orin"}, {"capability": "8.7"}, {"multiprocessors": 16}, {"memory_mib": 16384},
        {"driver": "540.4.0"}, {"l4t": "36.4.3"},
    ]  # fmt: skip
    others = [msgspec.structs.replace(own, device=msgspec.structs.replace(own.device, **change)) for change in devices]
    others += [msgspec.structs.replace(own, backend_version="1.0"), msgspec.structs.replace(own, precision="fp16")]
    count = 0
    for other in others:
        path = kept(engines, other, engine)
        count += found(engines, bundle)
        for suffix in (".engine", ".json"):
            shutil.copy(path.with_suffix(suffix), engines.root / f"{own.digest}{suffix}")
        count += found(engines, bundle)
    engines.get(RTX, bundle, fp32(bundle))
    assert engines.builds == 1
    fault.observe(f"loaded of {2 * len(others)}", count, zero)
    path = kept(engines, own, engine)
    shutil.copy(engines.root / f"{others[0].digest}.engine", path)
    forged(path, own)
    fault.plant("its description rewritten to match", found(engines, bundle))


@pytest.mark.fault(
    ENGINES,
    "damaged engine files",
    "20 cut short, 200 with one bit turned, at random places",
    "0 loaded, each told and removed",
)
def test_damaged_files(fault: Fault, bundle: Bundle, engine: bytes, tmp_path: Path) -> None:
    told: list[str] = []
    engines, places = engines_at(tmp_path / "cache", tell=told.append), random.Random(7)
    key = engines.key(RTX, bundle, fp32(bundle))
    count, path = 0, kept(engines, key, engine)
    sidecar = path.with_suffix(".json").read_bytes()

    def restored() -> None:
        path.write_bytes(engine)
        path.with_suffix(".json").write_bytes(sidecar)

    def flip() -> None:
        at = places.randrange(len(engine))
        with path.open("r+b") as file:
            file.seek(at)
            file.write(bytes([engine[at] ^ 1 << places.randrange(8)]))

    for number in range(220):
        restored()
        if number < 20:
            os.truncate(path, places.randrange(len(engine)))
        else:
            flip()
        count += found(engines, bundle)
        assert not path.exists()
    assert len(told) == 220
    fault.observe("loaded of 220", count, zero)
    restored()
    flip()
    forged(path, key)
    fault.plant("its description rewritten to match", found(engines, bundle))


#: The command as it is, and with the weakness: nobody is locked out.
COMMAND = """
import contextlib, sys
from perception_infer.engines.cache import EngineCache
from perception_infer.cli import main
if sys.argv.pop(1) == "unlocked":
    EngineCache.lock = lambda *_: contextlib.nullcontext()
raise SystemExit(main(sys.argv[1:]))
"""


@pytest.mark.long
@pytest.mark.fault(
    ENGINES,
    "two processes on one empty cache",
    "`perception-infer build-engine` twice at once",
    "one builds and the other waits: 1 build, 1 engine",
)
def test_two_processes(fault: Fault, repository: Path, tmp_path: Path) -> None:
    def builds(lock: str) -> int:
        words = ["build-engine", "--path", str(repository), "--engine-cache", str(tmp_path / lock)]
        command = [sys.executable, "-c", COMMAND, lock, *words, "--backend", RTX, "--json", "-"]
        both = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(2)]
        said = [process.communicate(timeout=PATIENCE) for process in both]
        assert [process.returncode for process in both] == [0, 0], said
        assert len(EngineCache(tmp_path / lock).entries()) == 1
        return sum(json.loads(out[out.index("{") :])["engines"][0]["result"] == "built" for out, _ in said)

    fault.observe("builds", builds("locked"), lambda count: count == 1)
    fault.plant("no lock", builds("unlocked"))


#: Holds a lock until it is killed: as the cache does, or with the weakness, a file that its holder has to remove.
HOLDER = """
import os, sys, time
from pathlib import Path
import msgspec
from perception_infer.engines.cache import EngineCache
from perception_infer.engines.key import Key
root, key = Path(sys.argv[1]), msgspec.json.decode(sys.argv[2], type=Key)
with EngineCache(root).lock(key):
    os.close(os.open(root / "file", os.O_CREAT | os.O_EXCL))
    print("held", flush=True)
    time.sleep(60)
    os.unlink(root / "file")
"""


@pytest.mark.fault(
    ENGINES,
    "who holds a lock is killed",
    "SIGKILL to a process that holds the lock of an engine, while another waits for it",
    "the other has it within a second",
)
def test_a_killed_holder(fault: Fault, tmp_path: Path) -> None:
    key = Key("a" * 64, RTX, "1.7", "fp32", {"optimization": 3}, Device())
    root = EngineCache(tmp_path / "cache").root
    told = msgspec.json.encode(key).decode()
    holder = subprocess.Popen([sys.executable, "-c", HOLDER, str(root), told], stdout=subprocess.PIPE, text=True)
    assert holder.stdout is not None and holder.stdout.readline() == "held\n"
    waits, had = threading.Event(), []

    def wait() -> None:
        with EngineCache(root, tell=lambda _: waits.set()).lock(key):
            had.append(time.monotonic())

    waiter = threading.Thread(target=wait)
    waiter.start()
    assert waits.wait(PATIENCE) and not had
    killed = time.monotonic()
    holder.kill()
    waiter.join(PATIENCE)
    fault.observe("seconds", had[0] - killed, lambda seconds: seconds <= 1)
    holder.communicate()
    # Waited for as long as it may take, twice over.
    while (root / "file").exists() and time.monotonic() - killed < 2:
        time.sleep(0.01)
    fault.plant("a lock that is a file which its holder removes", time.monotonic() - killed)
