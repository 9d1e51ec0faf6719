"""Fetch an announced bundle: signature and manifest first, then its files, and into place when all is verified."""

from __future__ import annotations

import hashlib
import os
import shutil
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from perception_common import durable
from perception_common.errors import UserError

from ..contract.manifest import MANIFEST_NAME, MAX_MANIFEST_BYTES, SIGNATURE_NAME, File, Manifest, decode
from ..models import open_bundle, read_signature
from ..trust import MAX_SIGNATURE_BYTES, Trust
from .locations import Location, bundle_location
from .quarantine import Quarantine, tidy
from .transfer import Patience, Reply, Site

if TYPE_CHECKING:
    from ..serving.rules import Announcement


def _quiet(_: str) -> None:
    """Tell nobody."""


@dataclass(frozen=True)
class Fetcher:
    """Fetches announced bundles into a model repository.

    Attributes:
        root: the model repository.
        trust: who may sign bundles; asked before anything of a manifest is parsed.
        prefixes: the URLs under which bundles may lie.
        limit: bytes that all files of a bundle may have together.
        seconds: time that fetching one may take.
        token: sent with each request; empty for none.
        tls: what makes connections to https secure.
        stall: seconds without a byte after which the server is given up.
        tell: called with one line when fetching begins and ends; from the thread that fetches.
    """

    root: Path
    trust: Trust
    prefixes: tuple[Location, ...]
    limit: int
    seconds: float
    token: str = field(default="", repr=False)
    tls: ssl.SSLContext = field(default_factory=ssl.create_default_context, repr=False)
    stall: float = 20.0
    tell: Callable[[str], object] = _quiet

    def __call__(self, wanted: Announcement, cancelled: Callable[[], bool]) -> Path:
        """The directory ``root/<name>/<version>`` of a bundle; fetched, unless the very same is there already.

        Args:
            wanted: its ``uri`` is that of the manifest.
            cancelled: asked several times a second.

        Raises:
            UserError: the location is not allowed, the server does not give what the manifest says, the bundle is not
                trusted or does not verify, another one of this name and version is there, or it took too long.
            Cancelled: ``cancelled`` said so. As after most errors, the next call goes on from what is there.
        """
        location = bundle_location(wanted.uri, wanted.name, wanted.version, self.prefixes)
        patience = Patience(self.seconds, self.stall, cancelled)
        site, quarantine = Site(self.token, self.tls, patience), Quarantine(self.root)
        with quarantine.lock(wanted.name, patience):
            raw, signature, signer = self._manifest(site, location)
            manifest = decode(raw, location)
            if (manifest.name, manifest.version) != (wanted.name, wanted.version):
                raise UserError(
                    f"the bundle is {manifest.name} v{manifest.version}, not what was announced", where=location
                )
            target = self.root / wanted.name / str(wanted.version)
            if os.path.lexists(target):
                _require_same(target, raw)
                if signer and signature is not None and read_signature(target) != signature:
                    durable.write_bytes(target / SIGNATURE_NAME, signature)
                return target
            began, total = time.monotonic(), sum(file.size for file in manifest.files.values())
            quarantine.clear(wanted.name, wanted.version, raw)
            directory = quarantine.place(wanted.name, wanted.version, raw)
            tidy(directory, manifest.files)
            self._require_room(directory, manifest, total, location)
            self.tell(f"fetching {wanted.title} from {location}: {total / 1e6:.1f} MB")
            for name, listed in manifest.files.items():
                _fetch(site, location.under(name), directory / name, listed)
            durable.write_bytes(directory / MANIFEST_NAME, raw)
            if signature is not None:
                durable.write_bytes(directory / SIGNATURE_NAME, signature)
            try:
                open_bundle(directory, self.trust)
            except UserError:
                quarantine.drop(wanted.name, wanted.version, raw)
                raise
            quarantine.release(wanted.name, wanted.version, raw)
            self.tell(f"fetched {wanted.title} in {time.monotonic() - began:.1f} s")
            return target

    def _manifest(self, site: Site, location: Location) -> tuple[bytes, bytes | None, str]:
        """The raw manifest, its signature, and the name of the trusted key that made it."""
        raw = site.read(location.under(MANIFEST_NAME), MAX_MANIFEST_BYTES)
        if raw is None:
            raise UserError("the server has no such bundle", where=location, fix="check fetch_from and the server")
        signature = site.read(location.under(SIGNATURE_NAME), MAX_SIGNATURE_BYTES)
        return raw, signature, self.trust.check(raw, signature, location)

    def _require_room(self, directory: Path, manifest: Manifest, total: int, location: Location) -> None:
        if total > self.limit:
            raise UserError(
                f"the bundle has {total / 2**20:.1f} MiB, and {self.limit / 2**20:g} are allowed",
                where=location,
                fix="raise fetch_mb",
            )
        with durable.told(directory):
            there = sum((directory / name).stat().st_size for name in manifest.files if (directory / name).exists())
            free = shutil.disk_usage(directory).free
        if total - there > free:
            raise UserError(
                f"the bundle needs {(total - there) / 2**20:.1f} MiB more, and {free / 2**20:.1f} are free",
                where=self.root,
                fix="make room on the disk",
            )


def _require_same(target: Path, raw: bytes) -> None:
    """A version never changes."""
    with durable.told(target):
        same = target.is_dir() and not target.is_symlink() and (target / MANIFEST_NAME).is_file()
        same = same and (target / MANIFEST_NAME).stat().st_size == len(raw)
        same = same and (target / MANIFEST_NAME).read_bytes() == raw
    if not same:
        raise UserError(
            "the server has another bundle of this name and version, and a version never changes",
            where=target,
            fix="export it as a new version, or remove what is there",
        )


def _fetch(site: Site, location: Location, path: Path, listed: File) -> None:
    """Fetch a file, or what is missing of it, and verify it."""
    digest = hashlib.sha256()
    with durable.told(path), os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o666), "r+b") as file:
        if path.stat().st_size > listed.size:
            file.truncate(0)
        while block := file.read(1 << 20):
            digest.update(block)
        there = file.tell()
        if there < listed.size:
            with site.get(location, there) as reply:
                if not reply.found:
                    raise UserError("the server lacks a file of the bundle", where=location, fix="copy it there")
                if reply.start < there:
                    # It cannot send parts.
                    file.seek(0)
                    file.truncate()
                    digest = hashlib.sha256()
                _receive(reply, listed.size, file.write, digest.update)
        file.flush()
        os.fsync(file.fileno())
        if digest.hexdigest() != listed.sha256:
            path.unlink()
            raise UserError(
                "the file's SHA-256 is not what the manifest says", where=location, fix="copy or export it again"
            )


def _receive(reply: Reply, size: int, *takers: Callable[[bytes], object]) -> None:
    """Pass on what comes, up to the listed size."""
    reply.require_size(size)
    place = reply.start
    for block in reply.blocks():
        place += len(block)
        if place > size:
            raise UserError(f"the server sends more than the {size} bytes of the file", where=reply.url)
        for take in takers:
            take(block)
    if place < size:
        raise UserError(
            f"the connection ended after {place} of {size} bytes",
            where=reply.url,
            fix="announce it again to go on from here",
        )
