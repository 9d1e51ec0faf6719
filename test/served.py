"""Servers of model repositories: the real one in a process, and one that can be told to misbehave."""

from __future__ import annotations

import contextlib
import re
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from subprocess import Popen
from typing import Any

WAIT = 20.0


def start_server(processes: Any, root: Path, *flags: object) -> tuple[Popen[bytes], str]:
    """`perception-train serve` over a repository, and the URL where it is."""
    server = processes.python("perception_train", "serve", "--model-root", root, "--port", 0, *flags)
    limit = time.monotonic() + WAIT
    while (found := re.search(r"offering .* on (https?://\S+/)", processes.log(server))) is None:
        assert server.poll() is None, processes.log(server)
        assert time.monotonic() < limit, "the server does not start"
        time.sleep(0.02)
    return server, found[1]


class FakeServer:
    """Sends the files of a repository, without Range, but for paths in ``answers``, whose functions answer instead."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.answers: dict[str, Callable[[BaseHTTPRequestHandler], None]] = {}
        self.asked: list[tuple[str, dict[str, str]]] = []
        fake = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                fake.asked.append((self.path, dict(self.headers)))
                answer = fake.answers.get(self.path.rpartition("/")[2])
                answer(self) if answer else fake.send(self)

            def log_message(self, *_: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._server.block_on_close = False
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        self.url = f"http://127.0.0.1:{self._server.server_port}/"

    def content(self, path: str) -> bytes | None:
        file = self.root / path.strip("/")
        return file.read_bytes() if file.is_file() else None

    def send(self, handler: BaseHTTPRequestHandler) -> None:
        content = self.content(handler.path)
        reply(handler, 404 if content is None else 200, content or b"")

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


def reply(handler: BaseHTTPRequestHandler, status: int, body: bytes, length: int | None = -1, **headers: str) -> None:
    """Send an answer; ``length`` None leaves Content-Length out, -1 tells the truth."""
    handler.send_response(status)
    if length is not None:
        handler.send_header("Content-Length", str(len(body) if length == -1 else length))
    for name, value in headers.items():
        handler.send_header(name.replace("_", "-"), value)
    handler.end_headers()
    with contextlib.suppress(ConnectionError):
        handler.wfile.write(body)
