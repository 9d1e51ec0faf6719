"""The dataset on disk: what `generate` leaves behind, and the directory where it keeps its records meanwhile.

    images/000000.jpg…    annotations.json (COCO)    masks/000000.png…    dataset.json (provenance)
    sampled.jsonl (what was drawn for every scene and image)    contact_sheet.png

While a dataset is being made, ``.progress/`` holds its configuration and the records of finished scenes. Several
shards may be made in one directory at once: each has files of records and a lock of its own.
"""

from __future__ import annotations

import fcntl
import json
import shutil
import sys
import time
from collections.abc import Collection, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from importlib import metadata
from pathlib import Path
from typing import IO, Any

from perception_common import __version__, durable
from perception_common.errors import UserError

from . import coco
from .journal import PROGRESS, Journal
from .shards import WHOLE, Shard

_LOCK_PATIENCE_S = 0.3
"""How long to try for a lock: another process may hold it for a moment only to see whether it is free."""


def software() -> dict[str, str]:
    """The versions that a dataset's bytes depend on."""
    return {"perception_sim": __version__, "mujoco": metadata.version("mujoco")}


class Store:
    """The output directory of one dataset with one configuration.

    Args:
        output: the dataset's directory.
        config: all that the content depends on, as JSON values.
        scenes: how many scenes there are.
        folders: the directories that pictures go to.

    """

    def __init__(self, output: Path, config: dict[str, Any], scenes: int, folders: Sequence[str]) -> None:
        self.output, self.config, self._scenes, self._folders = output, config, scenes, folders
        self.progress = output / PROGRESS

    @contextmanager
    def opened(self, shard: Shard = WHOLE) -> Iterator[Journal]:
        """Take a shard of the directory for this process alone; the records, ready to be appended to.

        Raises:
            UserError: it cannot be written, holds something else, or another process works on the shard.

        """
        self._refuse_strangers()
        durable.ensure_writable(self.progress)
        with self._locked(shard):
            self._begin(shard)
            for name in self._folders:
                durable.ensure_writable(self.output / name)
            with Journal([self.output], self._scenes, f"{shard.name}.jsonl") as journal:
                yield journal

    def shard_is_done(self, shard: Shard) -> None:
        """Remember that all scenes of a shard have been made."""
        if not self._mark(shard).exists():
            durable.write_text(self._mark(shard), "")

    def undone(self, shard: Shard) -> list[int]:
        """Which of a shard's siblings have not been said to be done."""
        open_ones = [sibling.index for sibling in shard.siblings() if not self._mark(sibling).exists()]
        # Who finishes the dataset removes the marks, after it has written dataset.json.
        return [] if (self.output / "dataset.json").exists() else open_ones

    @contextmanager
    def finishing(self) -> Iterator[None]:
        """Let one process at a time finish the dataset; the others wait, and find it `finished`."""
        with ExitStack() as stack:
            with suppress(FileNotFoundError):  # then it is finished already
                lock = stack.enter_context((self.progress / "finish.lock").open("w"))
                try:
                    fcntl.flock(lock, fcntl.LOCK_EX)
                except OSError as error:
                    _warn_unlocked(self.output, error)
            yield

    def finished(self) -> dict[str, Any] | None:
        """The contents of dataset.json if the dataset is complete.

        Raises:
            UserError: the directory holds a dataset of another configuration.

        """
        path = self.output / "dataset.json"
        if not path.exists():
            return None
        provenance: dict[str, Any] = _load(path)
        _same_config(provenance.get("config"), self.config, self.output)
        if durable.sha256(self.output / "annotations.json") != provenance.get("annotations_sha256"):
            raise UserError(
                "annotations.json has been changed since it was generated",
                where=self.output,
                fix="choose another output",
            )
        self._tidy()
        return provenance

    def write_labels(self, header: coco.Header, journal: Journal) -> coco.Written:
        """annotations.json and sampled.jsonl from the records of all scenes."""
        return coco.write(self.output, self.progress, header, journal.records())

    def finish(self, written: coco.Written) -> dict[str, Any]:
        """Write dataset.json, the last file, which makes the dataset complete; its contents."""
        provenance = {
            "generator": "perception_sim",
            "version": __version__,
            "software": software(),
            "seed": self.config["seed"],
            "config": self.config,
            "counts": written.counts,
            "annotations_sha256": written.annotations_sha256,
            "sampled_sha256": written.sampled_sha256,
        }
        durable.write_text(self.output / "dataset.json", json.dumps(provenance, indent=2, sort_keys=True) + "\n")
        self._tidy()
        return provenance

    def _tidy(self) -> None:
        # A network file system keeps a deleted file that is still open, such as our own lock, under another name.
        shutil.rmtree(self.progress, ignore_errors=True)

    def _mark(self, shard: Shard) -> Path:
        return self.progress / f"{shard.name}.done"

    @contextmanager
    def _locked(self, shard: Shard) -> Iterator[None]:
        """Hold the shard's lock, after making sure that nobody works on another division of the dataset."""
        siblings = {f"{sibling.name}.lock" for sibling in shard.siblings()}
        with (self.progress / f"{shard.name}.lock").open("w") as own:
            if not _lock(own, self.output) or self._at_work(siblings):
                raise UserError(
                    "another process is generating here", where=self.output, fix="wait for it or choose another output"
                )
            yield

    def _at_work(self, except_for: Collection[str]) -> bool:
        """Whether a process holds the lock of a shard, but for some."""
        for path in self.progress.glob("shard_*.lock"):
            if path.name not in except_for:
                with path.open("w") as file:
                    if not _lock(file, self.output):
                        return True
        return False

    def _begin(self, shard: Shard) -> None:
        """Write the configuration down, or see that it is the one that was begun with."""
        path, begun = self.progress / "config.json", {**self.config, "software": software()}
        if path.exists() and _load(path) != begun and not self._touched(shard):
            path.unlink()
        if not path.exists():
            durable.write_text(path, json.dumps(begun) + "\n")
        same_config(_load(path), self.config, self.output)

    def _touched(self, shard: Shard) -> bool:
        """Whether there are pictures, or another process is about to make some."""
        images = self.output / "images"
        begun = any(path.stat().st_size for path in self.progress.glob("*.jsonl"))
        return begun or (images.is_dir() and any(images.iterdir())) or self._at_work({f"{shard.name}.lock"})

    def _refuse_strangers(self) -> None:
        if not self.output.is_dir():
            return
        strangers = [path.name for path in self.output.iterdir() if path.name != PROGRESS]
        # Asked last: another shard may begin the dataset this very moment, with the configuration first.
        if strangers and not (self.progress / "config.json").exists():
            raise UserError(
                f"the output directory is not empty (it holds '{sorted(strangers)[0]}')",
                where=self.output,
                fix="choose another --output",
            )


