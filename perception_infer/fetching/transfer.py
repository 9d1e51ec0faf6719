"""GET over http and https, with an end to every wait. Redirects are not followed, and proxies are not used."""

from __future__ import annotations

import http.client
import io
import socket
import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, cast

from perception_common.errors import UserError

from ..cancelling import Cancelled
from .locations import Location

# What may be lost when a slow connection breaks: `read` waits until it has so much.
_BLOCK_BYTES = 1 << 14
_POLL_SECONDS = 0.2
_CONNECT_SECONDS = 10.0
_FOUND, _PARTIAL, _MISSING = 200, 206, 404


class Patience:
    """Says when to give up: on request, ``seconds`` after the beginning, or ``stall`` seconds after the last byte."""

    def __init__(self, seconds: float, stall: float, cancelled: Callable[[], bool]) -> None:
        self._seconds, self._stall, self._cancelled = seconds, stall, cancelled
        self._began = self._last = time.monotonic()

    def progress(self) -> None:
        """Something came."""
        self._last = time.monotonic()

    def check(self, where: object) -> None:
        """Return if there is time left.

        Raises:
            Cancelled: it was given up on request.
            UserError: it took too long.
        """
        now = time.monotonic()
        if self._cancelled():
            raise Cancelled
        if now - self._began > self._seconds:
            raise UserError(
                f"fetching took more than {self._seconds / 60:g} minutes",
                where=where,
                fix="announce it again to go on from here, or raise fetch_minutes",
            )
        if now - self._last > self._stall:
            raise UserError(
                f"the server sent nothing for {self._stall:g} s",
                where=where,
                fix="announce it again to go on from here",
            )


@dataclass(frozen=True)
class Reply:
    """An answer whose body is still to come; ``start`` is the place in the file of its first byte."""

    url: str
    found: bool
    start: int
    _response: http.client.HTTPResponse

    def require_size(self, size: int) -> None:
        """Raise a `UserError` where the server says that the file has another size, or sends another part of it."""
        length, part = self._response.getheader("Content-Length"), self._response.getheader("Content-Range", "")
        if length is not None and length.strip() != str(size - self.start):
            raise UserError(
                f"the server has {length!a} bytes instead of {size - self.start}",
                where=self.url,
                fix="copy or export the bundle again",
            )
        if self.start and part.strip() not in {f"bytes {self.start}-{size - 1}/{total}" for total in (size, "*")}:
            raise UserError(f"the server answers with another part of the file: {part!a}", where=self.url)

    def blocks(self) -> Iterator[bytes]:
        """The body, piece by piece; it may end early.

        Raises:
            UserError: the connection broke, or was too slow.
            Cancelled: it was given up.
        """
        with _told(self.url):
            while block := self._response.read(_BLOCK_BYTES):
                yield block


class Site:
    """A server. Every request has a connection of its own.

    Args:
        token: sent with each request; empty for none.
        tls: what makes connections to https secure.
        patience: asked several times a second.
    """

    def __init__(self, token: str, tls: ssl.SSLContext, patience: Patience) -> None:
        self._tls, self._patience = tls, patience
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._headers |= {"User-Agent": "perception-suite", "Connection": "close"}

    @contextmanager
    def get(self, location: Location, start: int = 0) -> Iterator[Reply]:
        """Ask for a file from byte ``start`` on; the answer may begin at its first byte nevertheless.

        Raises:
            UserError: the server cannot be reached, or answers anything but the file, or that it is not there.
            Cancelled: it was given up.
        """
        url = str(location)
        with _told(url):
            connected = self._connect(location)
        try:
            with _told(url):
                response = self._ask(connected, location, start)
            yield _checked(response, url, start)
        finally:
            connected.close()

    def read(self, location: Location, most: int) -> bytes | None:
        """The content of a small file, or None where there is none.

        Raises:
            UserError: see `get`, or it has more than ``most`` bytes.
            Cancelled: it was given up.
        """
        with self.get(location) as reply:
            if not reply.found:
                return None
            content = b""
            for block in reply.blocks():
                content += block
                if len(content) > most:
                    raise UserError(f"the file has more than {most} bytes", where=reply.url)
            reply.require_size(len(content))
            return content

    def _connect(self, location: Location) -> socket.socket:
        self._patience.check(location)
        self._patience.progress()
        host = location.host.strip("[]")
        connected = socket.create_connection((host, location.port), timeout=_CONNECT_SECONDS)
        if location.scheme != "https":
            return connected
        try:
            return self._tls.wrap_socket(connected, server_hostname=host)
        except BaseException:
            connected.close()
            raise

    def _ask(self, connected: socket.socket, location: Location, start: int) -> http.client.HTTPResponse:
        connection = http.client.HTTPConnection(location.host.strip("[]"), location.port)
        # Connected already, so that it opens no socket of its own.
        lent = _Socket(connected, lambda: self._patience.check(location), self._patience.progress)
        connection.sock = cast(socket.socket, lent)
        headers = self._headers | {"Host": location.server} | ({"Range": f"bytes={start}-"} if start else {})
        connection.request("GET", location.path, headers=headers)
        return connection.getresponse()


