"""A private key on this machine, and what is done with it."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from perception_common import durable
from perception_common.errors import UserError
from perception_infer.trust import PUBLIC_SUFFIX, key_id, signature_line

PRIVATE_SUFFIX = ".key"
_OTHERS = stat.S_IRWXG | stat.S_IRWXO
_MAX_BYTES = 1 << 16


@dataclass(frozen=True)
class Signer:
    """An ed25519 key that signs manifests; ``key_id`` is what robots know it by."""

    key_id: str
    _key: Ed25519PrivateKey

    @classmethod
    def load(cls, file: str) -> Signer:
        """The private key in a PEM file (PKCS #8, not encrypted).

        Raises:
            UserError: it cannot be read, others may read it, or it is no ed25519 key.
        """
        path = Path(file).expanduser()
        fix = f"give the {PRIVATE_SUFFIX} file of `perception-train keygen`"
        try:
            status = path.stat()
            if not stat.S_ISREG(status.st_mode) or status.st_size > _MAX_BYTES:
                raise UserError("not a private key", where=path, fix=fix)
            if status.st_mode & _OTHERS:
                raise UserError("the private key is open to other users", where=path, fix=f"chmod 600 {path}")
            key = load_pem_private_key(path.read_bytes(), None)
        except OSError as error:
            raise UserError(f"cannot read the private key: {error.strerror}", where=path, fix=fix) from error
        except TypeError as error:
            raise UserError("the private key is encrypted", where=path, fix=fix) from error
        except (ValueError, UnsupportedAlgorithm) as error:
            raise UserError("not a private key in PEM", where=path, fix=fix) from error
        if not isinstance(key, Ed25519PrivateKey):
            raise UserError("the private key is not an ed25519 key", where=path, fix=fix)
        return cls(key_id(key.public_key()), key)

    def sign(self, manifest: bytes) -> bytes:
        """The content of ``manifest.sig`` for the raw bytes of a manifest."""
        return signature_line(self.key_id, self._key.sign(manifest))


def generate(stem: str) -> tuple[str, Path, Path]:
    """Make a new key pair ``STEM.key`` (mode 0600) and ``STEM.pub``; its id and both files.

    Raises:
        UserError: one of them exists already, or they cannot be written.
    """
    base = Path(stem).expanduser()
    private, public = (base.with_name(base.name + suffix) for suffix in (PRIVATE_SUFFIX, PUBLIC_SUFFIX))
    for path in (private, public):
        if os.path.lexists(path):
            raise UserError("there is a key already, and it is not replaced", where=path, fix="choose another name")
    key = Ed25519PrivateKey.generate()
    with durable.told(private):
        private.parent.mkdir(parents=True, exist_ok=True)
        # Never open to others, not even for a moment.
        descriptor = os.open(private, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
            file.flush()
            os.fsync(file.fileno())
    durable.write_bytes(public, key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    return key_id(key.public_key()), private, public
