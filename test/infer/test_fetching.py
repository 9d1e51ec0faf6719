"""Bundles over http and https: real sockets, the real server, and servers that do everything wrong."""

from __future__ import annotations

import hashlib
import itertools
import json
import os
import shutil
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta, timezone
from http.server import BaseHTTPRequestHandler
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from bundles import write_detector
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.x509.oid import NameOID
from safetensors.numpy import save
from served import FakeServer, reply, start_server
from servers import Loader, at_rest
from waiting import until

from perception_common.errors import UserError
from perception_infer.cancelling import Cancelled, never
from perception_infer.fetching import Fetcher, FetchParams, Location
from perception_infer.models import ModelRepository, open_bundle
from perception_infer.serving import Announcement, ModelServer, Rules
from perception_infer.trust import ANYONE, Trust, TrustedKey, key_id, signature_line

LARGE = 24 << 20


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository with one bundle, which no test changes."""
    root = tmp_path_factory.mktemp("workstation")
    write_detector(root)
    return root


@pytest.fixture
def source(original: Path, tmp_path: Path) -> Path:
    """A copy that a test may change."""
    return Path(shutil.copytree(original, tmp_path / "workstation"))


@pytest.fixture
def fake(source: Path) -> Iterator[FakeServer]:
    fake = FakeServer(source)
    yield fake
    fake.close()


@pytest.fixture(scope="module")
def real(original: Path, module_processes: Any, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path, Any]:
    """The real server with a token: its URL, the token's file, and what reads its log."""
    token = tmp_path_factory.mktemp("secrets") / "token"
    server, url = start_server(module_processes, original, "--token-file", token, "--new-token")
    return url, token, lambda: module_processes.log(server)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "robot"


def fetcher(root: Path, url: str, trust: Trust = ANYONE, **changed: Any) -> Fetcher:
    options: dict[str, Any] = {"limit": 1 << 30, "seconds": 20.0} | changed
    return Fetcher(root, trust, (Location.prefix(url),), **options)


def announced(url: str, version: int = 1, name: str = "rectangles") -> Announcement:
    return Announcement(name, f"{url}{name}/{version}/manifest.json", version)


def contents(directory: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in directory.iterdir()}


def waiting(root: Path) -> list[Path]:
    """The bundles in quarantine."""
    return [path for path in (root / ".quarantine").glob("*") if path.is_dir()]


def rewritten(source: Path, change: Callable[[dict[str, Any]], None]) -> None:
    """Change the manifest of the bundle."""
    path = source / "rectangles" / "1" / "manifest.json"
    told = json.loads(path.read_text())
    change(told)
    path.write_text(json.dumps(told))


# The way it should be


