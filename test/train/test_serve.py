"""`perception-train serve`: what it shows, to whom, and how it begins and ends."""

from __future__ import annotations

import http.client
import json
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from bundles import write_detector
from served import start_server

from perception_common.errors import UserError
from perception_common.params import build
from perception_common.tokens import new_token, read_token
from perception_train.repository_server.catalogue import Catalogue
from perception_train.ros.params import TrainNodeParams


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two good versions, and everything that must not be seen."""
    root = tmp_path_factory.mktemp("repository") / "models"
    first = write_detector(root)
    write_detector(root)
    secret = root.parent / "secret"
    secret.write_text("secret")
    (first / ".hidden").write_text("secret")
    (first / "notes.txt").write_text("secret")
    (root / "rectangles" / "3").symlink_to(first)
    (root / "linked").symlink_to(root / "rectangles")
    for number in (4, 5, 6, 7):
        shutil.copytree(first, root / "rectangles" / str(number))
    # 4 says that it is version 1; 5 is damaged; of 6 a file is a link, of 7 the manifest.
    four, five, six, seven = (root / "rectangles" / str(number) for number in (4, 5, 6, 7))
    (five / "manifest.json").write_text("{")
    for directory in (six, seven):
        told = json.loads((directory / "manifest.json").read_text()) | {"version": int(directory.name)}
        (directory / "manifest.json").write_text(json.dumps(told))
    (six / "model.onnx").unlink()
    (six / "model.onnx").symlink_to(secret)
    (seven / "manifest.json").rename(root.parent / "manifest.json")
    (seven / "manifest.json").symlink_to(root.parent / "manifest.json")
    assert four.is_dir()
    return root


@pytest.fixture(scope="module")
def url(repository: Path, module_processes: Any) -> str:
    return start_server(module_processes, repository)[1]


def ask(url: str, path: str, method: str = "GET", **headers: str) -> tuple[int, dict[str, str], bytes]:
    """Status, headers and body; the path is sent as it is."""
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=10)
    connection.request(method, path, headers=headers)
    response = connection.getresponse()
    answer = response.status, {name.lower(): value for name, value in response.getheaders()}, response.read()
    connection.close()
    return answer


def test_bundles_are_listed(url: str) -> None:
    status, headers, body = ask(url, "/")
    assert (status, headers["content-type"]) == (200, "application/json")
    assert json.loads(body) == {"models": [{"name": "rectangles", "versions": [1, 2, 6]}]}


def test_files_of_bundles_are_sent_whole_and_in_parts(url: str, repository: Path) -> None:
    for file in ("manifest.json", "model.onnx", "weights.safetensors", "parity.safetensors"):
        content, path = (repository / "rectangles" / "2" / file).read_bytes(), f"/rectangles/2/{file}"
        status, headers, body = ask(url, path)
        assert (status, body, headers["content-length"]) == (200, content, str(len(content)))
        status, headers, body = ask(url, path, "HEAD")
        assert (status, body, headers["content-length"]) == (200, b"", str(len(content)))
    status, headers, body = ask(url, path, Range="bytes=1000-")
    assert (status, body) == (206, content[1000:])
    assert headers["content-range"] == f"bytes 1000-{len(content) - 1}/{len(content)}"
    assert ask(url, path, Range=f"bytes={len(content)}-")[0] == 416


def test_a_signature_is_sent_when_it_is_there(url: str, repository: Path) -> None:
    path = repository / "rectangles" / "2" / "manifest.sig"
    assert ask(url, "/rectangles/2/manifest.sig")[0] == 404
    path.write_text("signature")
    assert ask(url, "/rectangles/2/manifest.sig")[2] == b"signature"
    path.unlink()


@pytest.mark.parametrize(
    "path",
    [
        "/rectangles/1/.hidden",
        "/rectangles/1/notes.txt",
        "/rectangles/1/",
        "/rectangles/1",
        "/rectangles/",
        "/rectangles/config.pbtxt",
        "/rectangles/1/manifest.json/",
        "/rectangles/1//manifest.json",
        "//rectangles/1/manifest.json",
        "/rectangles/01/manifest.json",
        "/rectangles/3/manifest.json",
        "/rectangles/4/manifest.json",
        "/rectangles/5/manifest.json",
        "/rectangles/6/model.onnx",
        "/rectangles/7/manifest.json",
        "/rectangles/7/model.onnx",
        "/linked/1/manifest.json",
        "/rectangles/1/../../../secret",
        "/rectangles/1/..%2f..%2f..%2fsecret",
        "/rectangles/%2e%2e/%2e%2e/secret",
        "/../models/rectangles/1/manifest.json",
        "/rectangles/1%2fmanifest.json",
        "/rectangles/1/manifest%2ejson",
        "/rectangles/1/..\\..\\secret",
        "/.rectangles.lock",
        "/etc/passwd",
        "/rectangles/1/%00",
        "http://elsewhere/rectangles/1/manifest.json",
        "*",
    ],
)
def test_everything_else_is_not_there(url: str, path: str) -> None:
    status, _, body = ask(url, path)
    assert status == 404
    assert b"secret" not in body


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "PATCH"])
def test_nothing_can_be_changed(url: str, method: str) -> None:
    assert ask(url, "/rectangles/1/manifest.json", method)[0] == 404


def test_a_token_is_asked_for_and_requests_are_logged(repository: Path, processes: Any, tmp_path: Path) -> None:
    file = tmp_path / "token"
    server, url = start_server(processes, repository, "--token-file", file, "--new-token")
    assert file.stat().st_mode & 0o777 == 0o600
    token = file.read_text().strip()
    assert len(token) >= 43
    path = "/rectangles/1/manifest.json"
    for told in ("", "Bearer", "Bearer ", f"Bearer {token[:-1]}", f"Bearer {token}x", f"Basic {token}", "Bearer \xff"):
        status, headers, _ = ask(url, path, **({"Authorization": told} if told else {}))
        assert (status, headers["www-authenticate"]) == (401, "Bearer")
    assert ask(url, "/")[0] == 401
    assert ask(url, path, Authorization=f"Bearer {token}")[0] == 200
    assert ask(url, "/%1b[31m", Authorization=f"Bearer {token}")[0] == 404
    assert processes.stop(server) == 0
    log = processes.log(server)
    assert token not in log
    size = (repository / "rectangles" / "1" / "manifest.json").stat().st_size
    assert f"127.0.0.1 GET {path} 200 {size} bytes" in log
    assert log.count(" 401 ") == 8
    assert "Traceback" not in log


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_ends_when_told_also_while_sending(repository: Path, processes: Any, number: signal.Signals) -> None:
    server, url = start_server(processes, repository)
    with socket.create_connection(urlsplit(url).netloc.split(":")) as slow:
        slow.sendall(b"GET /rectangles/1/parity.safetensors HTTP/1.1\r\nHost: x\r\n\r\n")
        slow.recv(1)
        server.send_signal(number)
        assert server.wait(10) == 0
    assert "Traceback" not in processes.log(server)


def test_others_are_warned_about(repository: Path, processes: Any, tmp_path: Path) -> None:
    server, _ = start_server(processes, repository, "--host", "0.0.0.0")
    log = processes.log(server)
    assert "give --token-file" in log
    assert "without --certificate, everybody on the way can read the models" in log


def refused(*flags: object) -> str:
    """The one line with which the command ends."""
    command = [sys.executable, "-m", "perception_train", "serve", *map(str, flags)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30)
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr
    return done.stderr.splitlines()[-1]


def test_what_cannot_be_is_told_in_one_line(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert f"cannot listen there: Address already in use [127.0.0.1 port {port}]" in refused("--port", port)
    assert "give --token-file FILE" in refused("--new-token")
    assert "give --certificate FILE" in refused("--key", "x")
    (tmp_path / "pem").write_text("nothing")
    assert "cannot be used" in refused("--certificate", tmp_path / "pem")
    assert "cannot read the certificate" in refused("--certificate", tmp_path / "none")


def test_tokens_are_for_their_owner(tmp_path: Path) -> None:
    file = tmp_path / "token"
    token = new_token(file)
    assert read_token(file) == token
    with pytest.raises(UserError, match="there is a token already"):
        new_token(file)
    for mode in (0o640, 0o604, 0o620):
        file.chmod(mode)
        with pytest.raises(UserError, match="chmod 600"):
            read_token(file)
    file.chmod(0o600)
    for content in ("", "\n", "a b", "a\nb\n", "ä", "x" * 2000):
        file.write_text(content)
        with pytest.raises(UserError, match="holds no token"):
            read_token(file)
    with pytest.raises(UserError, match="cannot read the token"):
        read_token(tmp_path / "none")
    with pytest.raises(UserError, match="Is a directory"):
        read_token(tmp_path)


def test_a_repository_may_be_empty_yet(tmp_path: Path) -> None:
    catalogue = Catalogue(tmp_path / "none")
    assert catalogue.models() == []
    assert catalogue.find("rectangles", "1", "manifest.json") is None


def test_checkpoints_are_announced_where_they_are_served() -> None:
    exported = {"name": "rectangles", "version": 3, "uri": "file:///models/rectangles/3/manifest.json"}
    assert TrainNodeParams().location(exported) == exported["uri"]
    params = build(TrainNodeParams, {"announce_url": "http://workstation:8170/"})
    assert params.location(exported) == "http://workstation:8170/rectangles/3/manifest.json"
    for wrong in ("http://workstation:8170", "workstation/", "ftp://workstation/", "http://a:b@workstation/"):
        with pytest.raises(UserError, match=r"slash|plain URL"):
            build(TrainNodeParams, {"announce_url": wrong})
