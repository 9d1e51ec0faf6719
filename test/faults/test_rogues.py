"""Rogue publishers and rogue servers against the real node: nothing of theirs is accepted, and it serves on."""

from __future__ import annotations

import contextlib
import itertools
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import psutil
import pytest
from bundles import scene, write_detector
from hostility import HOSTILE, rogue_locations
from matrix import Fault, zero
from served import FakeServer, reply
from waiting import until

pytest.importorskip("rclpy", reason="ROS 2 is not installed")

from infer_client import NODE, RECTANGLES, Client, World
from vision_msgs.msg import VisionInfo

PICTURE = scene((320, 240), RECTANGLES)
FLOOD = 2000
#: MiB that the node may take more, all that it was told and sent included.
MIB = 64.0
#: Seconds that fetching may take; after the limit so many more until the node has said so.
LIMIT, GRACE = 1.2, 3.0

Answer = Callable[[BaseHTTPRequestHandler], None]


@dataclass
class Target:
    """A node that serves version 1, fetches from a server, and is announced version 2."""

    client: Client
    process: Any
    server: FakeServer
    root: Path
    processes: Any

    def number(self, name: str) -> int:
        return int(self.client.diagnostics()[name])

    def mib(self) -> float:
        return psutil.Process(self.process.pid).memory_info().rss / 2**20

    def told(self) -> str:
        return str(self.processes.log(self.process))

    def is_well(self) -> bool:
        return self.process.poll() is None and len(self.client.answer(PICTURE).detections) == len(RECTANGLES)

    def announce(self, uri: str, version: int = 2) -> None:
        message = VisionInfo(method="rectangles", database_location=uri, database_version=version)
        self.client.checkpoint.publish(message)

    def fetch(self, patience: float) -> tuple[bool, float]:
        """Announce version 2 of the server: whether it was accepted, and seconds until the node had decided."""
        said, began = len(self.told()), time.monotonic()
        self.announce(f"{self.server.url}rectangles/2/manifest.json")
        while time.monotonic() - began < patience and "v2 refused: " not in self.told()[said:]:
            if "v2 is ready" in self.told()[said:]:
                until(lambda: self.is_well() and self.number("serving_version") == 2)
                return True, time.monotonic() - began
            time.sleep(0.02)
        return False, time.monotonic() - began

    def go_back(self) -> None:
        """Serve version 1 again, and have no version 2."""
        assert self.client.set_parameter("version", 1) == (True, "")
        until(lambda: self.is_well() and self.number("serving_version") == 1)
        shutil.rmtree(self.root / "rectangles" / "2")


@pytest.fixture(scope="module")
def targets(
    world: World, module_processes: Any, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, Target]]:
    """One node that gives a server a little more than a second, and one that gives it half an hour."""
    made = {}
    for name, minutes in (("hasty", LIMIT / 60), ("patient", 30.0)):
        root, source = tmp_path_factory.mktemp("models"), tmp_path_factory.mktemp("workstation")
        write_detector(root)
        for _ in range(2):
            write_detector(source)
        server, client = FakeServer(source), world.client(f"/{name}")
        told = {"model_root": root, "model": "rectangles", "require_signature": False, "fetch_from": [server.url]}
        process = module_processes.node(NODE, namespace=f"/{name}", fetch_minutes=minutes, fetch_mb=16, **told)
        made[name] = Target(client, process, server, root, module_processes)
    for target in made.values():
        assert target.is_well()
    yield made
    for target in made.values():
        target.server.close()


@dataclass
class Flooded:
    """What a flood of announcements did."""

    accepted: int
    refused: int
    lines: int
    seconds: float
    accepted_good: int


