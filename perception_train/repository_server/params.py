"""Parameters of `perception-train serve`."""

from __future__ import annotations

from dataclasses import dataclass

from perception_common.errors import UserError
from perception_common.params import param


@dataclass(frozen=True)
class ServeParams:
    """Parameters of `perception-train serve`."""

    model_root: str = param("models", "model repository that is offered; it may be empty yet")
    host: str = param(
        "127.0.0.1", "address to listen on: this machine alone; 0.0.0.0 for all of its networks, :: with IPv6"
    )
    port: int = param(8170, "port to listen on (0: any that is free)", minimum=0, maximum=65535)
    token_file: str = param("", "file with the token that robots must send; only its owner may read it (empty: none)")
    new_token: bool = param(False, "make token_file first, with a random token; it must not exist yet")
    certificate: str = param("", "file with this server's certificate in PEM, for https (empty: http)")
    key: str = param("", "file with the certificate's private key in PEM (empty: it is in the certificate's file)")

    def require_usable(self) -> None:
        """Check what single ranges cannot.

        Raises:
            UserError: parameters contradict each other.
        """
        if self.new_token and not self.token_file:
            raise UserError("a new token is asked for, but no file for it", fix="give --token-file FILE")
        if self.key and not self.certificate:
            raise UserError("a private key is given without its certificate", fix="give --certificate FILE")
