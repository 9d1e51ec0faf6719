"""Servers that do everything wrong: what they send is not what was announced, too much, too slow, or no answer."""

from __future__ import annotations

import socket
import threading
import time
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest
from fetched import announced, contents, drip, fake, fetcher, interrupted, original, rewritten, root, source
from served import FakeServer, reply

from perception_common.errors import UserError
from perception_infer.cancelling import never
from perception_infer.models import open_bundle

__all__ = ["fake", "original", "root", "source"]


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects_are_not_followed(fake: FakeServer, root: Path, status: int) -> None:
    there = f"{fake.url}rectangles/1/weights.safetensors"
    fake.answers["model.onnx"] = lambda handler: reply(handler, status, b"", Location=there)
    with pytest.raises(UserError, match="redirects are not followed"):
        fetcher(root, fake.url)(announced(fake.url), never)
    assert not (root / "rectangles").exists()


@pytest.mark.parametrize("part", ["bytes 0-{last}/{size}", "bytes 1000-{last}/7", "bytes 1000-1999/{size}", "", "x"])
def test_another_part_than_asked_for_is_refused(fake: FakeServer, root: Path, part: str) -> None:
    interrupted(fake, root)

    def other(handler: BaseHTTPRequestHandler) -> None:
        content = fake.content(handler.path) or b""
        told = part.format(last=len(content) - 1, size=len(content))
        reply(handler, 206, content[1000:], Content_Range=told)

    fake.answers["model.onnx"] = other
    with pytest.raises(UserError, match="another part"):
        fetcher(root, fake.url)(announced(fake.url), never)
    assert not (root / "rectangles").exists()