@pytest.fixture(scope="module")
def flooded(targets: dict[str, Target], tmp_path_factory: pytest.TempPathFactory) -> Flooded:
    target = targets["patient"]
    good = write_detector(target.root) / "manifest.json"
    outside = write_detector(tmp_path_factory.mktemp("outside"))
    (target.root / "linked").symlink_to(outside.parent)
    rogue = [*rogue_locations(good.as_uri(), target.root, outside), "file:///\x1b[2J\x1b[31mmanifest.json"]
    # A string of a message ends at its first NUL.
    rogue = [uri.replace("\0", "%00") for uri in rogue]
    mib, lines, began = target.mib(), target.told().count("\n"), time.monotonic()
    for number, uri in enumerate(itertools.islice(itertools.cycle(rogue), FLOOD)):
        target.announce(uri, 2 + number)
        # As fast as the node takes them: what is replaced on the way does no harm.
        time.sleep(0.002)
        if number % 100 == 0:
            assert target.is_well()
    until(lambda: "loading" not in target.client.diagnostics()["message"])
    seconds = time.monotonic() - began
    assert target.is_well() and target.mib() - mib < MIB
    said, refused = target.told(), target.number("refused")
    assert "\x1b[2J" not in said and max(map(len, said.splitlines())) < 2000
    accepted = target.number("serving_version") - 1
    target.announce(good.as_uri())
    until(lambda: target.is_well() and target.number("serving_version") == 2)
    accepted_good = target.number("serving_version") - 1
    target.go_back()
    return Flooded(accepted, refused, said.count("\n") - lines, seconds, accepted_good)


@pytest.mark.long
@pytest.mark.timeout(600)
@pytest.mark.fault(
    HOSTILE,
    "a rogue publisher floods checkpoint: models",
    f"{FLOOD} announcements over DDS, as fast as it takes them: other schemes and hosts, /etc, %2e%2e, NUL, 1 MB",
    f"0 accepted, the model serves on; at most {MIB:g} MiB more in the node",
)
def test_a_flood(fault: Fault, flooded: Flooded) -> None:
    fault.observe("accepted", flooded.accepted, zero)
    fault.plant("a location in model_root", flooded.accepted_good)


