"""Bearer tokens (RFC 6750) in files that nobody else can read."""

from __future__ import annotations

import os
import re
import secrets
import stat
from pathlib import Path

from .durable import told
from .errors import UserError

_MAX_BYTES = 1024
_TOKEN = re.compile(rb"([A-Za-z0-9._~+/-]+=*)\r?\n?")


def read_token(path: Path) -> str:
    """The token in a file: one line.

    Raises:
        UserError: the file cannot be read, others may read or write it, or it holds no token.
    """
    try:
        # Asked of the open file: its permissions and what is read belong together. A pipe must not hold us up.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb") as file:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                raise UserError("the token is not in a plain file", where=path)
            if status.st_mode & 0o077:
                raise UserError("others than its owner have access to the token", where=path, fix=f"chmod 600 {path}")
            content = file.read(_MAX_BYTES + 1)
    except OSError as error:
        raise UserError(f"cannot read the token: {error.strerror}", where=path, fix="check the path") from error
    found = _TOKEN.fullmatch(content)
    if found is None or len(content) > _MAX_BYTES:
        raise UserError(
            "the file holds no token", where=path, fix="it has to be one line of letters, digits, and any of -._~+/="
        )
    return found[1].decode()


def new_token(path: Path) -> str:
    """Make a random token of 256 bits and write it to a new file that only its owner can read (mode 0600).

    Raises:
        UserError: there is such a file already, or it cannot be written.
    """
    token = secrets.token_urlsafe(32)
    try:
        with told(path), os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(token + "\n")
            file.flush()
            os.fsync(file.fileno())
    except UserError as error:
        if isinstance(error.__cause__, FileExistsError):
            raise UserError(
                "there is a token already", where=path, fix="use it, or remove it before a new one is made"
            ) from error
        raise
    return token
