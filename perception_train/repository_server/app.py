"""The server's answers, as an ASGI application: GET and HEAD of bundles' files, and a list of them."""

from __future__ import annotations

import hmac
import time
from collections.abc import Callable

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, PlainTextResponse, Response
from starlette.types import Message, Receive, Scope, Send

from perception_infer.contract.manifest import MANIFEST_NAME

from .catalogue import Catalogue

_LONGEST_SHOWN = 200


class RepositoryApp:
    """Answers requests.

    Args:
        catalogue: what may be seen.
        token: what requests must bring; empty where anybody may ask.
        tell: called with one line per request.
    """

    def __init__(self, catalogue: Catalogue, token: str, tell: Callable[[str], object]) -> None:
        self._catalogue, self._tell = catalogue, tell
        self._secret = f"Bearer {token}".encode() if token else b""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            raise NotImplementedError(scope["type"])
        request, began, status, sent = Request(scope), time.monotonic(), 0, 0

        async def counting(message: Message) -> None:
            nonlocal status, sent
            status = message.get("status", status)
            await send(message)
            sent += len(message.get("body", b""))

        try:
            response = await run_in_threadpool(self._response, request)
            await response(scope, receive, counting)
        finally:
            # Also when the other side hangs up.
            client = request.client.host if request.client else "-"
            self._tell(
                f"{client} {request.method} {_path(scope)[:_LONGEST_SHOWN]} {status} {sent} bytes"
                f" {time.monotonic() - began:.2f} s"
            )

    def _response(self, request: Request) -> Response:
        if not self._may(request):
            return PlainTextResponse("the token is missing or wrong\n", 401, {"WWW-Authenticate": "Bearer"})
        if request.method in ("GET", "HEAD"):
            path = _path(request.scope)
            if path == "/":
                return JSONResponse({"models": self._catalogue.models()})
            parts = path.split("/")
            # As it was sent: a legal path needs no percent signs, and so none are read.
            offered = self._catalogue.find(*parts[1:]) if len(parts) == 4 else None
            if offered is not None:
                kind = "application/json" if offered.path.name == MANIFEST_NAME else "application/octet-stream"
                return FileResponse(offered.path, media_type=kind, stat_result=offered.status)
        return PlainTextResponse("there is nothing here\n", 404)

    def _may(self, request: Request) -> bool:
        told = request.headers.get("authorization", "").encode("latin-1")
        return not self._secret or hmac.compare_digest(told, self._secret)


def _path(scope: Scope) -> str:
    """The path as it was sent, in ASCII."""
    return ascii(scope["raw_path"].decode("latin-1"))[1:-1]
