"""Parameters of `perception-train keygen` and `sign`, and of everything that exports bundles."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from perception_common.params import param
from perception_infer.trust import require_cryptography

if TYPE_CHECKING:
    from .signer import Signer


@dataclass(frozen=True)
class SigningParams:
    """Whether what is exported is signed."""

    signing_key: str = param(
        "", "private key (`perception-train keygen`) that every exported bundle is signed with (empty: none is)"
    )

    def signer(self) -> Signer | None:
        """What signs, or None.

        Raises:
            UserError: the key cannot be used.
        """
        if not self.signing_key:
            return None
        require_cryptography()
        from .signer import Signer

        return Signer.load(self.signing_key)


@dataclass(frozen=True)
class KeygenParams:
    """Parameters of `perception-train keygen`."""

    output: str = param("", "the files OUTPUT.key, which stays here, and OUTPUT.pub, which goes to the robots")


@dataclass(frozen=True)
class SignParams:
    """Parameters of `perception-train sign`."""

    model_root: str = param("models", "model repository")
    model: str = param("detector", "name of the model in the repository")
    version: int = param(0, "version to sign (0: the newest)", minimum=0)
    all_versions: bool = param(False, "sign every version that is not signed yet")
    key: str = param("", "private key, as `perception-train keygen` writes it")
    again: bool = param(False, "replace a signature that is there")
