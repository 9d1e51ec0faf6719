"""Model bundles on disk: find them, verify them, and resolve announced locations. Loads no backend."""

from __future__ import annotations

import hashlib
import os
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import numpy.typing as npt
from safetensors.numpy import load as load_safetensors

from perception_common import durable
from perception_common.errors import UserError, did_you_mean, shown

from .contract.manifest import MANIFEST_NAME, MAX_MANIFEST_BYTES, PARITY_NAME, SIGNATURE_NAME, Manifest, decode
from .trust import ANYONE, MAX_SIGNATURE_BYTES, Trust

_REEXPORT = "copy or export the bundle again"


@dataclass(frozen=True)
class Bundle:
    """A verified bundle: its directory ``MODEL_REPO/<name>/<version>`` and what its manifest says.

    ``sha256`` is that of the raw manifest, empty where that is not written yet; ``signer`` the name of the trusted key
    that signed it, empty where none did.
    """

    directory: Path
    manifest: Manifest
    sha256: str = ""
    signer: str = ""

    @property
    def uri(self) -> str:
        """``file:///…/manifest.json``: how checkpoints are announced."""
        return (self.directory / MANIFEST_NAME).as_uri()

    def facts(self) -> dict[str, Any]:
        """What it is, for reports: name, version, title, task, architecture, classes, and the manifest's SHA-256."""
        manifest = self.manifest
        return {
            "name": manifest.name,
            "version": manifest.version,
            "title": self.title,
            "task": manifest.task,
            "architecture": manifest.architecture,
            "classes": list(manifest.classes),
            "sha256": self.sha256,
        }

    @property
    def title(self) -> str:
        """``name v3``, for people."""
        return f"{self.manifest.name} v{self.manifest.version}"

    def read(self, file: str) -> bytes:
        """Content of a listed file, checked against the manifest as it is read.

        Raises:
            UserError: the file is not listed, cannot be read, or was changed since the bundle was opened.
        """
        listed = self.manifest.files.get(file)
        path = self.directory / file
        if listed is None:
            raise UserError(f"the manifest lists no file '{file}'", where=self.directory)
        try:
            data = path.read_bytes()
        except OSError as error:
            raise UserError(f"cannot read the file: {error.strerror}", where=path, fix=_REEXPORT) from error
        if len(data) != listed.size or hashlib.sha256(data).hexdigest() != listed.sha256:
            raise UserError("the file's content is not what the manifest says", where=path, fix=_REEXPORT)
        return data

    def parity(self) -> dict[str, npt.NDArray[Any]]:
        """Arrays of ``parity.safetensors``, see `contract.parity`.

        Raises:
            UserError: the file cannot be read or is damaged.
        """
        data = self.read(PARITY_NAME)
        try:
            return load_safetensors(data)
        except Exception as error:  # its exceptions share no public base class
            raise UserError(
                f"not a safetensors file: {error}", where=self.directory / PARITY_NAME, fix=_REEXPORT
            ) from error


def open_bundle(directory: Path, trust: Trust = ANYONE) -> Bundle:
    """Verify a bundle and open it.

    Checked: the signature, as ``trust`` wants it, before anything is parsed; every rule of the manifest; every listed
    file is there with its size and SHA-256; nothing else is there; no links; the directory is called
    ``<name>/<version>`` as the manifest says.

    Raises:
        UserError: the first of these that does not hold.
    """
    if directory.is_symlink() or not directory.is_dir():
        raise UserError("there is no bundle directory", where=directory, fix="check the path")
    directory = directory.resolve()
    raw = _read_small(directory / MANIFEST_NAME, MAX_MANIFEST_BYTES)
    signer = trust.check(raw, read_signature(directory), directory)
    manifest = decode(raw, directory / MANIFEST_NAME)
    if directory.name != str(manifest.version) or directory.parent.name != manifest.name:
        raise UserError(
            f"the directory holds {manifest.name} v{manifest.version}",
            where=directory,
            fix=f"it must be called '{manifest.name}/{manifest.version}'",
        )
    allowed = {MANIFEST_NAME, SIGNATURE_NAME, *manifest.files}
    for entry in sorted(directory.iterdir()):
        if entry.name not in allowed:
            raise UserError("the manifest does not list this file", where=entry, fix="remove it, or " + _REEXPORT)
        if not stat.S_ISREG(entry.lstat().st_mode):
            raise UserError("links and special files are not allowed in a bundle", where=entry, fix=_REEXPORT)
    for name, listed in manifest.files.items():
        path = directory / name
        if not path.is_file():
            raise UserError("the file is missing", where=path, fix=_REEXPORT)
        size = path.stat().st_size
        if size != listed.size:
            raise UserError(f"the file has {size} bytes instead of {listed.size}", where=path, fix=_REEXPORT)
        if durable.sha256(path) != listed.sha256:
            raise UserError("the file's SHA-256 is not what the manifest says", where=path, fix=_REEXPORT)
    return Bundle(directory, manifest, hashlib.sha256(raw).hexdigest(), signer)


