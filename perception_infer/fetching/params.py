"""The parameters that say from where bundles may be fetched."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from perception_common.errors import UserError
from perception_common.params import param
from perception_common.tokens import read_token

from ..trust import Trust
from .fetcher import Fetcher
from .locations import Location


@dataclass(frozen=True)
class FetchParams:
    """Whether, from where and within which limits announced bundles are fetched over the network."""

    fetch_from: tuple[str, ...] = param(
        (),
        "URLs, http or https and ending in a slash, under which announced bundles may lie; they are fetched into"
        " model_root (none: only what is in model_root already is taken)",
        alone=True,
    )
    fetch_mb: int = param(2048, "MiB that a bundle may have", minimum=1, maximum=1 << 30)
    fetch_minutes: float = param(
        30.0, "minutes after which fetching is given up; it goes on from there when announced again", minimum=0.01
    )
    keep_versions: int = param(
        0,
        "newest versions of the model that stay in model_root when another is ready; what is loaded stays in any case"
        " (0: all, as where a trainer shares the directory)",
        minimum=0,
        maximum=1000000,
    )
    fetch_token_file: str = param(
        "", "file with the token that these servers want, which only its owner may read (empty: none)"
    )
    fetch_ca_file: str = param(
        "", "file with the certificates, in PEM, that prove who these servers are (empty: the system's)"
    )

    def fetcher(self, root: Path, trust: Trust, tell: Callable[[str], object]) -> Fetcher | None:
        """What fetches into the model repository ``root`` as these parameters say; None where nothing may be fetched.

        ``tell`` is called with what happens.

        Raises:
            UserError: a URL, the token or the certificates cannot be used.
        """
        if not self.fetch_from:
            return None
        prefixes = tuple(map(Location.prefix, self.fetch_from))
        token = read_token(Path(self.fetch_token_file).expanduser()) if self.fetch_token_file else ""
        for prefix in prefixes:
            if token and prefix.scheme == "http" and not prefix.is_loopback:
                tell(f"warning: everybody on the way to {prefix} can read the token: https would hide it")
        return Fetcher(
            root, trust, prefixes, self.fetch_mb << 20, self.fetch_minutes * 60, token, self._tls(), tell=tell
        )

    def _tls(self) -> ssl.SSLContext:
        file = Path(self.fetch_ca_file).expanduser() if self.fetch_ca_file else None
        try:
            return ssl.create_default_context(cafile=file)
        except ssl.SSLError as error:
            raise UserError(f"not certificates in PEM: {error.reason}", where=file) from error
        except OSError as error:
            raise UserError(f"cannot read the certificates: {error.strerror}", where=file) from error