def begun_config(directory: Path) -> dict[str, Any]:
    """The configuration of a dataset that was begun in a directory, its own keys and ``software``.

    Raises:
        UserError: none was begun there.

    """
    path = directory / PROGRESS / "config.json"
    if not path.exists():
        complete = (directory / "dataset.json").exists()
        raise UserError(
            "the dataset is complete already" if complete else "this is no shard of a dataset",
            where=directory,
            fix="use it as it is" if complete else "give the --output of perception-sim generate, .progress included",
        )
    found = _load(path)
    if not isinstance(found, dict) or not isinstance(found.get("software"), dict):
        raise UserError("the configuration is damaged", where=path, fix="generate the shard again")
    return found


def same_config(found: Any, config: dict[str, Any], where: Path) -> None:
    """Check that a dataset begun before (`begun_config`) is the one that ``config`` and this `software` make.

    Raises:
        UserError: it is not; says in what it differs.

    """
    _same_config(found, {**config, "software": software()}, where)


def _same_config(found: Any, wanted: dict[str, Any], where: Path) -> None:
    if found == wanted:
        return
    known = found if isinstance(found, dict) else {}
    different = sorted(key for key in {*known, *wanted} if known.get(key) != wanted.get(key))
    raise UserError(
        f"the directory holds another dataset (it differs in {', '.join(different)})",
        where=where,
        fix="choose another --output, or remove it",
    )


def _lock(file: IO[str], output: Path) -> bool:
    """Lock a file until it is closed; whether it could be had."""
    deadline = time.monotonic() + _LOCK_PATIENCE_S
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                return False
            time.sleep(0.05)
        except OSError as error:
            _warn_unlocked(output, error)
            return True
        else:
            return True


def _warn_unlocked(output: Path, error: OSError) -> None:
    print(
        f"warning: {output} cannot be locked ({error.strerror}): see to it that no two processes make one shard",
        file=sys.stderr,
        flush=True,
    )


def _load(path: Path) -> Any:
    try:
        return json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise UserError(
            f"cannot read it as JSON: {error}", where=path, fix="remove the directory and generate again"
        ) from error
