"""`perception-train serve`: listen, say where, and answer until told to stop."""

from __future__ import annotations

import ipaddress
import os
import signal
import socket
import ssl
from pathlib import Path

import uvicorn

from perception_common.cli import Result
from perception_common.errors import UserError
from perception_common.tokens import new_token, read_token
from perception_infer.running import say

from .app import RepositoryApp
from .catalogue import Catalogue
from .params import ServeParams

_GRACE_SECONDS = 2
_BACKLOG = 128


def serve(params: ServeParams) -> Result:
    """Offer a model repository until SIGINT or SIGTERM.

    Raises:
        UserError: the token or the certificate cannot be used, or the address is not to be had.
    """
    file = Path(params.token_file).expanduser()
    if params.new_token:
        say(f"the token is in {file}: copy it to the robots")
    token = new_token(file) if params.new_token else read_token(file) if params.token_file else ""
    if params.certificate:
        _require_certificate(params.certificate, params.key or None)
    root = Path(params.model_root)
    with _listen(params.host, params.port) as listening:
        server = uvicorn.Server(
            uvicorn.Config(
                RepositoryApp(Catalogue(root), token, say),
                log_level="error",
                use_colors=False,
                access_log=False,
                lifespan="off",
                ws="none",
                http="h11",
                interface="asgi3",
                proxy_headers=False,
                server_header=False,
                timeout_graceful_shutdown=_GRACE_SECONDS,
                ssl_certfile=params.certificate or None,
                ssl_keyfile=params.key or None,
            )
        )

        def stop(*_: object) -> None:
            server.should_exit = True

        # uvicorn raises each signal again when it has ended: then, as before it began, that is all it does.
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, stop)
        _warn(listening, params, token)
        say(f"offering {root} on {_url(listening, bool(params.certificate))}")
        server.run(sockets=[listening])
    return None


def _listen(host: str, port: int) -> socket.socket:
    try:
        found = socket.getaddrinfo(host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, *_, address = found[0]
        return socket.create_server(address[:2], family=family, backlog=_BACKLOG)
    except OSError as error:
        # Not `strerror` alone, in which newer versions of Python repeat the address.
        why = error.strerror if isinstance(error, socket.gaierror) else os.strerror(error.errno or 0)
        raise UserError(
            f"cannot listen there: {why}", where=f"{host} port {port}", fix="choose another --host or --port"
        ) from error


def _require_certificate(certificate: str, key: str | None) -> None:
    """uvicorn would end with a traceback, or ask for a password."""
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certificate, key, password=lambda: b"")
    except ssl.SSLError as error:
        raise UserError(
            f"the certificate and its key cannot be used: {error.reason}",
            where=certificate,
            fix="give both in PEM, the key without a password",
        ) from error
    except OSError as error:
        raise UserError(f"cannot read the certificate or its key: {error.strerror}", where=error.filename) from error


def _warn(listening: socket.socket, params: ServeParams, token: str) -> None:
    """Say what others could do, where others can reach it."""
    if ipaddress.ip_address(listening.getsockname()[0].partition("%")[0]).is_loopback:
        return
    if not token:
        say("warning: everybody who reaches this address can read the models: give --token-file")
    if not params.certificate:
        what = "the models and the token" if token else "the models"
        say(f"warning: without --certificate, everybody on the way can read {what}, and answer in this server's place")


def _url(listening: socket.socket, secure: bool) -> str:
    host, port = listening.getsockname()[:2]
    shown = f"[{host}]" if ":" in host else host
    return f"{'https' if secure else 'http'}://{shown}:{port}/"