def test_a_wrong_hash_is_found_and_the_file_removed(fake: FakeServer, root: Path) -> None:
    def other(handler: BaseHTTPRequestHandler) -> None:
        content = bytearray(fake.content(handler.path) or b"")
        content[len(content) // 2] ^= 1
        reply(handler, 200, bytes(content))

    fake.answers["model.onnx"] = other
    with pytest.raises(UserError, match="SHA-256"):
        fetcher(root, fake.url)(announced(fake.url), never)
    assert not list(root.rglob("model.onnx"))
    fake.answers.clear()
    open_bundle(fetcher(root, fake.url)(announced(fake.url), never))


@pytest.mark.parametrize(
    ("extra", "length", "told"),
    [
        (b"more", -1, r"the server has '\d+' bytes instead of"),
        (b"more" * 100_000, None, "sends more than"),
        (b"", 10**15, r"the server has '10+' bytes"),
    ],
)
def test_no_more_than_listed_is_written(
    fake: FakeServer, root: Path, extra: bytes, length: int | None, told: str
) -> None:
    size = (fake.root / "rectangles" / "1" / "model.onnx").stat().st_size
    fake.answers["model.onnx"] = lambda handler: reply(
        handler, 200, (fake.content(handler.path) or b"") + extra, length
    )
    with pytest.raises(UserError, match=told):
        fetcher(root, fake.url)(announced(fake.url), never)
    assert all(path.stat().st_size <= size for path in root.rglob("model.onnx"))
    assert not (root / "rectangles").exists()


def test_a_wrong_size_in_the_manifest_is_told(fake: FakeServer, root: Path) -> None:
    rewritten(fake.root, lambda told: told["files"]["model.onnx"].update(size=5))
    with pytest.raises(UserError, match="instead of 5"):
        fetcher(root, fake.url)(announced(fake.url), never)


def test_bundles_that_are_too_large_are_refused(fake: FakeServer, root: Path) -> None:
    with pytest.raises(UserError, match="fetch_mb"):
        fetcher(root, fake.url, limit=100_000)(announced(fake.url), never)
    rewritten(fake.root, lambda told: told["files"]["model.onnx"].update(size=1 << 60))
    with pytest.raises(UserError, match="make room"):
        fetcher(root, fake.url, limit=1 << 62)(announced(fake.url), never)
    assert not any(path.endswith(".onnx") for path, _ in fake.asked)


@pytest.mark.parametrize(("file", "most"), [("manifest.json", 1 << 20), ("manifest.sig", 1024)])
def test_endless_small_files_are_refused(fake: FakeServer, root: Path, file: str, most: int) -> None:
    def endless(handler: BaseHTTPRequestHandler) -> None:
        reply(handler, 200, b"", None)
        try:
            while True:
                handler.wfile.write(b" " * 65536)
        except ConnectionError:
            pass

    fake.answers[file] = endless
    with pytest.raises(UserError, match=f"more than {most} bytes"):
        fetcher(root, fake.url)(announced(fake.url), never)


def test_a_file_elsewhere_is_not_written(fake: FakeServer, root: Path) -> None:
    def climb(told: dict[str, Any]) -> None:
        told["files"]["../x"] = told["files"]["model.onnx"]

    rewritten(fake.root, climb)
    with pytest.raises(UserError, match=r"'\.\./x' is not allowed"):
        fetcher(root, fake.url)(announced(fake.url), never)
    assert not list(root.rglob("x"))


def test_another_bundle_than_announced_is_refused(fake: FakeServer, root: Path) -> None:
    rewritten(fake.root, lambda told: told.update(version=2))
    with pytest.raises(UserError, match="not what was announced"):
        fetcher(root, fake.url)(announced(fake.url), never)


def test_a_version_never_changes(fake: FakeServer, root: Path) -> None:
    directory = fetcher(root, fake.url)(announced(fake.url), never)
    before = contents(directory)
    rewritten(fake.root, lambda told: told.update(created="later"))
    with pytest.raises(UserError, match="never changes"):
        fetcher(root, fake.url)(announced(fake.url), never)
    assert contents(directory) == before


def test_what_is_missing_is_told(fake: FakeServer, root: Path) -> None:
    with pytest.raises(UserError, match="no such bundle"):
        fetcher(root, fake.url)(announced(fake.url, 2), never)
    (fake.root / "rectangles" / "1" / "model.onnx").unlink()
    with pytest.raises(UserError, match="lacks a file"):
        fetcher(root, fake.url)(announced(fake.url), never)


def test_what_is_no_server_is_told(root: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/"

        def babble() -> None:
            connection, _ = silent.accept()
            connection.recv(4096)
            connection.sendall(b"220 ftp ready\r\n" * 10)
            connection.close()

        threading.Thread(target=babble, daemon=True).start()
        with pytest.raises(UserError, match=r"does not speak HTTP"):
            fetcher(root, url)(announced(url), never)
    with pytest.raises(UserError, match="Connection refused"):
        fetcher(root, url)(announced(url), never)


@pytest.mark.parametrize(
    ("pause", "limits", "told"),
    [
        (0.02, {"seconds": 0.6}, r"more than 0\.01 minutes.*fetch_minutes"),
        (60.0, {"stall": 0.5}, r"nothing for 0\.5 s"),
    ],
)
def test_slow_servers_are_given_up(fake: FakeServer, root: Path, pause: float, limits: Any, told: str) -> None:
    fake.answers["model.onnx"] = drip(fake, pause)
    began = time.monotonic()
    with pytest.raises(UserError, match=told):
        fetcher(root, fake.url, **limits)(announced(fake.url), never)
    assert time.monotonic() - began < 5


def test_headers_that_never_end_are_given_up(fake: FakeServer, root: Path) -> None:
    def headers(handler: BaseHTTPRequestHandler) -> None:
        handler.wfile.write(b"HTTP/1.1 200 OK\r\nX: ")
        try:
            while True:
                handler.wfile.write(b"x")
                time.sleep(0.02)
        except ConnectionError:
            pass

    fake.answers["manifest.json"] = headers
    with pytest.raises(UserError, match="fetch_minutes"):
        fetcher(root, fake.url, seconds=0.5)(announced(fake.url), never)