def test_a_bundle_is_fetched_whole_and_once(
    real: tuple[str, Path, Any], original: Path, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url, token, log = real
    # Proxies of the environment are not asked.
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9/")
    told: list[str] = []
    params = FetchParams(fetch_from=("http://elsewhere/", url), fetch_token_file=str(token))
    fetch = params.fetcher(root, ANYONE, told.append)
    assert fetch is not None
    directory = fetch(announced(url), never)
    assert directory == root / "rectangles" / "1"
    assert contents(directory) == contents(original / "rectangles" / "1")
    assert open_bundle(directory).title == "rectangles v1"
    assert not waiting(root)
    assert directory.stat().st_mode & 0o777 == original.joinpath("rectangles", "1").stat().st_mode & 0o777
    assert "http://elsewhere/ can read the token" in told[0]
    assert told[1].startswith(f"fetching rectangles v1 from {url}rectangles/1/: 0.7 MB")
    assert told[2].startswith("fetched rectangles v1 in")
    assert token.read_text().strip() not in repr(fetch)
    # Manifest, signature and three files; a request is logged after its answer.
    until(lambda: log().count("GET") == 5)
    inode = directory.stat().st_ino
    assert fetch(announced(url), never) == directory
    assert directory.stat().st_ino == inode
    until(lambda: log().count("GET") >= 7)
    new = log().splitlines()[-2:]
    assert log().count("GET") == 7, "more than manifest and signature was asked for"
    assert [line.split()[2].rpartition("/")[2] for line in new] == ["manifest.json", "manifest.sig"]


def test_it_goes_on_where_a_killed_server_left_it(tmp_path: Path, root: Path, processes: Any) -> None:
    source = tmp_path / "workstation"
    weights = save({"noise": np.random.default_rng(0).integers(0, 256, LARGE, np.uint8)})
    bundle = write_detector(source, weights=weights)
    server, url = start_server(processes, source)

    def kill_midway() -> bool:
        if server.poll() is None and any(path.stat().st_size > 1 << 20 for path in root.rglob("weights.safetensors")):
            server.kill()
            server.wait()
        return False

    with pytest.raises(UserError, match="go on from here"):
        fetcher(root, url)(announced(url), kill_midway)
    assert not (root / "rectangles").exists()
    (part,) = root.rglob("weights.safetensors")
    had = part.stat().st_size
    assert 1 << 20 < had < len(weights)
    server, url = start_server(processes, source)
    directory = fetcher(root, url)(announced(url), never)
    assert contents(directory) == contents(bundle)
    (line,) = [line for line in processes.log(server).splitlines() if "weights.safetensors" in line]
    assert f" 206 {len(weights) - had} bytes" in line


def test_a_server_without_parts_begins_anew(fake: FakeServer, root: Path) -> None:
    interrupted(fake, root)
    fake.answers.clear()
    directory = fetcher(root, fake.url)(announced(fake.url), never)
    assert contents(directory) == contents(fake.root / "rectangles" / "1")
    assert [headers["Range"] for path, headers in fake.asked if "Range" in headers] == ["bytes=1000-"]


def interrupted(fake: FakeServer, root: Path) -> None:
    """Leave the first 1000 bytes of the graph in quarantine."""

    def half(handler: BaseHTTPRequestHandler) -> None:
        content = fake.content(handler.path) or b""
        reply(handler, 200, content[:1000], length=len(content))

    fake.answers["model.onnx"] = half
    with pytest.raises(UserError, match="ended after 1000 of"):
        fetcher(root, fake.url)(announced(fake.url), never)
    (part,) = root.rglob("model.onnx")
    assert part.stat().st_size == 1000


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


def test_two_at_once_fetch_once(fake: FakeServer, root: Path) -> None:
    with ThreadPoolExecutor(2) as pool:
        calls = [pool.submit(fetcher(root, fake.url), announced(fake.url), never) for _ in range(2)]
        assert {call.result() for call in calls} == {root / "rectangles" / "1"}
    assert sum(path.endswith("model.onnx") for path, _ in fake.asked) == 1
    open_bundle(root / "rectangles" / "1")


def test_over_https_the_certificate_must_be_known(original: Path, root: Path, tmp_path: Path, processes: Any) -> None:
    certificate = write_certificate(tmp_path / "server.pem")
    _, url = start_server(processes, original, "--certificate", certificate)
    assert url.startswith("https://")
    unknowing = FetchParams(fetch_from=(url,)).fetcher(root, ANYONE, str)
    assert unknowing is not None
    with pytest.raises(UserError, match=r"certificate is not trusted.*fetch_ca_file"):
        unknowing(announced(url), never)
    fetch = FetchParams(fetch_from=(url,), fetch_ca_file=str(certificate)).fetcher(root, ANYONE, str)
    assert fetch is not None
    open_bundle(fetch(announced(url), never))
    other = write_certificate(tmp_path / "other.pem", "192.0.2.1")
    _, url = start_server(processes, original, "--certificate", other)
    fetch = FetchParams(fetch_from=(url,), fetch_ca_file=str(other)).fetcher(root, ANYONE, str)
    assert fetch is not None
    with pytest.raises(UserError, match="not trusted: IP address mismatch"):
        fetch(announced(url), never)


def write_certificate(path: Path, address: str = "127.0.0.1") -> Path:
    """A self-signed certificate and its key, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test")])
    now = datetime.now(timezone.utc)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address(address))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    plain = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    path.write_bytes(certificate.public_bytes(pem) + key.private_bytes(pem, *plain))
    return path


def test_a_node_serves_what_is_announced_on_the_network(fake: FakeServer, root: Path) -> None:
    told: list[str] = []
    server = ModelServer(
        ModelRepository(root),
        Rules("rectangles"),
        Loader(),
        lambda line, bad: told.append(line),
        fetch=fetcher(root, fake.url),
    )
    server.announce(announced("http://elsewhere/"))
    at_rest(server, refused=1)
    assert "not allowed" in told[-1]
    server.announce(announced(fake.url))
    at_rest(server, loads=1)
    server.close()


def test_a_node_that_may_not_fetch_says_so(root: Path) -> None:
    told: list[str] = []
    server = ModelServer(ModelRepository(root), Rules("rectangles"), Loader(), lambda line, bad: told.append(line))
    server.announce(announced("http://127.0.0.1:9/"))
    at_rest(server, refused=1)
    assert "fetch_from" in told[-1]
    server.close()
    assert FetchParams().fetcher(root, ANYONE, str) is None


# What is not allowed


@pytest.mark.parametrize(
    "uri",
    [
        "http://models:8170/repo/../repo/rectangles/1/manifest.json",
        "http://models:8170/repo/%2e%2e/repo/rectangles/1/manifest.json",
        "http://models:8170/repo/%2E%2E%2Frectangles/1/manifest.json",
        "http://models:8170/repo%2frectangles/1/manifest.json",
        "http://models:8170/repo\\rectangles/1/manifest.json",
        "http://models:8170\\@evil/repo/rectangles/1/manifest.json",
        "http://models:8170/repo//rectangles/1/manifest.json",
        "http://models:8170/repo/./rectangles/1/manifest.json",
        "http://models:8170/repo/rectangles/1/manifest.json?x=1",
        "http://models:8170/repo/rectangles/1/manifest.json#x",
        "http://models:8170/repo/rectangles/1/manifest.json\n",
        "http://models:8170/repo/rectangles/1/manifest.json ",
        "http://models:8170/repo/rectangles/1/manifest.json/",
        "http://models:8170/repo/rectangles/1/model.onnx",
        "http://models:8170/repo/rectangles/2/manifest.json",
        "http://models:8170/repo/rectangles/01/manifest.json",
        "http://models:8170/repo/circles/1/manifest.json",
        "http://models:8170/repo/rectangles/manifest.json",
        "http://models:8170/repo/deeper/rectangles/1/manifest.json",
        "http://models:8170/repository/rectangles/1/manifest.json",
        "http://models:8170/REPO/rectangles/1/manifest.json",
        "http://models:8170/rectangles/1/manifest.json",
        "http://user:word@models:8170/repo/rectangles/1/manifest.json",
        "http://models:8170@evil/repo/rectangles/1/manifest.json",
        "http://evil:8170/repo/rectangles/1/manifest.json",
        "http://models.evil:8170/repo/rectangles/1/manifest.json",
        "http://models.:8170/repo/rectangles/1/manifest.json",
        "http://models:8171/repo/rectangles/1/manifest.json",
        "http://models/repo/rectangles/1/manifest.json",
        "http://models:08170/repo/rectangles/1/manifest.json",
        "http://models:99999/repo/rectangles/1/manifest.json",
        "https://models:8170/repo/rectangles/1/manifest.json",
        "http:/models:8170/repo/rectangles/1/manifest.json",
        "http://ｍodels:8170/repo/rectangles/1/manifest.json",
        "http://model\u017f:8170/repo/rectangles/1/manifest.json",
        "http://models:8170/repo/rectangles/\u0661/manifest.json",
        "http://models:8170/repo/rectangles/1/manifest.json\0",
        "http://models:8170/repo/" + "a" * 3000 + "/rectangles/1/manifest.json",
        "http://",
    ],
)
def test_other_urls_are_refused_before_anybody_is_asked(root: Path, uri: str) -> None:
    fetch = fetcher(root, "http://models:8170/repo/")
    with pytest.raises(UserError, match=r"not a plain URL|not allowed|there is no port") as caught:
        fetch(Announcement("rectangles", uri, 1), never)
    assert str(caught.value).isascii() or "\N{HORIZONTAL ELLIPSIS}" in str(caught.value)
    assert len(str(caught.value)) < 700
    assert not root.exists()


def test_case_of_scheme_and_host_and_the_usual_port_do_not_matter() -> None:
    assert Location.parse("HTTP://Models:80/a/b") == Location.parse("http://models/a/b")
    assert str(Location.parse("https://[::1]:8170/")) == "https://[::1]:8170/"
    assert str(Location.parse("https://models:443")) == "https://models/"


@pytest.mark.parametrize(
    ("name", "version"), [("../x", 1), (".quarantine", 1), ("", 1), ("a/b", 1), ("a", 0), ("a", -1)]
)
def test_other_names_are_refused(root: Path, name: str, version: int) -> None:
    with pytest.raises(UserError, match=r"no model of such a name|not a plain URL|not allowed"):
        fetcher(root, "http://models/")(announced("http://models/", version, name), never)
    assert not root.exists()


@pytest.mark.parametrize(
    "prefix", ["http://models", "ftp://models/", "http://a@models/", "http://models/%41/", "models/"]
)
def test_prefixes_are_checked_at_the_start(root: Path, prefix: str) -> None:
    with pytest.raises(UserError, match=r"plain URL|end in a slash"):
        FetchParams(fetch_from=(prefix,)).fetcher(root, ANYONE, str)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects_are_not_followed(fake: FakeServer, root: Path, status: int) -> None:
    there = f"{fake.url}rectangles/1/weights.safetensors"
    fake.answers["model.onnx"] = lambda handler: reply(handler, status, b"", Location=there)
    with pytest.raises(UserError, match="redirects are not followed"):
        fetcher(root, fake.url)(announced(fake.url), never)
    assert not (root / "rectangles").exists()


def test_a_wrong_token_is_told(real: tuple[str, Path, Any], root: Path, tmp_path: Path) -> None:
    url, _, _ = real
    wrong = tmp_path / "token"
    wrong.write_text("guessed\n")
    params = FetchParams(fetch_from=(url,), fetch_token_file=str(wrong))
    wrong.chmod(0o640)
    with pytest.raises(UserError, match="chmod 600"):
        params.fetcher(root, ANYONE, str)
    wrong.chmod(0o600)
    for fetch in (params.fetcher(root, ANYONE, str), fetcher(root, url)):
        assert fetch is not None
        with pytest.raises(UserError, match=r"refuses \(401\).*fetch_token_file"):
            fetch(announced(url), never)
    wrong.write_text("two\nlines\n")
    with pytest.raises(UserError, match="holds no token"):
        params.fetcher(root, ANYONE, str)


# What is not right


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


# Signatures


def test_signatures_are_asked_for_before_anything_else(fake: FakeServer, root: Path) -> None:
    key, other = Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate()
    name = key_id(key.public_key())
    trust = Trust({name: TrustedKey("lab", key.public_key())}, required=True)
    manifest, signature = (fake.root / "rectangles" / "1" / file for file in ("manifest.json", "manifest.sig"))
    fetch, wanted = fetcher(root, fake.url, trust), announced(fake.url)
    with pytest.raises(UserError, match="not signed"):
        fetch(wanted, never)
    signature.write_bytes(signature_line(key_id(other.public_key()), other.sign(manifest.read_bytes())))
    with pytest.raises(UserError, match="not trusted here"):
        fetch(wanted, never)
    good = manifest.read_bytes()
    signature.write_bytes(signature_line(name, key.sign(good)))
    manifest.write_bytes(b"{not JSON")
    with pytest.raises(UserError, match="signature is wrong"):
        fetch(wanted, never)
    assert not any(path.endswith(".onnx") for path, _ in fake.asked)
    assert not waiting(root)
    manifest.write_bytes(good)
    assert open_bundle(fetch(wanted, never), trust).signer == "lab"


def test_a_signature_that_came_later_is_fetched(fake: FakeServer, root: Path) -> None:
    wanted, directory = announced(fake.url), root / "rectangles" / "1"
    assert fetcher(root, fake.url)(wanted, never) == directory
    key = Ed25519PrivateKey.generate()
    trust = Trust({key_id(key.public_key()): TrustedKey("lab", key.public_key())}, required=True)
    raw = (directory / "manifest.json").read_bytes()
    line = signature_line(key_id(key.public_key()), key.sign(raw))
    (fake.root / "rectangles" / "1" / "manifest.sig").write_bytes(line)
    asked = len(fake.asked)
    assert fetcher(root, fake.url, trust)(wanted, never) == directory
    assert open_bundle(directory, trust).signer == "lab"
    assert len(fake.asked) == asked + 2


# Time


def drip(fake: FakeServer, pause: float) -> Callable[[BaseHTTPRequestHandler], None]:
    """A byte now and then."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        content = fake.content(handler.path) or b""
        reply(handler, 200, b"", len(content))
        try:
            for index in itertools.count():
                handler.wfile.write(content[index : index + 1])
                time.sleep(pause)
        except ConnectionError:
            pass

    return answer


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


def test_it_is_given_up_on_request_and_goes_on_later(fake: FakeServer, root: Path) -> None:
    fake.answers["parity.safetensors"] = drip(fake, 0.01)

    def cancelled() -> bool:
        return any(path.endswith("parity.safetensors") for path, _ in fake.asked)

    with pytest.raises(Cancelled):
        fetcher(root, fake.url)(announced(fake.url), cancelled)
    assert len(waiting(root)) == 1
    fake.answers.clear()
    asked = len(fake.asked)
    open_bundle(fetcher(root, fake.url)(announced(fake.url), never))
    names = [path.rpartition("/")[2] for path, _ in fake.asked[asked:]]
    assert names == ["manifest.json", "manifest.sig", "parity.safetensors"], "what was complete was fetched again"


def test_whoever_waits_for_another_can_be_told_to_stop(fake: FakeServer, root: Path) -> None:
    fake.answers["model.onnx"] = drip(fake, 0.05)
    stop = threading.Event()
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(fetcher(root, fake.url), announced(fake.url), stop.is_set)
        until(lambda: any(path.endswith("model.onnx") for path, _ in fake.asked))
        with pytest.raises(UserError, match="fetch_minutes"):
            fetcher(root, fake.url, seconds=0.3)(announced(fake.url), never)
        with pytest.raises(Cancelled):
            fetcher(root, fake.url)(announced(fake.url), lambda: True)
        stop.set()
        assert isinstance(first.exception(), Cancelled)


# Leftovers


def test_leftovers_are_removed_when_nobody_needs_them(fake: FakeServer, root: Path) -> None:
    old = time.time() - 8 * 24 * 3600
    for name in ("rectangles-1-0", "rectangles-2-0", "my-model-3-0", "my-model-4-0"):
        left = root / ".quarantine" / name / "x"
        left.mkdir(parents=True)
        if name == "my-model-3-0":
            os.utime(left.parent, (old, old))
    fetcher(root, fake.url)(announced(fake.url), never)
    assert sorted(path.name for path in waiting(root)) == ["my-model-4-0", "rectangles-2-0"]


def test_rubbish_in_quarantine_does_no_harm(fake: FakeServer, root: Path, tmp_path: Path) -> None:
    raw = (fake.root / "rectangles" / "1" / "manifest.json").read_bytes()
    work = root / ".quarantine" / f"rectangles-1-{hashlib.sha256(raw).hexdigest()[:16]}" / "rectangles" / "1"
    (work / "folder").mkdir(parents=True)
    (work / ".partial-abc").write_bytes(b"x")
    kept = tmp_path / "kept"
    kept.write_bytes(b"kept")
    (work / "model.onnx").symlink_to(kept)
    (work / "weights.safetensors").write_bytes(b"x" * 100_000)
    open_bundle(fetcher(root, fake.url)(announced(fake.url), never))
    assert kept.read_bytes() == b"kept"


def test_a_linked_quarantine_is_refused(fake: FakeServer, root: Path, tmp_path: Path) -> None:
    root.mkdir()
    (tmp_path / "elsewhere").mkdir()
    (root / ".quarantine").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(UserError, match="has to be a directory"):
        fetcher(root, fake.url)(announced(fake.url), never)