class ModelRepository:
    """The directory ``MODEL_REPO/<name>/<version>/``, which need not exist yet, and who may sign what is in it."""

    def __init__(self, root: Path, trust: Trust = ANYONE) -> None:
        self.root, self.trust = root, trust

    def names(self) -> list[str]:
        """Names of the models that have at least one version, sorted."""
        if not self.root.is_dir():
            return []
        return sorted(entry.name for entry in self.root.iterdir() if entry.is_dir() and self.versions(entry.name))

    def versions(self, name: str) -> list[int]:
        """Versions of a model, ascending; empty when there is none."""
        folder = self.root / name
        if not folder.is_dir():
            return []
        return sorted(int(entry.name) for entry in folder.iterdir() if _is_version(entry.name) and entry.is_dir())

    def latest(self, name: str) -> int | None:
        """The highest version of a model, or None."""
        versions = self.versions(name)
        return versions[-1] if versions else None

    def open(self, name: str, version: int | None = None) -> Bundle:
        """Verify and open a version of a model, the newest by default.

        Raises:
            UserError: there is none, or it does not verify.
        """
        versions = self.versions(name)
        if not versions:
            known = self.names()
            raise UserError(
                f"there is no model '{name}'", where=self.root, fix=did_you_mean(name, known) if known else "export one"
            )
        chosen = versions[-1] if version is None else version
        if chosen not in versions:
            listed = ", ".join(map(str, versions))
            raise UserError(
                f"model '{name}' has no version {chosen}", where=self.root / name, fix=f"there are {listed}"
            )
        return open_bundle(self.root / name / str(chosen), self.trust)


def find_bundle(location: Path) -> Bundle:
    """The verified bundle at a location: its directory, its manifest.json, or a model's directory (its newest).

    Raises:
        UserError: there is none, or it does not verify.
    """
    directory = location.parent if location.name == MANIFEST_NAME else location
    if directory.is_dir() and not (directory / MANIFEST_NAME).exists():
        directory = directory.resolve()
        repository = ModelRepository(directory.parent)
        if repository.versions(directory.name):
            return repository.open(directory.name)
        raise UserError(
            "the directory holds no bundle", where=location, fix="name MODEL_ROOT/NAME/VERSION, or MODEL_ROOT/NAME"
        )
    return open_bundle(directory)


def bundle_directories(path: Path) -> list[Path]:
    """The bundle at a path, or all bundles of the repository, or of the one model, at that path; none is opened.

    Raises:
        UserError: there is none.
    """
    if (path / MANIFEST_NAME).exists():
        return [path]
    found = []
    for root, names in ((path, None), (path.parent, [path.name])):
        repository = ModelRepository(root)
        for name in names or repository.names():
            found += [root / name / str(version) for version in repository.versions(name)]
        if found:
            return found
    raise UserError(
        "there is no bundle", where=path, fix="give MODEL_REPO, MODEL_REPO/<name> or MODEL_REPO/<name>/<version>"
    )


def resolve_location(uri: str, model_root: Path) -> Path:
    """The bundle directory that an announcement's ``database_location`` names.

    Args:
        uri: ``file:///…/<name>/<version>/manifest.json``.
        model_root: the only directory from which models are taken, after all links are resolved.

    Raises:
        UserError: another scheme or host, not a manifest.json, or outside of ``model_root``.
    """
    try:
        parts = urlsplit(uri)
        path = Path(unquote(parts.path, errors="strict"))
    except ValueError as error:
        raise UserError(f"the announced location is not a URI: {error}", where=shown(uri)) from error
    if parts.scheme in ("http", "https"):
        raise UserError(
            "locations on the network are not allowed",
            where=shown(uri),
            fix="set the parameter fetch_from to what may be fetched, or announce a file:// URI",
        )
    if parts.scheme != "file" or parts.netloc not in ("", "localhost") or parts.query or parts.fragment:
        raise UserError(
            "the announced location is not a local file", where=shown(uri), fix="announce file:///…/manifest.json"
        )
    if "\0" in str(path) or not path.is_absolute() or path.name != MANIFEST_NAME:
        raise UserError(f"the announced location is not an absolute path of a {MANIFEST_NAME}", where=shown(uri))
    directory = path.parent.resolve()
    if not directory.is_relative_to(model_root.resolve()):
        raise UserError(
            "the announced bundle lies outside of model_root", where=shown(uri), fix=f"put it under {model_root}"
        )
    return directory


def _is_version(text: str) -> bool:
    return text.isascii() and text.isdigit() and not text.startswith("0")


def read_signature(directory: Path) -> bytes | None:
    """The content of a bundle's ``manifest.sig``, or None where there is none.

    Raises:
        UserError: it is no plain file, or cannot be read.
    """
    path = directory / SIGNATURE_NAME
    return _read_small(path, MAX_SIGNATURE_BYTES) if os.path.lexists(path) else None


def _read_small(path: Path, most: int) -> bytes:
    try:
        if not stat.S_ISREG(path.lstat().st_mode):
            raise UserError("links and special files are not allowed in a bundle", where=path, fix=_REEXPORT)
        # One byte more than allowed, so that the reader can tell that it is too long.
        with path.open("rb") as file:
            return file.read(most + 1)
    except FileNotFoundError:
        raise UserError("the bundle has no manifest", where=path, fix=_REEXPORT) from None
    except OSError as error:
        raise UserError(f"cannot read the file: {error.strerror}", where=path, fix="check its permissions") from error
