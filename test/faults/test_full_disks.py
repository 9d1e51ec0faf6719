"""Disks of a robot that are full: the model that serves goes on, nothing is half-written, and with room all works."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import time
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest
from bundles import scene, write_detector
from matrix import Fault, zero
from own_mounts import Disk, require_own_mounts, with_disk
from served import FakeServer, reply
from waiting import until

pytest.importorskip("rclpy", reason="ROS 2 is not installed")

from infer_client import NODE, RECTANGLES, World

from perception_common.errors import UserError
from perception_infer.history import FILE_NAME, Event, History
from perception_infer.models import open_bundle

DISKS = "Full disks of a robot"
PICTURE = scene((320, 240), RECTANGLES)
ROOM = "has room"


class Robot:
    """infer_node with a small disk of its own."""

    def __init__(
        self, world: World, processes: Any, place: Path, kib: int, told: dict[str, Any], before: str = ""
    ) -> None:
        place.mkdir()
        name = place.parent.name
        self.client, self._processes = world.client(f"/{name}"), processes
        told = {"model": "rectangles", "require_signature": False} | told
        command = with_disk(place, kib, processes.node_command(NODE, before=before, namespace=name, **told))
        self.process: subprocess.Popen[bytes] = processes.start(command, name="robot")
        until(lambda: "infer_node" in self.log())
        self.disk = Disk(self.process.pid, place)

    def log(self) -> str:
        return str(self._processes.log(self.process))

    def errors(self, word: str) -> list[str]:
        """Lines of the log that are errors and hold a word."""
        return [line for line in self.log().splitlines() if line.startswith("[ERROR]") and word in line]

    def says(self, word: str, times: int = 1) -> None:
        until(lambda: self.log().count(word) >= times, lambda: self.log()[-3000:])

    def serves(self, version: int) -> None:
        """Wait until it answers, and with this version."""
        until(lambda: self._version() == version, lambda: self.log()[-3000:])

    def _version(self) -> int:
        assert self.process.poll() is None
        assert len(self.client.answer(PICTURE).detections) == len(RECTANGLES)
        return int(self.client.statuses[-1].message.database_version) if self.client.statuses else 0


#: The weakness: what could not be written is forgotten.
FORGETS = """
from perception_infer import history
def forget(self, event, insert=history.History._insert):
    try:
        insert(self, event)
    except Exception:
        pass
