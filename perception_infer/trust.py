"""Whose bundles a robot takes: ed25519 signatures (RFC 8032) over the raw manifest, which lists every other file.

A signature is the file ``manifest.sig`` beside ``manifest.json``, one line::

    ed25519 KEY_ID BASE64

with the 64 bytes of the signature in base64, and of the signing key the first 16 hexadecimal digits of the SHA-256 of
its 32 raw public bytes. What is signed are the bytes of ``manifest.json`` and nothing else, so that other tools can
check it too. It is checked before anything of the manifest is parsed.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from perception_common.errors import UserError

from .contract.manifest import SIGNATURE_NAME

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

PUBLIC_SUFFIX = ".pub"
MAX_SIGNATURE_BYTES = 1024
_MAX_KEY_BYTES = 1 << 16
_LINE = re.compile(rb"ed25519 ([0-9a-f]{16}) ([A-Za-z0-9+/]{86}==)\n?")
_SIGN = "sign it with `perception-train sign`"


@dataclass(frozen=True)
class TrustedKey:
    """A public key and the name of its file, for people."""

    name: str
    key: Ed25519PublicKey


@dataclass(frozen=True)
class Trust:
    """Trusted keys by their ids, and whether bundles have to be signed by one of them.

    Signatures count also where none is required: a wrong one refuses its bundle, and one of a key that is not known
    here is worth as much as none.
    """

    keys: Mapping[str, TrustedKey] = field(default_factory=dict)
    required: bool = False

    @classmethod
    def folder(cls, folder: str, required: bool) -> Trust:
        """Trust the keys ``*.pub`` of a folder: PEM, as `perception-train keygen` writes them.

        Raises:
            UserError: the folder or a key cannot be read, or signatures are required and there is no key.
        """
        if not folder:
            if required:
                raise UserError(
                    "bundles have to be signed, and no trusted keys are given",
                    where="parameter 'trust'",
                    fix="set trust to a folder of public keys, see `perception-train keygen`; or, where nobody else can"
                    " write to model_root, set require_signature to false",
                )
            return cls()
        where = Path(folder).expanduser()
        try:
            files = sorted(path for path in where.iterdir() if path.suffix == PUBLIC_SUFFIX)
        except OSError as error:
            raise UserError(f"cannot read the trusted keys: {error.strerror}", where=where) from error
        if not files and required:
            raise UserError(f"there is no trusted key (*{PUBLIC_SUFFIX})", where=where, fix="copy a public key into it")
        keys = [TrustedKey(path.stem, _public_key(path)) for path in files]
        return cls({key_id(key.key): key for key in keys}, required)

    def check(self, manifest: bytes, signature: bytes | None, where: object) -> str:
        """The name of the key that signed a manifest, or nothing where it may be unsigned.

        Args:
            manifest: the raw bytes of ``manifest.json``, not parsed yet.
            signature: the raw bytes of ``manifest.sig``, or None where there is none.
            where: the bundle is, for errors.

        Raises:
            UserError: the signature is wrong, or there has to be one and none is by a trusted key.
        """
        if signature is None:
            if self.required:
                raise UserError(
                    "the bundle is not signed", where=where, fix=f"{_SIGN}, or set require_signature to false"
                )
            return ""
        found = _LINE.fullmatch(signature)
        if found is None:
            raise UserError(f"{SIGNATURE_NAME} is no signature", where=where, fix=f"{_SIGN} again")
        name = found[1].decode()
        trusted = self.keys.get(name)
        if trusted is None:
            if self.required:
                raise UserError(
                    f"the bundle is signed by the key {name}, which is not trusted here",
                    where=where,
                    fix="sign it with a trusted key, or copy that key's .pub into the folder of trusted keys",
                )
            return ""
        if not _verifies(trusted.key, base64.b64decode(found[2]), manifest):
            raise UserError(
                f"the signature is wrong: the manifest is not what '{trusted.name}' signed",
                where=where,
                fix="export and sign the bundle again",
            )
        return trusted.name


#: For tools on a workstation that read its own bundles: signed or not.
ANYONE = Trust()


def signature_line(key_id_: str, signature: bytes) -> bytes:
    """The content of ``manifest.sig``."""
    return f"ed25519 {key_id_} {base64.b64encode(signature).decode()}\n".encode()


def key_id(key: Ed25519PublicKey) -> str:
    """The first 16 hexadecimal digits of the SHA-256 of the raw public key."""
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    # Not public_bytes_raw(), which the cryptography of Ubuntu 22.04 lacks.
    return hashlib.sha256(key.public_bytes(Encoding.Raw, PublicFormat.Raw)).hexdigest()[:16]


def require_cryptography() -> None:
    """Raise a `UserError` where the package that checks signatures is missing."""
    try:
        import cryptography  # noqa: F401
    except ImportError as error:
        raise UserError(
            "signatures need the package cryptography",
            fix="install python3-cryptography (apt) or cryptography (pip)",
        ) from error


def _public_key(path: Path) -> Any:
    require_cryptography()
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    fix = "it has to be the .pub of `perception-train keygen`"
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode) or status.st_size > _MAX_KEY_BYTES:
            raise UserError("not a public key", where=path, fix=fix)
        key = load_pem_public_key(path.read_bytes())
    except OSError as error:
        raise UserError(f"cannot read the key: {error.strerror}", where=path, fix="check its permissions") from error
    except (ValueError, UnsupportedAlgorithm, binascii.Error) as error:
        raise UserError("not a public key in PEM", where=path, fix=fix) from error
    if not isinstance(key, Ed25519PublicKey):
        raise UserError("the key is not an ed25519 key", where=path, fix=fix)
    return key


def _verifies(key: Ed25519PublicKey, signature: bytes, data: bytes) -> bool:
    from cryptography.exceptions import InvalidSignature

    try:
        key.verify(signature, data)
    except InvalidSignature:
        return False
    return True
