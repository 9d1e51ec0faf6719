"""Small trainings as commands, and whether what they kept can be read."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from shapes import small_run

from perception_common.errors import UserError
from perception_train.training import checkpoint

TRAINER = "Trainer"


def words(told: dict[str, Any]) -> list[str]:
    """Parameters as flags."""
    given: list[str] = []
    for name, value in told.items():
        flag = name.replace("_", "-")
        if isinstance(value, bool):
            given.append(f"--{flag}" if value else f"--no-{flag}")
        else:
            given += [f"--{flag}", *map(str, value if isinstance(value, tuple) else (value,))]
    return given


def command(told: dict[str, Any], *before: str) -> list[str]:
    return [*before, sys.executable, "-m", "perception_train", "run", *words(told)]


def quick(data: Path, folder: Path, **changes: Any) -> dict[str, Any]:
    return small_run(data, folder, report=False, tensorboard=False, **changes)


def unreadable(run: Path) -> int:
    """1 where there is a checkpoint that does not open."""
    try:
        checkpoint.load(run)
    except UserError:
        return 1
    return 0
