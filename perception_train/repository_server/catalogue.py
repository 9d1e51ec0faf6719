"""What of a model repository may be seen: bundles, and of these only the files that belong to them."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import NamedTuple

from perception_common.errors import UserError
from perception_infer.contract.manifest import (
    MANIFEST_NAME,
    MAX_MANIFEST_BYTES,
    SIGNATURE_NAME,
    Manifest,
    decode,
    is_model_name,
)
from perception_infer.models import ModelRepository


class Offered(NamedTuple):
    """A file that may be sent, and what the system says about it."""

    path: Path
    status: os.stat_result


class Catalogue:
    """The bundles of a model repository, looked up anew each time."""

    def __init__(self, root: Path) -> None:
        self._root, self._repository = root, ModelRepository(root)

    def models(self) -> list[dict[str, object]]:
        """``name`` and ascending ``versions`` of every model that has any."""
        listed: list[dict[str, object]] = []
        for name in filter(is_model_name, self._repository.names()):
            versions = [v for v in self._repository.versions(name) if self.find(name, str(v), MANIFEST_NAME)]
            if versions:
                listed.append({"name": name, "versions": versions})
        return listed

    def find(self, name: str, version: str, file: str) -> Offered | None:
        """A file of a bundle, or None where there is none that may be seen. Links and what lies behind them may not."""
        plain = version.isascii() and version.isdecimal() and version[0] != "0"
        if not is_model_name(name) or not plain:
            return None
        directory = self._root / name / version
        if not (_is_directory(directory.parent) and _is_directory(directory)):
            return None
        manifest = _manifest(directory)
        if manifest is None or (manifest.name, str(manifest.version)) != (name, version):
            return None
        # The names in a manifest are plain, as `decode` has checked.
        if file not in (MANIFEST_NAME, SIGNATURE_NAME) and file not in manifest.files:
            return None
        return _regular(directory / file)


def _manifest(directory: Path) -> Manifest | None:
    offered = _regular(directory / MANIFEST_NAME)
    if offered is None or offered.status.st_size > MAX_MANIFEST_BYTES:
        return None
    try:
        return decode(offered.path.read_bytes())
    except (OSError, UserError):
        return None


def _regular(path: Path) -> Offered | None:
    try:
        status = path.lstat()
    except OSError:
        return None
    return Offered(path, status) if stat.S_ISREG(status.st_mode) else None


def _is_directory(path: Path) -> bool:
    try:
        return stat.S_ISDIR(path.lstat().st_mode)
    except OSError:
        return False