class _Socket:
    """What `http.client` needs of a socket. Its timeouts would end a stream; here they are pauses to look up in."""

    def __init__(self, connected: socket.socket, check: Callable[[], None], progress: Callable[[], None]) -> None:
        self._connected, self._check, self._progress = connected, check, progress

    def sendall(self, data: bytes) -> None:
        self._connected.sendall(data)

    def makefile(self, mode: str) -> io.BufferedReader:
        self._connected.settimeout(_POLL_SECONDS)
        return io.BufferedReader(_Stream(self._connected, self._check, self._progress))

    def close(self) -> None:
        """Nothing: `Site.get` closes the socket, after the body."""


class _Stream(io.RawIOBase):
    def __init__(self, connected: socket.socket, check: Callable[[], None], progress: Callable[[], None]) -> None:
        super().__init__()
        self._connected, self._check, self._progress = connected, check, progress

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while True:
            self._check()
            try:
                count = self._connected.recv_into(buffer)
            except TimeoutError:
                continue
            self._progress()
            return count


def _checked(response: http.client.HTTPResponse, url: str, start: int) -> Reply:
    status = response.status
    if status == _MISSING:
        return Reply(url, False, 0, response)
    if 300 <= status < 400:
        raise UserError(
            "the server redirects, and redirects are not followed", where=url, fix="announce the place itself"
        )
    if status in (401, 403):
        raise UserError(
            f"the server refuses ({status}): the token is missing or wrong", where=url, fix="check fetch_token_file"
        )
    if status not in (_FOUND, _PARTIAL):
        raise UserError(f"the server answers {status} {http.client.responses.get(status, '')}".rstrip(), where=url)
    if response.getheader("Content-Encoding", "identity").lower() != "identity":
        raise UserError("the server compresses what it sends, which was not asked for", where=url)
    if status == _FOUND:
        return Reply(url, True, 0, response)
    if not start:
        raise UserError("the server answers with a part of the file, which was not asked for", where=url)
    return Reply(url, True, start, response)


@contextmanager
def _told(url: str) -> Iterator[None]:
    """What goes wrong on the network becomes a `UserError`."""
    again = "announce it again to go on from here"
    try:
        yield
    except ssl.SSLCertVerificationError as error:
        raise UserError(
            f"the server's certificate is not trusted: {error.verify_message}", where=url, fix="see fetch_ca_file"
        ) from error
    except TimeoutError as error:
        raise UserError(f"the server does not answer within {_CONNECT_SECONDS:g} s", where=url, fix=again) from error
    except socket.gaierror as error:
        raise UserError(f"there is no such server: {error.strerror}", where=url) from error
    except (http.client.RemoteDisconnected, http.client.IncompleteRead) as error:
        raise UserError("the server ended the connection early", where=url, fix=again) from error
    except OSError as error:
        raise UserError(f"the connection failed: {error.strerror or error}", where=url, fix=again) from error
    except http.client.HTTPException as error:
        raise UserError(f"the server does not speak HTTP: {type(error).__name__}", where=url) from error