history.History._insert = forget
"""


def events(disk: Disk, copy: Path, patience: float) -> list[Event]:
    """What the history on a disk holds, once it holds two refusals; waited for so long."""
    limit = time.monotonic() + patience
    while True:
        # SQLite follows the link to the other mounts by its text, and ends up among ours.
        shutil.copy(disk.root / FILE_NAME, copy)
        history = History(copy, None, print)
        found = history.events()
        history.close()
        if sum(event.kind == "refused" for event in found) >= 2 or time.monotonic() > limit:
            return found
        time.sleep(0.2)


@pytest.mark.long
@pytest.mark.timeout(400)
@pytest.mark.fault(
    DISKS,
    "no room for the history",
    "the folder `state` on a disk of 512 KiB, filled to the last byte; a version announced twice, and again with room",
    "refused, for what serves must be remembered; one error about the history, which names the parameter; the old model"
    " serves; with room the version serves, and 0 events are missing",
)
def test_no_room_for_the_history(fault: Fault, world: World, processes: Any, tmp_path: Path) -> None:
    require_own_mounts()

    def missing(name: str, before: str, patience: float) -> int:
        folder = tmp_path / name
        folder.mkdir()
        write_detector(folder / "models")
        place = folder / "state"
        robot = Robot(world, processes, place, 512, {"model_root": folder / "models", "state": place}, before)
        robot.serves(1)
        robot.disk.fill()
        latest = write_detector(folder / "models")
        for number in (1, 2):
            robot.client.announce(latest)
            robot.says("v2 refused: the history cannot be read or written: database or disk is full", number)
            robot.serves(1)
        assert all(ROOM in line and "'state'" in line for line in robot.errors("refused"))
        if not before:
            robot.says("is writable and has room", 3)
            # Beside the two refusals themselves.
            assert len([line for line in robot.errors("history") if "refused" not in line]) == 1
        robot.disk.make_room()
        found = events(robot.disk, folder / "copy", patience)
        robot.client.announce(latest)
        robot.serves(2)
        return 2 - sum(event.kind == "refused" for event in found)

    fault.observe("events that are missing", missing("sound", "", 30.0), zero)
    fault.plant("what could not be written is forgotten", missing("weak", FORGETS, 5.0))


def unverified(models: Path, copy: Path) -> int:
    """Bundles among the models that do not open; what is in quarantine is not among them."""
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(models / "rectangles", copy / "rectangles")
    count = 0
    for directory in copy.glob("rectangles/*"):
        try:
            open_bundle(directory)
        except UserError:
            count += 1
    return count


@pytest.mark.long
@pytest.mark.timeout(400)
@pytest.mark.fault(
    DISKS,
    "no room for a fetched bundle",
    "`model_root` on a disk of 4 MiB that is full before a version is fetched, and one that fills while it is fetched",
    "refused in one line that asks for room; the old model serves, 0 bundles in place that do not open; with room the"
    " download goes on and the version serves",
)
def test_no_room_for_a_bundle(fault: Fault, world: World, processes: Any, tmp_path: Path) -> None:
    require_own_mounts()
    for _ in range(2):
        write_detector(tmp_path / "workstation")
    server = FakeServer(tmp_path / "workstation")
    folder = tmp_path / "bundles"
    folder.mkdir()
    place = folder / "disk"
    told = {"model_root": place / "models", "state": folder, "fetch_from": f"['{server.url}']"}
    # Whatever is not asked for beforehand would find it out while it writes.
    robot = Robot(world, processes, place, 4096, told)
    models = robot.disk.root / "models"

    def announce(version: int) -> None:
        directory = tmp_path / "workstation" / "rectangles" / str(version)
        uri = f"{server.url}rectangles/{version}/manifest.json"
        robot.client.announce(directory, uri)

    announce(1)
    robot.serves(1)
    robot.disk.fill()
    announce(2)
    robot.says("make room on the disk")
    robot.serves(1)
    robot.disk.make_room()

    def halting(handler: BaseHTTPRequestHandler) -> None:
        """Half of a file, and the rest when the disk is full."""
        content = server.content(handler.path) or b""
        reply(handler, 200, content[: len(content) // 2], len(content))
        with contextlib.suppress(OSError):
            until(
                lambda: any(path.stat().st_size > 1 << 17 for path in models.rglob(".quarantine/**/parity.safetensors"))
            )
            robot.disk.fill()
            handler.wfile.write(content[len(content) // 2 :])

    server.answers["parity.safetensors"] = halting
    announce(2)
    robot.says("No space left on device")
    robot.serves(1)
    (line,) = robot.errors("No space left")
    assert ROOM in line and "parity.safetensors" in line and "Traceback" not in robot.log()
    count = unverified(models, tmp_path / "copy")
    server.answers.clear()
    robot.disk.make_room()
    announce(2)
    robot.serves(2)
    fault.observe("bundles that do not open", count + unverified(models, tmp_path / "copy"), zero)
    robot.disk.fill()
    # The weakness: whatever copies a bundle to its place, file by file.
    with pytest.raises(OSError, match="No space left"):
        shutil.copytree(tmp_path / "workstation" / "rectangles" / "2", models / "rectangles" / "3")
    fault.plant("copied to its place file by file", unverified(models, tmp_path / "copy"))
    server.close()


#: The node as it is, on a machine whose GPU it believes in: it builds engines, and does not come to load them.
BELIEVES = """
from perception_infer.backends import select
select.require_gpu = lambda: None
"""


@pytest.mark.long
@pytest.mark.timeout(400)
@pytest.mark.fault(
    DISKS,
    "no room for an engine",
    "`engine_cache` on a disk of 8 MiB that is full while NVIDIA's real builder works for the node",
    "one error that names engine_cache; the model serves on another backend; 0 files of an engine are left; with room"
    " the next version's engine is built and kept",
)
def test_no_room_for_an_engine(fault: Fault, world: World, processes: Any, tmp_path: Path) -> None:
    require_own_mounts()
    pytest.importorskip("tensorrt_rtx", reason="tensorrt-rtx is not installed")
    folder = tmp_path / "engines"
    folder.mkdir()
    place, models = folder / "cache", folder / "models"
    write_detector(models, meant_for=("onnxruntime", "tensorrt"))
    told = {"model_root": models, "state": folder, "engine_cache": place, "engine_build": "when_idle"}
    robot = Robot(world, processes, place, 8192, told, BELIEVES)
    robot.disk.fill()
    # While somebody looks, no engine is built; then one is.
    robot.serves(1)
    robot.client.look_away()
    robot.says("No space left on device")
    robot.client.look()
    robot.serves(1)
    (line,) = robot.errors("No space left")
    assert "engine_cache" in line and "make room" in line and "Traceback" not in robot.log()

    def halves() -> int:
        names = {path.name for path in robot.disk.root.iterdir()} - {"filler"}
        return sum(not name.endswith((".lock", ".bin", ".json", ".engine")) or _is_half(name, names) for name in names)

    fault.observe("files", halves(), zero)
    robot.disk.make_room()
    robot.client.announce(write_detector(models, score=0.8, meant_for=("onnxruntime", "tensorrt")))
    robot.serves(2)
    robot.client.look_away()
    until(lambda: any(robot.disk.root.glob("*.engine")), lambda: robot.log()[-3000:])
    until(lambda: any(robot.disk.root.glob("*.json")))
    robot.client.look()
    robot.serves(2)
    # The weakness: an engine that is written where it will lie.
    (engine,) = robot.disk.root.glob("*.engine")
    robot.disk.fill()
    with pytest.raises(OSError, match="No space left"):
        shutil.copy(engine, engine.with_name("another.engine"))
    fault.plant("written in its place", halves())


def _is_half(name: str, names: set[str]) -> bool:
    """An engine without its description, or the other way round."""
    stem, _, kind = name.rpartition(".")
    pair = {"engine": "json", "json": "engine"}.get(kind)
    return pair is not None and f"{stem}.{pair}" not in names