@pytest.mark.long
@pytest.mark.timeout(600)
@pytest.mark.fault(
    HOSTILE,
    "a rogue publisher floods checkpoint: log",
    "the same flood",
    "at most 40 lines in 10 s, each short and free of escapes",
)
def test_the_log_of_a_flood(fault: Fault, flooded: Flooded) -> None:
    most = 40 * (1 + flooded.seconds // 10)
    fault.observe("lines", flooded.lines, lambda lines: lines <= most)
    fault.plant("a line for each refusal", flooded.refused)


def endless(start: bytes, block: bytes) -> Answer:
    """Sends a beginning, and then the same again and again until nobody listens."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        with contextlib.suppress(OSError):
            handler.wfile.write(start)
            while True:
                handler.wfile.write(block)

    return answer


def lies(server: FakeServer) -> dict[str, tuple[str, Answer]]:
    """By what is wrong: the file whose answer it is, and the answer."""
    ok = b"HTTP/1.1 200 OK\r\n"

    def more(handler: BaseHTTPRequestHandler) -> None:
        reply(handler, 200, (server.content(handler.path) or b"") + bytes(1 << 20), None)

    def altered(handler: BaseHTTPRequestHandler) -> None:
        content = bytearray(server.content(handler.path) or b"")
        content[len(content) // 2] ^= 1
        reply(handler, 200, bytes(content))

    def short(handler: BaseHTTPRequestHandler) -> None:
        content = server.content(handler.path) or b""
        reply(handler, 200, content[: len(content) // 2], len(content))

    def huge(handler: BaseHTTPRequestHandler) -> None:
        content = (server.content(handler.path) or b"").decode()
        size = (server.root / "rectangles" / "2" / "model.onnx").stat().st_size
        reply(handler, 200, content.replace(f'"size": {size}', f'"size": {1 << 50}').encode())

    def packed(handler: BaseHTTPRequestHandler) -> None:
        reply(handler, 200, server.content(handler.path) or b"", Content_Encoding="gzip")

    return {
        "a manifest without an end": ("manifest.json", endless(ok + b"\r\n", b" " * 65536)),
        "a signature without an end": ("manifest.sig", endless(ok + b"\r\n", b"x" * 65536)),
        "headers without an end": ("manifest.json", endless(ok, b"X: y\r\n" * 1000)),
        "a header without an end": ("manifest.json", endless(ok + b"X: ", b"y" * 65536)),
        "interim answers without an end": ("manifest.json", endless(b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 1000)),
        "a file without an end": ("model.onnx", endless(ok + b"\r\n", b"x" * 65536)),
        "chunks without an end": (
            "model.onnx",
            endless(ok + b"Transfer-Encoding: chunked\r\n\r\n", b"1000\r\n" + b"x" * 4096 + b"\r\n"),
        ),
        "a chunk of 2^60 bytes": (
            "model.onnx",
            endless(ok + b"Transfer-Encoding: chunked\r\n\r\n1000000000000000\r\n", b"x" * 65536),
        ),
        "a Content-Length of 10^15": ("model.onnx", lambda handler: reply(handler, 200, b"x" * 65536, 10**15)),
        "a Content-Length below 0": ("model.onnx", lambda handler: reply(handler, 200, b"x" * 65536, -7)),
        "more than is listed": ("model.onnx", more),
        "less than is listed": ("model.onnx", short),
        "another content": ("model.onnx", altered),
        "a manifest that lists 2^50 bytes": ("manifest.json", huge),
        "content that is packed": ("manifest.json", packed),
        "elsewhere": ("model.onnx", lambda handler: reply(handler, 302, b"", Location="http://127.0.0.1:9/")),
    }


@pytest.mark.long
@pytest.mark.timeout(600)
@pytest.mark.fault(
    HOSTILE,
    "a server that lies about sizes and contents",
    "16 kinds: manifest, signature, headers, chunks and files without an end, lengths of 10^15 and -7, other contents",
    f"0 accepted; at most {MIB:g} MiB more in the node, no byte more on the disk than is listed; it serves on",
)
def test_a_lying_server(fault: Fault, targets: dict[str, Target]) -> None:
    target = targets["hasty"]
    listed = sum(path.stat().st_size for path in (target.server.root / "rectangles" / "2").iterdir())
    count, before = 0, target.mib()
    for name, (file, answer) in lies(target.server).items():
        target.server.answers = {file: answer}
        taken, _ = target.fetch(30.0)
        count += taken
        assert not (target.root / "rectangles" / "2").exists(), name
        assert target.is_well(), name
        assert target.mib() - before < MIB, name
        kept = sum(path.stat().st_size for path in (target.root / ".quarantine").rglob("*") if path.is_file())
        assert kept <= 2 * listed, name
    fault.observe(f"accepted of {len(lies(target.server))}", count, zero)
    target.server.answers = {}
    fault.plant("a server that tells the truth", int(target.fetch(30.0)[0]))
    target.go_back()


def drips(start: bytes, pause: float) -> Answer:
    """Sends a beginning, and then a byte now and then."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        with contextlib.suppress(OSError):
            handler.wfile.write(start)
            for _ in range(int(60 / pause)):
                time.sleep(pause)
                handler.wfile.write(b"x")

    return answer


@pytest.mark.long
@pytest.mark.timeout(600)
@pytest.mark.fault(
    HOSTILE,
    "a server that is slow",
    f"never answers; drips the status, headers, manifest and model; stops half-way; fetch_minutes for {LIMIT:g} s",
    f"given up {GRACE:g} s after the limit at the latest, told in a line; it serves on meanwhile",
)
def test_a_slow_server(fault: Fault, targets: dict[str, Target]) -> None:
    ok = b"HTTP/1.1 200 OK\r\n"
    slow: dict[str, tuple[str, Answer]] = {
        "never answers": ("manifest.json", drips(b"", 60.0)),
        "drips the status": ("manifest.json", drips(b"HTTP/1.1 ", 0.05)),
        "drips headers": ("manifest.json", drips(ok + b"X: ", 0.05)),
        "drips the manifest": ("manifest.json", drips(ok + b"\r\n{", 0.05)),
        "drips the model": ("model.onnx", drips(ok + b"\r\n", 0.05)),
        "stops half-way": ("model.onnx", drips(ok + b"\r\n" + b"x" * 1000, 60.0)),
    }

    def longest(target: Target, kinds: dict[str, tuple[str, Answer]]) -> float:
        worst = 0.0
        for name, (file, answer) in kinds.items():
            target.server.answers = {file: answer}
            accepted, seconds = target.fetch(LIMIT + 2 * GRACE)
            assert not accepted and target.is_well(), name
            worst = max(worst, seconds)
        return worst

    seconds = longest(targets["hasty"], slow)
    assert targets["hasty"].told().count("fetch_minutes") >= len(slow)
    fault.observe("s until it is given up", seconds, lambda seconds: seconds <= LIMIT + GRACE)
    fault.plant("fetch_minutes 30", longest(targets["patient"], {"drips": slow["drips the manifest"]}))
