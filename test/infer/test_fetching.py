"""Bundles over http and https: real sockets, the real server, signatures, and what is left of an attempt."""

from __future__ import annotations

import hashlib
import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta, timezone
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
from fetched import announced, contents, drip, fake, fetcher, interrupted, original, quarantined, root, source
from safetensors.numpy import save
from served import FakeServer, start_server
from servers import Loader, at_rest
from waiting import until

from perception_common.errors import UserError
from perception_infer.cancelling import Cancelled, never
from perception_infer.fetching import FetchParams
from perception_infer.models import ModelRepository, open_bundle
from perception_infer.serving import ModelServer, Rules
from perception_infer.trust import ANYONE, Trust, TrustedKey, key_id, signature_line

__all__ = ["fake", "original", "root", "source"]
LARGE = 24 << 20


@pytest.fixture(scope="module")
def real(original: Path, module_processes: Any, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path, Any]:
    """The real server with a token: its URL, the token's file, and what reads its log."""
    token = tmp_path_factory.mktemp("secrets") / "token"
    server, url = start_server(module_processes, original, "--token-file", token, "--new-token")
    return url, token, lambda: module_processes.log(server)


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
    assert not quarantined(root)
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
    assert not quarantined(root)
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


def test_it_is_given_up_on_request_and_goes_on_later(fake: FakeServer, root: Path) -> None:
    fake.answers["parity.safetensors"] = drip(fake, 0.01)

    def cancelled() -> bool:
        return any(path.endswith("parity.safetensors") for path, _ in fake.asked)

    with pytest.raises(Cancelled):
        fetcher(root, fake.url)(announced(fake.url), cancelled)
    assert len(quarantined(root)) == 1
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
    assert sorted(path.name for path in quarantined(root)) == ["my-model-4-0", "rectangles-2-0"]


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
