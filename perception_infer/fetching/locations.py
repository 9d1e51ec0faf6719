"""Which URLs a robot asks: plain ones, and of these only what its owner allowed.

URLs are not normalised but refused: there is nothing in them that two programs could read differently.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from perception_common.errors import UserError, shown

from ..contract.manifest import MANIFEST_NAME, is_model_name

_MAX_LENGTH = 2048
_PORTS = {"http": 80, "https": 443}
# No user, no percent signs, no backslashes, no query, no fragment.
_URL = re.compile(
    r"(?P<scheme>https?)://(?P<host>\[[0-9a-f:.]+\]|[a-z0-9]([a-z0-9.-]*[a-z0-9])?)(:(?P<port>[1-9][0-9]{0,4}))?"
    r"(?P<path>(/[a-z0-9._~-]+)*/?)",
    re.ASCII | re.IGNORECASE,
)


@dataclass(frozen=True)
class Location:
    """A URL in parts: scheme and host in lower case, and a path of plain segments that begins with a slash."""

    scheme: str
    host: str
    port: int
    path: str

    @classmethod
    def parse(cls, url: str) -> Location:
        """Take a URL apart.

        Raises:
            UserError: it is not a plain http or https URL.
        """
        found = _URL.fullmatch(url) if url.isascii() and len(url) <= _MAX_LENGTH else None
        if found is None or {".", ".."} & set(found["path"].split("/")):
            raise UserError(
                "not a plain URL",
                where=shown(url),
                fix="http(s)://HOST[:PORT]/PATH, of letters, digits, and any of ._~- in the path",
            )
        scheme, port = found["scheme"].lower(), int(found["port"] or 0)
        if port > 65535:
            raise UserError(f"there is no port {port}", where=shown(url))
        return cls(scheme, found["host"].lower(), port or _PORTS[scheme], found["path"] or "/")

    @classmethod
    def prefix(cls, url: str) -> Location:
        """A URL under which others lie.

        Raises:
            UserError: it is not a plain URL that ends in a slash.
        """
        if not url.endswith("/"):
            raise UserError("a URL under which bundles lie has to end in a slash", where=shown(url), fix="append /")
        return cls.parse(url)

    def under(self, relative: str) -> Location:
        """What lies under a prefix."""
        return Location(self.scheme, self.host, self.port, self.path + relative)

    @property
    def is_loopback(self) -> bool:
        """Whether nothing asked of it leaves this machine."""
        return re.fullmatch(r"localhost|\[::1\]|127(\.[0-9]{1,3}){3}", self.host) is not None

    @property
    def server(self) -> str:
        """``host``, or ``host:port``."""
        return self.host if self.port == _PORTS[self.scheme] else f"{self.host}:{self.port}"

    def __str__(self) -> str:
        return f"{self.scheme}://{self.server}{self.path}"


def is_remote(uri: str) -> bool:
    """Whether a location is on the network: http or https, allowed or not."""
    return uri[:8].lower().startswith(("http://", "https://"))


def bundle_location(uri: str, name: str, version: int, prefixes: Sequence[Location]) -> Location:
    """The URL of the directory (it ends in a slash) of an announced bundle.

    Raises:
        UserError: the URI is not exactly an allowed prefix and ``<name>/<version>/manifest.json``.
    """
    if not is_model_name(name) or not 1 <= version < 1 << 31:
        raise UserError("there is no model of such a name and version", where=shown(f"{name} v{version}"))
    location = Location.parse(uri)
    for prefix in prefixes:
        directory = prefix.under(f"{name}/{version}/")
        if location == directory.under(MANIFEST_NAME):
            return directory
    allowed = " or ".join(map(str, prefixes)) or "nothing"
    raise UserError(
        "the announced location is not allowed",
        where=shown(uri),
        fix=f"it has to be {name}/{version}/{MANIFEST_NAME} under {allowed} (see fetch_from)",
    )
