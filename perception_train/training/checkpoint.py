"""Checkpoints of a run: whole or absent, and read without running code from the file."""

from __future__ import annotations

import io
import pickle
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from filelock import FileLock, Timeout

from perception_common import durable
from perception_common.errors import UserError

LAST = "checkpoint.pt"


@contextmanager
def one_run(run_directory: Path) -> Iterator[None]:
    """Hold the directory for one run at a time.

    Raises:
        UserError: another run holds it.
    """
    lock = FileLock(run_directory / ".lock", timeout=0)
    try:
        lock.acquire()
    except Timeout as error:
        raise UserError(
            "another training run uses the directory", where=run_directory, fix="choose another run_directory"
        ) from error
    try:
        yield
    finally:
        lock.release()


def save(run_directory: Path, state: dict[str, Any]) -> None:
    """Replace the run's checkpoint atomically."""
    buffer = io.BytesIO()
    torch.save(state, buffer)
    durable.write_bytes(run_directory / LAST, buffer.getvalue())


def load(run_directory: Path) -> dict[str, Any] | None:
    """The run's checkpoint, or None when it has none.

    Raises:
        UserError: the file is damaged or is no checkpoint of ours.
    """
    path = run_directory / LAST
    if not path.exists():
        return None
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except (RuntimeError, pickle.UnpicklingError, EOFError, OSError, ValueError) as error:
        raise UserError(
            f"cannot read the checkpoint: {str(error).splitlines()[0]}",
            where=path,
            fix="delete it, or set resume to false",
        ) from error
    if not isinstance(state, dict) or "step" not in state:
        raise UserError(
            "the file is no checkpoint of a training run", where=path, fix="delete it, or choose another run directory"
        )
    return state
